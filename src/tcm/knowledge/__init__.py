"""Herbs, formulas, patterns and incompatibilities as data, and the names that lead to them.

Everything is read when first asked for; importing this package reads no table.
"""

from .formula_names import compose, resolve_formula
from .names import (
    CO_USED_FORMS,
    GRAMS,
    HerbName,
    dose_in_g,
    herb_info,
    joint_herbs,
    resolve_herb,
)
from .rows import TableError
from .script import simplified
from .tables import (
    aliases,
    forms,
    formulas,
    groups,
    herbs,
    incompatibilities,
    patterns,
    symptom_synonyms,
)
from .types import Formula, Herb, Incompatibility, Modification, Pattern

__all__ = [
    "CO_USED_FORMS",
    "GRAMS",
    "Formula",
    "Herb",
    "HerbName",
    "Incompatibility",
    "Modification",
    "Pattern",
    "TableError",
    "aliases",
    "compose",
    "dose_in_g",
    "formulas",
    "forms",
    "groups",
    "herb_info",
    "herbs",
    "incompatibilities",
    "joint_herbs",
    "patterns",
    "resolve_formula",
    "resolve_herb",
    "simplified",
    "symptom_synonyms",
]
