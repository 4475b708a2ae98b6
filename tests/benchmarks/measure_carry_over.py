"""What a study's arms are worth on another study's test cases: does what was learned from one source carry over?

Both studies must have been run here; nothing is trained. Every arm that both have (or that `--arms` names, also one
that the other lacks), with every seed that was evaluated, answers the other's test cases as it answers its own: with
its own training cases in its prompt and for its judge. Test cases that nearly coincide with what the arm was trained
or tuned on are left out. Beside each arm stand the same arm trained at home, the difference that feedback made at
either place, and the floors, made of the cases that the visiting arm learned from.

    python tests/benchmarks/measure_carry_over.py mtcmb best4sdt --json reports/carry_over.json
    python tests/benchmarks/measure_carry_over.py qwen_small mtcmb_qwen --travel qwen_small --arms sft sft_dpo

What is in the file of `--json` already and not measured anew stays in it.
"""

import argparse
import tempfile
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import pandas as pd
from joblib import Parallel, delayed

from tcm.cases import Case, read_split, splits
from tcm.files import read_json, write_json
from tcm_rlaif.evaluation import choice, comparisons, known, stats, tables
from tcm_rlaif.models.prompter import Prompter
from tcm_rlaif.runner.progress import named
from tcm_rlaif.runner.trained import Trained, find
from tcm_rlaif.study import stage
from tcm_rlaif.study.plan import plan, study_folder

METRICS = ("herb_f1", "disease_f1", "syndrome_f1", "usable")


def new_to(trained: Trained, theirs: Sequence[Case]) -> list[Case]:
    """Which cases share no patient and no findings with what an arm was trained or tuned on."""
    seen = [case for name in ("train", "validation") for case in read_split(trained.folders["data"], name)]
    return splits.apart(theirs, seen, [True] * len(seen), trained.P.data_near_duplicate)[0]


def away(here: str, arm: str, seed: int, cases: Sequence[Case]) -> pd.DataFrame:
    """Scores of an arm's answers to cases of another source."""
    trained = find(here, arm, seed)
    model, tokenizer = trained.load()
    learned = trained.training_cases
    with tempfile.TemporaryDirectory() as folder:
        how = (learned, trained.P, trained.seed, Path(folder), Prompter(trained.P, learned))
        said, _ = choice.answers(model, tokenizer, cases, *how)
    return tables.score_answers(cases, [s.text for s in said], [s.finished for s in said]).assign(seed=trained.seed)


def home(trained: Trained) -> pd.DataFrame:
    """Scores of an arm's answers to its own test cases, as its study left them."""
    return tables.read_table(trained.folders["evaluation"] / "scores.jsonl").assign(seed=trained.seed)


def cell(values: pd.DataFrame, patient_of: dict[str, str]) -> dict[str, Any] | None:
    """A mean over seeds and cases, or a difference of two, with its 95 % interval; None where no case has it."""
    if not values.size:
        return None
    found = stats.estimate(values, patient_of)
    return found.row("mean", 0.95) | {"by_seed": list(found.by_seed.values()), "n": found.n}


def within(share: dict[str, Any] | None) -> dict[str, Any] | None:
    """The interval of a share, cut at 0 and 1."""
    return share and share | {"low": max(share["low"], 0.0), "high": min(share["high"], 1.0)}


def evaluated(study: str) -> dict[str, list[int]]:
    """The arms of a study that have answered their own test cases here, each with the seeds that have."""
    P = named(study)
    arms: dict[str, list[int]] = {}
    for run in plan(P):
        if run.stage == "05_evaluate" and (study_folder(P) / run.folder / stage.DONE).is_file():
            arms.setdefault(run.arm, []).append(run.seed)
    return arms


def some(arms: dict[str, list[int]]) -> tuple[str, int]:
    """Any of the arms, with any of its seeds."""
    arm, seeds = next(iter(arms.items()))
    return arm, seeds[0]


def carried(here: str, there: str, chosen: Sequence[str] | None, parallel: Parallel) -> dict[str, Any]:
    """Arms trained in one study (those chosen; None: all that both have), asked about the test cases of another."""
    at_home, from_here = evaluated(there), evaluated(here)
    arms = {arm: seeds for arm, seeds in from_here.items() if arm in (chosen or at_home)}
    if not arms or not at_home:
        raise SystemExit(f"{here} has none of these arms evaluated, or {there} none at all; ./study run goes on")
    host, guest = find(there, *some(at_home)), find(here, *some(arms))
    cases = new_to(guest, read_split(host.folders["data"], "test"))
    patient_of = {case.id: case.patient_id for case in cases}
    hosts = {arm: pd.concat([home(find(there, arm, seed)) for seed in at_home[arm]], ignore_index=True)
             for arm in arms if arm in at_home}  # fmt: skip
    runs = [(arm, seed) for arm, seeds in arms.items() for seed in seeds]
    scored = list(zip(runs, parallel(delayed(away)(here, *run, cases) for run in runs), strict=True))
    guests = {arm: pd.concat([table for (of, _), table in scored if of == arm], ignore_index=True) for arm in arms}
    learned = guest.training_cases[: guest.P.sft_cases or None]
    floors, starts = tables.floors(learned, cases), known.starts(guest.study)
    rows = []
    for arm, table in guests.items():
        for key in METRICS:
            mine = stats.matrix(table, key)
            row = {"arm": arm, "metric": key, "away": within(cell(mine, patient_of))}
            if arm in hosts:
                row["beside home"] = cell(stats.difference(mine, stats.matrix(hosts[arm], key)), patient_of)
            if (start := starts.get(arm)) in guests:
                row["over the start"] = cell(comparisons.paired(guests, guest.study, arm, start, key), patient_of)
            rows.append(row)
    means = floors.groupby("arm", sort=False)[list(METRICS)].mean().astype(object)
    return {
        "trained on": here,
        "tested on": there,
        "answers": len(learned),
        "cases": len(cases),
        "left out": len(read_split(host.folders["data"], "test")) - len(cases),
        "base": guest.P.base_model,
        "rows": rows,
        "floors": means.where(means.notna(), None).to_dict("index"),
    }


def main() -> None:
    """Carry every pair of the studies over, both ways, print, and write where `--json` says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="+", help="names of studies that were run here")
    parser.add_argument("--arms", nargs="+", help="these alone; those that both have, if not named")
    parser.add_argument(
        "--travel", nargs="+", help="studies whose arms are asked about the others' cases; all, if not named"
    )
    parser.add_argument("--workers", type=int, default=1, help="arms that answer at the same time")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with Parallel(args.workers, verbose=5) as parallel:
        found = {f"{here} to {there}": carried(here, there, args.arms, parallel)
                 for here, there in permutations(args.studies, 2) if here in (args.travel or args.studies)}  # fmt: skip
    for part in found.values():
        print(pd.DataFrame([{k: v["mean"] if isinstance(v, dict) else v for k, v in row.items()}
                            for row in part["rows"]]).to_string(index=False))  # fmt: skip
        print(pd.DataFrame(part["floors"]).T.to_string())
    if args.json:
        write_json(args.json, (read_json(args.json) if args.json.exists() else {}) | found)


if __name__ == "__main__":
    main()
