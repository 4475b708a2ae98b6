"""Any file that records come in becomes rows with their lines; what the file was taken for is said, damage is named."""

import json
from pathlib import Path

import openpyxl
import pytest

from tcm.cases import CaseError
from tcm.sources.tables import read_table

TEXT = "病案号,主诉\n甲,失眠\n乙,头痛\n"


def file(folder: Path, content: str | bytes, name: str = "病历.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def cells(path: Path) -> list[tuple]:
    return [(row.line, *row.cells.values()) for row in read_table(path).rows]


def refused(path: Path) -> str:
    with pytest.raises(CaseError) as caught:
        read_table(path)
    return str(caught.value).removeprefix(f"{path.parent}/")


def workbook(folder: Path, *rows: tuple, merge: str = "", name: str = "export.xlsx") -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    if merge:
        book.active.merge_cells(merge)
    book.save(folder / name)
    return folder / name


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8"),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("gb18030", "GB18030"),
        ("gbk", "GB18030"),
    ],
)
def test_each_encoding_gives_the_same_rows_and_is_said(tmp_path, encoding: str, said: str) -> None:
    path = file(tmp_path, TEXT.encode(encoding))
    assert cells(path) == [(2, "甲", "失眠"), (3, "乙", "头痛")]
    assert f"in {said}," in read_table(path).said


@pytest.mark.parametrize(("encoding", "said"), [("big5", "Big5"), ("cp950", "Big5"), ("gb18030", "GB18030")])
def test_traditional_script_is_read_in_the_encoding_it_was_saved_in(tmp_path, encoding: str, said: str) -> None:
    path = file(tmp_path, "病案號,主訴\n甲,頭痛三日，惡寒發熱\n乙,失眠多夢\n".encode(encoding))
    assert cells(path) == [(2, "甲", "頭痛三日，惡寒發熱"), (3, "乙", "失眠多夢")]
    assert f"in {said}," in read_table(path).said


@pytest.mark.parametrize("mark", ["\t", ";", ",", "|"])
def test_each_separator_is_found_whatever_the_name_of_the_file(tmp_path, mark: str) -> None:
    assert cells(file(tmp_path, TEXT.replace(",", mark), "病历.txt")) == [(2, "甲", "失眠"), (3, "乙", "头痛")]


def test_commas_inside_a_table_of_semicolons_are_text(tmp_path) -> None:
    assert cells(file(tmp_path, "病案号;主诉;处方\n甲;失眠,多梦;远志6g,茯神9g\n")) == [
        (2, "甲", "失眠,多梦", "远志6g,茯神9g")
    ]


def test_blanks_round_names_of_columns_do_not_count(tmp_path) -> None:
    assert read_table(file(tmp_path, " 病案号 ,\u3000主诉\n甲,失眠\n")).columns == ("病案号", "主诉")


def test_a_line_number_counts_the_lines_of_cells_with_line_breaks(tmp_path) -> None:
    assert [line for line, *_ in cells(file(tmp_path, '病案号,主诉\n甲,"失眠\n多梦"\n\n乙,头痛\n'))] == [2, 5]


@pytest.mark.parametrize("row", ['乙,"头痛"三天', '乙,"头痛三天'])
def test_a_stray_quote_is_refused_with_the_line_where_its_record_begins(tmp_path, row: str) -> None:
    message = refused(file(tmp_path, f"病案号,主诉\n甲,失眠\n{row}\n丙,咳嗽\n"))
    assert message.startswith('病历.csv:3: a stray quote (")')


def test_a_quote_that_swallows_other_records_is_refused(tmp_path) -> None:
    rows = [
        "病案号,性别,主诉,舌象,脉象,处方",
        '甲,女,"失眠,淡,细,远志6g',
        "乙,男,头痛,红,弦,天麻9g",
        '丙,男,咳嗽",淡,浮,杏仁9g',
    ]
    assert refused(file(tmp_path, "\n".join(rows))).startswith('病历.csv:2: a stray quote (")')


def test_json_lines_and_a_json_list_hold_the_same_rows(tmp_path) -> None:
    records = [{"病案号": 1, "主诉": "失眠"}, {"病案号": 2, "主诉": None}]
    lines = file(tmp_path, "\n".join(json.dumps(r) for r in records), "a.jsonl")
    whole = file(tmp_path, json.dumps(records, indent=1), "a.json")
    assert [row.cells for row in read_table(lines).rows] == [row.cells for row in read_table(whole).rows] == records
    assert (read_table(lines).place(2), read_table(whole).place(2)) == (f"{lines}:2", f"{whole}: record 2")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "a.json: empty; give at least one record"),
        ('[{"主诉": "失眠"}, 5]', "a.json: record 2: must be an object {…}, not a int"),
        ('[{"主诉": "失眠"},\n {"主诉"}]', "a.json:2: no valid JSON"),
        ('{"主诉": "失眠"}\n["失眠"]', "a.json:2: must be an object {…}, not a list"),
    ],
)
def test_damaged_json_is_refused_with_its_place(tmp_path, content: str, message: str) -> None:
    assert refused(file(tmp_path, content, "a.json")).startswith(message)


def test_a_spreadsheet_is_read_below_its_title_with_the_numbers_of_its_rows(tmp_path) -> None:
    path = workbook(
        tmp_path,
        ("门诊病历导出",),
        ("病案号 ", "年龄", "主诉"),
        (10023, 45.0, "失眠"),
        (None, None, None),
        (7, 8, "咳"),
    )
    assert [row.line for row in read_table(path).rows] == [3, 5]
    assert read_table(path).columns == ("病案号", "年龄", "主诉") and "header in row 2" in read_table(path).said


def test_cells_merged_downwards_are_known_with_their_column(tmp_path) -> None:
    path = workbook(tmp_path, ("病案号", "主诉"), ("甲", "失眠"), (None, "眠安"), ("乙", "咳"), merge="A2:A3")
    assert read_table(path).merged == ((2, 3, "病案号"),)


def test_sheets_that_are_not_read_are_said(tmp_path) -> None:
    path = workbook(tmp_path, ("病案号", "主诉"), ("甲", "失眠"))
    book = openpyxl.load_workbook(path)
    book.create_sheet("复诊").append(("乙", "咳"))
    book.save(path)
    assert "not read: '复诊' (1 rows)" in read_table(path).said


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xlsx", b"PK\x03\x04 damaged", "a.xlsx: is no spreadsheet that can be read"),
        ("a.xls", "<html><table></table></html>", "a.xls: is a web page, whatever its name says"),
        ("a.csv", b"\xff\xff\xff\x80", "a.csv: is no text in UTF-8, UTF-16, GB18030 or Big5"),
    ],
)
def test_what_is_no_table_is_refused_with_the_fix(tmp_path, name: str, content, message: str) -> None:
    assert refused(file(tmp_path, content, name)).startswith(message)


def test_a_spreadsheet_with_a_header_alone_is_refused(tmp_path) -> None:
    assert "empty" in refused(workbook(tmp_path, ("病案号", "主诉")))
