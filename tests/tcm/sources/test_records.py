"""Visits as hospitals record them become chained cases; what is wrong is collected, what was lost is in the funnel."""

import csv
from pathlib import Path

import openpyxl
import pytest

from tcm.cases import CaseError, cleaning, splits
from tcm.sources import SOURCES
from tcm.sources.own import read_all, read_own
from tcm.sources.records import Records
from tcm.sources.tables import read_table

COLUMNS = {
    "patient_id": "病案号",
    "visit": ("就诊日期", "诊次"),
    "sex": "性别",
    "age": "年龄",
    "chief_complaint": "主诉",
    "tongue": ("舌质", "舌苔"),
    "syndrome": "证型",
    "prescription": "处方",
}
ROW = {
    "病案号": "B01",
    "就诊日期": "2024-03-05",
    "诊次": "初诊",
    "性别": "女性",
    "年龄": "45岁",
    "主诉": "夜寐不安2月",
    "舌质": "淡",
    "舌苔": "薄白",
    "证型": "心脾两虚",
    "处方": "远志6g，茯神9g。5剂，水煎服",
}
SECOND = {"就诊日期": "2024-03-12", "诊次": "复诊", "主诉": "已能入睡"}


def table(folder: Path, *changes: dict) -> Path:
    path = folder / "病历.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([list(ROW), *(list({**ROW, **change}.values()) for change in changes)])
    return path


def read(folder: Path, *changes: dict, **options) -> Records:
    return read_own(table(folder, *changes), COLUMNS, **options)


def problems(folder: Path, *changes: dict, columns: dict = COLUMNS) -> list[str]:
    found = read_all(read_table(table(folder, *changes)), columns).problems
    return [problem.said.removeprefix(f"{folder}/") for problem in found]


def test_a_row_in_a_hospital_s_words_becomes_a_case(tmp_path) -> None:
    (case,) = read(tmp_path, {}).cases
    assert (case.id, case.patient_id, case.patient.sex, case.patient.age) == ("row-2", "B01", "女", 45)
    assert (case.visit.chief_complaint, case.visit.tongue) == ("夜寐不安2月", "舌淡，苔薄白")
    assert (case.answer.syndrome, case.answer.herbs, case.answer.packets) == ("心脾两虚", ("远志", "茯神"), 5)


def test_visits_are_chained_by_their_dates_wherever_they_stand(tmp_path) -> None:
    third = {**SECOND, "就诊日期": "2024-03-20", "主诉": "眠安"}
    chain = {case.visit.chief_complaint: case for case in read(tmp_path, third, SECOND, {}).cases}
    assert [v.chief_complaint for v in chain["眠安"].earlier_visits] == ["夜寐不安2月", "已能入睡"]
    assert chain["眠安"].previous_answer == chain["已能入睡"].answer and not chain["夜寐不安2月"].earlier_visits


def test_without_dates_first_and_follow_up_keep_the_order_of_the_file(tmp_path) -> None:
    no_date = {"就诊日期": ""}
    rows = [{**no_date}, {**SECOND, **no_date}, {**SECOND, **no_date, "主诉": "眠安"}]
    assert [len(case.earlier_visits) for case in read(tmp_path, *rows).cases] == [0, 1, 2]
    assert [len(case.earlier_visits) for case in read(tmp_path, *reversed(rows)).cases] == [0, 1, 2]


def test_a_second_first_visit_later_on_begins_a_course_of_its_own_in_the_same_group(tmp_path) -> None:
    again = {"就诊日期": "2024-09-01", "主诉": "咳嗽3日"}
    cases = read(tmp_path, {}, SECOND, again, {**SECOND, "就诊日期": "2024-09-08", "主诉": "咳减"}).cases
    assert [len(case.earlier_visits) for case in cases] == [0, 1, 0, 1]
    assert len(set(splits.groups(cases, 0.99))) == 1


def test_an_empty_patient_number_is_refused_by_name_and_never_a_patient_of_its_own(tmp_path) -> None:
    (said,) = problems(tmp_path, {}, {**SECOND, "病案号": ""})
    assert said.startswith("病历.csv:3: patient_id: missing") and "data_fill_merged: true" in said
    with pytest.raises(CaseError, match="patient_id: missing"):
        read(tmp_path, {}, {**SECOND, "病案号": "nan"})


