"""The rubric: each criterion on small exact facts, then planted defects on invented and on real cases."""

import pytest

from tcm.answers import parse, write
from tcm.cases import Answer, Case, Patient, PrescriptionItem, Visit
from tcm.invented import invent_cases
from tcm.sources.mtcmb import read_mtcmb
from tcm_rlaif.feedback.audit import detection
from tcm_rlaif.feedback.defects import KINDS, plant
from tcm_rlaif.feedback.judges import rubric as r
from tcm_rlaif.feedback.judges.base import Item, Question
from tcm_rlaif.feedback.labelling import judge_items

TEXT = (
    "中医诊断：感冒。证型：风寒束表。治法：辛温解表，宣肺散寒。方剂：麻黄汤。"
    "处方：麻黄9g，桂枝6g，苦杏仁6g，炙甘草3g。3剂，水煎服。"
)
ANSWER = parse(TEXT).answer
RUBRIC = r.RubricJudge()


def cold(**patient):
    visit = Visit(
        chief_complaint="恶寒重，发热轻2天",
        history="无汗，头痛，鼻塞，流清涕，肢节酸痛",
        tongue="舌淡红，苔薄白",
        pulse="脉浮紧",
    )
    return Case(id="感冒1", source="invented", patient_id="感冒1", patient=Patient(**patient), visit=visit)


def changed(**fields):
    return ANSWER.model_copy(update=fields)


def herbs(*pairs):
    return tuple(PrescriptionItem(herb=name, dose=dose) for name, dose in pairs)


def test_a_textbook_answer_to_a_textbook_patient_scores_nearly_full_marks():
    row = RUBRIC.criteria(cold(sex="男", age=30), TEXT)
    assert row["format"] == row["safety"] == row["dose"] == row["repetition"] == 1.0
    assert row["coverage"] > 0.9 and row["coherence"] > 0.85 and RUBRIC.total(row) > 0.9
    assert "continuity" not in row


def test_the_weights_of_a_first_visit_sum_to_one():
    assert sum(w for name, w in r.WEIGHTS.items() if name != "continuity") == pytest.approx(1)


def test_the_gold_answer_plays_no_part():
    blind, seeing = cold(), cold().model_copy(update={"answer": ANSWER})
    assert RUBRIC.criteria(blind, TEXT) == RUBRIC.criteria(seeing, TEXT)


def test_order_of_herbs_changes_no_score():
    other_way = write(changed(prescription=ANSWER.prescription[::-1]))
    assert other_way != TEXT and RUBRIC.criteria(cold(), other_way) == RUBRIC.criteria(cold(), TEXT)


def test_an_empty_answer_is_neither_safe_nor_well_dosed():
    assert RUBRIC.total(RUBRIC.criteria(cold(), "")) == 0.0
    assert RUBRIC.criteria(cold(), "中医诊断：感冒。")["safety"] == 0.0


@pytest.mark.parametrize(
    ("dose", "score"), [(9, 1.0), (10, 1.0), (20, 0.5), (40, 0.0), (400, 0.0), (1, 0.5), (None, 0.0)]
)
def test_dose_of_ephedra_loses_half_a_point_per_doubling_beyond_2_to_10_g(dose, score):
    answer = changed(prescription=(PrescriptionItem(herb="麻黄", dose=dose),))
    assert r.dose(answer, cold(age=40)) == pytest.approx(score)


def test_a_child_is_measured_by_its_share_of_the_adult_dose():
    answer = changed(prescription=herbs(("麻黄", 10)))
    assert r.dose(answer, cold(age=4)) == pytest.approx(0.5) and r.dose(answer, cold(age=40)) == 1.0


def test_incompatible_herbs_cost_safety_and_pregnancy_counts_for_pregnant_patients_alone():
    answer = changed(prescription=herbs(("炙甘草", 3), ("甘遂", 1)))
    assert r.safety(answer, cold()) < r.safety(changed(prescription=herbs(("炙甘草", 3))), cold())
    blood = changed(prescription=herbs(("三棱", 6)))
    assert r.safety(blood, cold(sex="女", age=30)) == 1.0
    assert r.safety(blood, cold(sex="女", age=30, pregnant=True)) == r.LEFT_AFTER["high"]


