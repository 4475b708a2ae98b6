"""Measures invented cases by physicians with habits beside cases by the book.

How hard they are (floors and the best formula of all patterns, first visits, five folds), how often a rule of safety is
broken in the gold answers, and how the rubric and the evidence judge fare: this patient's answer above another's, and
two other answers ordered as their herb F1 is (`measure_judge`). Each figure is printed for every data seed.
No test: run it by hand with ``python tests/benchmarks/measure_invented.py``.
"""

import argparse
from collections.abc import Sequence
from statistics import fmean

import numpy as np
from measure_judge import combined, expected, order, patient, rubric
from tqdm import tqdm

from tcm.cases import Case
from tcm.cases.splits import folds
from tcm.evidence import Evidence
from tcm.invented import invent_cases
from tcm.metrics.hardness import REAL, herb_f1_by_folds
from tcm.metrics.sets import herb_set, overlap
from tcm.prescriptions.safety import audit
from tcm_rlaif.study.schema import Params

WEIGHT = Params().judge_agreement_weight
ASKED = 15
"""Cases of one fold that the judges are asked about: each judges every answer of all of them."""


def unsafe(cases: Sequence[Case]) -> dict[str, float]:
    """Share of gold answers with a finding of the safety audit, by least severity."""
    rank = {"low": 0, "medium": 1, "high": 2}
    worst = [
        max((rank[f.severity] for f in audit(a.prescription, c.patient, a.packets, a.usage)), default=-1)
        for c in cases
        if (a := c.answer)
    ]
    return {f"unsafe, {name} or graver": fmean(w >= number for w in worst) for name, number in rank.items()}


def judges(cases: Sequence[Case], seed: int) -> dict[str, float]:
    """Patient and order agreement of the rubric, the evidence judge and popularity, over five folds."""
    found: dict[str, list[float]] = {}
    for train, held in tqdm(folds(cases, seed), desc="judges, folds", leave=False):
        asked = [case for case in held if case.task == "first_visit"][:ASKED]
        gold = [case.answer for case in asked]
        herbs = [herb_set(answer.herbs, "base") for answer in gold]
        agree = np.array([[overlap(one, other)["f1"] for other in herbs] for one in herbs])
        rules, safe = np.moveaxis(np.array([[rubric(case, other) for other in gold] for case in asked]), -1, 0)
        hoped = expected(Evidence(train).about(asked), gold)
        evidence = combined(rules, hoped, safe, WEIGHT)
        for name, score in (("rubric", rules), ("evidence", evidence)):
            found.setdefault(f"{name}: this patient's above another's", []).extend(patient(score))
            found.setdefault(f"{name}: order agreement", []).extend(order(score, agree))
    return {name: fmean(values) for name, values in found.items()}


def main() -> None:
    """Print one table."""
    P = Params()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=P.data_cases)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the cases")
    options = parser.parse_args()
    columns: dict[str, dict[str, list[float]]] = {}
    for physicians in (0, P.data_physicians):
        column = columns.setdefault(f"{physicians} physicians" if physicians else "by the book", {})
        for seed in tqdm(options.seeds, desc=f"{physicians} physicians"):
            cases = invent_cases(options.cases, P.data_follow_up_share, seed, P.base_patterns, physicians)
            sizes = {"herbs of a prescription": fmean(len(case.answer.herbs) for case in cases)}
            floors = {name: fmean(values) for name, values in herb_f1_by_folds(cases).items()}
            for name, value in {**floors, **judges(cases, 0), **unsafe(cases), **sizes}.items():
                column.setdefault(name, []).append(value)
    print(f"\n{options.cases} invented cases, data seeds {options.seeds}: mean (one value a seed)\n")
    print(f"| | {' | '.join(columns)} | TCM-BEST4SDT |\n|---|{'---|' * (len(columns) + 1)}")
    for name in next(iter(columns.values())):
        cells = [f"{fmean(v):.3f} ({', '.join(f'{x:.2f}' for x in v)})" for v in (c[name] for c in columns.values())]
        print(f"| {name} | {' | '.join(cells)} | {REAL.get(name, '')} |")


if __name__ == "__main__":
    main()
