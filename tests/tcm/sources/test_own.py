"""Own records become cases under their own column names; what cannot is refused with file, line, field and the fix."""

import csv
import json
from pathlib import Path

import pytest

from tcm.cases import Case, CaseError, Patient
from tcm.sources.own import read_own as read_records

COLUMNS = {
    "id": "编号",
    "patient_id": "患者号",
    "visit": "诊次",
    "sex": "性别",
    "age": "年龄",
    "pregnant": "妊娠",
    "chief_complaint": "主诉",
    "history": "现病史",
    "tongue": "舌象",
    "pulse": "脉象",
    "disease": "中医诊断",
    "syndrome": "证型",
    "treatment_principle": "治法",
    "formula": "方剂",
    "prescription": "处方",
}
ROW = {
    "id": "甲-1",
    "patient_id": "甲",
    "visit": "1",
    "sex": "女",
    "age": "45",
    "pregnant": "否",
    "chief_complaint": "失眠3月，多梦",
    "history": "心烦，口苦",
    "tongue": "舌红，苔黄",
    "pulse": "脉弦",
    "disease": "不寐",
    "syndrome": "肝郁化火",
    "treatment_principle": "疏肝泻火",
    "formula": "龙胆泻肝汤加减",
    "prescription": "柴胡10g，黄芩12g，龙骨30g（先煎），大枣5枚。7剂，水煎服。",
}


def read_own(path: Path, columns: dict) -> list[Case]:
    return read_records(path, columns).cases


def own_csv(folder: Path, *rows: dict, header: dict = COLUMNS, encoding: str = "utf-8") -> Path:
    """A CSV file of rows given in our field names, under a hospital's own column names."""
    path = folder / "病历.csv"
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header.values())
        writer.writerows([row.get(field, "") for field in header] for row in rows)
    return path


def own_jsonl(folder: Path, *rows: object) -> Path:
    path = folder / "own.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def read(folder: Path, *changes: dict) -> list[Case]:
    return read_own(own_csv(folder, *({**ROW, **change} for change in changes)), COLUMNS)


def refused(path: Path, columns=COLUMNS) -> str:
    """The message with which a file is refused, without the folder."""
    with pytest.raises(CaseError) as caught:
        read_own(path, columns)
    return str(caught.value).removeprefix(f"{path.parent}/")


def refused_row(folder: Path, **change) -> str:
    return refused(own_csv(folder, {**ROW, "id": "0", "patient_id": "0"}, {**ROW, **change}))


def test_a_csv_row_becomes_a_case_through_the_column_map(tmp_path) -> None:
    (case,) = read(tmp_path, {})
    assert (case.id, case.source, case.patient_id) == ("甲-1", "own", "甲")
    assert case.patient == Patient(sex="女", age=45)
    assert case.visit.model_dump(exclude_defaults=True) == {
        "chief_complaint": "失眠3月，多梦",
        "history": "心烦，口苦",
        "tongue": "舌红，苔黄",
        "pulse": "脉弦",
    }
    assert (case.answer.disease, case.answer.syndrome) == ("不寐", "肝郁化火")
    assert (case.answer.formula, case.answer.treatment_principle) == ("龙胆泻肝汤加减", "疏肝泻火")


def test_a_written_prescription_becomes_herbs_doses_packets_and_usage(tmp_path) -> None:
    answer = read(tmp_path, {})[0].answer
    assert [(i.herb, i.dose, i.unit, i.note) for i in answer.prescription] == [
        ("柴胡", 10, "g", ""),
        ("黄芩", 12, "g", ""),
        ("龙骨", 30, "g", "先煎"),
        ("大枣", 5, "枚", ""),
    ]
    assert (answer.packets, answer.usage) == (7, "水煎服")


def test_a_csv_as_excel_saves_it_with_a_byte_order_mark_is_read(tmp_path) -> None:
    assert read_own(own_csv(tmp_path, ROW, encoding="utf-8-sig"), COLUMNS)[0].id == "甲-1"


def test_jsonl_is_read_under_our_own_field_names(tmp_path) -> None:
    (case,) = read_own(own_jsonl(tmp_path, {**ROW, "age": 45, "pregnant": False, "visit": 1}), {})
    assert (case.patient.age, case.patient.pregnant, case.answer.herbs[0]) == (45, False, "柴胡")


