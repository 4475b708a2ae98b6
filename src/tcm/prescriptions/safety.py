"""Safety audit of a prescription for a patient: rules from the tables, each finding with rule, severity and source.

A finding says that a rule is broken, not that the prescription is wrong: physicians break some on purpose. So rates
are only read beside those of the reference prescriptions (`excess`). Research only.

Severities (our choice): `high`, a physician must be asked before anything is dispensed; `medium`, wants a reason;
`low`, worth a note. Incompatibility and duplicates go by the base herb, dose, toxicity and pregnancy by the form.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import product
from typing import Literal

from pydantic import BaseModel, ConfigDict

from tcm.cases import Patient, PrescriptionItem
from tcm.knowledge import CO_USED_FORMS, Herb, dose_in_g, groups, herb_info, incompatibilities, resolve_herb
from tcm.knowledge.checks import clause, mark
from tcm.knowledge.types import Incompatibility, ReviewRule
from tcm.prescriptions.sections import is_outside

Kind = Literal[
    "incompatibility", "overdose", "underdose", "pregnancy", "toxicity", "route", "unknown_herb", "duplicate_herb",
    "packets",
]  # fmt: skip
KINDS: tuple[Kind, ...] = Kind.__args__
"""Everything that the audit can find. Kinds, not findings, are counted by `metrics.batch.rates`."""

CHILD_FRACTIONS = ((28 / 365, 1 / 6), (1, 1 / 3), (6, 1 / 2), (12, 2 / 3))
"""Share of the adult dose below an age in years.