def test_a_formula_of_another_pattern_and_herbs_of_another_formula_cost_coherence():
    full = r.coherence(ANSWER, cold())
    assert r.coherence(changed(formula="六味地黄丸"), cold()) < full - 0.2
    assert r.coherence(changed(prescription=herbs(("熟地黄", 15), ("山药", 12))), cold()) < full - 0.1
    assert r.coherence(changed(treatment_principle="滋阴补肾"), cold()) < full - 0.1
    assert r.coherence(changed(disease="不寐"), cold()) < full - 0.2


def test_a_syndrome_that_does_not_explain_the_findings_costs_coverage():
    assert r.coverage(changed(disease="不寐", syndrome="肝火扰心"), cold()) < 0.3 < r.coverage(ANSWER, cold())


def test_herbs_written_twice_and_looping_text_cost_repetition():
    assert r.repetition(ANSWER, TEXT) == 1.0
    assert r.repetition(changed(prescription=ANSWER.prescription * 2), TEXT) == 0.5
    assert r.repetition(ANSWER, TEXT + "炒白术健脾燥湿利水止汗安胎。" * 30) < 0.3


def test_format_counts_missing_parts_and_remarks():
    assert r.format_score(changed(formula=""), TEXT, (), ()) == pytest.approx(6 / 7)
    assert r.format_score(ANSWER, "好" * 100, (), ("好" * 30,)) == pytest.approx(0.7)


@pytest.mark.parametrize("words", ["守上方，加茯苓12g", "去熟地黄", "7g，仍在"])
def test_a_piece_that_cannot_be_read_costs_all_of_format_however_short(words):
    text = TEXT.replace("处方：", f"处方：{words}，", 1)
    assert RUBRIC.criteria(cold(), text)["format"] == 0 < RUBRIC.criteria(cold(), TEXT)["format"]


def follow_up(now, before=ANSWER):
    first = cold().visit.model_copy(update={"answer": before})
    return cold().model_copy(update={"earlier_visits": (first,), "visit": Visit(history=now)})


def test_continuity_wants_the_previous_prescription_kept_and_new_findings_answered():
    case = follow_up("服上方3剂，恶寒减轻，现项背强痛")
    answered = changed(prescription=(*ANSWER.prescription, *herbs(("葛根", 15))))
    assert r.continuity(answered, case) == 1.0
    assert r.continuity(ANSWER, case) < 0.5  # the same again, and the new finding unanswered
    assert r.continuity(changed(prescription=herbs(("熟地黄", 15))), case) == 0.0
    assert "continuity" in RUBRIC.criteria(case, TEXT)


def test_pairwise_and_listwise_replies_follow_from_the_scores():
    worse = write(changed(prescription=herbs(("麻黄", 90))))
    replies = {}
    questions = [Question("pairwise", cold(), (worse, TEXT)), Question("listwise", cold(), (TEXT, worse, TEXT + "。"))]
    RUBRIC.ask(questions, replies.__setitem__)
    assert replies[questions[0]].values == (0.0,)
    best, least, _ = replies[questions[1]].values
    assert best > least


def planted_table(cases, per_kind):
    planted, impossible = plant(cases, per_kind=per_kind, seed=0)
    items = [Item(p.case, (p.intact, p.defective)) for p in planted]
    verdicts = judge_items([RUBRIC], items, mode="pointwise", progress=False).verdicts
    return {row["defect"]: row for row in detection(planted, verdicts)}, impossible


def test_planted_defects_in_invented_cases_are_detected_in_95_of_100():
    table, _ = planted_table(invent_cases(250, 0.3, seed=11), per_kind=100)
    assert set(table) == set(KINDS)
    assert {kind: row["rate"] for kind, row in table.items() if row["rate"] < 0.95} == {}
    assert all(row["n"] >= 40 for row in table.values())


def test_planted_defects_in_real_cases_are_mostly_detected_and_the_impossible_ones_counted(mtcmb_dir):
    cases = read_mtcmb(mtcmb_dir)
    table, impossible = planted_table(cases, per_kind=100)
    assert impossible["dose_times_5"] == impossible["pregnancy_contraindication"] == len(cases)  # no doses, no patients
    for kind in ("incompatible_pair", "other_patient", "field_dropped", "herbs_repeated", "invented_name"):
        assert table[kind]["rate"] > 0.8, table[kind]


def test_unknown_names_get_little_credit_and_break_nothing():
    answer = Answer(disease="怪病", syndrome="无名证", formula="无名方", prescription=herbs(("无名草", 9)))
    row = RUBRIC.criteria(cold(), write(answer))
    assert row["coverage"] <= r.UNKNOWN and row["coherence"] < 0.2
