"""What a pharmacist asks about besides the safety rules (处方审核): findings that want an answer, none that forbids.

Withdrawn and protected herbs, herbs not for children or the old, herbs that harm liver or kidneys, diseases, western
drugs and allergies that the findings name, breast-feeding, a pregnancy that only the findings tell of, a way of boiling
that the pharmacopoeia asks for and nobody wrote, prescriptions of unusual size. Kept apart from `safety.audit`, by
whose findings judges and metrics go: physicians leave most of these unsaid.
"""

import math
import re
from collections.abc import Iterator, Sequence
from typing import Literal

from tcm.cases import Patient, PrescriptionItem
from tcm.knowledge import Herb, dose_in_g, herb_info, resolve_herb
from tcm.knowledge.tables import review_rules
from tcm.knowledge.types import REVIEW_KINDS, ReviewRule
from tcm.prescriptions.safety import PREGNANCY, Finding

Kind = Literal[
    "banned",
    "child",
    "elderly",
    "condition",
    "liver",
    "kidney",
    "interaction",
    "lactation",
    "pregnancy",
    "allergy",
    "decoction",
    "size",
]
KINDS: tuple[Kind, ...] = Kind.__args__
"""Everything that the review can find; the first of them come from `knowledge/review_rules.tsv`."""

AGES: dict[str, tuple[float, float]] = {"child": (0, 14), "elderly": (65, math.inf), "lactation": (10, math.inf)}
"""Years of age, from and below, at which rules of a kind hold; our choice. 母乳喂养 in the record of a small
child is its own food."""

MANY_HERBS, MUCH_G = 25, 400
"""Number of herbs, and their daily weight in g, beyond which a prescription is unusually large; our choice."""

_ALLERGY = re.compile(
    r"对([^，。；、,;]{1,12}?(?:、[^，。；,;]{1,12}?)*)(?:等药?)?(?:有)?过敏|([^，。；、,;：:对有无]{1,8})过敏史"
)
_EXPECTING = re.compile(
    r"(?:妊娠|怀孕|有孕|身孕|孕)(?:已|约)?(?:近|逾)?[\d一二两三四五六七八九十]+[+余多]*个?(?:周|月|天|日)|早孕|宫内孕|现孕|孕妇"
    r"|HCG(?:检查|试验)?[(（]?[:：]?(?:阳性|[+＋])",
    re.IGNORECASE,
)
_NO_LONGER = re.compile("[^。；]{0,30}?(?:流产|人流|药流|引产|清宫|堕胎|小产|胎停|分娩|史)")
_NEGATED = re.compile("[无否未非][^，。；]{0,6}$")
_WRITTEN = frozenset("先煎 后下 包煎 烊化".split())  # 冲服 and 另煎 are how a dispensary hands these out anyway


def review(
    prescription: Sequence[PrescriptionItem], findings: str = "", usage: str = "", patient: Patient | None = None
) -> list[Finding]:
    """Ask what a pharmacist would.

    Args:
        prescription: the herbs of one daily packet.
        findings: what is known of the patient, as text: diseases, drugs, allergies and breast-feeding are looked for
            in it. Nothing is assumed where it is silent.
        usage: e.g. 水煎服.
        patient: whose age matters; rules for children and for the old need it.

    Returns:
        Findings in the order of `KINDS`; none where nothing has to be asked.
    """
    known = [(item, herb_info(name.canonical)) for item in prescription if (name := resolve_herb(item.herb))]
    age = patient.age if patient else None
    rules = [(number, rule) for number, rule in enumerate(review_rules(), 1) if _at_this_age(rule, age)]
    found = [
        *_by_rule(rules, known, findings),
        *_expecting(known, findings, patient),
        *_allergies(known, findings),
        *_decoction(known, usage),
        *_size(prescription),
    ]
    return sorted(found, key=lambda finding: KINDS.index(finding.kind))


def _at_this_age(rule: ReviewRule, age: float | None) -> bool:
    """Whether a rule can hold; breast-feeding also where the age is unknown."""
    low, below = AGES.get(rule.kind, (0, math.inf))
    return low <= age < below if age is not None else rule.kind not in ("child", "elderly")