def test_csv_and_jsonl_of_the_same_record_give_the_same_case(tmp_path) -> None:
    assert read_own(own_jsonl(tmp_path, ROW), {}) == read(tmp_path, {})


def test_fields_that_a_source_lacks_stay_empty(tmp_path) -> None:
    (case,) = read_own(own_jsonl(tmp_path, {"id": 7, "chief_complaint": "失眠"}), {})
    assert (case.id, case.patient_id, case.patient, case.answer) == ("7", "7", Patient(), None)


def test_labels_without_a_prescription_are_an_answer(tmp_path) -> None:
    (case,) = read_own(own_jsonl(tmp_path, {"id": 1, "history": "失眠", "syndrome": "心脾两虚"}), {})
    assert case.answer.syndrome == "心脾两虚" and case.answer.prescription == ()


@pytest.mark.parametrize(
    ("written", "pregnant"), [("是", True), ("TRUE", True), ("1", True), ("0", False), ("", False)]
)
def test_pregnancy_may_be_written_in_several_ways(tmp_path, written: str, pregnant: bool) -> None:
    assert read(tmp_path, {"pregnant": written})[0].patient.pregnant is pregnant


def test_an_infant_of_age_zero_keeps_its_age(tmp_path) -> None:
    assert read(tmp_path, {"age": "0"})[0].patient.age == 0


def test_visits_of_one_patient_are_chained_in_order_of_their_number(tmp_path) -> None:
    second = {"id": "甲-2", "visit": "2", "chief_complaint": "失眠减轻", "prescription": "柴胡6g，酸枣仁15g，5剂"}
    third = {"id": "甲-3", "visit": "3", "chief_complaint": "眠安"}
    cases = {c.id: c for c in read(tmp_path, third, {}, second)}
    assert [cases[i].task for i in ("甲-1", "甲-2", "甲-3")] == ["first_visit", "follow_up_visit", "follow_up_visit"]
    assert [v.chief_complaint for v in cases["甲-3"].earlier_visits] == ["失眠3月，多梦", "失眠减轻"]
    assert cases["甲-3"].previous_answer == cases["甲-2"].answer
    assert cases["甲-2"].previous_answer == cases["甲-1"].answer


def test_visits_of_different_patients_are_not_chained(tmp_path) -> None:
    cases = read(tmp_path, {}, {"id": "乙-1", "patient_id": "乙"})
    assert [c.earlier_visits for c in cases] == [(), ()]


def test_a_patient_whose_first_visit_is_missing_is_refused(tmp_path) -> None:
    with pytest.raises(CaseError, match="starts with visit 2"):
        read(tmp_path, {}, {"id": "乙-1", "patient_id": "乙", "visit": "2"})


