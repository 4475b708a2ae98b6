"""What was gained for which distance from the model that came in: by round of feedback, and by best of n.

Whoever trains pays for a better score with a distance (KL) from the model before; choosing the best of n answers by the
same judge pays the least for it, so its curve is the frontier (arXiv 2210.10760, 2401.01879). A judge's score that
rises while herb F1 falls is overoptimisation.
"""

import pandas as pd

from tcm_rlaif.evaluation.ablation import Evidence
from tcm_rlaif.evaluation.standing import KNOWING

BEST_OF_N = "best of n"
COLUMNS = ("answers by", "step", "kl", "judge_score", "herb_f1")


def points(evidence: Evidence) -> pd.DataFrame:
    """Means over seeds of the judge's score and herb F1 by KL.

    Returns:
        `answers by` (an arm, or the arm whose answers the best of n are chosen from, with `BEST_OF_N`), `step` (round,
        or n), `kl`, `judge_score`, `herb_f1`; no row where the stages do not tell them.
    """
    rows = [
        {"answers by": _arm(name), "step": r["round"]} | {k: r[k] for k in COLUMNS[2:]}
        for name, facts in evidence.dpo.items()
        for r in facts["rounds"]
    ]
    rows += [
        {"answers by": f"{_arm(name)}, {BEST_OF_N}", "step": r["k"], "kl": r["kl"], "judge_score": r["score"]}
        | {"herb_f1": r["herb_f1"]}
        for name, facts in evidence.evaluations.items()
        for r in facts["answering"].get("curve", [])
    ]
    found = pd.DataFrame(rows, columns=COLUMNS).dropna(subset="kl")
    return found.groupby(list(COLUMNS[:2]), sort=False).mean(numeric_only=True).reset_index()


def heights(evidence: Evidence) -> dict[str, dict[str, float]]:
    """Judge's score and herb F1 of the floors that know what the judge knows: where climbing it would end."""
    return {name: {key: evidence.mean(name, key) for key in COLUMNS[3:]} for name in KNOWING if name in evidence.tables}


def _arm(folder: str) -> str:
    return folder.split("/", 1)[0]


def describe(table: pd.DataFrame) -> str:
    """The alt text of the figure."""
    rows = (
        f"{by} {step:g}: KL {kl:.2f}, judge {judge:.2f}, herb F1 {f1:.2f}"
        for by, step, kl, judge, f1 in table.itertuples(index=False)
    )
    return "Judge's score and herb F1 against KL: " + "; ".join(rows)