def _by_rule(
    rules: Sequence[tuple[int, ReviewRule]], known: Sequence[tuple[PrescriptionItem, Herb]], findings: str
) -> Iterator[Finding]:
    for number, rule in rules:
        for item, herb in known:
            if rule.herb not in (herb.name, herb.base):
                continue
            said = next((word for word in rule.when if _affirmed(word, findings)), "")
            if said or not rule.when:
                yield Finding.by_row(
                    rule, kind=rule.kind, severity=rule.severity, herbs=(item.herb,), rule=f"REVIEW-{number}",
                    detail=f"{said}: {rule.detail}" if said else rule.detail,
                )  # fmt: skip


def _affirmed(word: str, text: str) -> bool:
    """Whether a word stands in a text without a negation before it (否认哺乳期 does not count)."""
    places = (m.start() for m in re.finditer(re.escape(word), text, re.IGNORECASE))
    return any(not _NEGATED.search(text[max(0, place - 8) : place]) for place in places)


def _expecting(
    known: Sequence[tuple[PrescriptionItem, Herb]], findings: str, patient: Patient | None
) -> Iterator[Finding]:
    """Herbs that pregnancy restricts, where only the findings tell of one: `safety` goes by the field alone."""
    if patient and (patient.pregnant or patient.sex == "男"):
        return
    said = next((m[0] for m in _EXPECTING.finditer(findings) if _holds(findings, m.start(), m.end())), "")
    for item, herb in known if said else ():
        if herb.pregnancy:
            yield Finding.by_row(
                herb, kind="pregnancy", severity=PREGNANCY[herb.pregnancy], herbs=(item.herb,), rule="PREG-UNSAID",
                detail=f"the findings say {said}, `pregnant` is not set: {herb.name}: {herb.pregnancy} in pregnancy",
            )  # fmt: skip


def _holds(text: str, start: int, end: int) -> bool:
    """Whether a pregnancy that a text tells of is neither denied nor over."""
    return not _NEGATED.search(text[max(0, start - 8) : start]) and not _NO_LONGER.match(text, end)


def _allergies(known: Sequence[tuple[PrescriptionItem, Herb]], findings: str) -> Iterator[Finding]:
    """A herb that the findings say the patient is allergic to, in whatever form."""
    for match in _ALLERGY.finditer(findings):
        if _NEGATED.search(findings[max(0, match.start() - 8) : match.start()]):
            continue
        named = re.split("[、及和与或]", match[1] or match[2])
        bases = {name.base for word in named if (name := resolve_herb(word.strip()))}
        for item, herb in known:
            if herb.base in bases:
                yield Finding(
                    kind="allergy", severity="high", herbs=(item.herb,), rule="ALLERGY",
                    detail=f"the findings say {match[0]}", source="the record itself",
                )  # fmt: skip


def _decoction(known: Sequence[tuple[PrescriptionItem, Herb]], usage: str) -> Iterator[Finding]:
    """先煎, 后下, 包煎 or 烊化 that the pharmacopoeia asks for and neither the herb's note nor the usage says."""
    for item, herb in known:
        wanted = herb.handling if herb.handling in _WRITTEN else ""
        if wanted and wanted not in item.note and not (item.herb in usage and wanted in usage):
            yield Finding.by_row(
                herb, kind="decoction", severity="medium" if herb.toxicity else "low", herbs=(item.herb,),
                rule=f"DECOCTION-{wanted}", detail=f"{herb.name}: {wanted} is not written",
            )  # fmt: skip


def _size(prescription: Sequence[PrescriptionItem]) -> Iterator[Finding]:
    """A prescription of many herbs or much weight; herbs without a dose in g are not weighed, and that is said."""
    grams = [dose_in_g(item) for item in prescription]
    weight, unweighed = sum(g for g in grams if g), sum(g is None for g in grams)
    if len(prescription) > MANY_HERBS or weight > MUCH_G:
        yield Finding(
            kind="size", severity="low", herbs=(), rule="SIZE",
            detail=f"{len(prescription)} herbs, {weight:.4g} g a day" + f" ({unweighed} not weighed)" * bool(unweighed),
            source="our choice",
        )  # fmt: skip


assert KINDS[: len(REVIEW_KINDS)] == REVIEW_KINDS, "the table's kinds come first, in their order"
