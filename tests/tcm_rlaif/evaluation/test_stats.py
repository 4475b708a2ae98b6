"""Intervals, paired tests and Holm's adjustment against numbers that can be worked out by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from tcm_rlaif.evaluation import stats

GENERATOR = np.random.default_rng(7)
SAMPLE = GENERATOR.normal(0.4, 0.2, 60)


# Holm


def test_holm_multiplies_by_the_number_of_hypotheses_left() -> None:
    # the example of many textbooks: 0.01, 0.04, 0.03, 0.005 of four tests
    adjusted = stats.holm({"H1": 0.01, "H2": 0.04, "H3": 0.03, "H4": 0.005})
    assert adjusted == pytest.approx({"H4": 0.02, "H1": 0.03, "H3": 0.06, "H2": 0.06})


def test_holm_never_lets_a_larger_p_become_the_smaller_one() -> None:
    adjusted = stats.holm({"a": 0.02, "b": 0.021, "c": 0.022})
    assert adjusted == pytest.approx({"a": 0.06, "b": 0.06, "c": 0.06})


def test_holm_ends_at_one() -> None:
    assert stats.holm({"a": 0.6, "b": 0.9}) == {"a": 1.0, "b": 1.0}


def test_holm_leaves_a_single_comparison_alone() -> None:
    assert stats.holm({"only": 0.04}) == {"only": 0.04}


def test_holm_of_nothing_is_nothing() -> None:
    assert stats.holm({}) == {}


# intervals


def test_an_interval_of_equal_values_is_their_mean() -> None:
    assert stats.interval([0.3, 0.3, 0.3], 0.95, 200) == pytest.approx((0.3, 0.3))


def test_an_interval_of_one_value_is_that_value() -> None:
    assert stats.interval([0.7], 0.95, 200) == (0.7, 0.7)


def test_an_interval_holds_the_mean_and_is_as_wide_as_theory_says() -> None:
    low, high = stats.interval(SAMPLE, 0.95, 2000)
    half = 1.96 * SAMPLE.std(ddof=1) / math.sqrt(len(SAMPLE))
    assert low < SAMPLE.mean() < high
    assert (high - low) / 2 == pytest.approx(half, rel=0.1)


def test_more_confidence_takes_a_wider_interval() -> None:
    (a, b), (c, d) = (stats.interval(SAMPLE, level, 1000) for level in (0.8, 0.99))
    assert c < a < b < d


def test_the_same_values_give_the_same_interval() -> None:
    assert stats.interval(SAMPLE, 0.95, 500) == stats.interval(SAMPLE, 0.95, 500)


@pytest.mark.parametrize("values", [[0, 1], [0, 0, 0, 1], [0] * 30 + [1], [1e-9, 0.0]])
def test_an_interval_of_few_or_lopsided_values_is_finite_and_within_them(values) -> None:
    low, high = stats.interval(values, 0.95, 500)
    assert min(values) <= low <= high <= max(values)


# paired differences


def test_a_difference_has_the_sign_of_a_minus_b() -> None:
    assert stats.paired([0.6, 0.8], [0.5, 0.5], 0.95, 200)["difference"] == pytest.approx(0.2)
    assert stats.paired([0.5, 0.5], [0.6, 0.8], 0.95, 200)["difference"] == pytest.approx(-0.2)


def test_swapping_the_arms_mirrors_the_interval_and_keeps_p() -> None:
    a, b = SAMPLE[:30], SAMPLE[30:]
    one, other = stats.paired(a, b, 0.95, 500), stats.paired(b, a, 0.95, 500)
    assert (one["low"], one["high"]) == pytest.approx((-other["high"], -other["low"]), abs=0.02)
    assert one["p"] == pytest.approx(other["p"], abs=0.05)


def test_three_equal_differences_have_p_one_quarter() -> None:
    # 2 of the 2**3 sign patterns are as extreme: all plus and all minus
    assert stats.paired([1, 1, 1], [0, 0, 0], 0.95, 1000)["p"] == pytest.approx(0.25)


def test_six_differences_of_one_sign_have_p_one_in_thirty_two() -> None:
    assert stats.paired([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], [0.0] * 6, 0.95, 1000)["p"] == pytest.approx(2 / 64)


def test_equal_arms_have_no_difference_and_p_one() -> None:
    assert stats.paired([0.1, 0.9], [0.1, 0.9], 0.95, 200) == {
        "difference": 0.0,
        "low": 0.0,
        "high": 0.0,
        "p": 1.0,
        "n": 2,
    }


def test_one_case_can_show_nothing() -> None:
    assert stats.paired([1.0], [0.0], 0.95, 200) == {"difference": 1.0, "low": 1.0, "high": 1.0, "p": 1.0, "n": 1}


def test_pairing_sees_what_the_spread_of_cases_would_hide() -> None:
    hard_and_easy = np.linspace(0, 1, 40)
    a_little_better = hard_and_easy + np.tile([0.01, 0.03], 20)
    assert stats.paired(a_little_better, hard_and_easy, 0.95, 1000)["p"] < 0.01


# means over seeds


def test_the_scores_of_a_case_are_averaged_over_seeds_and_arms_kept_apart() -> None:
    rows = [("c1", "sft", 0, 0.2), ("c1", "sft", 1, 0.4), ("c2", "sft", 0, 1.0), ("c1", "base", 0, 0.0)]
    means = stats.case_means(pd.DataFrame(rows, columns=["case_id", "arm", "seed", "herb_f1"]), "herb_f1")
    assert means.loc["c1"].to_dict() == pytest.approx({"base": 0.0, "sft": 0.3})
    assert means.loc["c2", "sft"] == 1.0 and math.isnan(means.loc["c2", "base"])
