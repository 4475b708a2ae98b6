"""Means and differences over seeds and cases, intervals, p and Holm's family against numbers worked out by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from tcm_rlaif.evaluation import stats
from tcm_rlaif.evaluation.stats import difference, estimate, matrix


def of(rows, cases: str = "abcdefgh") -> pd.DataFrame:
    """Seeds x cases."""
    return pd.DataFrame(rows, columns=list(cases[: len(rows[0])]))


# seeds and cases


def test_the_variances_of_a_small_matrix_are_those_of_the_textbook() -> None:
    found = estimate(of([[1, 2, 3], [3, 4, 5]]))  # mean squares: seeds 6, cases 2, rest 0
    assert (found.mean, found.by_seed, found.n) == (3.0, {0: 2.0, 1: 4.0}, 3)
    assert found.se == pytest.approx(math.sqrt(8 / 6)) and found.df == pytest.approx(8**2 / (6**2 / 1 + 2**2 / 2))


def test_what_varies_neither_with_seed_nor_case_is_taken_off_once() -> None:
    found = estimate(of([[0, 2, 4], [2, 4, 0], [1, 3, 5]]))  # mean squares: seeds 1, cases 4, rest 4
    assert found.se == pytest.approx(math.sqrt(4 / 9))  # 1 + 4 - 4 = 1 would lie below the cases' own share


def test_one_seed_leaves_the_error_over_cases() -> None:
    found = estimate(of([[0.1, 0.2, 0.3]]))
    assert found.se == pytest.approx(0.1 / math.sqrt(3)) and found.df == pytest.approx(2)
    assert found.interval(0.95) == pytest.approx((0.2 - 4.3027 * 0.057735, 0.2 + 4.3027 * 0.057735), abs=1e-4)


def test_seeds_that_differ_widen_an_interval_that_cases_alone_would_make_narrow() -> None:
    steady, moved = np.tile([0.1, 0.12, 0.08, 0.1], (3, 1)), np.array([[0.3], [0.0], [-0.3]])
    (a, b), (c, d) = (estimate(of(rows)).interval(0.95) for rows in (steady, steady + moved))
    assert 0 < a < b and c < 0 < d


def test_visits_of_one_patient_are_no_more_evidence_than_the_patient() -> None:
    visits = of([[0.1, 0.1, 0.3, 0.3, 0.5, 0.5]])
    apart, grouped = estimate(visits), estimate(visits, dict(zip("abcdef", "AABBCC", strict=True)))
    once = estimate(of([[0.1, 0.3, 0.5]]))
    assert (grouped.se, grouped.df) == pytest.approx((once.se, once.df)) and grouped.se > apart.se
    assert (grouped.n, grouped.patients) == (6, 3)


def test_patients_of_unequal_size_keep_the_mean_over_cases() -> None:
    found = estimate(of([[1.0, 1.0, 1.0, 5.0]]), dict(zip("abcd", "AAAB", strict=True)))
    assert found.mean == 2.0 and found.patients == 2


def test_interval_and_p_agree_and_more_confidence_is_wider() -> None:
    found = estimate(of(np.random.default_rng(7).normal(0.1, 0.2, (4, 8))))
    low, high = found.interval(1 - found.p)
    assert min(abs(low), abs(high)) == pytest.approx(0, abs=1e-9)
    assert found.interval(0.99)[0] < found.interval(0.9)[0] < found.mean < found.interval(0.9)[1]


def test_a_difference_that_never_varies_is_as_clear_as_its_patients_are_many() -> None:
    assert [estimate(of([[0.5] * n])).p for n in (1, 3, 6)] == [1.0, 0.25, 1 / 32]
    assert estimate(of([[0.5] * 3])).interval(0.95) == (0.5, 0.5) and estimate(of([[0.0] * 6])).p == 1.0


def test_swapping_the_arms_mirrors_the_interval_and_keeps_p() -> None:
    values = of(np.random.default_rng(3).normal(0.1, 0.3, (3, 8)))
    one, other = estimate(values), estimate(-values)
    assert one.interval(0.9) == pytest.approx(tuple(-x for x in reversed(other.interval(0.9)))) and one.p == other.p


def test_the_difference_that_would_be_found_is_larger_than_the_one_that_is_just_significant() -> None:
    found = estimate(of(np.random.default_rng(1).normal(0, 0.2, (5, 8))))
    half = (found.interval(0.95)[1] - found.interval(0.95)[0]) / 2
    assert (
        half
        < found.detectable(0.95)
        == pytest.approx((student.ppf(0.975, found.df) + student.ppf(0.8, found.df)) * found.se)
    )
    assert math.isnan(estimate(of([[0.1] * 4])).detectable(0.95))


@pytest.mark.parametrize(("seeds", "seed_sd"), [(3, 0.0), (3, 0.04), (5, 0.04)])
def test_one_in_twenty_of_studies_without_a_difference_finds_one(seeds: int, seed_sd: float) -> None:
    rng, found = np.random.default_rng(0), 0
    for _ in range(1500):
        d = rng.normal(0, seed_sd, (seeds, 1)) + rng.normal(0, 0.2, 60) + rng.normal(0, 0.1, (seeds, 60))
        found += estimate(pd.DataFrame(d)).p < 0.05
    assert 0.033 < found / 1500 < 0.067  # three standard errors of 1,500 draws


def test_cases_alone_find_differences_where_only_seeds_differ() -> None:
    rng, found = np.random.default_rng(0), 0
    for _ in range(400):
        d = rng.normal(0, 0.04, (3, 1)) + rng.normal(0, 0.2, 60)
        found += estimate(pd.DataFrame(d.mean(axis=0, keepdims=True))).p < 0.05
    assert found / 400 > 0.08


# arms as matrices


def scores(rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["case_id", "seed", "herb_f1"])


def test_a_case_that_a_metric_does_not_apply_to_is_left_out() -> None:
    found = matrix(scores([("c1", 0, 0.2), ("c2", 0, None), ("c1", 1, 0.4), ("c2", 1, None)]), "herb_f1")
    assert found.to_dict() == {"c1": {0: 0.2, 1: 0.4}}


def test_arms_are_paired_by_seed_and_case_where_both_have_them() -> None:
    a = matrix(scores([("c1", 0, 0.5), ("c1", 1, 0.7), ("c2", 0, 1.0), ("c2", 1, 1.0)]), "herb_f1")
    b = matrix(scores([("c1", 1, 0.1), ("c1", 2, 0.0)]), "herb_f1")
    found = difference(a, b)
    assert found.shape == (1, 1) and found.loc[1, "c1"] == pytest.approx(0.6)


def test_an_arm_that_no_seed_can_change_stands_beside_every_seed() -> None:
    a = matrix(scores([("c1", 0, 0.5), ("c1", 1, 0.7), ("c2", 0, 1.0), ("c2", 1, 1.0)]), "herb_f1")
    b = matrix(scores([("c2", 0, 0.5), ("c1", 0, 0.1)]), "herb_f1")
    assert estimate(difference(a, b)).by_seed == pytest.approx({0: 0.45, 1: 0.55})
    assert estimate(difference(b, a)).by_seed == pytest.approx({0: -0.45, 1: -0.55})


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
