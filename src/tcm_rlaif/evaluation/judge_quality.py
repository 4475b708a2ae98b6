"""How good must an AI judge be? What each arm's judge is worth by its audit, beside what learning from it brought."""

from statistics import fmean

import pandas as pd

from tcm_rlaif.evaluation import known
from tcm_rlaif.evaluation.ablation import Evidence
from tcm_rlaif.evaluation.comparisons import compared
from tcm_rlaif.study.params import seeds_of
from tcm_rlaif.study.plan import find_run
from tcm_rlaif.study.schema import Params

FIGURES = {"own_above_other": "this patient's above another's", "order": "order as herb F1"}
"""Figures of the audit -> columns."""
COLUMNS = ("arm", *FIGURES.values(), "defects found", "gain", "low", "high", "seeds")
KEY = "herb_f1"


def rows(evidence: Evidence, study: Params) -> pd.DataFrame:
    """One row for each arm that trains on a judge's choice.

    Returns:
        The audit's figures of the arm's judge (means over seeds, on training and validation cases), and the `gain` in
        herb F1 over the arm that it started from, with its interval over seeds and cases.
    """
    found = []
    for arm, start in known.starts(study).items():
        folders = {
            find_run(study, "03_rlaif_labels", arm, seed).folder.split("/", 1)[1] for seed in seeds_of(study, arm)
        }
        audits = [evidence.labels[folder] for folder in sorted(folders)]
        gain = compared(evidence, study, arm, start, KEY)
        row = {"arm": arm, **gain.row("gain", study.ablation_confidence), "seeds": len(gain.by_seed)}
        row |= {column: _figure(audits, figure) for figure, column in FIGURES.items()}
        rates = [d["rate"] for audit in audits for d in audit["detection"] if d["rate"] is not None]
        found.append(row | {"defects found": fmean(rates) if rates else None})
    return pd.DataFrame(found).reindex(columns=list(COLUMNS))


def _figure(audits: list[dict], figure: str) -> float | None:
    """Mean over audits of a figure of the judge (popularity, which stands beside it, is none)."""
    values = [
        row["value"]
        for audit in audits
        for row in audit["physicians"]["rows"]
        if row["figure"] == figure and row["scored_by"] == "score" and row["judge"] != "popularity"
    ]
    return fmean(values) if values else None


def differ(found: pd.DataFrame) -> bool:
    """Whether arms learned from judges of different worth, so that there is something to compare."""
    return len(found[list(FIGURES.values())].round(6).drop_duplicates()) > 1


def describe(found: pd.DataFrame) -> str:
    """The alt text of the figure."""
    order = FIGURES["order"]
    return f"Gain in {KEY} by the judge's order agreement: " + "; ".join(
        f"{row['arm']} {row[order]:.2f}, {row['gain']:+.3f} ({row['low']:+.3f} to {row['high']:+.3f})"
        for row in found.dropna(subset=order).to_dict("records")
    )
