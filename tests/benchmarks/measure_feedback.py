"""What ways of learning from feedback bring, on fresh invented cases: a tool for choosing settings, no test.

    python tests/benchmarks/measure_feedback.py sft_cases=40 candidate_number=8 \
        + preference_training=best_of_n preference_rounds=2 + preference_training=dpo pair_margin=0.1

What stands before the first `+` holds for all; each part after a `+` is one way, started from the same SFT model. A
table line each: judge's score, herb F1 and usable share of greedy answers to fresh cases (never the test split), with
the difference from SFT and its interval over cases, then KL an answer and minutes.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from statistics import fmean
from types import SimpleNamespace

import yaml

from tcm.cases import Case, read_split, write_cases
from tcm.invented import invent_cases
from tcm.metrics import score_case
from tcm.metrics.intervals import interval
from tcm_rlaif.feedback import candidates, labels
from tcm_rlaif.feedback.judges import make_judges
from tcm_rlaif.models import loading, sampling
from tcm_rlaif.study.schema import Params
from tcm_rlaif.training import adapters, arguments, pretraining, sft
from tcm_rlaif.training.preference_run import PreferenceRun


def groups(words: list[str]) -> list[dict]:
    """`key=value` words as one dictionary for each part between `+` signs."""
    found: list[dict] = [{}]
    for word in words:
        if word == "+":
            found.append({})
        else:
            key, _, value = word.partition("=")
            found[-1][key] = yaml.safe_load(value)
    return found


def invented(P: Params, fresh: int) -> list[Case]:
    """The study's cases and its pool, or the fresh ones after them: other patients of the same physicians."""
    number = P.data_cases + P.data_unlabelled
    how = (P.data_follow_up_share, P.data_seed, P.base_patterns, P.data_physicians)
    return invent_cases(number + fresh, *how)[number if fresh else 0 :]


def write_data(folder: Path, P: Params) -> None:
    """Training, validation and unlabelled cases as 01_data_prep leaves them (no test case, no near-duplicate check)."""
    cases = invented(P, 0)
    train = round(P.data_cases * (1 - P.data_validation_share))
    names = ["train"] * train + ["validation"] * (P.data_cases - train) + ["unlabelled"] * P.data_unlabelled
    cases = [
        c if n != "unlabelled" else c.model_copy(update={"answer": None}) for c, n in zip(cases, names, strict=True)
    ]
    write_cases(folder / "cases.jsonl", cases)
    (folder / "splits.json").write_text(json.dumps({c.id: n for c, n in zip(cases, names, strict=True)}), "utf-8")


def measured(model, tokenizer, cases, judge, P: Params) -> dict[str, list[float]]:
    """Greedy answers to the cases, scored one by one."""
    settings = {"number": 1, "temperature": 0.0, "max_new_tokens": P.eval_max_new_tokens, "batch_size": 48, "seed": 0}
    samples = sampling.sample(model.eval(), tokenizer, cases, **settings)
    rows = [score_case(c, s.text, s.finished) for c, s in zip(cases, samples, strict=True)]
    return {
        "judge": [judge.score(c, s.text) for c, s in zip(cases, samples, strict=True)],
        "herb_f1": [row["herb_f1"] for row in rows],
        "usable": [row["usable"] for row in rows],
    }


def said(name: str, now: dict, before: dict | None, more: str = "") -> str:
    """One line of the table."""
    parts = []
    for key, values in now.items():
        gain = ""
        if before:
            difference = [a - b for a, b in zip(values, before[key], strict=True)]
            low, high = interval(difference)
            gain = f" {fmean(difference):+.3f} [{low:+.3f}, {high:+.3f}]"
        parts.append(f"{key} {fmean(values):.3f}{gain}")
    return f"{name}: {'; '.join(parts)}{more}"


def learned(P: Params, data: Path, base: str, start: Path, judge, fresh, before, first: dict) -> str:
    """One way of learning, from the SFT adapter to its line."""
    started = time.monotonic()
    model, tokenizer = loading.load_policy(base, start, P, trainable=True)
    with tempfile.TemporaryDirectory() as place:
        stage = SimpleNamespace(P=P, seed=0, folder=Path(place), inputs={"data": data})
        key = json.dumps({k: v for k, v in P.model_dump(mode="json").items() if k.startswith(("candidate_", "judge"))})
        if key not in first:
            asked = candidates.prompted(data, P)
            items, _ = candidates.sample_candidates(model.eval(), tokenizer, asked, P, 0, Path(place) / "c.jsonl")
            judges = make_judges(P, read_split(data, "train"))
            first[key] = items, labels.judge(judges, items, P, Path(place)).verdicts
        feedback = labels.Feedback(*first[key], read_split(data, "train")[: P.sft_cases or None])
        run = PreferenceRun(model, tokenizer, feedback, read_split(data, "validation")[: P.dpo_health_cases], stage)
        run.train()
        run.panel.restore()
        policy = adapters.trained(run.trainer) if run.trainer else run.model
        now = measured(policy, tokenizer, fresh, judge, P)
    tokens = sum(row.get("tokens_trained", 0) for row in run.rounds)
    more = f"; KL {run.panel.kept['kl']:.2f}; {tokens} tokens trained; {(time.monotonic() - started) / 60:.1f} minutes"
    return said("", now, before, more)[2:]


def main() -> None:
    """Read the words, train SFT once, then each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fresh", type=int, default=80, help="fresh invented cases that answers are measured on")
    parser.add_argument("--base", help="folder of a trained tiny base; default: the cached one of these parameters")
    parser.add_argument("words", nargs="*", help="key=value, and + between ways")
    args = parser.parse_args()
    common, *ways = groups(args.words)
    P = Params(**common)
    base = args.base or str(pretraining.cached_folder(P))
    with tempfile.TemporaryDirectory() as place:
        data = Path(place) / "data"
        data.mkdir()
        write_data(data, P)
        fresh = invented(P, args.fresh)
        (judge,) = make_judges(P, read_split(data, "train"))
        model, tokenizer = loading.load_base(base, P)
        seen = read_split(data, "train")[: P.sft_cases or None]
        rows = sft.sft_rows(seen, followup_layout=P.sft_followup_layout)
        trainer = sft.sft_trainer(model, tokenizer, rows, None, P, seed=0, folder=Path(place) / "sft")
        arguments.run(trainer)
        policy = adapters.trained(trainer)
        policy.save_pretrained(Path(place) / "adapter")
        before, first = measured(policy, tokenizer, fresh, judge, P), {}
        table = [said(f"SFT on {len(rows)} answers", before, None)]
        for way in ways:
            line = learned(Params(**common, **way), data, base, Path(place) / "adapter", judge, fresh, before, first)
            table.append(f"{' '.join(f'{k}={v}' for k, v in way.items())}: {line}")
            print("\n".join(["", *table, ""]), flush=True)  # so far: trainers print in between


if __name__ == "__main__":
    main()
