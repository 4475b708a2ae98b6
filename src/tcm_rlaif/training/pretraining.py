"""Pre-training of the tiny base on statements written from the knowledge tables, and where the result is kept."""

import hashlib
import json
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tcm.invented import corpus
from tcm_rlaif.models import prompts, tiny
from tcm_rlaif.study.params import ROOT
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.syntax import does
from tcm_rlaif.training import arguments as shared
from tcm_rlaif.training.arguments import arguments, on_one_gpu

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer

OPTIMISER = Path(__file__).with_name("muon.py")  # imported where it is used: it needs torch
HOW_LOADED = ("base_attention", "base_quantization", "base_trust_remote_code")  # no part of what makes the tiny base


def cached_folder(P: Params) -> Path:
    """Where the tiny base with these parameters is kept, for every study that wants the same.

    Its name is a hash of all that makes it: its keys, the text it reads as written now, and the code (not the comments)
    of tokenizer, model, training and what all trainers share.
    """
    keys = {k: v for k, v in P.model_dump(mode="json").items() if k.startswith("base_") and k not in HOW_LOADED}
    said = [*corpus.facts(P.base_patterns), *islice(corpus.statements(P.base_seed, P.base_patterns), 3000)]
    code = [does(Path(f).read_text("utf-8")) for f in (tiny.__file__, shared.__file__, OPTIMISER, __file__)]
    made_of = json.dumps([keys, said, prompts.LAYOUT_WORDS, prompts.FIXED_WORDING, code], sort_keys=True)
    return ROOT / "runs" / "cache" / f"tiny-{hashlib.sha256(made_of.encode()).hexdigest()[:16]}"


def trainer(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", P: Params, folder: Path) -> "Trainer":
    """The trainer of the tiny base: statements joined by `<|endoftext|>` and cut into blocks of `base_block` tokens."""
    from transformers import Trainer, TrainingArguments, default_data_collator

    from tcm_rlaif.training.muon import muon

    needed = P.base_steps * P.base_batch_size
    ids: list[int] = []
    stream = corpus.statements(P.base_seed + 1, P.base_patterns)
    while len(ids) < needed * P.base_block:
        for one in tokenizer(list(islice(stream, 2000)), add_special_tokens=False)["input_ids"]:
            ids += [*one, tokenizer.pad_token_id]
    blocks = [ids[i * P.base_block : (i + 1) * P.base_block] for i in range(needed)]
    settings = on_one_gpu(
        TrainingArguments(
            **arguments(P, P.base_seed, folder, "base", P.base_steps),
            per_device_train_batch_size=P.base_batch_size,
            max_steps=P.base_steps,
            learning_rate=P.base_learning_rate,
            save_strategy="no",
        )
    )
    rows = [{"input_ids": block, "labels": block} for block in blocks]
    optimizer = muon(model, P.base_learning_rate, weight_decay=0.05)
    return Trainer(
        model, settings, train_dataset=rows, data_collator=default_data_collator, optimizers=(optimizer, None)
    )
