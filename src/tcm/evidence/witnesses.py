"""Who testifies what should be prescribed: each pattern with its formulas, and each training case with its answer."""

from collections.abc import Sequence
from functools import cache, partial

import numpy as np

from tcm.cases import Answer, PrescriptionItem
from tcm.knowledge import compose, patterns
from tcm.knowledge.names import herb_at, herb_set

base_herb, base_herbs = partial(herb_at, level="base"), partial(herb_set, level="base")
"""Evidence is counted at this level, the processed form is chosen afterwards."""


@cache
def pattern_answers() -> tuple[tuple[Answer, ...], np.ndarray]:
    """Each pattern's answer with each of its formulas.

    Returns:
        The answers, and for each the number of its pattern in `knowledge.patterns()`, rising; formulas in their order.
    """
    answers, numbers = [], []
    for number, pattern in enumerate(patterns()):
        for formula in pattern.formulas:
            items = tuple(PrescriptionItem(herb=herb, dose=dose) for herb, dose in compose(formula).items())
            if items:
                words = {name: getattr(pattern, name) for name in ("disease", "syndrome", "treatment_principle")}
                answers.append(Answer(**words, formula=formula, prescription=items))
                numbers.append(number)
    return tuple(answers), np.array(numbers)


@cache
def first_answers() -> dict[int, Answer]:
    """Number of each pattern that has a formula with herbs -> its answer with the first of these."""
    answers, numbers = pattern_answers()
    first: dict[int, Answer] = {}
    for answer, number in zip(answers, numbers.tolist(), strict=True):
        first.setdefault(number, answer)
    return first


def rule_answers(fits: np.ndarray) -> list[Answer]:
    """The first formula of the best-fitting pattern of each case; an empty answer where no pattern fits.

    Args:
        fits: shape (cases, patterns), e.g. from `sign_fits`.
    """
    first = first_answers()
    return [first.get(int(row.argmax()), Answer()) if row.any() else Answer() for row in fits]


def columns_of(herb_sets: Sequence[frozenset[str]]) -> dict[str, int]:
    """Herb -> column, in the order of the names."""
    return {herb: place for place, herb in enumerate(sorted(frozenset().union(*herb_sets)))}
