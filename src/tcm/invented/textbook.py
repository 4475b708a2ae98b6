"""An abridged edition of the knowledge tables: the textbook of the tiny base model.

A few million parameters cannot hold six hundred patterns in minutes of training. The tiny base reads whole diseases,
with all their rival patterns, and invented cases are about these diseases: what the base could not have read would
only measure guessing.
"""

import random
from dataclasses import dataclass
from functools import cache

from tcm import knowledge
from tcm.knowledge import Formula, Herb, Pattern


@dataclass(frozen=True)
class Textbook:
    """What an edition holds: patterns, the formulas they name, and every herb of these formulas and modifications."""

    patterns: tuple[Pattern, ...]
    formulas: tuple[Formula, ...]
    herbs: tuple[Herb, ...]


@cache
def edition(patterns: int = 0) -> Textbook:
    """An edition with about so many patterns; 0 = everything.

    Args:
        patterns: diseases are taken in a fixed shuffled order, each with all its patterns, until there are so many.
    """
    everything = knowledge.patterns()
    by_disease: dict[str, list[Pattern]] = {}
    for pattern in everything:
        by_disease.setdefault(pattern.disease, []).append(pattern)
    diseases = sorted(by_disease)
    random.Random("edition").shuffle(diseases)
    kept: list[Pattern] = []
    for disease in diseases:
        if patterns and len(kept) >= patterns:
            break
        if not patterns or len(by_disease[disease]) > 1:  # a disease with one pattern poses no differential diagnosis
            kept += by_disease[disease]
    if not patterns:
        return Textbook(everything, tuple(knowledge.formulas().values()), _herbs(_all_names()))
    names = [name for p in kept for f in p.formulas for name in knowledge.resolve_formula(f)]
    formulas = tuple(knowledge.formulas()[name] for name in dict.fromkeys(names))
    herbs = [h for f in formulas for h, _ in f.composition] + [
        h for p in kept for m in p.modifications for h, _ in m.add
    ]
    return Textbook(tuple(kept), formulas, _herbs(herbs))


def _all_names() -> list[str]:
    return [*knowledge.herbs(), *knowledge.forms()]


def _herbs(names: list[str]) -> tuple[Herb, ...]:
    return tuple(knowledge.herb_info(name) for name in dict.fromkeys(names))
