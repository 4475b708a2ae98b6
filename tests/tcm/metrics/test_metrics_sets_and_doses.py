"""Herb sets and doses: small facts worked out by hand, and properties that no metric may lose."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcm.cases import PrescriptionItem
from tcm.metrics.dose import dose_agreement, grams, in_range_rate
from tcm.metrics.sets import f1_macro_case, f1_of_means, herb_set, overlap, size_agreement

GOLD = frozenset({"柴胡", "黄芩", "茯苓", "白术"})
HERBS = st.sampled_from(["柴胡", "黄芩", "茯苓", "白术", "当归", "川芎", "陈皮", "党参"])
DOSES = st.dictionaries(HERBS, st.floats(0.5, 120), min_size=1)


def item(herb, dose=None, **more):
    return PrescriptionItem(herb=herb, dose=dose, **more)


def test_two_of_three_names_right_against_four_gold_herbs():
    scores = overlap(GOLD, {"柴胡", "黄芩", "当归"})
    assert scores == pytest.approx({"precision": 2 / 3, "recall": 1 / 2, "f1": 4 / 7, "jaccard": 2 / 5})
    assert size_agreement(GOLD, {"柴胡", "黄芩", "当归"}) == 0.75


def test_an_empty_prediction_scores_zero_and_an_empty_gold_set_is_refused():
    assert set(overlap(GOLD, frozenset()).values()) == {0.0}
    assert size_agreement(GOLD, frozenset()) == 0.0
    assert size_agreement(frozenset(), frozenset()) == 0.0
    with pytest.raises(ValueError, match="gold set is empty"):
        overlap(frozenset(), GOLD)


def test_the_base_level_joins_processed_forms_that_the_canonical_level_parts():
    names = ["炙甘草", "甘草", "丹皮", "不存在的药"]
    assert herb_set(names, "canonical") == {"炙甘草", "甘草", "牡丹皮", "不存在的药"}
    assert herb_set(names, "base") == {"甘草", "牡丹皮", "不存在的药"}


def test_mean_of_f1_and_f1_of_means_differ():
    rows = [overlap({"柴胡"}, {"柴胡"}), overlap({"柴胡", "黄芩", "茯苓"}, {"柴胡"})]
    assert f1_macro_case(rows) == pytest.approx((1 + 0.5) / 2)
    assert f1_of_means(rows) == pytest.approx(2 * 1 * (2 / 3) / (1 + 2 / 3))


def test_doses_of_one_matched_herb_worked_out_by_hand():
    scores = dose_agreement({"柴胡": 10.0, "黄芩": 5.0}, {"柴胡": 20.0, "当归": 10.0})
    assert scores == pytest.approx(
        {
            "coverage": 0.5,
            "overlap": 10 / 35,
            "cosine": 200 / (math.sqrt(125) * math.sqrt(500)),
            "mae_g": 10.0,
            "mae_union_g": 25 / 3,
            "abs_log2_ratio": 1.0,
        }
    )


def test_without_a_matched_herb_errors_are_undefined_and_shares_are_zero():
    scores = dose_agreement({"柴胡": 10.0}, {"当归": 10.0})
    assert scores["mae_g"] is None and scores["abs_log2_ratio"] is None
    assert scores["coverage"] == scores["overlap"] == scores["cosine"] == 0.0
    assert dose_agreement({"柴胡": 10.0}, {})["overlap"] == 0.0


def test_doses_are_read_in_grams_and_a_herb_written_twice_counts_with_its_sum():
    doses = grams([item("丹皮", 3, unit="钱"), item("牡丹皮", 1.0), item("柴胡", 9, dose_high=12), item("黄芩")])
    assert doses == pytest.approx({"牡丹皮": 10.0, "柴胡": 10.5})


def test_unknown_herbs_and_missing_doses_are_not_in_range():
    assert in_range_rate([item("柴胡", 6), item("柴胡", 600), item("鑫淼", 10), item("黄芩")]) == 0.25
    assert in_range_rate([]) is None


@settings(deadline=None)  # the first example reads the tables
@given(gold=st.frozensets(HERBS, min_size=1), pred=st.frozensets(HERBS))
def test_set_metrics_stay_between_0_and_1_and_are_1_only_for_equal_sets(gold, pred):
    scores = overlap(gold, pred)
    assert all(0 <= value <= 1 for value in scores.values())
    assert (scores["f1"] == 1) == (scores["jaccard"] == 1) == (gold == pred)
    assert 0 <= size_agreement(gold, pred) <= 1


@settings(deadline=None)  # the first example reads the tables
@given(gold=DOSES, pred=DOSES)
def test_dose_metrics_stay_in_range_and_do_not_depend_on_the_order_of_herbs(gold, pred):
    scores = dose_agreement(gold, pred)
    assert all(0 <= scores[name] <= 1 for name in ("coverage", "overlap", "cosine"))
    assert all(value is None or value >= 0 for value in scores.values())
    assert dose_agreement(gold, dict(reversed(pred.items()))) == scores


@settings(deadline=None)  # the first example reads the tables
@given(gold=DOSES)
def test_doubling_every_dose_halves_the_overlap_though_cosine_does_not_see_it(gold):
    scores = dose_agreement(gold, {herb: 2 * dose for herb, dose in gold.items()})
    assert scores["overlap"] == pytest.approx(0.5)
    assert scores["abs_log2_ratio"] == pytest.approx(1)
    assert scores["cosine"] == pytest.approx(1)