def test_a_malformed_json_line_is_refused_with_its_number_and_column(tmp_path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text('{"id": 1, "history": "失眠"}\n\n{"id": 2, "history": 失眠}\n', "utf-8")
    message = refused(path, {})
    assert message == "own.jsonl:3: no valid JSON (Expecting value, column 22); one object per line"


def test_a_json_line_that_is_no_object_is_refused(tmp_path) -> None:
    assert refused(own_jsonl(tmp_path, {"id": 1, "history": "失眠"}, ["失眠"]), {}).startswith(
        "own.jsonl:2: must be an obj"
    )


def test_a_csv_row_with_a_comma_too_many_is_refused_with_its_line(tmp_path) -> None:
    path = tmp_path / "病历.csv"
    path.write_text("id,history\n1,失眠\n2,失眠,多梦\n", "utf-8")
    assert refused(path, {}) == "病历.csv:3: has other fields than the header; quote cells with commas"


def test_a_csv_row_that_ends_early_is_refused_with_its_line(tmp_path) -> None:
    path = tmp_path / "病历.csv"
    path.write_text("id,history,syndrome\n1,失眠\n", "utf-8")
    assert refused(path, {}).startswith("病历.csv:2: has other fields than the header")


def test_a_missing_column_is_refused_with_the_columns_there_are(tmp_path) -> None:
    path = own_csv(tmp_path, ROW, header={"id": "编号", "chief_complaint": "主诉"})
    columns = {"id": "编号", "chief_complaint": "主诉", "tongue": "舌象"}
    assert refused(path, columns) == "病历.csv: no column '舌象' for tongue; columns: 主诉, 编号"


def test_a_file_without_any_findings_column_is_refused_with_how_to_name_one(tmp_path) -> None:
    path = own_csv(tmp_path, ROW, header={"id": "编号", "disease": "诊断"})
    message = refused(path, {"id": "编号"})
    assert message.startswith(
        "病历.csv: no column for chief_complaint (主诉) or history (现病史); name yours in data_columns"
    )


def test_a_field_that_cases_do_not_have_is_refused_in_the_column_map(tmp_path) -> None:
    assert refused(own_csv(tmp_path, ROW), {"temperature": "体温"}).startswith("data_columns: no field 'temperature'")


@pytest.mark.parametrize("name", ["leer.csv", "leer.jsonl"])
def test_an_empty_file_is_refused(tmp_path, name: str) -> None:
    (tmp_path / name).write_text("", "utf-8")
    assert refused(tmp_path / name).startswith(f"{name}: empty; give")


def test_a_header_without_records_is_refused(tmp_path) -> None:
    assert refused(own_csv(tmp_path)) == "病历.csv: empty; give a header and at least one record"


@pytest.mark.parametrize("name", ["none.csv", "none.jsonl"])
def test_a_missing_file_is_refused_with_the_key_to_correct(tmp_path, name: str) -> None:
    assert refused(tmp_path / name) == f"{name}: no such file; correct data_path"


def test_a_duplicate_id_is_refused_with_both_lines(tmp_path) -> None:
    assert refused_row(tmp_path, id="0") == "病历.csv:3: id: '0' stands already on line 2; ids are unique"


def test_a_missing_id_is_refused(tmp_path) -> None:
    assert refused_row(tmp_path, id=" ").startswith("病历.csv:3: id: missing; give each record an id")


@pytest.mark.parametrize("age", ["450", "-3", "四十五"])
def test_an_impossible_age_is_refused_with_line_and_field(tmp_path, age: str) -> None:
    assert refused_row(tmp_path, age=age).startswith(f"病历.csv:3: age: {age!r}; ")


def test_a_pregnant_man_is_refused(tmp_path) -> None:
    message = refused_row(tmp_path, sex="男", pregnant="是")
    assert message.startswith("病历.csv:3: patient: a male patient cannot be pregnant: correct `sex` or `pregnant`")


def test_a_pregnancy_that_is_neither_yes_nor_no_is_refused(tmp_path) -> None:
    assert refused_row(tmp_path, pregnant="8周") == "病历.csv:3: pregnant: '8周'; write true or false"


def test_an_unknown_sex_is_refused(tmp_path) -> None:
    assert refused_row(tmp_path, sex="X") == "病历.csv:3: sex: 'x'; write 男 or 女, or leave it empty"


def test_a_record_without_findings_is_refused(tmp_path) -> None:
    change = dict.fromkeys(("chief_complaint", "history", "tongue", "pulse"), "")
    assert refused_row(tmp_path, **change).startswith("病历.csv:3: record: nothing to answer: give at least one of")


@pytest.mark.parametrize("visit", ["0", "二", "1.5", "-1"])
def test_a_visit_that_is_no_number_from_1_is_refused(tmp_path, visit: str) -> None:
    message = refused_row(tmp_path, visit=visit)
    fix = "write 1 for the first visit, 2 for the second, …, 初诊, 复诊, 二诊, or the date"
    assert message == f"病历.csv:3: visit: {visit!r}; {fix}"


def test_a_visit_number_that_a_patient_has_twice_is_refused_with_both_lines(tmp_path) -> None:
    message = refused(own_csv(tmp_path, ROW, {**ROW, "id": "甲-2"}))
    assert message == "病历.csv:3: visit: patient '甲' has visit 1 on line 2 already"


def test_a_file_in_no_encoding_that_we_know_is_refused_with_its_name_and_the_fix(tmp_path) -> None:
    path = tmp_path / "own.csv"
    path.write_bytes(b"id,history\n1,\xff\xff\xff\n")
    assert "save it as UTF-8" in refused(path, {})


def test_a_column_that_stands_twice_is_refused(tmp_path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("id,history,history\n1,失眠,多梦\n", "utf-8")
    assert "history" in refused(path, {})


def test_a_unicode_line_separator_in_a_text_does_not_end_the_record(tmp_path) -> None:
    (case,) = read_own(own_jsonl(tmp_path, {"id": 1, "history": "失眠\u2028多梦"}), {})
    assert case.visit.history == "失眠\u2028多梦"
