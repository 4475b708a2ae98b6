"""Measures the two layouts of follow-up answers: as changes of the prescription before, or in full.

For each number of physicians' answers and each layout the tiny base learns by SFT from training cases of the embedded
default, as 02_sft does, and answers its validation cases and freshly invented ones greedily; no test case is touched.
Beside herb F1 on follow-up and first visits stand copy_previous on the same cases, the share of follow-up answers that
read completely, and what the changes were: herbs put in and taken out, each with the share that the physician did too.
No test: run it by hand with ``python tests/benchmarks/measure_followups.py --base FOLDER``.
"""

import argparse
import random
import re
import tempfile
from collections.abc import Sequence
from itertools import count, islice
from pathlib import Path
from statistics import fmean, stdev

from tcm.answers import previous_items, read_for, write
from tcm.cases import Case, splits
from tcm.invented import corpus, invent_cases, textbook
from tcm.metrics import score_case
from tcm.metrics.sets import herb_set
from tcm_rlaif.models import loading
from tcm_rlaif.models.sampling import sample
from tcm_rlaif.study.schema import Params
from tcm_rlaif.training import adapters, sft
from tcm_rlaif.training.arguments import run
from tcm_rlaif.training.pretraining import cached_folder

DICE_SEED = 7001


def invented(P: Params, fresh: int) -> list[Case]:
    """The study's cases, or so many fresh ones after them: other patients of the same physicians."""
    how = (P.data_follow_up_share, P.data_seed, P.base_patterns, P.data_physicians)
    return invent_cases(P.data_cases + fresh, *how)[P.data_cases if fresh else 0 :]


def default_cases(P: Params) -> tuple[list[Case], list[Case]]:
    """Training and validation cases of the embedded default."""
    cases = invented(P, 0)
    place = splits.split(
        cases, splits.groups(cases, P.data_near_duplicate), P.data_validation_share, P.data_test_share, P.data_seed
    )
    train, validation = (
        [c for c, p in zip(cases, place, strict=True) if p == name] for name in ("train", "validation")
    )
    return train, validation


def policy(base: str, train: Sequence[Case], validation: Sequence[Case], P: Params, seed: int):
    """The tiny base after SFT, and its tokenizer."""
    model, tokenizer = loading.load_base(base, P)
    rows, watched = (sft.sft_rows(part, followup_layout=P.sft_followup_layout) for part in (train, validation))
    with tempfile.TemporaryDirectory() as folder:
        trainer = sft.sft_trainer(model, tokenizer, rows, watched, P, seed=seed, folder=Path(folder))
        run(trainer)
        return adapters.trained(trainer), tokenizer


def changes(cases: Sequence[Case], texts: Sequence[str], out: bool) -> str:
    """Herbs put in or taken out a case, and the share that the physician put in or took out too."""
    done, right = 0, 0
    for case, text in zip(cases, texts, strict=True):
        before = herb_set([item.herb for item in previous_items(case)], "canonical")
        gold, now = (herb_set(a.herbs, "canonical") for a in (case.answer, read_for(case, text).answer))
        moved, wanted = (before - now, before - gold) if out else (now - before, gold - before)
        done, right = done + len(moved), right + len(moved & wanted)
    return f"{done / len(cases):.2f} ({right / max(done, 1):.0%} right)"


def rules_known(base: str, P: Params, number: int = 48) -> str:
    """How many new findings the base itself answers as the rule 加减 of the tables does, asked as in its reading."""
    model, tokenizer = loading.load_base(base, P)
    dice, book = random.Random(DICE_SEED), [p for p in textbook.edition(P.base_patterns).patterns if p.modifications]
    asked = (corpus.change_chat(dice.choice(book), dice) for _ in count())
    chats = list(islice((chat for chat in asked if "现：" in chat and "调方？" in chat), number))
    right = 0
    for chat in chats:
        head, gold = re.match("(.*assistant\n)(.*)<", chat, re.S).groups()
        ids = tokenizer(head, return_tensors="pt", add_special_tokens=False)
        said = model.generate(**ids, max_new_tokens=32, do_sample=False, pad_token_id=tokenizer.pad_token_id)
        answer = tokenizer.decode(said[0][ids["input_ids"].shape[1] :], skip_special_tokens=True)
        right += answer.strip() == gold.strip()
    return f"{right} of {number} new findings answered by their rule"


def row(cases: Sequence[Case], texts: Sequence[str]) -> str:
    """The figures of one model, or of copy_previous, as a line."""
    scores = [score_case(case, text) for case, text in zip(cases, texts, strict=True)]
    again = [n for n, case in enumerate(cases) if case.earlier_visits]
    first = [s["herb_f1"] for s, case in zip(scores, cases, strict=True) if not case.earlier_visits]
    f1 = [scores[n]["herb_f1"] for n in again]
    valid = fmean(scores[n]["format_valid"] for n in again)
    asked, said = [cases[n] for n in again], [texts[n] for n in again]
    return (
        f"follow-up herb F1 {fmean(f1):.3f} ± {stdev(f1) / len(f1) ** 0.5:.3f} (n {len(f1)}), "
        f"dose overlap {fmean(scores[n]['dose_overlap'] for n in again):.3f}, read completely {valid:.0%}, "
        f"put in {changes(asked, said, out=False)}, taken out {changes(asked, said, out=True)}; "
        + (f"first-visit herb F1 {fmean(first):.3f} (n {len(first)})" if first else "")
    )


def main() -> None:
    """Print a line for copy_previous and for every number of answers, layout and seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", help="folder of a tiny base; default: the one that a default study built")
    parser.add_argument("--answers", type=int, nargs="+", default=[110, 40])
    parser.add_argument("--epochs", type=float, default=Params().sft_epochs, help="passes over the answers")
    parser.add_argument("--layouts", nargs="+", default=["changes", "full"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--fresh", type=int, default=120, help="fresh cases beside the validation cases")
    parser.add_argument("--show", type=int, default=0, help="follow-up answers to print")
    args = parser.parse_args()
    P = Params(sft_epochs=args.epochs)
    train, validation = default_cases(P)
    cases = validation + invented(P, args.fresh)
    copied = [write(case.previous_answer or case.answer) for case in cases]
    print("the base before SFT:", rules_known(args.base or str(cached_folder(P)), P), flush=True)
    print("copy_previous (gold at first visits):", row(cases, copied), flush=True)
    for number in args.answers:
        for layout in args.layouts:
            for seed in args.seeds:
                now = P.model_copy(update={"sft_followup_layout": layout})
                model, tokenizer = policy(args.base or str(cached_folder(P)), train[:number], validation, now, seed)
                settings = {"number": 1, "temperature": 0.0, "max_new_tokens": 160, "batch_size": 48, "seed": seed}
                texts = [s.text for s in sample(model, tokenizer, cases, **settings)]
                print(f"{number} answers, {layout}, seed {seed}:", row(cases, texts), flush=True)
                for case, text in list(zip(cases, texts, strict=True))[: args.show]:
                    if case.earlier_visits:
                        print(f"  {case.visit.history}\n  {write(case.answer, previous_items(case))}\n  {text}\n")


if __name__ == "__main__":
    main()
