"""Expected F1 is the mean F1 over what physicians may write, and the best set is the best of all sets."""

from itertools import chain, combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcm.evidence.agreement import best_sets, f1_of_best_sets, hoped_f1

HERBS = 6


def subsets(size: int):
    return list(combinations(range(HERBS), size))


def rows(sets) -> np.ndarray:
    table = np.zeros((len(sets), HERBS))
    for row, herbs in zip(table, sets, strict=True):
        row[list(herbs)] = 1
    return table


def expected_f1(p, answers, mean_size) -> np.ndarray:
    """Of every answer, none of them empty, for every case: shape (cases, answers)."""
    return hoped_f1(p @ answers.T, answers.sum(axis=1), mean_size)


@given(
    physicians=st.lists(st.sampled_from(subsets(3)), min_size=1, max_size=5),
    answer=st.sampled_from(list(chain.from_iterable(subsets(n) for n in (1, 2, 3, 4)))),
)
def test_expected_f1_is_the_mean_f1_where_all_answers_have_one_size(physicians, answer):
    p = rows(physicians).mean(axis=0, keepdims=True)
    truth = np.mean([2 * len({*answer} & {*other}) / (len(answer) + 3) for other in physicians])
    assert expected_f1(p, rows([answer]), 3)[0, 0] == pytest.approx(truth)


@given(
    p=st.lists(st.floats(0, 1), min_size=HERBS, max_size=HERBS).filter(any),
    mean_size=st.floats(1, 8),
)
def test_the_best_set_has_the_highest_expected_f1_of_all_sets(p, mean_size):
    p = np.array([p])
    every = list(chain.from_iterable(subsets(n) for n in range(1, HERBS + 1)))
    order, size = best_sets(p, mean_size)
    scores = expected_f1(p, rows([*every, order[0, : size[0]]]), mean_size)[0]
    assert scores[-1] == pytest.approx(scores.max())


@given(
    p=st.lists(st.floats(0, 1), min_size=HERBS, max_size=HERBS),
    mean_size=st.floats(0.5, 8),
)
def test_no_set_may_hope_for_more_than_1_however_short_answers_are_on_average(p, mean_size):
    every = list(chain.from_iterable(subsets(n) for n in range(1, HERBS + 1)))
    assert expected_f1(np.array([p]), rows(every), mean_size).max() <= 1 + 1e-12


def test_nothing_is_proposed_where_no_herb_is_probable():
    assert best_sets(np.zeros((1, HERBS)), 5)[1].tolist() == [0]


def test_f1_of_the_best_sets_is_that_of_the_sets():
    p = np.array([[0.9, 0.8, 0.7, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.9, 0.1, 0.0]])
    gold = rows([(0, 1, 5), (4,)])
    assert f1_of_best_sets(p, gold, 3).tolist() == pytest.approx([2 * 2 / (3 + 3), 0.0])
