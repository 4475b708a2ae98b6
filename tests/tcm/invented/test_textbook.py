"""An edition of the textbook is the same each time, holds whole diseases, and all that its cases need."""

from collections import Counter

import pytest

from tcm import knowledge
from tcm.invented import invent_cases, textbook

CASES = invent_cases(200, 0.5, seed=0, patterns=48)


def test_the_tables_hold_what_the_embedded_default_promises() -> None:
    book = textbook.edition(0)
    syndromes = {p.syndrome for p in book.patterns}
    assert len(syndromes) >= 40 and len(book.formulas) >= 50 and len(book.herbs) >= 150


def test_an_edition_is_the_same_each_time_and_grows_with_its_size() -> None:
    small, large = (textbook.edition(n).patterns for n in (30, 60))
    assert small == textbook.edition(30).patterns and large[: len(small)] == small


@pytest.mark.parametrize("number", [10, 48, 100])
def test_an_edition_has_at_least_so_many_patterns_and_ends_with_a_whole_disease(number: int) -> None:
    book = textbook.edition(number).patterns
    by_disease = Counter(p.disease for p in book)
    everything = Counter(p.disease for p in knowledge.patterns())
    assert number <= len(book) < number + max(everything.values())
    assert all(by_disease[d] == everything[d] > 1 for d in by_disease)


def test_an_edition_knows_every_formula_and_herb_that_its_cases_need() -> None:
    book = textbook.edition(48)
    herbs, formulas = {h.name for h in book.herbs}, {f.name for f in book.formulas}
    for case in CASES:
        assert set(case.answer.herbs) <= herbs
        assert set(knowledge.resolve_formula(case.answer.formula)) <= formulas


def test_cases_of_an_edition_are_about_its_patterns() -> None:
    book = {(p.disease, p.syndrome) for p in textbook.edition(48).patterns}
    assert {(c.answer.disease, c.answer.syndrome) for c in CASES} == book
