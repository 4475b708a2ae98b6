"""An answer is usable where nothing in it must stop a dispenser, and each way to fail is found and named."""

import json

import pytest

from tcm.answers import parse, write
from tcm.cases import Answer, Case, Patient, PrescriptionItem, Visit
from tcm.commands import main
from tcm.metrics import FAULTS, score_case
from tcm.metrics.usable import faults, usable

WOMAN = Patient(sex="女", age=40)
LABELLED = "中医诊断：胃痛。证型：脾胃虚寒。治法：温中。方剂：小建中汤。"
GOOD = f"{LABELLED}处方：桂枝9g，白芍18g，炙甘草6g，大枣4枚。5剂，水煎服。"
GOLD = parse(GOOD).answer
CASE = Case(
    id="1", source="invented", patient_id="p", patient=WOMAN, visit=Visit(chief_complaint="胃痛半年"), answer=GOLD
)


def found(text: str, patient: Patient = WOMAN, finished: bool | None = True) -> list[str]:
    return list(usable(GOLD, parse(text), patient, finished)[1])


def test_a_complete_answer_is_usable() -> None:
    assert usable(GOLD, parse(GOOD), WOMAN, True) == (1.0, []) and found(GOOD, finished=None) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (GOOD + "证型：气滞血瘀。", "unread_text"),  # a second, other syndrome
        (GOOD.replace("桂枝9g", "桂枝9g，qwx7"), "unread_text"),
        ("中医诊断：胃痛。证型：脾胃虚寒。", "no_prescription"),
        ("", "no_prescription"),
        (GOOD.replace("桂枝9g", "鑫淼9g"), "unknown_herb"),
        (GOOD.replace("大枣4枚", "桂枝9g"), "repeated_herb"),
        (GOOD.replace("白芍18g", "白芍"), "missing_dose"),
        (GOOD.replace("大枣4枚", "甘遂1g"), "high_finding"),  # 十八反 with 炙甘草
        (GOOD.replace("白芍18g", "白芍90g"), "high_finding"),  # six times its range
    ],
)
def test_each_way_to_fail_is_named(text: str, fault: str) -> None:
    assert fault in found(text)
    assert usable(GOLD, parse(text), WOMAN)[0] == 0.0


def test_an_answer_that_was_cut_off_is_not_usable() -> None:
    assert found(GOOD, finished=False) == ["unfinished"]


def test_what_is_high_depends_on_the_patient() -> None:
    text = GOOD.replace("大枣4枚", "牵牛子3g")
    assert "high_finding" not in found(text) and "high_finding" in found(text, Patient(sex="女", age=30, pregnant=True))


def test_a_dose_that_physicians_often_give_too_is_no_fault() -> None:
    assert found(GOOD.replace("白芍18g", "白芍30g")) == []  # twice the range, low severity


def test_two_forms_of_a_herb_are_no_repetition() -> None:
    assert "repeated_herb" not in found(GOOD.replace("大枣4枚", "甘草3g"))


def test_doses_are_asked_for_only_where_the_physician_gave_them_all() -> None:
    undosed = Answer(prescription=tuple(PrescriptionItem(herb=h) for h in ("桂枝", "白芍")))
    assert usable(undosed, parse("处方：桂枝、白芍。"), WOMAN)[0] == 1.0
    assert faults(parse("处方：桂枝、白芍。"), WOMAN, dosed=True) == ["missing_dose"]


def test_nothing_is_asked_of_a_case_without_a_prescription() -> None:
    assert usable(Answer(syndrome="脾胃虚寒"), parse(""), WOMAN) == (None, ())


def test_every_fault_of_an_answer_is_told_in_one_order() -> None:
    worst = "证型：气虚。证型：血瘀。处方：鑫淼，鑫淼，甘草6g，甘遂1g。"
    assert found(worst, finished=False) == [f for f in FAULTS if f != "no_prescription"]


def test_a_case_and_the_score_command_tell_it(tmp_path) -> None:
    assert score_case(CASE, GOOD, True)["usable"] == 1.0 and score_case(CASE, GOOD, False)["usable"] == 0.0
    gold, pred, out = (tmp_path / name for name in ("gold.jsonl", "pred.jsonl", "out.json"))
    bad = write(GOLD).replace("大枣4枚", "桂枝9g")
    gold.write_text("\n".join(json.dumps({"id": i, "text": GOOD}, ensure_ascii=False) for i in "abc"), "utf-8")
    rows = [{"id": "a", "text": GOOD}, {"id": "b", "text": bad}]
    pred.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")
    assert main(["score", "--gold", str(gold), "--pred", str(pred), "--json", str(out)]) == 0
    safety = json.loads(out.read_text("utf-8"))["safety"]
    assert (safety["usable"], safety["usable_gold"], safety["usable_n"]) == (pytest.approx(1 / 3), 1.0, 3)
