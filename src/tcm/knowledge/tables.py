"""What the study knows of herbs, formulas, patterns and incompatibilities, read from the tables beside this module.

The tables are tab-separated text with a header row and no quoting; a list inside a cell is separated by ``|``. They
hold facts, each with its source.
"""

from collections.abc import Mapping
from functools import cache
from importlib import resources

from tcm.knowledge.checks import checked
from tcm.knowledge.parse import read_forms, read_formulas, read_herbs, read_patterns
from tcm.knowledge.rows import keyed, read_rows
from tcm.knowledge.types import INCOMPATIBILITY_KINDS, REVIEW_KINDS, Formula, Herb, Incompatibility, Pattern, ReviewRule

DATA = resources.files(__package__)


@cache
def herbs() -> Mapping[str, Herb]:
    """All base herbs by name."""
    return read_herbs(DATA)


@cache
def forms() -> Mapping[str, Herb]:
    """All processed forms by name, with what they inherit from their base herb."""
    return read_forms(DATA, herbs())


@cache
def aliases() -> Mapping[str, str]:
    """Other names of herbs and forms: alias → canonical name. One alias never names two herbs."""
    return keyed(
        read_rows(DATA, "herb_aliases.tsv", ("alias", "canonical", "source")),
        "alias",
        lambda row: row.text("canonical", required=True),
    )


@cache
def joint_names() -> Mapping[str, tuple[str, ...]]:
    """Names that prescribe several herbs at once (合写): joint name → canonical names."""
    rows = read_rows(DATA, "herb_joint_names.tsv", ("joint", "herbs", "source"))
    return keyed(rows, "joint", lambda row: row.items("herbs"))


@cache
def prefixes() -> frozenset[str]:
    """Words for place or quality before a herb name that do not change the herb."""
    return frozenset(
        row.text("prefix", required=True) for row in read_rows(DATA, "herb_prefixes.tsv", ("prefix", "kind", "source"))
    )


@cache
def characters() -> Mapping[str, tuple[str, ...]]:
    """Variant and often mistaken characters of herb names: as written → standard ones, likeliest first."""
    found: dict[str, tuple[str, ...]] = {}
    for row in read_rows(DATA, "herb_characters.tsv", ("written", "standard", "source")):
        written = row.text("written", required=True)
        found[written] = (*found.get(written, ()), row.text("standard", required=True))
    return found


@cache
def groups() -> Mapping[str, frozenset[str]]:
    """Herb groups that the incompatibility rules name: group → base herbs."""
    found: dict[str, set[str]] = {}
    for row in read_rows(DATA, "herb_groups.tsv", ("group", "herb")):
        found.setdefault(row.text("group", required=True), set()).add(row.text("herb", required=True))
    return {group: frozenset(members) for group, members in found.items()}


@cache
def formulas() -> Mapping[str, Formula]:
    """All formulas by name."""
    return read_formulas(DATA)


@cache
def patterns() -> tuple[Pattern, ...]:
    """All disease–syndrome patterns."""
    return read_patterns(DATA)


@cache
def incompatibilities() -> tuple[Incompatibility, ...]:
    """All rules of 十八反 and 十九畏."""
    columns = ("rule", "kind", "group_a", "group_b", "source", "checked", "note")
    return tuple(
        keyed(
            read_rows(DATA, "incompatibilities.tsv", columns),
            "rule",
            lambda row: Incompatibility(
                row.text("rule"),
                row.one_of("kind", INCOMPATIBILITY_KINDS),
                row.text("group_a", required=True),
                row.text("group_b", required=True),
                row.text("source", required=True),
                checked(row),
                row.text("note"),
            ),
        ).values()
    )


@cache
def review_rules() -> tuple[ReviewRule, ...]:
    """What a pharmacist asks of single herbs, see `prescriptions.review`."""
    columns = ("kind", "herb", "when", "severity", "detail", "source", "checked")
    return tuple(
        ReviewRule(
            row.one_of("kind", REVIEW_KINDS),
            row.text("herb", required=True),
            row.items("when"),
            row.one_of("severity", ("high", "medium", "low")),
            row.text("detail", required=True),
            row.text("source", required=True),
            checked(row),
        )
        for row in read_rows(DATA, "review_rules.tsv", columns)
    )


@cache
def symptom_synonyms() -> Mapping[str, tuple[str, ...]]:
    """Other ways to write a symptom: symptom → synonyms."""
    return keyed(
        read_rows(DATA, "symptom_synonyms.tsv", ("symptom", "synonyms", "source")),
        "symptom",
        lambda row: row.items("synonyms"),
    )
