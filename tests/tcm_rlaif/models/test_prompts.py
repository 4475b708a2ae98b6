"""What a policy reads and writes: the layout of a case and of an answer."""

import pytest

from tcm.cases import Answer, Case, Patient, PrescriptionItem, Visit
from tcm.prescriptions import answers
from tcm_rlaif.models import prompts

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
    assert prompts.patient_text(patient) == text


def test_a_newborns_age_is_told_in_days() -> None:
    assert prompts.patient_text(Patient(age=0.04)) == "15天"


def test_a_visit_is_told_field_by_field_with_one_stop_each() -> None:
    assert prompts.visit_text(VISIT) == "主诉：失眠3月。现病史：心烦。舌：舌红。脉：脉弦。"


def test_a_field_that_is_missing_is_left_out() -> None:
    assert prompts.visit_text(Visit(history="失眠")) == "现病史：失眠。"


def test_a_first_visit_is_patient_and_findings() -> None:
    assert prompts.case_text(FIRST) == "患者：女，45岁。\n主诉：失眠3月。现病史：心烦。舌：舌红。脉：脉弦。"


def test_an_unknown_patient_has_no_line() -> None:
    assert prompts.case_text(FIRST.model_copy(update={"patient": Patient()})).startswith("主诉：")


def test_a_follow_up_tells_the_earlier_visit_with_its_answer_before_the_new_findings() -> None:
    assert prompts.case_text(AGAIN).splitlines() == [
        "患者：女，45岁。",
        f"第1诊：主诉：失眠3月。现病史：心烦。舌：舌红。脉：脉弦。{answers.write(ANSWER)}",
        "复诊：现病史：睡眠好转。",
    ]


def test_earlier_visits_are_numbered_from_the_oldest() -> None:
    third = AGAIN.model_copy(update={"earlier_visits": (*AGAIN.earlier_visits, Visit(history="眠安"))})
    assert [line[:4] for line in prompts.case_text(third).splitlines()] == [
        "患者：女",
        "第1诊：",
        "第2诊：",
        "复诊：现",
    ]


def test_the_prompt_never_holds_the_gold_answer() -> None:
    text = prompts.prompt(FIRST)[1]["content"]
    assert not any(word in text for word in ("肝郁脾虚", "逍遥散", "柴胡", "疏肝健脾"))


def test_the_prompt_does_not_change_with_the_gold_answer() -> None:
    assert prompts.prompt(AGAIN) == prompts.prompt(AGAIN.model_copy(update={"answer": None}))


def test_a_prompt_is_a_system_and_a_user_message_that_asks_for_the_task() -> None:
    for case, ask in ((FIRST, "请诊治。"), (AGAIN, "请复诊调方。")):
        system, user = prompts.prompt(case)
        assert (system["role"], system["content"], user["role"]) == ("system", prompts.SYSTEM, "user")
        assert user["content"].endswith(f"\n{ask}")


def test_the_system_prompt_names_the_labels_that_the_parser_reads_in_order() -> None:
    labels = [answers.LABELS[field].split()[0] for field in answers.REQUIRED]
    places = [prompts.SYSTEM.index(f"{label}：") for label in labels]
    assert places == sorted(places)


def test_a_completion_is_the_written_answer_as_the_assistants_message() -> None:
    assert prompts.completion(ANSWER) == [{"role": "assistant", "content": answers.write(ANSWER)}]


def test_a_completion_of_a_text_is_that_text() -> None:
    assert prompts.completion("不知道") == [{"role": "assistant", "content": "不知道"}]


def test_the_completion_of_a_case_keeps_the_layout() -> None:
    assert answers.format_valid(prompts.completion(ANSWER)[0]["content"])


def test_the_fixed_wording_holds_what_every_prompt_says() -> None:
    for word in (prompts.SYSTEM, *prompts.ASK.values(), "主诉", "现病史", "中医诊断", "证型", "处方", "水煎服"):
        assert word in prompts.FIXED_WORDING
    assert len(set(prompts.FIXED_WORDING)) == len(prompts.FIXED_WORDING)
