"""The kinds of fact the study knows: herbs, formulas, patterns, incompatibilities, and what their fields may hold."""

from dataclasses import dataclass

TOXICITIES = ("", "小毒", "毒", "大毒")
PREGNANCY_CLASSES = ("", "慎用", "忌用", "禁用")
ROUTES = ("外用", "丸散")
HANDLINGS = ("", "先煎", "后下", "包煎", "烊化", "另煎", "冲服")
DEPARTMENTS = ("内科", "妇科", "儿科", "外科")
SEXES = ("", "女", "男")
AGE_GROUPS = ("", "小儿", "成人", "老年")
INCOMPATIBILITY_KINDS = ("十八反", "十九畏")


@dataclass(frozen=True)
class Herb:
    """One herb, or one processed form with what it inherits from its base herb.

    Args:
        name: canonical name, e.g. 附子 or 制附子.
        base: the base herb; equals `name` for a base herb.
        process: how the form was made, e.g. 炙; empty for a base herb.
        dose_min_g: lower end of the usual adult daily dose in g; None where no internal dose is given.
        dose_max_g: upper end, in g.
        toxicity: one of `TOXICITIES`; empty means none on record.
        pregnancy: one of `PREGNANCY_CLASSES`; empty means none on record.
        routes: the only admissible routes; empty means an ordinary decoction.
        handling: e.g. 先煎.
        piece: counted unit in which the herb is also written, e.g. 枚.
        piece_g: grams of one piece.
        checked: what bears the row out, see `checks`.
    """

    name: str
    base: str
    process: str
    dose_min_g: float | None
    dose_max_g: float | None
    toxicity: str
    pregnancy: str
    routes: tuple[str, ...]
    handling: str
    piece: str
    piece_g: float | None
    source: str
    checked: tuple[str, ...]
    note: str


@dataclass(frozen=True)
class Formula:
    """A formula with one adult's daily packet as (herb, g) pairs."""

    name: str
    aliases: tuple[str, ...]
    composition: tuple[tuple[str, float], ...]
    effect: str
    source: str
    note: str


@dataclass(frozen=True)
class Modification:
    """A rule 加减: when the symptom is there, add these herbs (with g) and take those out."""

    symptom: str
    add: tuple[tuple[str, float], ...] = ()
    remove: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pattern:
    """One disease–syndrome pattern (病–证) with its findings, treatment and modifications."""

    disease: str
    disease_aliases: tuple[str, ...]
    department: str
    syndrome: str
    syndrome_aliases: tuple[str, ...]
    key_symptoms: tuple[str, ...]
    other_symptoms: tuple[str, ...]
    tongue: tuple[str, ...]
    pulse: tuple[str, ...]
    pathogenesis: str
    treatment_principle: str
    formulas: tuple[str, ...]
    modifications: tuple[Modification, ...]
    sex: str
    age_group: str
    source: str


@dataclass(frozen=True)
class Incompatibility:
    """Two herb groups that tradition forbids to combine; `kind` is 十八反 or 十九畏."""

    rule: str
    kind: str
    group_a: str
    group_b: str
    source: str
    checked: tuple[str, ...]
    note: str


REVIEW_KINDS = ("banned", "child", "elderly", "condition", "liver", "kidney", "interaction", "lactation")
"""Kinds of rule in `review_rules.tsv`."""


@dataclass(frozen=True)
class ReviewRule:
    """A question that a pharmacist asks of a herb.

    Args:
        herb: base herb or form.
        when: words of the findings that it applies to, e.g. a western drug or a disease; empty = always (`child` and
            `elderly`: always at that age).
    """

    kind: str
    herb: str
    when: tuple[str, ...]
    severity: str
    detail: str
    source: str
    checked: tuple[str, ...]


@dataclass(frozen=True)
class Reference:
    """A book, notice, paper or public copy; copies of one `origin` are no independent witnesses."""

    name: str
    kind: str
    origin: str
    where: str
