"""Strict twins of the published scorers: the same questions with the documented holes closed.

What is closed, and how: wrong names cost (F1 or Jaccard where the original takes recall); the denominator is
the gold ids, so a missing answer scores 0; an empty answer scores 0; 、，； and white space separate names as the
ASCII comma does; herb names are normalised (丹皮 = 牡丹皮, 枳壳 麸炒 aside at base level); the size term, which pays
for any names at all, is left out of the composite. Source of the holes: the docstrings of `published`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from statistics import fmean

from tcm.metrics.labels import label_f1
from tcm.metrics.published import SDT_WEIGHTS, mtcmb_herbs, sdt_options, sdt_summary
from tcm.metrics.sets import Level, herb_set, overlap, size_agreement

_SEPARATORS = re.compile(r"[,，、;；。|\s]+")


def list_herbs(raw: object) -> list[str]:
    """Herb names of a list or of text: what stands between the outer brackets, if any, at any usual separator."""
    if isinstance(raw, str):
        start, end = raw.find("["), raw.rfind("]")
        parts = [raw[start + 1 : end] if 0 <= start < end else raw]
    else:
        parts = mtcmb_herbs(raw)
    names = (name.strip("'\"“”‘’") for part in parts for name in _SEPARATORS.split(part))
    return [name for name in names if name]


def herb_scores(gold: Iterable[str], pred: Iterable[str], level: Level = "canonical") -> dict[str, float]:
    """Twin of MTCMB TCM-PR and TCM-TBOSD subtask 2 for one case.

    Returns:
        `precision`, `recall`, `f1`, `jaccard` on normalised names, `composite` = (J+F1)/2, each 0 to 1, and `size`,
        which is shown but earns nothing: fifteen invented names reach 28 of 100 published points by size alone.
    """
    return set_scores(herb_set(gold, level), herb_set(pred, level))


def set_scores(gold: Set[str], pred: Set[str]) -> dict[str, float]:
    """`herb_scores` of two sets of normalised names."""
    scores = overlap(gold, pred)
    return scores | {"size": size_agreement(gold, pred), "composite": (scores["jaccard"] + scores["f1"]) / 2}


def label_scores(gold: Mapping[str, str], pred: Mapping[str, str]) -> dict[str, float]:
    """Twin of TCM-TBOSD subtask 1 for one case: F1 of the label sets, in any order, 0 to 1.

    Args:
        gold: ``syndrome`` and ``disease``; several labels with any usual separator.
        pred: likewise; a missing field scores 0.
    """
    scores = {field: label_f1(gold[field], pred.get(field, "")) for field in ("syndrome", "disease")}
    return scores | {"task1": (scores["syndrome"] + scores["disease"]) / 2}


def sdt(gold: Mapping[str, Sequence[str]], pred: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Twin of TCMEval-SDT: means over the gold ids, 0 to 1.

    Args:
        gold: id → the four fields (items and options joined by ``;``, the summary as text).
        pred: likewise; a missing id scores 0 on every task.

    Returns:
        `task1` F1 of items (the original takes recall), `task2` and `task3` Jaccard of options, `task4` character
        ROUGE-L without line breaks at the ends, `total` their weighted sum, and `n` gold ids.
    """
    rows = [_sdt_case(fields, pred.get(case_id, ("", "", "", ""))) for case_id, fields in gold.items()]
    means = {task: fmean(row[i] for row in rows) for i, task in enumerate(SDT_WEIGHTS)}
    return means | {"total": sum(SDT_WEIGHTS[t] * means[t] for t in SDT_WEIGHTS), "n": len(rows)}


def _sdt_case(gold: Sequence[str], pred: Sequence[str]) -> tuple[float, float, float, float]:
    truths, answers = ([_items(field) for field in fields[:3]] for fields in (gold, pred))
    return (
        overlap(truths[0], answers[0])["f1"],
        sdt_options(truths[1], answers[1]),
        sdt_options(truths[2], answers[2]),
        sdt_summary(gold[3].strip(), pred[3].strip()),
    )


def _items(field: str) -> frozenset[str]:
    return frozenset(item for item in re.split(r"[;；\n]", field) if item.strip())
