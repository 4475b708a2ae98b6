"""Reading before practice: the adapter first learns text written from all knowledge tables, then goes on with cases."""

import random
from dataclasses import replace
from pathlib import Path

from tcm import knowledge
from tcm.invented import corpus, textbook
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.types import Model, SFTTrainer, Tokenizer
from tcm_rlaif.training.sft import sft_trainer

BLOCK = 1024
"""Tokens of a block. Our choice: as long as a case may be (`sft_max_length`, thousands of tokens for records)
a pass over all tables would be two optimiser steps of long batches, in which nothing is learned."""


def passages(seed: int) -> list[str]:
    """One pass over all tables, in prose and in shuffled order: every herb with its other names, formula, pattern, rule
    of 加减, incompatible pair (十八反, 十九畏) and synonym of a symptom once.

    Each pattern comes twice, by itself and as a short note from findings to doses; the wording is drawn anew in each
    pass. No passage poses a case as the study does or shows an answer in its layout.
    """
    rng = random.Random(f"textbook-{seed}")
    book = textbook.edition()
    written = [
        *(corpus.herb_statement(herb, rng) for herb in book.herbs),
        *(corpus.formula_statement(formula, rng) for formula in book.formulas),
        *(corpus.pattern_statement(pattern, rng) for pattern in book.patterns),
        *(corpus.note_statement(pattern, rng) for pattern in book.patterns),
        *(
            corpus.modification_statement(replace(pattern, modifications=(rule,)), rng)
            for pattern in book.patterns
            for rule in pattern.modifications
        ),
        *(
            corpus.synonym_statement(symptom, (other,), rng)
            for symptom, others in knowledge.symptom_synonyms().items()
            for other in others
        ),
        *(f"{other}，即：{herb}。" for other, herb in knowledge.aliases().items()),
        *(f"{pair.kind}：{pair.group_a}与{pair.group_b}，不可同用。" for pair in knowledge.incompatibilities()),
    ]
    rng.shuffle(written)
    return written


def rows(tokenizer: Tokenizer, P: Params, seed: int):
    """All passes as blocks of `BLOCK` tokens, one passage a line, packed: no padding, every token is learned.

    The last block of all is left out where it is not full.
    """
    from datasets import Dataset

    text = "\n".join(line for number in range(P.sft_textbook_passes) for line in passages(seed + 1000 * number))
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    size = min(BLOCK, P.sft_max_length, len(ids))
    return Dataset.from_list([{"input_ids": ids[i : i + size]} for i in range(0, len(ids) - size + 1, size)])


def trainer(model: Model, tokenizer: Tokenizer, P: Params, *, seed: int, folder: Path) -> SFTTrainer:
    """The trainer that reads the textbook, with a fresh adapter on frozen weights; its model is what SFT continues.

    Source:
        Domain-adaptive pre-training by LoRA: TCM-GPT, arXiv 2311.01786. Text from tables, the learning rate of SFT and
        the block length are our choice.
    """
    return sft_trainer(
        model, tokenizer, rows(tokenizer, P, seed), None, P, seed=seed, folder=folder / "textbook", epochs=1, saves=10
    )
