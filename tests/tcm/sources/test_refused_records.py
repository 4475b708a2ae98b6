"""Own records that cannot be used, of every kind: one line with file, place, field and fix, and no case."""

import json
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from tcm.cases import CaseError
from tcm.sources import read_own

HEAD = "id,history,prescription\n"
SHEET = "xl/worksheets/sheet1.xml"
VISITS = "patient_id,visit,sex,age,history,prescription\n"
NO_COLUMN, NO_TEXT = ": no column for chief_complaint (主诉) or history (现病史); name yours", ": is no text in UTF-8"
YEARS, TRUTH = "write years such as 45 or 45岁", "is no value of this field"


def record(**fields) -> str:
    return json.dumps({"id": 1, "history": "失眠", "prescription": "柴胡10g"} | fields, ensure_ascii=False)


def zipped(name: str, holds: str = "<x/>") -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr(name, holds)
    return content.getvalue()


REFUSED: dict[str, tuple[str | bytes, str]] = {  # name: (what the file holds, what the message says)
    "nul.csv": (HEAD + "1,失\0眠,柴胡10g\n", ":2: holds a NUL byte, so the file is damaged"),
    "bytes.csv": (bytes(range(256)) * 20, NO_TEXT),
    "picture.csv": (b"\x89PNG\r\n\x1a\n" + bytes(100), NO_TEXT),
    "latin.csv": ("id,history\n1,caf\xe9".encode("latin-1"), NO_TEXT),
    "half utf16.csv": ((HEAD + "1,失眠,柴胡10g\n").encode("utf-16")[:-1], NO_TEXT),
    "broken gb.csv": ((HEAD + "1,失眠,柴胡10g\n").encode("gb18030") + b"\xff\xff\n", NO_TEXT),
    "paper.csv": (b"%PDF-1.4\n1 0 obj\n", NO_COLUMN),
    "sheet.xlsx": (b"PK\x03\x04" + bytes(50), ": is no spreadsheet that can be read"),
    "old.xls": (b"\xd0\xcf\x11\xe0" + bytes(100), ": is no spreadsheet that can be read"),
    "letter.xlsx": (zipped("word/document.xml"), ": is no spreadsheet that can be read"),
    "no header.csv": ("1,失眠,柴胡10g\n2,头痛,黄芩10g\n", NO_COLUMN),
    "other columns.csv": ("a,b,c\n1,2,3\n", "; columns: a, b, c"),
    "blanks.csv": ("   \n \n", ": empty; give a header"),
    "commas.csv": (",,,\n,,,\n", ": empty; give a header"),
    "spaces.csv": ("id history prescription\n1 失眠 柴胡10g\n", NO_COLUMN),
    "yaml.csv": ("id: 1\nhistory: x\n", NO_COLUMN),
    "marks of direction.csv": ("id,his\u202etory\n1,失眠\n", "; columns: his tory, id"),
    "python.json": ("[{'id': 1}]", ":1: no valid JSON"),
    "comma at the end.json": (f"[{record()},]", ":1: no valid JSON"),
    "text.json": ('"失眠"', ":1: must be an object {…}, not a str"),
    "null.json": ("null", ":1: must be an object"),
    "list in list.json": (f"[[{record()}]]", ": record 1: must be an object"),
    "nothing.json": ("", ": empty; give at least one record"),
    "two on a line.jsonl": (record() + record(), ":1: no valid JSON (Extra data"),
    "remark.jsonl": ("# note\n" + record(), ":1: no valid JSON"),
    "thousands of objects.jsonl": ('{"a": ' * 3000 + "1" + "}" * 3000, ":1: no record (thousands of levels)"),
    "two names.jsonl": (
        '{"id": 1, "history": "失眠", "history ": "头痛"}',
        ":1: two names are the same but for blanks",
    ),
    "object as text.jsonl": (record(history={"a": 1}), ":1: history: an object with 'a' is no text"),
    "nested list.jsonl": (record(history=[["失眠"]]), "is no text; write one text"),
    "truth as text.jsonl": (record(history=True), f":1: history: 'true' {TRUTH}"),
    "truth as age.jsonl": (record(age=True), f":1: age: 'true' {TRUTH}"),
    "truth as id.jsonl": (record(id=True), f":1: id: 'true' {TRUTH}"),
    "truth as herbs.jsonl": (record(prescription=True), f":1: prescription: 'true' {TRUTH}"),
    "herbs as object.jsonl": (record(prescription={"柴胡": 10}), ":1: prescription: an object with '柴胡' is no text"),
    "a herb without name.jsonl": (record(prescription=[{"dose_g": 3}]), ":1: prescription: herb: Field required"),
    "no age.jsonl": (record(age="三十来岁"), f":1: age: '三十来岁'; {YEARS}"),
    "age below zero.jsonl": (record(age=-3), f":1: age: '-3'; {YEARS}"),
    "endless age.jsonl": ('{"id": 1, "history": "失眠", "age": 1e999}', f":1: age: 'inf'; {YEARS}"),
    "sex.jsonl": (record(sex=3), ":1: sex: '3'; write 男 or 女, or leave it empty"),
    "maybe.jsonl": (record(pregnant="maybe"), ":1: pregnant: 'maybe'; write true or false"),
    "pregnant man.jsonl": (record(sex="男", pregnant=True), ":1: patient: a male patient cannot be pregnant"),
    "no id.jsonl": (record(id=""), ":1: id: missing; give each record an id"),
    "id twice.jsonl": (record() + "\n" + record(history="头痛"), ":2: id: '1' stands already on line 1"),
    "nothing found.jsonl": (record(history=""), ":1: record: nothing to answer: give at least one of"),
    "half a character.jsonl": ('{"id": 1, "history": "\\ud83d"}', ":1: visit.history: Input should be a valid string"),
    "visit zero.csv": (VISITS + "p,0,女,30,失眠,柴胡10g\n", ":2: visit: '0'; write 1 for the first visit"),
    "visit and a half.csv": (VISITS + "p,1.5,女,30,失眠,柴胡10g\n", ":2: visit: '1.5'; write 1"),
    "visit of no month.csv": (VISITS + "p,2023-13-01,女,30,失眠,柴胡10g\n", ":2: visit: '2023-13-01' is no day"),
    "visit below zero.csv": (VISITS + "p,-1,女,30,失眠,柴胡10g\n", ":2: visit: '-1'; write 1"),
    "visit without end.csv": (VISITS + "p,99999,女,30,失眠,柴胡10g\n", ":2: visit: '99999'; write 1"),
    "second visit alone.csv": (VISITS + "p,2,女,30,失眠,柴胡10g\n", ":2: visit: patient 'p' starts with visit 2"),
    "tabs and commas.csv": ("id\thistory,prescription\n1\t失眠,柴胡10g\n", NO_COLUMN),
    "markup.csv": ("<?xml version='1.0'?><a/>", ": is a web page"),
    "cut object.csv": ('{"id": 1, "history": "失眠"', ":1: no valid JSON"),
    "number.json": ("12", ":1: must be an object"),
    "age of nobody.jsonl": (record(age=500), ":1: age: '500'; years from 0 to 120"),
    "age in powers.jsonl": (record(age="1e400"), f":1: age: '1e400'; {YEARS}"),
    "null as id.jsonl": (record(id=None), ":1: id: missing; give each record an id"),
    "open quote.csv": (HEAD + '1,"失眠,柴胡10g\n2,头痛,黄芩10g\n', ":2: a stray quote"),
    "a far cell.xlsx": (zipped(SHEET, '<c s="1" r="XFD1048576"/>'), ": a sheet reaches to cell XFD1048576; delete the"),
    "far columns.xlsx": (zipped(SHEET, "<c r='A99999'/><c r='AAA2'/>"), ": a sheet reaches to cell AAA99999; delete"),
    "letter.docx": (zipped("word/document.xml"), ": is no spreadsheet that can be read"),
    "table.ods": (zipped("content.xml"), ": is no spreadsheet that can be read"),
    "table.parquet": (b"PAR1" + bytes(20) + b"\xff", NO_TEXT),
    "base.sqlite": (b"SQLite format 3\0" + bytes(84), NO_TEXT),
    "utf32.csv": ((HEAD + "1,失眠,柴胡10g\n").encode("utf-32"), NO_TEXT),
    "columns without end.csv": (",".join(f"c{n}" for n in range(90_000)) + "\n", ": empty; give a header"),
    "columns without end, filled.csv": (
        ",".join(f"c{n}" for n in range(90_000)) + "\n" + "x," * 89_999 + "x\n",
        " and 89970 more",
    ),
    "a name without end.csv": ("id," + "史" * 100_000 + "\n1,x\n", f"; columns: id, {'史' * 40}…"),
    "lines of another system.csv": (HEAD.strip() + "\x85" + "1,失眠,柴胡10g\x85", ": empty; give a header"),
    "object as id.jsonl": (record(id={"a": 1}), ":1: id: an object with 'a' is no text"),
    "list of lists as id.jsonl": (record(id=[[1]]), ":1: id: '[[1]]' is no text"),
    "no number as id.jsonl": (record() + '\n{"id": true, "history": "失眠"}', ":2: id: 'true' is no value"),
    "ages.jsonl": (record(age="40岁 50岁"), f":1: age: '40岁50岁'; {YEARS}"),
    "age from to.jsonl": (record(age="40-50"), f":1: age: '40-50'; {YEARS}"),
    "age of a machine.jsonl": (record(age="0x28"), f":1: age: '0x28'; {YEARS}"),
    "no patient.csv": (VISITS + ",1,女,30,失眠,柴胡10g\n", ":2: patient_id: missing"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_records_that_cannot_be_used_are_refused_in_one_line(tmp_path: Path, name: str) -> None:
    content, said = REFUSED[name]
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(CaseError) as caught:
        read_own(path, {})
    message = str(caught.value)
    assert message.startswith(str(path)) and said in message
    assert "\n" not in message and len(message) < 600
    assert message.replace("\t", "").isprintable(), "nothing in it moves a terminal"


def test_there_are_enough_of_them() -> None:
    assert len(REFUSED) >= 60


def test_no_control_character_of_a_record_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(record(history="失眠\x1b[31m\u202e多梦\r\n盗汗\x9b\u2066", tongue="红\x08") + "\n", "utf-8")
    (case,) = read_own(path, {}).cases
    said = case.visit.history.split("\n")
    assert [part.isprintable() for part in said] == [True, True] and "多梦" in said[0] and said[1].startswith("盗汗")
    assert case.visit.tongue == "红"
