"""A case is told in the words of a record: who, then visit after visit, missing parts left out."""

import pytest

from tcm.answers import write
from tcm.answers.wording import case_text, patient_text, visit_text
from tcm.cases import Answer, Case, Patient, PrescriptionItem, Visit

ANSWER = Answer(
    disease="不寐",
    syndrome="肝郁脾虚",
    treatment_principle="疏肝健脾",
    formula="逍遥散加减",
    prescription=(PrescriptionItem(herb="柴胡", dose=10), PrescriptionItem(herb="龙骨", dose=30, note="先煎")),
    packets=7,
    usage="水煎服",
)
VISIT = Visit(chief_complaint="失眠3月", history="心烦。", tongue="舌红", pulse="脉弦")
FIRST = Case(id="1", source="invented", patient_id="1", patient=Patient(sex="女", age=45), visit=VISIT, answer=ANSWER)
AGAIN = FIRST.model_copy(
    update={"visit": Visit(history="睡眠好转"), "earlier_visits": (VISIT.model_copy(update={"answer": ANSWER}),)}
)


@pytest.mark.parametrize(
    ("patient", "text"),
    [
        (Patient(sex="女", age=45), "女，45岁"),
        (Patient(sex="女", age=28, pregnant=True), "女，28岁，妊娠"),
        (Patient(age=2), "2岁"),
        (Patient(sex="男", age=1.5), "男，18个月"),
        (Patient(sex="男", age=0.5), "男，6个月"),
        (Patient(age=2.5), "2.5岁"),
        (Patient(sex="男"), "男"),
        (Patient(), ""),
    ],
)
def test_a_patient_is_told_in_short_and_unknown_parts_are_left_out(patient: Patient, text: str) -> None:
    assert patient_text(patient) == text


def test_a_newborns_age_is_told_in_days() -> None:
    assert patient_text(Patient(age=0.04)) == "15天"


def test_a_visit_is_told_field_by_field_with_one_stop_each() -> None:
    assert visit_text(VISIT) == "主诉：失眠3月。现病史：心烦。舌：舌红。脉：脉弦。"


def test_a_field_that_is_missing_is_left_out() -> None:
    assert visit_text(Visit(history="失眠")) == "现病史：失眠。"


def test_a_first_visit_is_patient_and_findings() -> None:
    assert case_text(FIRST) == "患者：女，45岁。\n主诉：失眠3月。现病史：心烦。舌：舌红。脉：脉弦。"


def test_an_unknown_patient_has_no_line() -> None:
    assert case_text(FIRST.model_copy(update={"patient": Patient()})).startswith("主诉：")


def test_a_follow_up_tells_the_earlier_visit_with_its_answer_before_the_new_findings() -> None:
    assert case_text(AGAIN).splitlines() == [
        "患者：女，45岁。",
        f"第1诊：主诉：失眠3月。现病史：心烦。舌：舌红。脉：脉弦。{write(ANSWER)}",
        "复诊：现病史：睡眠好转。",
    ]


def test_earlier_visits_are_numbered_from_the_oldest() -> None:
    third = AGAIN.model_copy(update={"earlier_visits": (*AGAIN.earlier_visits, Visit(history="眠安"))})
    assert [line[:4] for line in case_text(third).splitlines()] == [
        "患者：女",
        "第1诊：",
        "第2诊：",
        "复诊：现",
    ]
