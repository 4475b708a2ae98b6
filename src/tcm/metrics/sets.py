"""Agreement of two herb sets: what was prescribed, doses and order aside.

Two levels: `canonical` keeps processing apart (炙甘草 is not 甘草) and `base` does not. A name that the
tables do not know stays as written, so an invented herb still costs precision.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from statistics import fmean

from tcm.knowledge.names import Level, herb_set
from tcm.knowledge.names import herb_at as herb_at  # beside `herb_set` for those who count one by one


def overlap(gold: Set[str], pred: Set[str]) -> dict[str, float]:
    """Precision |∩|/|pred|, recall |∩|/|gold|, F1 2|∩|/(|gold|+|pred|) and Jaccard |∩|/|∪|, each 0 to 1.

    An empty prediction scores 0 throughout.

    Raises:
        ValueError: if `gold` is empty; the caller reports such a metric as not applicable.

    Source: van Rijsbergen, Information Retrieval (1979); Jaccard (1912).
    """
    if not gold:
        raise ValueError("the gold set is empty: agreement with nothing is not defined")
    common = len(gold & pred)
    return {
        "precision": common / len(pred) if pred else 0.0,
        "recall": common / len(gold),
        "f1": 2 * common / (len(gold) + len(pred)),
        "jaccard": common / len(gold | pred),
    }


def herb_f1(gold: Iterable[str], pred: Iterable[str], level: Level = "base") -> float:
    """F1 of the herbs of two prescriptions, names as written; `gold` is not empty."""
    return overlap(herb_set(gold, level), herb_set(pred, level))["f1"]


def size_agreement(gold: Set[str], pred: Set[str]) -> float:
    """How near the two prescriptions are in length: 1 - ||gold|-|pred||/max(|gold|,|pred|), 0 to 1.

    Says nothing of the patient (any fifteen names score well), therefore never a primary metric.

    Source: `avg_herb` of TCM-TBOSD (CCL25 Task 9). Two empty sets, where the source divides by zero, give 0.
    """
    largest = max(len(gold), len(pred))
    return 1 - abs(len(gold) - len(pred)) / largest if largest else 0.0


def f1_macro_case(rows: Sequence[Mapping[str, float]]) -> float:
    """Mean over cases of each case's own F1. `rows` carry ``f1``."""
    return fmean(row["f1"] for row in rows)


def f1_of_means(rows: Sequence[Mapping[str, float]]) -> float:
    """F1 of the mean precision and the mean recall. `rows` carry ``precision`` and ``recall``.

    Published tables mix this with `f1_macro_case` (the two differ by a point or more), hence both, by name.
    """
    precision, recall = fmean(row["precision"] for row in rows), fmean(row["recall"] for row in rows)
    return harmonic(precision, recall)


def harmonic(precision: float, recall: float) -> float:
    """2PR/(P+R), and 0 where both are 0."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
