"""Labels, follow-up changes and text: small facts worked out by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcm.metrics import followup, labels, text

CHARACTERS = st.text(alphabet="柴胡黄芩，。10g 甘草", max_size=20)
HERB_SETS = st.frozensets(st.sampled_from("柴芩苓术归芎"))


def test_labels_are_compared_as_a_set_with_closing_words_dropped():
    assert labels.label_set("气虚血瘀证|痰瘀互结") == {"气虚血瘀", "痰瘀互结"}
    assert labels.label_f1("肝郁脾虚证，心血不足证", "心血不足、肝郁脾虚") == 1.0
    assert labels.label_f1("肝郁脾虚", "肝郁脾虚、心血不足、肝胆湿热") == 0.5  # 2·1/(1+3)
    assert labels.label_f1("脾胃不和", "脾胃") == 0.0
    assert labels.label_f1("、", "脾胃") is None


def test_exact_ignores_white_space_and_the_closing_full_stop_alone():
    assert labels.exact("肝郁脾虚", " 肝郁 脾虚。") == 1.0
    assert labels.exact("肝郁脾虚", "肝郁脾虚证") == 0.0


def test_a_combined_formula_names_two_and_modification_does_not_matter():
    assert labels.formula_f1("小柴胡汤合归脾汤加减", "归脾汤") == pytest.approx(2 / 3)
    assert labels.formula_f1("小柴胡汤加减", "小柴胡汤") == 1.0


def test_treatment_principles_share_phrases_or_only_bigrams():
    gold, pred = "疏肝健脾，养心安神", "养心安神，疏肝解郁"
    assert labels.principle_f1(gold, pred) == 0.5
    # bigrams: 疏肝 肝健 健脾 养心 心安 安神 against 养心 心安 安神 疏肝 肝解 解郁: 4 in common of 6 and 6
    assert labels.bigram_dice(gold, pred) == pytest.approx(2 * 4 / 12)
    assert labels.bigram_dice("清", "清") == 1.0
    assert labels.bigram_dice("清热", "") == 0.0


PREVIOUS, GOLD = frozenset("柴芩苓术"), frozenset("柴芩苓归")


def test_follow_up_changes_worked_out_by_hand():
    # gold: keeps 柴芩苓, adds 归, removes 术; answer: keeps 柴芩术, adds 归, removes 苓
    scores = followup.changes(PREVIOUS, GOLD, frozenset("柴芩术归"))
    assert scores == pytest.approx({"retained_f1": 2 / 3, "added_f1": 1.0, "removed_f1": 0.0, "change_f1": 0.5})


def test_copying_the_previous_prescription_scores_no_change_and_no_gain():
    assert followup.changes(PREVIOUS, GOLD, PREVIOUS)["change_f1"] == 0.0
    assert followup.gain_over_copy(PREVIOUS, GOLD, PREVIOUS) == 0.0
    assert followup.gain_over_copy(PREVIOUS, GOLD, GOLD) == pytest.approx(0.25)


def test_an_unchanged_prescription_is_agreed_with_only_by_changing_nothing():
    assert set(followup.changes(PREVIOUS, PREVIOUS, PREVIOUS).values()) == {1.0}
    assert followup.changes(PREVIOUS, PREVIOUS, PREVIOUS | {"归"})["added_f1"] == 0.0
    assert set(followup.changes(PREVIOUS, PREVIOUS, frozenset()).values()) == {0.0}


def test_dose_direction_counts_retained_herbs_and_an_absent_one_is_wrong():
    before, gold = {"柴": 10.0, "芩": 10.0, "苓": 10.0, "术": 9.0}, {"柴": 12.0, "芩": 10.0, "苓": 6.0}
    assert followup.dose_direction(before, gold, {"柴": 15.0, "芩": 10.01, "术": 3.0}) == pytest.approx(2 / 3)
    assert followup.dose_direction(before, {"归": 9.0}, {"归": 9.0}) is None


@settings(deadline=None)  # the first example reads the tables
@given(previous=HERB_SETS, gold=HERB_SETS.filter(bool), pred=HERB_SETS)
def test_follow_up_metrics_stay_in_range_and_the_gold_answer_is_best(previous, gold, pred):
    assert all(0 <= value <= 1 for value in followup.changes(previous, gold, pred).values())
    assert set(followup.changes(previous, gold, gold).values()) == {1.0}
    assert -1 <= followup.gain_over_copy(previous, gold, pred) <= followup.gain_over_copy(previous, gold, gold)


def test_repetition_is_the_share_of_items_that_stood_before():
    assert text.repetition(["柴胡", "黄芩", "柴胡", "柴胡"]) == 0.5
    assert text.repetition([]) == 0.0
    assert text.ngram_repetition("柴胡十克" * 3) == pytest.approx(1 - 4 / 9)
    assert text.ngram_repetition("柴胡") == 0.0


def test_rouge_l_on_characters_worked_out_by_hand():
    # LCS(柴胡黄芩, 柴芩) = 2: R = 2/4, P = 2/2, F = 2/3; white space does not matter
    assert text.rouge_l("柴胡黄芩", " 柴\n芩") == pytest.approx(2 / 3)
    assert text.rouge_l("", "柴") == text.rouge_l("柴", " ") == 0.0


def test_bleu4_on_characters_worked_out_by_hand():
    # one substitution in 8 characters, the last one: n-gram precisions 7/8, 6/7, 5/6, 4/5, no brevity penalty
    assert text.bleu4("处方柴胡黄芩甘草", "处方柴胡黄芩甘芪") == pytest.approx((7 / 8 * 6 / 7 * 5 / 6 * 4 / 5) ** 0.25)
    assert text.bleu4("处方", "") == text.bleu4("", "处方") == 0.0


def test_the_text_conventions_name_tool_unit_and_version():
    assert "tok:char" in text.bleu_convention() and "version:" in text.bleu_convention()
    assert "characters" in text.ROUGE_CONVENTION


@settings(deadline=None)  # the first example reads the tables
@given(a=CHARACTERS, b=CHARACTERS)
def test_text_metrics_stay_between_0_and_1_and_equal_texts_score_1(a, b):
    assert 0 <= text.rouge_l(a, b) <= 1 and 0 <= text.bleu4(a, b) <= 1 and 0 <= text.ngram_repetition(a) <= 1
    if a.split():
        assert text.rouge_l(a, a) == pytest.approx(1) and text.bleu4(a, a) == pytest.approx(1)
