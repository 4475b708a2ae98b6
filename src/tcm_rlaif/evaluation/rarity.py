"""Scores by how often training met the disease: what an arm makes of diseases that it has seen little or nothing of."""

import bisect

import pandas as pd

from tcm.cases import Case
from tcm_rlaif.evaluation.ablation import Evidence
from tcm_rlaif.study import params
from tcm_rlaif.study.notebooks import TRAININGS
from tcm_rlaif.study.schema import Params

GROUPS = ("none", "1 or 2", "3 or more")
BOUNDS = (1, 3)
"""Training answers of the disease at which a group begins; our choice."""


def group_of(number: int) -> str:
    """The group of a disease with so many training answers."""
    return GROUPS[bisect.bisect_right(BOUNDS, number)]


def table(evidence: Evidence, train: list[Case], test: list[Case], key: str, study: Params) -> pd.DataFrame:
    """Mean of a metric by arm, and by how many of the answers that its SFT saw are of the test case's disease.

    Args:
        train: all training cases, in the order in which `sft_cases` takes them.

    Returns:
        One row an arm with SFT: a column for each of `GROUPS` (mean over cases and seeds, missing where there is no
        such case) and one for its number of cases.
    """
    disease = {case.id: case.answer.disease for case in test if case.answer}
    rows = []
    for arm in study.arms:
        P = params.for_arm(study, arm)
        if "02_sft" not in TRAININGS[P.training]:
            continue
        seen = [case.answer.disease for case in train[: P.sft_cases or None] if case.answer]
        scores = evidence.tables[arm].dropna(subset=[key])
        groups = scores["case_id"].map(lambda name, seen=seen: group_of(seen.count(disease[name])))
        row: dict[str, object] = {"arm": arm}
        for name in GROUPS:
            part = scores[groups == name]
            row |= {name: float(part[key].astype(float).mean()) if len(part) else None}
            row |= {f"cases, {name}": part["case_id"].nunique()}
        rows.append(row)
    return pd.DataFrame(rows, columns=["arm", *GROUPS, *(f"cases, {name}" for name in GROUPS)])
