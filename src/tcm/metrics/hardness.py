"""How hard cases are: what can be reached without a model, and by the best formula that the tables hold.

Invented cases are worth something only where these figures stand to each other about as they do on real records.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean
from types import MappingProxyType

from tcm.answers import parse
from tcm.cases import Case
from tcm.cases.splits import folds
from tcm.metrics.floors import FLOORS, pattern_oracle
from tcm.metrics.intervals import interval
from tcm.metrics.sets import herb_f1

REAL: Mapping[str, float] = MappingProxyType(
    {"popularity": 0.289, "nearest_case": 0.255, "expert_rule": 0.276, "expert": 0.401, "pattern_oracle": 0.630}
)
"""What `herb_f1_by_folds` gives on the 192 open records of TCM-BEST4SDT; a test holds it, where they are at hand."""


def herb_f1_by_folds(cases: Sequence[Case]) -> dict[str, list[float]]:
    """Herb F1 at base level of each floor and of the best formula of all patterns, on first visits.

    Each fifth of the cases is answered from the other four. Follow-up visits are learned from but not answered: their
    previous prescription says too much, and the figures for real records are of first visits.

    Args:
        cases: training cases with answers, never the test split.

    Returns:
        Name as in `REAL` -> one value for each first visit, all in the same order.
    """
    values: dict[str, list[float]] = {name: [] for name in REAL}
    for train, held in folds(cases):
        asked = [case for case in held if case.task == "first_visit" and case.answer]
        if not asked or not train:
            continue
        for name in REAL:
            texts = pattern_oracle(train, asked) if name == "pattern_oracle" else FLOORS[name](train, asked)
            pairs = zip(asked, texts, strict=True)
            values[name] += [herb_f1(case.answer.herbs, parse(text).answer.herbs) for case, text in pairs]
    return values


def hardness(cases: Sequence[Case]) -> list[dict[str, float | str]]:
    """Rows of a table: `answer`, its mean `herb_f1`, the 95 % interval `low` to `high`, `n`, the mean on `real` cases.

    Args:
        cases: training cases with answers, never the test split; no rows where none of them is a first visit.
    """
    rows = []
    for name, values in herb_f1_by_folds(cases).items():
        if values:
            low, high = interval(values)
            mean = {"herb_f1": fmean(values), "low": low, "high": high, "n": len(values)}
            rows.append({"answer": name, **mean, "real": REAL[name]})
    return rows
