"""Scores by kind of case, where the test cases of a study come from sources of several kinds (`Case.source`).

Shown and not tested: which kinds a split holds, and how many of each, was not declared.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from tcm import metrics
from tcm.cases import Case
from tcm.metrics.intervals import ranged
from tcm_rlaif.evaluation import ablation
from tcm_rlaif.evaluation.ablation import Evidence
from tcm_rlaif.study.schema import Params


def rows(evidence: Evidence, test: Sequence[Case], study: Params) -> list[dict[str, Any]]:
    """Each primary metric of every arm and floor on each kind of case; none where all cases are of one kind.

    Args:
        test: the test cases that were answered.

    Returns:
        `metric`, `source`, `answers by`, and `mean`, `low`, `high`, `n` as of `ablation.arm_means`: intervals of arms
        over seeds and cases, of floors, which know no seed, over cases.
    """
    source_of = {case.id: case.source for case in test}
    if len({*source_of.values()}) < 2:
        return []
    tables = {name: evidence.tables[name] for name in (*study.arms, *metrics.FLOORS) if name in evidence.tables}
    found = []
    for key in evidence.primary:
        for source in sorted({*source_of.values()}):
            parts = {name: part[part["case_id"].map(source_of) == source] for name, part in tables.items()}
            answered = [name for name, part in parts.items() if _counts(part, key)]
            means = ablation.arm_means(replace(evidence, tables=parts), key, study, answered)
            row = {"metric": key, "source": source}
            found += [row | one for one in means.rename(columns={"arm": "answers by"}).to_dict("records")]
    return [{name: value for name, value in row.items() if name != "seeds"} for row in found]


def _counts(part: pd.DataFrame, key: str) -> bool:
    """Whether a metric applies to any case, in all seeds of it."""
    return bool(part[key].notna().groupby(part["case_id"]).all().any())


def table(found: Sequence[dict[str, Any]], key: str) -> pd.DataFrame:
    """What `rows` found on one metric: a row for each that answers, a column for each kind.

    A mean of fewer cases than stand in the head of its column, as of a floor that answers follow-up visits alone, has
    its own n behind it.
    """
    of_key = [row for row in found if row["metric"] == key]
    most: dict[str, int] = {}
    for row in of_key:
        most[row["source"]] = max(most.get(row["source"], 0), row["n"])
    cells: dict[str, dict[str, str]] = {name: {} for name in dict.fromkeys(row["answers by"] for row in of_key)}
    for row in of_key:
        n = most[row["source"]]
        own = f" ({row['n']})" if row["n"] != n else ""
        cells[row["answers by"]][f"{row['source'].rpartition('/')[2]} (n = {n})"] = ranged(row) + own
    return pd.DataFrame.from_dict(cells, orient="index").rename_axis("answers by")
