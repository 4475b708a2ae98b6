"""All metrics of one case together: keys, ranges, what does not apply, and what no answer can gain by."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcm.answers import write
from tcm.cases import Answer, Case, PrescriptionItem, Visit
from tcm.metrics import METRICS, PRIMARY, score_case, summarise

HERBS = ["柴胡", "黄芩", "茯苓", "白术", "当归", "川芎", "陈皮", "党参"]
ITEMS = st.lists(
    st.builds(PrescriptionItem, herb=st.sampled_from(HERBS), dose=st.none() | st.integers(1, 60).map(float)),
    max_size=8,
    unique_by=lambda item: item.herb,
).map(tuple)


def prescription(**doses):
    return tuple(PrescriptionItem(herb=herb, dose=float(dose)) for herb, dose in doses.items())


PREVIOUS = Answer(
    disease="不寐",
    syndrome="肝郁脾虚",
    treatment_principle="疏肝健脾",
    formula="逍遥散加减",
    prescription=prescription(柴胡=10, 黄芩=12, 茯苓=15, 白术=15),
    packets=7,
    usage="水煎服",
)
GOLD = Answer(
    disease="不寐",
    syndrome="肝郁脾虚",
    treatment_principle="疏肝健脾，养心安神",
    formula="逍遥散合归脾汤",
    prescription=prescription(柴胡=6, 茯苓=15, 白术=12, 当归=10),
    packets=7,
    usage="水煎服",
)
FIRST = Case(id="1", source="invented", patient_id="p1", visit=Visit(chief_complaint="失眠2月"), answer=GOLD)
FOLLOW_UP = FIRST.model_copy(update={"earlier_visits": (Visit(chief_complaint="失眠1月", answer=PREVIOUS),)})


def test_the_catalogue_names_every_key_once_and_primary_metrics_are_bounded_and_better_when_higher():
    keys = [metric.key for metric in METRICS]
    assert len(set(keys)) == len(keys)
    assert list(score_case(FIRST, "")) == keys
    described = {metric.key: metric for metric in METRICS}
    assert all(described[key].better == "higher" and described[key].high == 1 for key in PRIMARY)


def test_the_gold_answer_reaches_the_best_value_of_every_share():
    scores = score_case(FOLLOW_UP, write(GOLD), finished=True)
    shares = [m.key for m in METRICS if m.better == "higher" and m.key != "followup_gain"]
    assert {key: scores[key] for key in shares} == pytest.approx(dict.fromkeys(shares, 1.0))
    errors = ("dose_mae_g", "dose_mae_union_g", "dose_abs_log2_ratio", "herb_repetition")
    assert [scores[key] for key in errors] == [0.0] * 4
    assert scores["followup_gain"] == pytest.approx(1 - 3 / 4)


def test_an_empty_answer_scores_zero_on_every_share_and_none_on_errors_over_matched_herbs():
    scores = score_case(FOLLOW_UP, "", finished=False)
    shares = [m.key for m in METRICS if m.better == "higher" and m.key != "followup_gain"]
    assert {key: scores[key] for key in shares} == dict.fromkeys(shares, 0.0)
    assert scores["dose_mae_g"] is None and scores["dose_abs_log2_ratio"] is None
    assert scores["dose_mae_union_g"] == pytest.approx(43 / 4)
    assert scores["followup_gain"] == pytest.approx(-3 / 4)


def test_what_does_not_apply_is_none_and_never_zero():
    herbs_only = tuple(PrescriptionItem(herb=herb) for herb in GOLD.herbs)
    case = FIRST.model_copy(update={"answer": Answer(prescription=herbs_only)})
    scores = score_case(case, "处方：柴胡、茯苓。")
    none = {key for key, value in scores.items() if value is None}
    expected = {
        m.key
        for m in METRICS
        if m.key.startswith(("dose_", "disease_", "syndrome_", "formula_", "principle_", "followup_"))
    }
    assert none == expected | {"finished"}
    assert scores["herb_f1"] == pytest.approx(2 * 2 / (4 + 2))


def test_a_case_without_gold_answer_gives_text_metrics_alone():
    scores = score_case(FIRST.model_copy(update={"answer": None}), write(GOLD), True)
    assert {k for k, v in scores.items() if v is not None} == {
        "format_valid",
        "herb_repetition",
        "ngram_repetition",
        "length",
        "finished",
        "usable",
    }


@settings(deadline=None)  # the first example reads the tables
@given(first=ITEMS, second=ITEMS)
def test_every_metric_stays_in_its_range_whatever_is_prescribed(first, second):
    case = FOLLOW_UP.model_copy(update={"answer": GOLD.model_copy(update={"prescription": first})})
    scores = score_case(case, write(PREVIOUS.model_copy(update={"prescription": second})), finished=False)
    for metric in METRICS:
        value = scores[metric.key]
        assert value is None or metric.low <= value <= (metric.high or float("inf")), metric.key


@settings(deadline=None)  # the first example reads the tables
@given(items=ITEMS, order=st.randoms(use_true_random=False))
def test_the_order_of_herbs_changes_no_set_dose_or_follow_up_metric(items, order):
    shuffled = list(items)
    order.shuffle(shuffled)
    texts = [write(GOLD.model_copy(update={"prescription": tuple(p)})) for p in (items, shuffled)]
    before, after = (
        {k: v for k, v in score_case(FOLLOW_UP, text).items() if k.startswith(("herb", "dose_", "followup_", "mtcmb_"))}
        for text in texts
    )
    assert before == after


@settings(deadline=None)  # the first example reads the tables
@given(items=ITEMS.filter(lambda items: any(item.dose for item in items)))
def test_doubling_every_dose_changes_a_primary_metric(items):
    case = FIRST.model_copy(update={"answer": GOLD.model_copy(update={"prescription": items})})
    doubled = tuple(item.model_copy(update={"dose": item.dose and 2 * item.dose}) for item in items)
    scores = score_case(case, write(GOLD.model_copy(update={"prescription": doubled})))
    assert scores["dose_overlap"] == pytest.approx(0.5)


@settings(deadline=None)  # the first example reads the tables
@given(text=st.text(max_size=200))
def test_no_text_raises(text):
    assert score_case(FOLLOW_UP, text)["herb_f1"] is not None


def test_a_summary_carries_n_and_leaves_out_cases_a_metric_does_not_apply_to():
    summary = summarise([score_case(FIRST, write(GOLD)), score_case(FOLLOW_UP, "处方：柴胡6g，黄芩10g。")])
    assert summary["followup_gain"]["n"] == 1 and summary["herb_f1"]["n"] == 2
    assert summary["herb_f1"]["mean"] == pytest.approx((1 + 2 / 6) / 2)
    assert summary["herb_f1_of_means"]["mean"] == pytest.approx(2 * 0.75 * 0.625 / 1.375)
    assert summary["finished"] == {"mean": None, "n": 0}
