"""Follow-up visits (复诊): was the previous prescription changed as the physician changed it (加减)?

Most herbs stay from visit to visit, so copying the previous prescription already scores well on plain herb F1.
These metrics look at the changes alone, and at the gain over copying.
"""

from collections.abc import Mapping, Set

from tcm.metrics.sets import overlap

SAME_DOSE_G = 0.05
"""Doses nearer than this (in g) count as unchanged: less than any balance in a dispensary shows."""


def changes(previous: Set[str], gold: Set[str], pred: Set[str]) -> dict[str, float]:
    """F1 of what was retained, added, removed, and of all changes together; each 0 to 1.

    With p the previous prescription: retained p∩x, added x-p, removed p-x, changes = added (as ``+herb``) and
    removed (as ``-herb``) in one set; each compared between x = gold and x = pred by F1. Two empty sets agree
    (1: nothing to add and nothing added); an answer without any herb scores 0 throughout. Copying the previous
    prescription scores 0 on `change_f1` wherever the gold answer changed anything.

    Source: our choice; no published scorer covers follow-up prescriptions.
    """
    gold_parts, pred_parts = _parts(previous, gold), _parts(previous, pred)
    return {f"{name}_f1": _f1(gold_parts[name], pred_parts[name]) if pred else 0.0 for name in gold_parts}


def _parts(previous: Set[str], now: Set[str]) -> dict[str, Set[str]]:
    added, removed = now - previous, previous - now
    return {
        "retained": previous & now,
        "added": added,
        "removed": removed,
        "change": {f"+{h}" for h in added} | {f"-{h}" for h in removed},
    }


def _f1(gold: Set[str], pred: Set[str]) -> float:
    if not gold:
        return 0.0 if pred else 1.0
    return overlap(gold, pred)["f1"]


def gain_over_copy(previous: Set[str], gold: Set[str], pred: Set[str]) -> float:
    """Herb F1 of the answer minus herb F1 of the previous prescription handed in again, -1 to 1."""
    return overlap(gold, pred)["f1"] - overlap(gold, previous)["f1"]


def dose_direction(previous: Mapping[str, float], gold: Mapping[str, float], pred: Mapping[str, float]) -> float | None:
    """Share of retained herbs whose dose went up, down or stayed as in the gold answer, 0 to 1.

    Args:
        previous: doses of the previous prescription in g.
        gold: doses of the gold answer in g.
        pred: doses of the answer in g; a herb that is absent counts as wrong.

    Returns:
        The share, or None where gold retains no herb with a dose on both sides.

    Source: our choice.
    """
    retained = previous.keys() & gold.keys()
    if not retained:
        return None
    right = sum(h in pred and _direction(previous[h], pred[h]) == _direction(previous[h], gold[h]) for h in retained)
    return right / len(retained)


def _direction(before: float, after: float) -> int:
    if abs(after - before) < SAME_DOSE_G:
        return 0
    return 1 if after > before else -1
