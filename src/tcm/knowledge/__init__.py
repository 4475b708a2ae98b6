"""Herbs, formulas, patterns and incompatibilities as data, and the names that lead to them.

Everything is read when first asked for; importing this package reads no table.
"""

from tcm.knowledge.formula_names import compose, resolve_formula
from tcm.knowledge.names import CO_USED_FORMS, GRAMS, HerbName, dose_in_g, herb_info, joint_herbs, resolve_herb
from tcm.knowledge.rows import TableError
from tcm.knowledge.script import simplified
from tcm.knowledge.tables import aliases, forms, formulas, groups, herbs, incompatibilities, patterns, symptom_synonyms
from tcm.knowledge.types import Formula, Herb, Incompatibility, Modification, Pattern
