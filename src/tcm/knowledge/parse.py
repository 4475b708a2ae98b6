"""From a row of a table to a herb, a formula or a pattern.

A cell that cannot be right stops the loading with file, line, column and the fix.
"""

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from importlib.resources.abc import Traversable

from tcm.knowledge.checks import checked
from tcm.knowledge.rows import Row, keyed, read_rows
from tcm.knowledge.types import (
    AGE_GROUPS,
    DEPARTMENTS,
    HANDLINGS,
    PREGNANCY_CLASSES,
    ROUTES,
    SEXES,
    TOXICITIES,
    Formula,
    Herb,
    Modification,
    Pattern,
)

NONE_IN_FORM = "无"
"""In `herb_forms.tsv` an empty cell means "as the base herb"; this value says that the form has none of it."""

HERB_COLUMNS = tuple(
    "herb dose_min_g dose_max_g toxicity pregnancy route handling piece piece_g source checked note".split()
)
FORM_COLUMNS = tuple(
    "form herb process dose_min_g dose_max_g toxicity pregnancy route handling source checked note".split()
)
PATTERN_COLUMNS = tuple(field.name for field in fields(Pattern))


def _routes(row: Row, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """The admissible routes of a row."""
    routes = row.items("route")
    if not set(routes) <= set(allowed):
        raise row.error("route", f"unknown value in {'|'.join(routes)!r}", f"write {' or '.join(allowed)}, joined by |")
    return routes


def _herb(row: Row) -> Herb:
    low, high = row.dose_range()
    routes = _routes(row, ROUTES)
    piece, piece_g = row.text("piece"), row.positive("piece_g")
    if bool(piece) != (piece_g is not None):
        raise row.error("piece_g", f"piece is {piece!r} but its weight is {piece_g}", "give both or neither")
    return Herb(
        row.text("herb"),
        row.text("herb"),
        "",
        low,
        high,
        row.one_of("toxicity", TOXICITIES),
        row.one_of("pregnancy", PREGNANCY_CLASSES),
        routes,
        row.one_of("handling", HANDLINGS),
        piece,
        piece_g,
        row.text("source", required=True),
        checked(row),
        row.text("note"),
    )


def _checked_form(row: Row) -> tuple[str, ...]:
    """`checked` of a form; it may be empty (as the base herb) only where the row says nothing of its own."""
    own = any(row.text(column) for column in ("dose_min_g", "toxicity", "pregnancy", "handling"))
    return checked(row) if own or row.text("checked") else ()


def _form(row: Row, bases: Mapping[str, Herb]) -> Herb:
    """A processed form: the base herb with what the row overrides."""
    name = row.text("form")
    base = bases.get(row.text("herb"))
    if base is None:
        raise row.error("herb", f"no herb {row.text('herb')!r}", "name a herb of herbs.tsv")
    if name in bases:
        raise row.error("form", f"{name!r} is a herb already", "keep it in one of the two tables")

    def inherited(column: str, allowed: tuple[str, ...], of_base: str) -> str:
        value = row.one_of(column, (*allowed, NONE_IN_FORM))
        return "" if value == NONE_IN_FORM else value or of_base

    low, high = row.dose_range()
    routes = _routes(row, (*ROUTES, NONE_IN_FORM))
    return replace(
        base,
        name=name,
        process=row.text("process"),
        dose_min_g=base.dose_min_g if low is None else low,
        dose_max_g=base.dose_max_g if high is None else high,
        toxicity=inherited("toxicity", TOXICITIES, base.toxicity),
        pregnancy=inherited("pregnancy", PREGNANCY_CLASSES, base.pregnancy),
        routes=() if NONE_IN_FORM in routes else routes or base.routes,
        handling=inherited("handling", HANDLINGS, base.handling),
        source=row.text("source", required=True),
        checked=_checked_form(row) or base.checked,
        note=row.text("note"),
    )


def _herb_doses(row: Row, column: str, parts: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    """Parts such as ``麻黄 9`` as (herb, g); a herb that occurs twice is an error."""
    found: dict[str, float] = {}
    for part in parts:
        herb, _, dose = part.strip().partition(" ")
        grams = row.positive(column, dose)
        if grams is None or herb in found:
            raise row.error(
                column,
                f"{part!r} {'repeats a herb' if herb in found else 'has no dose'}",
                "write each herb once, as `麻黄 9`",
            )
        found[herb] = grams
    return tuple(found.items())


def parse_modification(text: str, row: Row) -> Modification:
    """Read one rule of the column `modifications`, such as ``失眠:+酸枣仁 15+远志 6-栀子``.

    Raises:
        TableError: where the rule has no symptom, no herb, or an added herb without a dose.
    """
    symptom, colon, rest = text.partition(":")
    changes = re.findall(r"([+-])([^+-]+)", rest)
    if not colon or not symptom.strip() or not changes or "".join(a + b for a, b in changes) != rest.strip():
        raise row.error("modifications", f"cannot read {text!r}", "write it as `失眠:+酸枣仁 15+远志 6-栀子`")
    return Modification(
        symptom.strip().removeprefix("若"),
        _herb_doses(row, "modifications", tuple(body for sign, body in changes if sign == "+")),
        tuple(body.strip() for sign, body in changes if sign == "-"),
    )


def _formula(row: Row) -> Formula:
    composition = _herb_doses(row, "composition", row.items("composition"))
    if not composition:
        raise row.error("composition", "empty", "give at least one herb, as `麻黄 9`")
    return Formula(
        row.text("formula"),
        row.items("aliases"),
        composition,
        row.text("effect"),
        row.text("source", required=True),
        row.text("note"),
    )


def _pattern(row: Row) -> Pattern:
    return Pattern(
        row.text("disease", required=True),
        row.items("disease_aliases"),
        row.one_of("department", DEPARTMENTS),
        row.text("syndrome", required=True),
        row.items("syndrome_aliases"),
        row.items("key_symptoms"),
        row.items("other_symptoms"),
        row.items("tongue"),
        row.items("pulse"),
        row.text("pathogenesis"),
        row.text("treatment_principle", required=True),
        row.items("formulas"),
        tuple(parse_modification(part, row) for part in row.items("modifications")),
        row.one_of("sex", SEXES),
        row.one_of("age_group", AGE_GROUPS),
        row.text("source", required=True),
    )


def read_herbs(folder: Traversable) -> dict[str, Herb]:
    """Base herbs of a folder's `herbs.tsv` by name."""
    return keyed(read_rows(folder, "herbs.tsv", HERB_COLUMNS), "herb", _herb)


def read_forms(folder: Traversable, bases: Mapping[str, Herb]) -> dict[str, Herb]:
    """Processed forms of a folder's `herb_forms.tsv` by name, each with what it inherits from its base herb."""
    return keyed(read_rows(folder, "herb_forms.tsv", FORM_COLUMNS), "form", lambda row: _form(row, bases))


def read_formulas(folder: Traversable) -> dict[str, Formula]:
    """Formulas of a folder's `formulas.tsv` by name."""
    columns = ("formula", "aliases", "composition", "effect", "source", "note")
    return keyed(read_rows(folder, "formulas.tsv", columns), "formula", _formula)


def read_patterns(folder: Traversable) -> tuple[Pattern, ...]:
    """Patterns of all `patterns_*.tsv` of a folder; a disease–syndrome pair that occurs twice in a department is
    an error (children and adults may share one, with other formulas)."""
    found: dict[tuple[str, str, str], Pattern] = {}
    for name in sorted(f.name for f in folder.iterdir() if f.name.startswith("patterns_") and f.name.endswith(".tsv")):
        for row in read_rows(folder, name, PATTERN_COLUMNS):
            pattern = _pattern(row)
            key = (pattern.department, pattern.disease, pattern.syndrome)
            if key in found:
                raise row.error("syndrome", f"{' '.join(key)} stands already in a row before", "keep one of the two")
            found[key] = pattern
    return tuple(found.values())
