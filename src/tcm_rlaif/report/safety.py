"""Safety and doses of the arms beside the physicians' own prescriptions, who break rules too."""

from typing import Any

import pandas as pd

from tcm_rlaif.evaluation import stats, tables
from tcm_rlaif.evaluation.ablation import Evidence
from tcm_rlaif.study.measures import MEASURES
from tcm_rlaif.study.schema import Params

DOSES = ("dose_coverage", "dose_overlap", "dose_in_range", "dose_abs_log2_ratio", "dose_mae_g")
KINDS = {"any": "any finding", "high": "of high severity", "overdose": "overdose"}


def excess(evidence: Evidence, study: Params) -> pd.DataFrame:
    """Share of prescriptions with a finding beyond that of the physicians' on the same cases, with its interval.

    Returns:
        `arm`, `finding`, `n` cases, `arm's` and `physicians'` share, `excess`, `low`, `high` and `seeds`.
    """
    rows: list[dict[str, Any]] = []
    for kind in tables.EXCESS:
        key = f"{tables.UNSAFE}{kind}"
        gold = stats.matrix(evidence.tables["gold"].assign(seed=0), key)
        for arm in study.arms:
            values = stats.difference(stats.matrix(evidence.tables[arm], key), gold)
            if not values.size:  # it prescribed nothing
                continue
            found = stats.estimate(values, evidence.patient_of)
            own = float(stats.matrix(evidence.tables[arm], key).mean().mean())
            rows.append(
                {"arm": arm, "finding": KINDS[kind], "n": found.n, "arm's": own, "physicians'": own - found.mean}
                | found.row("excess", study.ablation_confidence)
                | {"seeds": list(found.by_seed.values())}
            )
    return pd.DataFrame(rows, columns=["arm", "finding", "n", "arm's", "physicians'", "excess", "low", "high", "seeds"])


def doses(evidence: Evidence) -> pd.DataFrame:
    """How far doses are from the physicians', by arm and floor; mean over cases, seeds first."""
    shown = {name: part for name, part in evidence.tables.items() if name != "gold" and part[DOSES[0]].notna().any()}
    table = pd.DataFrame({name: {key: evidence.mean(name, key) for key in DOSES} for name in shown}).T
    return table.rename_axis("answers by")


def dose_words() -> str:
    """What the dose metrics are."""
    return "; ".join(f"`{key}`: {MEASURES[key].formula}" for key in DOSES) + "."