def test_merged_cells_are_filled_on_request_with_the_patient_s_own_values(tmp_path) -> None:
    rows = ({}, {**SECOND, "病案号": "", "性别": "", "年龄": ""}, {"病案号": "B02", "性别": "", "年龄": ""})
    first, second, other = read(tmp_path, *rows, fill=True).cases
    assert (first.patient_id, second.patient_id, second.patient) == ("B01", "B01", first.patient)
    assert second.earlier_visits and (other.patient_id, other.patient.sex) == ("B02", "")


def test_merged_cells_of_a_spreadsheet_are_refused_by_their_place_or_filled_exactly(tmp_path) -> None:
    book, path = openpyxl.Workbook(), tmp_path / "病历.xlsx"
    for row in (dict(zip(ROW, ROW, strict=True)), ROW, {**ROW, **SECOND}, {**ROW, "病案号": "B02", "证型": None}):
        book.active.append(list(row.values()))
    for merged in ("A2:A3", "I2:I3"):
        book.active.merge_cells(merged)
    book.save(path)
    said = [problem.said for problem in read_all(read_table(path), COLUMNS).problems]
    assert any("rows 2 to 3 of '病案号' are merged" in sentence for sentence in said)
    first, second, other = read_own(path, COLUMNS, fill=True).cases
    assert (second.patient_id, second.answer.syndrome) == ("B01", first.answer.syndrome)
    assert (other.patient_id, other.answer.syndrome) == ("B02", "")


def test_no_patient_is_in_train_and_validation_after_filling(tmp_path) -> None:
    texts = ["夜寐不安2月", "咳嗽痰黄5日", "胃脘隐痛3年", "腰膝酸软1年", "头晕目眩2周", "心悸气短1月"]
    rows = []
    for i, text in enumerate(texts):
        rows.append({"病案号": f"B{i}", "主诉": text})
        rows += [{**SECOND, "病案号": "", "就诊日期": f"2024-04-{d:02}", "主诉": f"{text}已减{d}"} for d in (1, 9)]
    cases = read(tmp_path, *rows, fill=True).cases
    place = splits.split(cases, splits.groups(cases))
    assert len(cases) == 18
    assert all(len({p for c, p in zip(cases, place, strict=True) if c.patient_id == f"B{i}"}) == 1 for i in range(6))


def test_all_problems_are_collected_and_the_first_is_the_error(tmp_path) -> None:
    rows = (
        {"年龄": "很老"},
        {"病案号": "B02", "性别": "X", "诊次": "某日"},
        {"病案号": "B03"},
        {"病案号": "B04", **SECOND},
    )
    found = problems(tmp_path, *rows)
    assert [said.split(": ")[:2] for said in found] == [
        ["病历.csv:2", "age"],
        ["病历.csv:3", "sex"],
        ["病历.csv:3", "visit"],
        ["病历.csv:5", "visit"],
    ]
    with pytest.raises(CaseError, match=r"病历\.csv:2: age: .*and 3 more: \./study import"):
        read(tmp_path, *rows)


def test_patients_with_problems_are_left_out_whole_on_request_and_counted(tmp_path) -> None:
    records = read(tmp_path, {}, {**SECOND, "年龄": "很老"}, {"病案号": "B02"}, leave_out=True)
    assert [case.patient_id for case in records.cases] == ["B02"]
    assert dict(records.left_out) == {"age: no age": 2}
    kept, rows, *_ = cleaning.clean(records.cases)
    funnel = records.funnel(rows, kept)
    assert funnel[0] == {"step": "records read", "cases": 3}
    assert funnel[0]["cases"] == sum(row["cases"] for row in funnel[1:])