Source: 中医儿科学（新世纪教材）, general part: newborns 1/6, infants 1/3, young children 1/2, school children 2/3 or
more; so does 中药学, 4th ed. (2016), by the text `notices-2` of `references.tsv`. The ages at which one group ends, 2/3
for all school children, and the adult dose from 12 on are our choice. For the old, no book gives a share."""

PROCESS_FIRST = frozenset(
    "川乌 草乌 附子 半夏 天南星 白附子 马钱子 巴豆 斑蝥 甘遂 京大戟 红大戟 芫花 硫黄 千金子".split()
)
"""Toxic herbs that are processed before internal use. Source: ChP 2020 vol. I, 用法与用量 and 注意 of each entry."""

PROCESSED_AS_WRITTEN = frozenset({"附子"})
"""Of these the plain name means a processed form (ChP 2020: all 附子 of the trade is processed): only 生附子 is raw."""

PREGNANCY: dict[str, Literal["high", "medium", "low"]] = {"禁用": "high", "忌用": "medium", "慎用": "low"}
"""How severe a herb of each class is in pregnancy; our choice."""

_RAW = ("生", "鲜")
_PROCESS_WORDS = frozenset("制炙炒煅醋酒姜炮煨蜜盐法霜淡")
_EXTERNAL = re.compile("外用|外洗|外敷|外涂|外搽|熏洗|坐浴|漱口|泡脚")  # not 灌肠: what is given so is taken up
_AS_POWDER = re.compile("冲|吞|研|粉|末|散|丸|胶囊|兑|调服")
_COUNT = re.compile(r"(?<![日天每0-9])([0-9]{1,3})[剂付帖](?!/|分)")
_DAYS = re.compile(r"[服共]用?([0-9]{1,3})[天日]")
_ONE_A_DAY = re.compile("(?<![2-9二两隔])[日天][1一][剂付]")


class Finding(BaseModel):
    """One broken rule.

    Args:
        kind: one of `KINDS`, or of `review.KINDS`.
        herbs: names as written in the prescription.
        rule: stable id, e.g. ``IC-18-01``, ``DOSE-HI``, ``PREG-禁用``.
        detail: what was found, for people.
        source: where the rule comes from.
        checked: how far its row of the tables was looked up, one of `checks.MARKS`; empty for a rule without a row.
    """

    model_config = ConfigDict(frozen=True)

    kind: str
    severity: Literal["high", "medium", "low"]
    herbs: tuple[str, ...]
    rule: str
    detail: str
    source: str
    checked: str = ""

    @classmethod
    def by_row(cls, row: Herb | Incompatibility | ReviewRule, *, detail: str, **fields) -> "Finding":
        """A finding by a row of the tables: with its source, and a clause where nothing was seen to bear it out."""
        seen = mark(row.checked)
        return cls(source=row.source, checked=seen, detail=detail + clause(seen), **fields)


def child_fraction(age: float | None) -> float:
    """Share of the adult dose for an age in years; 1 for an adult or an unknown age."""
    if age is None:
        return 1.0
    return next((fraction for below, fraction in CHILD_FRACTIONS if age < below), 1.0)


def audit(
    prescription: Sequence[PrescriptionItem],
    patient: Patient | None = None,
    packets: int | None = None,
    usage: str = "",
) -> list[Finding]:
    """Check a prescription by all rules.

    Args:
        prescription: the herbs of one daily packet.
        patient: age and pregnancy matter; nothing is assumed where they are unknown.
        packets: number of daily packets, compared with what `usage` says.
        usage: e.g. 水煎服; a usage that is only external switches off the rules for internal use.

    Returns:
        Findings, rule by rule in the order of `KINDS`; none where no rule is broken.
    """
    patient = patient or Patient()
    known = [(item, herb_info(name.canonical)) for item in prescription if (name := resolve_herb(item.herb))]
    internal = [(item, herb) for item, herb in known if taken(item, usage)]
    fraction = child_fraction(patient.age)
    findings = [
        *_incompatible(known),
        *(f for item, herb in internal for f in _dose(item, herb, fraction)),
        *(f for item, herb in known if patient.pregnant for f in _pregnancy(item, herb)),
        *(f for item, herb in internal if herb.base in PROCESS_FIRST for f in _toxicity(item, herb)),
        *(f for item, herb in internal if herb.routes for f in _route(item, herb)),
        *(_unknown(item) for item in prescription if resolve_herb(item.herb) is None),
        *_duplicates(known),
        *_packets(packets, usage),
    ]
    return sorted(findings, key=lambda finding: KINDS.index(finding.kind))


def taken(item: PrescriptionItem, usage: str) -> bool:
    """Whether a herb is for internal use, by its note and the usage."""
    return not (item.note and _EXTERNAL.search(item.note)) and not (_EXTERNAL.search(usage) and is_outside(usage))


@cache
def kept_apart() -> Mapping[str, frozenset[str]]:
    """Each base herb that 十八反 and 十九畏 name → those that it must not meet."""
    apart: dict[str, frozenset[str]] = {}
    for rule in incompatibilities():
        one, other = groups()[rule.group_a], groups()[rule.group_b]
        for herbs, partners in ((one, other), (other, one)):
            apart |= {herb: apart.get(herb, frozenset()) | partners - {herb} for herb in herbs}
    return apart


def _incompatible(known: Sequence[tuple[PrescriptionItem, Herb]]) -> Iterator[Finding]:
    """十八反 and 十九畏: one finding a rule and pair of base herbs; 十八反 counts as graver (our choice)."""
    written: dict[str, str] = {}
    for item, herb in known:
        written.setdefault(herb.base, item.herb)
    present = {herb for herb in written if not kept_apart().get(herb, frozenset()).isdisjoint(written)}
    for rule in incompatibilities() if present else ():
        pairs = product(groups()[rule.group_a] & present, groups()[rule.group_b] & present)
        for a, b in sorted(pair for pair in pairs if pair[0] != pair[1]):
            yield Finding.by_row(
                rule,
                kind="incompatibility",
                severity="high" if rule.kind == "十八反" else "medium",
                herbs=(written[a], written[b]),
                rule=f"IC-{rule.rule}",
                detail=f"{rule.kind}: {rule.group_a} with {rule.group_b}",
            )


def _dose(item: PrescriptionItem, herb: Herb, fraction: float) -> Iterator[Finding]:
    """Dose against the range of the form, for a child against its share of it; of a written range both ends count."""
    ends = [item]
    if item.dose_high is not None:
        ends = [item.model_copy(update={"dose": d, "dose_high": None}) for d in (item.dose, item.dose_high)]
    grams = [end for end in map(dose_in_g, ends) if end is not None]
    if not grams or herb.dose_min_g is None or herb.dose_max_g is None:
        return
    least, most, low, high = min(grams), max(grams), herb.dose_min_g * fraction, herb.dose_max_g * fraction
    broken = [("overdose", "DOSE-HI", most)] if most > high * (1 + 1e-9) else []
    broken += [("underdose", "DOSE-LO", least)] if least < low * (1 - 1e-9) else []
    for kind, rule, dose in broken:
        severity = _overdose_severity(herb, most / high) if kind == "overdose" else "low"
        share = f" ({fraction:.2g} of the adult dose)" if fraction < 1 else ""
        detail = f"{dose:.3g} g, range {low:.3g}-{high:.3g} g{share}"
        yield Finding.by_row(herb, kind=kind, severity=severity, herbs=(item.herb,), rule=rule, detail=detail)


def _overdose_severity(herb: Herb, ratio: float) -> Literal["high", "medium", "low"]:
    """Toxic herbs leave no room; of others, physicians often give up to double (our choice)."""
    if herb.toxicity in ("毒", "大毒") or ratio > 4:
        return "high"
    return "medium" if herb.toxicity or ratio > 2 else "low"


def _pregnancy(item: PrescriptionItem, herb: Herb) -> Iterator[Finding]:
    """Herbs that pregnancy forbids (禁用), should avoid (忌用) or that want care (慎用)."""
    if herb.pregnancy:
        yield Finding.by_row(
            herb,
            kind="pregnancy",
            severity=PREGNANCY[herb.pregnancy],
            herbs=(item.herb,),
            rule=f"PREG-{herb.pregnancy}",
            detail=f"{herb.name}: {herb.pregnancy} in pregnancy",
        )


def _toxicity(item: PrescriptionItem, herb: Herb) -> Iterator[Finding]:
    """A toxic herb that must be processed for internal use: written as raw, or without saying the form.

    A plain name (半夏) is commonly dispensed processed; that makes it `low`, for the most toxic herbs `medium`.
    """
    raw = herb.process.startswith(_RAW) or item.herb.strip().startswith(_RAW)
    if raw:
        yield Finding.by_row(
            herb,
            kind="toxicity",
            severity="high",
            herbs=(item.herb,),
            rule="TOX-RAW",
            detail=f"raw {herb.base} ({herb_info(herb.base).toxicity or 'toxic'}) for internal use",
        )
    elif herb.name == herb.base and not _processed(item.herb, herb.base) and herb.base not in PROCESSED_AS_WRITTEN:
        yield Finding.by_row(
            herb,
            kind="toxicity",
            severity="medium" if herb.toxicity == "大毒" else "low",
            herbs=(item.herb,),
            rule="TOX-FORM",
            detail=f"{herb.base} ({herb.toxicity}) without the processed form that internal use asks for",
        )


def _processed(written: str, base: str) -> bool:
    """Whether a name says that the herb is processed, in a way for which the tables have no form of its own."""
    return bool(_PROCESS_WORDS & (set(written) - set(base)))


def _route(item: PrescriptionItem, herb: Herb) -> Iterator[Finding]:
    """A herb for external use taken internally, or one for pills and powders boiled in the decoction."""
    if herb.routes == ("外用",):
        yield Finding.by_row(
            herb,
            kind="route",
            severity="high",
            herbs=(item.herb,),
            rule="ROUTE-外用",
            detail=f"{herb.name}: external use only",
        )
    elif herb.routes and not _AS_POWDER.search(item.note + item.herb):
        yield Finding.by_row(
            herb,
            kind="route",
            severity="medium",
            herbs=(item.herb,),
            rule="ROUTE-丸散",
            detail=f"{herb.name}: only as {' or '.join(herb.routes)}, not in a decoction",
        )


def _unknown(item: PrescriptionItem) -> Finding:
    """A name that no table holds: nobody can dispense it, and no rule can judge it."""
    return Finding(
        kind="unknown_herb",
        severity="medium",
        herbs=(item.herb,),
        rule="HERB-UNKNOWN",
        detail=f"{item.herb}: no such herb in the tables",
        source="herb tables of this study",
    )


def _duplicates(known: Sequence[tuple[PrescriptionItem, Herb]]) -> Iterator[Finding]:
    """The same base herb twice; two forms that formulas combine on purpose are exempt (`CO_USED_FORMS`)."""
    if len({herb.base for _, herb in known}) == len(known):
        return
    by_base: dict[str, list[tuple[PrescriptionItem, Herb]]] = {}
    for item, herb in known:
        by_base.setdefault(herb.base, []).append((item, herb))
    for base, same in by_base.items():
        names = {herb.name for _, herb in same}
        if len(same) < 2 or (len(same) == len(names) == 2 and names in CO_USED_FORMS):
            continue
        yield Finding(
            kind="duplicate_herb",
            severity="medium" if len(names) < len(same) else "low",
            herbs=tuple(item.herb for item, _ in same),
            rule="HERB-TWICE",
            detail=f"{base} {len(same)} times, in {len(names)} form(s)",
            source="our choice",
        )


def _packets(packets: int | None, usage: str) -> Iterator[Finding]:
    """Numbers of packets (or, at one packet a day, of days) that contradict each other."""
    usage = re.sub(r"\s", "", usage)
    written = _COUNT.findall(usage) + (_DAYS.findall(usage) if _ONE_A_DAY.search(usage) else [])
    counts = {int(count) for count in written} | ({packets} if packets else set())
    if len(counts) > 1:
        yield Finding(
            kind="packets",
            severity="low",
            herbs=(),
            rule="PACKETS-CONTRADICT",
            source="our choice",
            detail="packets or days: " + ", ".join(str(count) for count in sorted(counts)),
        )
