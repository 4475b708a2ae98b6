"""The Pareto front: exactly the points that no other beats."""

import numpy as np

from tcm_rlaif.evaluation.pareto import front


def test_a_point_that_another_beats_in_both_is_not_on_the_front() -> None:
    points = np.array([[0.2, 0.9], [0.5, 0.5], [0.4, 0.4], [0.9, 0.1]])
    assert front(points).tolist() == [True, True, False, True]


def test_as_good_in_one_and_worse_in_the_other_is_beaten() -> None:
    assert front(np.array([[0.5, 0.5], [0.5, 0.4]])).tolist() == [True, False]


def test_equal_points_stand_together() -> None:
    assert front(np.array([[0.5, 0.5], [0.5, 0.5], [0.1, 0.1]])).tolist() == [True, True, False]
    assert front(np.array([[0.3, 0.3]])).tolist() == [True]
