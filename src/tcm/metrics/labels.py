"""Agreement of the labels of an answer: disease, syndrome, formula and treatment principle.

Each label is compared twice: to the letter (`exact`) and as a set of labels (`f1`), because 肝郁脾虚，心血不足
names two syndromes and 小柴胡汤合归脾汤 two formulas. The set score is F1, not recall: naming every label of the
textbook must not win. A set score is None where the gold field names nothing.
"""

import re
from collections import Counter

from tcm.knowledge import resolve_formula
from tcm.metrics.sets import overlap

_SEPARATORS = re.compile(r"[|｜,，、;；。/\s]+")


def squeeze(text: str) -> str:
    """The text without white space and without a full stop at its end: what `exact` compares."""
    return "".join(text.split()).rstrip("。.")


def exact(gold: str, pred: str) -> float:
    """1 if both texts are equal to the letter after `squeeze`, else 0."""
    return float(squeeze(gold) == squeeze(pred))


def label_set(text: str) -> frozenset[str]:
    """Labels of a disease or syndrome field: split at punctuation, a closing 证, 症 or 病 dropped.

    气虚血瘀证 and 气虚血瘀, 眩晕病 and 眩晕 thus are one label. Never split at 和 or 兼: both occur inside names.
    """
    return frozenset(_stem(part) for part in _SEPARATORS.split(text) if part)


def _stem(label: str) -> str:
    return label[:-1] if len(label) > 2 and label[-1] in "证症病" else label


def label_f1(gold: str, pred: str) -> float | None:
    """F1 of the two label sets, 0 to 1. Source: our choice; TCM-TBOSD's README uses recall alone."""
    return _f1(label_set(gold), label_set(pred))


def _f1(gold: frozenset[str], pred: frozenset[str]) -> float | None:
    """F1, or None where the gold field names nothing."""
    return overlap(gold, pred)["f1"] if gold else None


def formula_set(text: str) -> frozenset[str]:
    """Formulas named in a field, by canonical name; 小柴胡汤合归脾汤加减 names two. Unknown names stay as written."""
    return frozenset(resolve_formula(text))


def formula_f1(gold: str, pred: str) -> float | None:
    """F1 of the two sets of formulas, 0 to 1. Source: our choice."""
    return _f1(formula_set(gold), formula_set(pred))


def phrases(text: str) -> frozenset[str]:
    """Phrases of a treatment principle: 清利肝胆，健脾养心 has two."""
    return frozenset(part for part in _SEPARATORS.split(text) if part)


def principle_f1(gold: str, pred: str) -> float | None:
    """F1 of the two phrase sets, 0 to 1: strict, 健脾养心 and 养心健脾 differ. Source: our choice."""
    return _f1(phrases(gold), phrases(pred))


def bigram_dice(gold: str, pred: str) -> float:
    """Dice of character bigrams within phrases, counted with multiplicity, 0 to 1.

    2·common/(all of gold + all of pred). Gives part credit for 疏肝健脾 against 疏肝解郁, but also for words that
    stand in every treatment principle: read it beside `principle_f1`. A phrase of one character counts as itself.

    Source: Dice (1945) on bigrams; our choice.
    """
    ours, theirs = _bigrams(gold), _bigrams(pred)
    total = ours.total() + theirs.total()
    return 2 * (ours & theirs).total() / total if total else 0.0


def _bigrams(text: str) -> Counter[str]:
    grams: Counter[str] = Counter()
    for phrase in (part for part in _SEPARATORS.split(text) if part):
        grams.update([phrase[i : i + 2] for i in range(len(phrase) - 1)] or [phrase])
    return grams
