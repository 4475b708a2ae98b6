"""Why no trained arm passes copying at follow-ups: what a policy can say there, by the answers that it learned from.

The tiny base learns by SFT, as 02_sft does, from 40 and more invented physicians' answers, and answers follow-up visits
of other patients greedily and eight times; no test case is touched. Beside herb F1 stands that of the best of the eight
by the physician's own answer, which no judge can pass, and how often the policy still names the rule 加减 when it is
asked in the words that the base was trained on.

    python tests/benchmarks/measure_followups.py --base FOLDER --json reports/followups.json
"""

import argparse
import random
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from itertools import count, islice
from pathlib import Path
from statistics import fmean

from scipy.stats import t

from tcm.answers import previous_items, read_for, write
from tcm.cases import Case, splits
from tcm.files import write_json
from tcm.invented import corpus, invent_cases, textbook
from tcm.metrics import score_case
from tcm.metrics.sets import herb_set
from tcm_rlaif.models import loading
from tcm_rlaif.models.sampling import sample
from tcm_rlaif.study.params import load
from tcm_rlaif.study.schema import Params
from tcm_rlaif.training import adapters, sft
from tcm_rlaif.training.arguments import run
from tcm_rlaif.training.pretraining import cached_folder

DICE_SEED = 7001
ANSWERS = {40: 12, 110: 6, 330: 4, 1000: 3}  # number of answers -> passes over them


def invented(P: Params, fresh: int) -> tuple[list[Case], list[Case]]:
    """Cases to learn from, in a fixed order, and follow-ups of other patients of the same physicians."""
    most = P.data_cases + fresh + 2 * max(ANSWERS)
    cases = invent_cases(most, P.data_follow_up_share, P.data_seed, P.base_patterns, P.data_physicians)
    group = splits.groups(cases, P.data_near_duplicate)
    asked = range(P.data_cases, P.data_cases + fresh)  # behind those of the embedded default
    theirs = {group[n] for n in asked}
    learned = [case for n, case in enumerate(cases) if n >= P.data_cases + fresh and group[n] not in theirs]
    return learned, [cases[n] for n in asked if cases[n].earlier_visits]


def policy(base: str, train: Sequence[Case], P: Params, seed: int):
    """The tiny base after SFT, and its tokenizer."""
    model, tokenizer = loading.load_base(base, P)
    rows = sft.sft_rows(train, followup_layout=P.sft_followup_layout)
    with tempfile.TemporaryDirectory() as folder:
        trainer = sft.sft_trainer(model, tokenizer, rows, None, P, seed=seed, folder=Path(folder))
        run(trainer)
        return adapters.trained(trainer), tokenizer


def changes(cases: Sequence[Case], texts: Sequence[str]) -> dict[str, float]:
    """Herbs put in and taken out a case, and how many of them the physician put in or took out too."""
    found: Counter[str] = Counter()
    for case, text in zip(cases, texts, strict=True):
        before = herb_set([item.herb for item in previous_items(case)], "canonical")
        gold, now = (herb_set(a.herbs, "canonical") for a in (case.answer, read_for(case, text).answer))
        moved, wanted = before ^ now, before ^ gold
        found.update(changed=len(moved), right=len(moved & wanted), wanted=len(wanted))
    return {name: number / len(cases) for name, number in found.items()}


def rules_known(model, tokenizer, P: Params, number: int = 48) -> float:
    """The share of new findings that a model answers as the rule 加减 does, asked as in the base's reading."""
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
    return right / number


def herb_f1(cases: Sequence[Case], texts: Sequence[str]) -> list[float]:
    """Of each answer."""
    return [score_case(case, text)["herb_f1"] for case, text in zip(cases, texts, strict=True)]


def measured(model, tokenizer, cases: Sequence[Case], P: Params, seed: int) -> dict:
    """What a policy says at follow-ups: herb F1 by case, greedy and of the best of the draws, and its changes."""
    model.eval()
    how = {"max_new_tokens": P.eval_max_new_tokens, "batch_size": P.eval_batch_size, "seed": seed}
    greedy = [s.text for s in sample(model, tokenizer, cases, number=1, temperature=0.0, **how)]
    drawn = sample(
        model,
        tokenizer,
        cases,
        number=P.candidate_number,
        temperature=P.candidate_temperature,
        top_p=P.candidate_top_p,
        **how,
    )
    of = [case for case in cases for _ in range(P.candidate_number)]
    f1 = herb_f1(of, [s.text for s in drawn])
    best = [max(f1[n : n + P.candidate_number]) for n in range(0, len(f1), P.candidate_number)]
    return {"greedy": herb_f1(cases, greedy), "best": best, "rules": rules_known(model, tokenizer, P)} | changes(
        cases, greedy
    )


def beside(runs: Sequence[dict], name: str, copied: Sequence[float]) -> dict[str, float]:
    """Mean of a figure over seeds and cases, and its difference from copying with a 95 % interval over cases."""
    by_case = [fmean(values) for values in zip(*(run[name] for run in runs), strict=True)]
    differences = [a - b for a, b in zip(by_case, copied, strict=True)]
    mean = fmean(differences)
    spread = (sum((d - mean) ** 2 for d in differences) / (len(differences) - 1) / len(differences)) ** 0.5
    half = float(t.ppf(0.975, len(differences) - 1)) * spread
    return {"mean": fmean(by_case), "beside copying": mean, "low": mean - half, "high": mean + half}


def main() -> None:
    """Measure every number of answers with every seed, print, and write where `--json` says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", help="folder of a tiny base; default: the one that a default study built")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--fresh", type=int, default=240, help="invented cases, of which the follow-ups are asked")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    P = load("params/default.yaml")
    base = args.base or str(cached_folder(P))
    learned, cases = invented(P, args.fresh)
    copied = herb_f1(cases, [write(case.previous_answer or case.answer) for case in cases])
    found = {"cases": len(cases), "seeds": args.seeds, "copying": fmean(copied),
             "base rules": rules_known(*loading.load_base(base, P), P), "rows": []}  # fmt: skip
    print(found, flush=True)
    for number, epochs in ANSWERS.items():
        now = P.model_copy(update={"sft_epochs": epochs})
        runs = [measured(*policy(base, learned[:number], now, seed), cases, P, seed) for seed in args.seeds]
        row = {"answers": number, **{name: beside(runs, name, copied) for name in ("greedy", "best")}}
        row |= {name: fmean(run[name] for run in runs) for name in ("rules", "changed", "right", "wanted")}
        found["rows"].append(row)
        print(row, flush=True)
        if args.json:
            write_json(args.json, found)


if __name__ == "__main__":
    main()
