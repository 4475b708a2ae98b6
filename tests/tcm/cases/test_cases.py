"""Case records: what a case may hold, and that files are read back as they were written."""

import pytest
from pydantic import ValidationError

from tcm import cases
from tcm.cases import Answer, Case, CaseError, Patient, PrescriptionItem, Visit

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
    return cases.explain(caught.value)


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
    assert "500" not in cases.explain(caught.value, hide={"age"})


def test_cases_are_read_back_as_they_were_written(tmp_path) -> None:
    earlier = (Visit(chief_complaint="失眠", answer=ANSWER),)
    written = [case(answer=ANSWER), case(id="2", earlier_visits=earlier, patient=Patient(sex="女", age=0.5))]
    cases.write_cases(tmp_path / "c.jsonl", written)
    assert cases.read_cases(tmp_path / "c.jsonl") == written


def test_han_text_stands_in_the_file_as_such(tmp_path) -> None:
    cases.write_cases(tmp_path / "c.jsonl", [case()])
    assert "失眠3月" in (tmp_path / "c.jsonl").read_text("utf-8")


@pytest.mark.parametrize("separator", ["\u2028", "\u0085"])
def test_a_unicode_line_separator_in_a_text_does_not_end_the_record(tmp_path, separator: str) -> None:
    written = [case(visit={"history": f"失眠{separator}多梦"})]
    cases.write_cases(tmp_path / "c.jsonl", written)
    assert cases.read_cases(tmp_path / "c.jsonl") == written


def broken(folder, text: str) -> str:
    (folder / "c.jsonl").write_text(text, "utf-8")
    with pytest.raises(CaseError) as caught:
        cases.read_cases(folder / "c.jsonl")
    return str(caught.value).removeprefix(f"{folder / 'c.jsonl'}")


def test_a_missing_file_names_the_notebook_that_writes_it(tmp_path) -> None:
    with pytest.raises(CaseError, match=r"no such file; run notebooks/01_data_prep\.ipynb first"):
        cases.read_cases(tmp_path / "none.jsonl")


def test_an_empty_file_is_refused(tmp_path) -> None:
    assert broken(tmp_path, "\n\n") == ": no case in it; give at least one row"


def test_a_line_that_is_no_json_is_refused_with_its_number(tmp_path) -> None:
    good = case().model_dump_json()
    assert broken(tmp_path, f"{good}\n{{\n").startswith(":2: record: Invalid JSON")


def test_an_id_that_stands_twice_is_refused_with_both_lines(tmp_path) -> None:
    good = case().model_dump_json()
    assert broken(tmp_path, f"{good}\n\n{good}\n") == ":3: id: '1' stands already on line 1"


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch) -> None:
    path = tmp_path / "a.txt"
    cases.write_text(path, "old")
    monkeypatch.setattr(cases.os, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        cases.write_text(path, "new")
    assert path.read_text("utf-8") == "old"


def test_a_file_is_written_into_folders_that_were_not_there(tmp_path) -> None:
    cases.write_json(tmp_path / "a" / "b.json", {"词": 1})
    assert (tmp_path / "a" / "b.json").read_text("utf-8") == '{\n "词": 1\n}\n'
