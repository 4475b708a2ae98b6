"""A case holds what a visit can be, and what cannot be is refused with field and value."""

import pytest
from pydantic import ValidationError

from tcm.cases import Answer, Case, Patient, PrescriptionItem, Visit, explain

ANSWER = Answer(
    disease="不寐",
    syndrome="肝郁脾虚",
    treatment_principle="疏肝健脾",
    formula="逍遥散加减",
    prescription=(
        PrescriptionItem(herb="柴胡", dose=10, dose_high=12),
        PrescriptionItem(herb="龙骨", dose=30, note="先煎"),
        PrescriptionItem(herb="大枣", dose=5, unit="枚"),
    ),
    packets=7,
    usage="水煎服",
)


def case(**values) -> Case:
    return Case(**{"id": "1", "source": "own", "patient_id": "p", "visit": {"chief_complaint": "失眠3月"}} | values)


def faults(**values) -> str:
    with pytest.raises(ValidationError) as caught:
        case(**values)
    return explain(caught.value)


def test_a_case_without_earlier_visits_is_a_first_visit() -> None:
    assert (case().task, case().previous_answer) == ("first_visit", None)


def test_a_case_with_an_earlier_visit_is_a_follow_up_and_knows_the_previous_answer() -> None:
    earlier = (Visit(chief_complaint="失眠"), Visit(chief_complaint="失眠减", answer=ANSWER))
    assert (case(earlier_visits=earlier).task, case(earlier_visits=earlier).previous_answer) == (
        "follow_up_visit",
        ANSWER,
    )


def test_findings_join_what_is_there_without_doubled_stops() -> None:
    assert Visit(chief_complaint="失眠3月。", tongue="舌红", pulse="脉弦").findings == "失眠3月。舌红。脉弦"


def test_herbs_keep_the_order_written() -> None:
    assert ANSWER.herbs == ("柴胡", "龙骨", "大枣")


def test_white_space_around_text_is_dropped() -> None:
    assert case(visit={"chief_complaint": " 失眠 "}).visit.chief_complaint == "失眠"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"patient": {"age": 121}}, "patient.age: Input should be less than or equal to 120 (got '121')"),
        ({"patient": {"age": -1}}, "patient.age: Input should be greater than or equal to 0"),
        ({"patient": {"sex": "女性"}}, "patient.sex: Input should be '男', '女' or ''"),
        ({"patient": {"sex": "男", "pregnant": True}}, "patient: a male patient cannot be pregnant: correct `sex`"),
        ({"visit": {}}, "nothing to answer: give at least one of chief_complaint, history, tongue, pulse"),
        ({"visit": {"tounge": "舌红"}}, "visit.tounge: Extra inputs are not permitted"),
        ({"id": ""}, "id: String should have at least 1 character"),
        ({"answer": {"prescription": [{"herb": "柴胡", "dose": 0}]}}, "answer.prescription.0.dose: Input should be"),
        ({"answer": {"prescription": [{"herb": ""}]}}, "answer.prescription.0.herb"),
        ({"answer": {"prescription": [{"herb": "柴胡", "dose": float("inf")}]}}, "finite number"),
        ({"answer": {"packets": 0}}, "answer.packets: Input should be greater than 0"),
    ],
)
def test_what_cannot_be_is_refused_with_field_and_value(values, words) -> None:
    assert words in faults(**values)


def test_a_fraction_of_a_year_is_an_age() -> None:
    assert Patient(age=0.04).age == 0.04


def test_a_hidden_field_shows_no_value() -> None:
    with pytest.raises(ValidationError) as caught:
        Patient(age=500)
    assert "500" not in explain(caught.value, hide={"age"})
