"""Intervals: they hold the mean, shrink with more cases, and never pretend that a few trials prove a share of 1."""

import math

import pytest

from tcm.metrics import intervals


def test_a_share_of_all_or_none_has_an_interval_with_a_width() -> None:
    low, high = intervals.wilson(12, 12)
    assert high == pytest.approx(1.0) and low == pytest.approx(12 / (12 + 1.96**2), abs=1e-3)
    assert intervals.wilson(0, 12)[1] == pytest.approx(1 - low)


def test_shares_are_told_from_other_values() -> None:
    assert intervals.of_shares([1, 0, 1, 1]) == intervals.wilson(3, 4)
    assert intervals.of_shares([0.25, 0.5, 0.75, 0.5]) == intervals.interval([0.25, 0.5, 0.75, 0.5])


def test_whole_units_are_resampled() -> None:
    def mean(units):
        return sum(map(sum, units)) / sum(map(len, units))

    few, many = [[0.0, 0.2], [1.0, 0.8]] * 4, [[0.0, 0.2], [1.0, 0.8]] * 40
    (a, b), (c, d) = intervals.resampled(mean, few), intervals.resampled(mean, many)
    assert a < c < 0.5 < d < b
    assert all(map(math.isnan, intervals.resampled(lambda units: math.nan, few)))