def test_a_row_that_was_exported_twice_counts_once(tmp_path) -> None:
    records = read(tmp_path, {}, {}, SECOND)
    assert len(records.cases) == 2 and dict(records.left_out) == {"the same row as an earlier one": 1}


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ({"就诊日期": "2024-03-05", "诊次": ""}, "has visit 2024-03-05 on line 2 already"),
        ({"就诊日期": "", "诊次": ""}, "has visit 1 on line 2 already"),
        ({"性别": "男", "就诊日期": "2024-03-12", "诊次": "复诊"}, "男 on line 3 and 女 on line 2"),
        ({"就诊日期": "2024-03-01", "诊次": "二诊"}, "starts with visit 2"),
    ],
)
def test_visits_that_contradict_each_other_are_refused_with_their_lines(tmp_path, second: dict, said: str) -> None:
    (found,) = problems(tmp_path, {}, second)
    assert said in found


def test_a_nan_in_a_json_list_is_no_gold_syndrome(tmp_path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[{"主诉": "失眠", "证型": NaN, "处方": null}, {"主诉": "头痛", "证型": "None"}]', "utf-8")
    records = read_own(path, {"chief_complaint": "主诉", "syndrome": "证型", "prescription": "处方"})
    assert [case.answer for case in records.cases] == [None, None]
    assert [case.id for case in records.cases] == ["row-1", "row-2"]


def test_two_columns_for_a_field_that_takes_one_are_refused(tmp_path) -> None:
    with pytest.raises(CaseError, match="data_columns: prescription: 2 columns; this field takes one"):
        read_own(table(tmp_path, {}), {**COLUMNS, "prescription": ("处方", "证型")})


def test_an_object_in_a_cell_is_a_problem_and_not_its_text(tmp_path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"主诉": {"text": "失眠"}}\n{"主诉": "失眠"}', "utf-8")
    with pytest.raises(CaseError, match=r"a\.jsonl:1: chief_complaint: an object with 'text'"):
        read_own(path, {"chief_complaint": "主诉"})


def test_a_formula_inside_a_prescription_is_kept_where_no_column_says_it(tmp_path) -> None:
    (case,) = read(tmp_path, {"处方": "归脾汤加减：黄芪15g，白术9g。7剂"}).cases
    assert (case.answer.formula, case.answer.herbs) == ("归脾汤加减", ("黄芪", "白术"))


def test_labels_keep_to_the_layout_of_an_answer(tmp_path) -> None:
    (case,) = read(tmp_path, {"证型": "心脾两虚。\n兼有痰湿。"}).cases
    assert case.answer.syndrome == "心脾两虚；兼有痰湿"


def test_a_cell_that_repeats_its_column_s_name_loses_it(tmp_path) -> None:
    (case,) = read(tmp_path, {"主诉": "主诉：夜寐不安"}).cases
    assert case.visit.chief_complaint == "夜寐不安"


def test_what_was_not_read_stands_beside_its_text_and_in_the_funnel(tmp_path) -> None:
    bad = {"病案号": "B02", "主诉": "咳嗽", "处方": "针刺治疗，每周2次，电话13900000000"}
    records = read(tmp_path, {}, bad)
    (row,) = records.table()
    assert (row["line"], row["as written"], row["herbs read"]) == (3, "针刺治疗，每周2次，电话〔电话〕", "none")
    kept, rows, *_ = cleaning.clean(records.cases)
    assert records.funnel(rows, kept) == [
        {"step": "records read", "cases": 2},
        {"step": "cases kept, prescription not read whole", "cases": 1},
        {"step": "cases kept", "cases": 1},
    ]


def test_above_the_share_a_study_is_refused_with_the_worst_examples(tmp_path) -> None:
    records = read(tmp_path, {}, {"病案号": "B02", "处方": "针刺治疗，每周2次"})
    assert (records.pieces, records.lost) == (5, 1)
    records.refuse_loss(0.2)
    with pytest.raises(CaseError, match=r"20\.0% .*\(1 of 5\).*data_max_unread \(19\.0%\): line 3: 针刺治疗"):
        records.refuse_loss(0.19)


def test_sources_without_own_prescriptions_lose_nothing_at_this_border(mtcmb_dir) -> None:
    records = SOURCES["mtcmb"](mtcmb_dir, {}, False, False)
    assert len(records.cases) == 200 and records.unread_share == 0
