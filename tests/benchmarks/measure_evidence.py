"""Measures the evidence on public cases: the floors and the curve.

Five folds by group, weights fitted on the training part alone, herb F1 at base level, 95 % bootstrap intervals over
cases. Reads public cases where they lie (``TCM_DATA``, or ../shared/data) and prints the table, progress to stderr.
Only the weights are blind to the cases that are answered: the form of the mixture (wordings beside signs, neighbours,
the first formula before the others, the grid) was chosen by looking at these very cases; new ones may do less well.
No test: run it by hand with ``python tests/benchmarks/measure_evidence.py``.
"""

import argparse
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from tcm.answers import parse
from tcm.cases import Answer, Case
from tcm.cases.splits import folds
from tcm.evidence import Evidence
from tcm.metrics.case import label_scores
from tcm.metrics.dose import dose_agreement, grams
from tcm.metrics.floors import expert_rule, nearest_case, popularity
from tcm.metrics.intervals import interval
from tcm.metrics.sets import herb_f1, herb_set, overlap
from tcm.sources import SOURCES
from tcm_rlaif.evaluation import curve

DATA = Path(os.environ.get("TCM_DATA", Path(__file__).resolve().parents[2].parent / "shared" / "data"))
NEAR = 0.8  # similarity from which findings count as the same case
PLACES = {"best4sdt": DATA / "best4sdt" / "TCM_SDT_192.json", "mtcmb": DATA / "mtcmb"}


def f1(gold: Answer, answer: Answer) -> float:
    """Herb F1 at base level."""
    return overlap(herb_set(gold.herbs, "base"), herb_set(answer.herbs, "base"))["f1"]


def floors(train: list[Case], test: list[Case]) -> dict[str, list[Answer]]:
    """Answers of the floors, and of the evidence with one part left out."""
    answers = {
        name: [parse(text).answer for text in floor(train, test)]
        for name, floor in (("popularity", popularity), ("nearest_case", nearest_case), ("expert_rule", expert_rule))
    }
    w = (evidence := Evidence(train)).weights
    without = {
        "expert without patterns": replace(w, patterns=0.0),
        "expert without similar cases": replace(w, patterns=max(w.patterns, 0.1), similar=0.0),
    }
    answers["expert"] = [found.answer for found in evidence.about(test)]
    for name, weights in without.items():
        answers[name] = [found.answer for found in Evidence(train, weights=weights).about(test)]
    return answers


def row(name: str, values: Sequence[float]) -> str:
    """One line of the table: mean, interval and number of cases."""
    low, high = interval(values, 0.95, 2000)
    return f"| {name} | {np.mean(values):.3f} | {low:.3f} to {high:.3f} | {len(values)} |"


def measure(name: str, cases: list[Case], seed: int) -> None:
    """Print the floors on one source."""
    scores: Mapping[str, list[float]] = defaultdict(list)
    kinds: Mapping[str, list[float]] = defaultdict(list)
    others: Mapping[str, list[float]] = defaultdict(list)
    chosen: Counter[str] = Counter()
    for train, test in tqdm(folds(cases, seed), desc=f"{name}, folds"):
        for floor, answers in floors(train, test).items():
            for case, answer in zip(test, answers, strict=True):
                value = f1(case.answer, answer)
                scores[floor].append(value)
                if floor in ("expert", "popularity"):
                    kinds[f"{floor}, {case.source}"].append(value)
                if floor in ("expert", "nearest_case", "expert_rule"):
                    for key, score in label_scores(case.answer, answer).items():
                        if key in ("disease_f1", "syndrome_f1", "principle_dice"):
                            others[f"{floor}, {key}"].append(score)
                    if gold := grams(case.answer.prescription):
                        dosed = dose_agreement(gold, grams(answer.prescription))
                        others[f"{floor}, dose overlap"].append(dosed["overlap"])
        chosen[str(Evidence(train).weights)] += 1
    print(f"\n{name}: {len(cases)} cases, five folds, seed {seed}\n")
    print("| | mean | 95 % interval | cases |\n|---|---|---|---|")
    for table in (scores, kinds, others):
        print("\n".join(row(what, values) for what, values in table.items()), flush=True)
    print("\nweights: " + "; ".join(f"{n} x ({w})" for w, n in chosen.most_common()))


def print_curve(name: str, cases: list[Case], seeds: int) -> None:
    """Print herb F1 by the number of training answers; each case is averaged over seeds, each with its own folds."""
    print(f"\n{name}: herb F1 by the number of training answers, mean over {seeds} draws\n")
    print("| answers | expert | 95 % interval | nearest case | popularity |\n|---|---|---|---|---|")
    for size in curve.SIZES:
        found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for seed in tqdm(range(seeds), desc=f"{name}, {size} answers"):
            for train, test in folds(cases, seed):
                few = curve.subset(train, size, NEAR, seed)
                for floor, answers in curve.answered(few, test, NEAR).items():
                    for case, answer in zip(test, answers, strict=True):
                        found[floor][case.id].append(herb_f1(case.answer.herbs, answer.herbs))
        means = {floor: [float(np.mean(v)) for v in by_case.values()] for floor, by_case in found.items()}
        low, high = interval(means["expert"], 0.95, 2000)
        expert, nearest, popular = (np.mean(means[floor]) for floor in ("expert", "nearest_case", "popularity"))
        print(f"| {size} | {expert:.3f} | {low:.3f} to {high:.3f} | {nearest:.3f} | {popular:.3f} |", flush=True)


def main() -> None:
    """Measure every source that is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of the folds")
    parser.add_argument("--draws", type=int, default=3, help="draws for each point of the curve; 0 leaves it out")
    options = parser.parse_args()
    for name, path in PLACES.items():
        if not path.exists():
            print(f"{name}: no cases at {path}; set TCM_DATA to the folder that holds {path.parent.name}/")
            continue
        cases = SOURCES[name](path).cases
        measure(name, cases, options.seed)
        if name == "best4sdt" and options.draws:
            print_curve(name, cases, options.draws)


if __name__ == "__main__":
    main()
