"""Rows that cannot be scored or audited are refused in one line with file, line, field and fix; nothing is written."""

import json
from pathlib import Path

import pytest

from tcm.commands import main

LINE, ID = ":1:line: ", "; give a text or a whole number"
HERBS, AGE = '; give a list of names or of {"herb", "dose_g"}', "; give years, 0 to 120"
ITEMS = '; give a text or a list of {"herb", "dose_g"}'
SEX = "write 男 or 女, or leave it out"
OR_LEAVE = "write true or false, or leave it out"


def row(**fields) -> str:
    return json.dumps({"id": 1} | fields, ensure_ascii=False)


def herbs(*given) -> str:
    return row(herbs=list(given))


SCORED: dict[str, tuple[str | bytes, str]] = {  # what is wrong: (the file, what the message says)
    "nothing": (" \n\n", ": no row in it; give one JSON object a line"),
    "a list": ("[]", LINE + "a JSON list; give an object"),
    "a number": ("1", LINE + "a JSON int; give an object"),
    "a word": ('"x"', LINE + "a JSON str; give an object"),
    "null": ("null", LINE + "a JSON NoneType; give an object"),
    "a cut row": ('{"id": 1, "te', LINE + "no JSON (Unterminated string"),
    "two rows on a line": (row(text="a") + row(text="b"), LINE + "no JSON (Extra data"),
    "Python": ("{'id': 1}", LINE + "no JSON (Expecting property name"),
    "a key twice": ('{"id": 1, "text": "a", "text": "b"}', LINE + "no JSON (the key 'text' stands twice)"),
    "5,000 digits": (f'{{"id": {"9" * 5000}, "text": "a"}}', LINE + "no JSON (Exceeds the limit"),
    "200,000 levels": (f'{{"id": 1, "text": {"[" * 200_000}', LINE + "no JSON (thousands of levels)"),
    "no id": ('{"text": "a"}', ":1:id: Field required" + ID),
    "null as id": (row(id=None, text="a"), ":1:id: an id is a text or a whole number, not null" + ID),
    "a list as id": (row(id=[1], text="a"), ":1:id: an id is a text or a whole number, not [1]" + ID),
    "a fraction as id": (row(id=1.5, text="a"), ":1:id: an id is a text or a whole number, not 1.5" + ID),
    "an empty id": (row(id=" ", text="a"), ':1:id: an id is a text or a whole number, not " "' + ID),
    "a truth as id": (row(id=False, text="a"), ":1:id: an id is a text or a whole number, not false" + ID),
    "an id twice": (row(text="a") + "\n" + row(id="1", text="b"), ":2:id: '1' stands already on line 1"),
    "a number as text": (row(text=5), ':1:text: Input should be a valid string, not 5; give a text, or "herbs"'),
    "a list as text": (row(text=["a"]), ":1:text: Input should be a valid string"),
    "null as text": (row(text=None), ":1:text, herbs: neither given; give one of them"),
    "two answers": (row(text="a", herbs=[]), ":1:text, herbs: both given; give one of them"),
    "Text": (row(Text="a"), ":1:Text: no such field; did you mean 'text'?"),
    "herb": (row(herb=["甘草"]), ":1:herb: no such field; did you mean 'herbs'?"),
    "one herb": (row(herbs="甘草"), ':1:herbs: Input should be a list, not "甘草"' + HERBS),
    "herbs as an object": (row(herbs={"甘草": 6}), ":1:herbs: Input should be a list" + ', not {"甘草": 6}' + HERBS),
    "a number as a herb": (herbs(3), ":1:herbs.0: Input should be a name or an object, not 3" + HERBS),
    "null as a herb": (herbs("甘草", None), ":1:herbs.1: Input should be a name or an object, not null" + HERBS),
    "a herb without a name": (herbs(" "), ":1:herbs.0.herb: String should have at least 1 character"),
    "a dose without a herb": (herbs({"dose_g": 3}), ":1:herbs.0.herb: Field required" + HERBS),
    "a dose in words": (herbs({"herb": "甘草", "dose_g": "much"}), ":1:herbs.0.dose_g: Input should be a valid number"),
    "no dose at all": (herbs({"herb": "甘草", "dose_g": 0}), ":1:herbs.0.dose_g: Input should be greater than 0"),
    "a truth as a dose": (herbs({"herb": "甘草", "dose_g": True}), ":1:herbs.0.dose_g: a number is needed, not true"),
    "an endless dose": (
        '{"id": 1, "herbs": [{"herb": "甘草", "dose_g": 1e999}]}',
        ":1:herbs.0.dose_g: Input should be a finite",
    ),
    "a field of a herb misspelt": (herbs({"herb": "甘草", "dose": 3}), ":1:herbs.0.dose: Extra inputs"),
    "an age below zero": (row(text="a", age=-1), ":1:age: Input should be greater than or equal to 0, not -1" + AGE),
    "an age in words": (row(text="a", age="forty"), ":1:age: Input should be a valid number"),
    "a truth as an age": (row(text="a", age=True), ":1:age: a number is needed, not true" + AGE),
    "no number as an age": ('{"id": 1, "text": "a", "age": NaN}', ":1:age: Input should be a finite number"),
    "Age": (row(text="a", Age=40), ":1:Age: no such field; did you mean 'age'?"),
    "a sex that is none": (row(text="a", sex="x"), ":1:sex: Input should be '男', '女' or ''" + ', not "x"; write 男'),
    "maybe pregnant": (row(text="a", pregnant="maybe"), f'not "maybe"; {OR_LEAVE}'),
    "a pregnant man": (row(text="a", sex="男", pregnant=True), ":1:pregnant: a male patient cannot be pregnant"),
    "UTF-16": (row(text="a").encode("utf-16"), ": not utf-8 (byte 0); save the file as utf-8"),
    "GB18030": (row(text="柴胡10g").encode("gb18030"), ": not utf-8 (byte "),
    "a packed file": (b"\x1f\x8b\x08\0" + bytes(range(128, 160)), ": not utf-8 (byte 1)"),
    "a NUL behind a row": (row(text="a") + "\0", LINE + "no JSON (Extra data"),
    "a comma behind a row": (row(text="a") + ",", LINE + "no JSON (Extra data"),
    "an object over lines": (json.dumps({"id": 1, "text": "a"}, indent=1), LINE + "no JSON (Expecting property name"),
    "a list over lines": (json.dumps([{"id": 1}], indent=1), LINE + "no JSON (Expecting value"),
    "rows that a CR parts": (row(text="a") + "\r" + row(text="b"), ":2:id: 1 stands already on line 1"),
    "an id of two lines": (row(id="a\n2: clean", text="a"), ":1:id: a name is one line of text"),
    "an id of two lines, hidden": (row(id="a\u2028b", text="a"), ":1:id: a name is one line of text"),
    "an id twice but for a blank": (
        row(text="a") + "\n" + row(id=" 1", text="b"),
        ":2:id: '1' stands already on line 1",
    ),
    "a herb of two lines": (herbs("甘草\n2: clean"), ":1:herbs.0.herb: a name is one line of text"),
    "ID": ('{"ID": 1, "text": "a"}', ":1:ID: no such field; did you mean 'id'?"),
    "a field with blanks": ('{"id": 1, " text ": "a"}', ":1: text : no such field; did you mean 'text'?"),
    "ESC in a field": (row(**{"text\x1b": "a"}), ":1:text\\u001b: no such field; did you mean 'text'?"),
    "no age, in quotes": (row(text="a", age=""), ":1:age: Input should be a valid number"),
    "sex in English": (row(text="a", sex="female"), f', not "female"; {SEX}'),
    "twice pregnant": (row(text="a", pregnant=2), f"not 2; {OR_LEAVE}"),
    "pregnant in Chinese": (row(text="a", pregnant="是"), f'not "是"; {OR_LEAVE}'),
    "perhaps finished": (row(text="a", finished="perhaps"), f'not "perhaps"; {OR_LEAVE}'),
}
AUDITED: dict[str, tuple[str | bytes, str]] = {
    "no prescription": (row(), ":1:prescription: Field required" + ITEMS),
    "an answer's field": (row(text="柴胡10g"), ":1:prescription: Field required" + ITEMS),
    "a number": (row(prescription=3), ":1:prescription: Input should be a list, not 3" + ITEMS),
    "null": (row(prescription=None), ":1:prescription: Input should be a list, not null" + ITEMS),
    "an object": (row(prescription={"柴胡": 10}), ":1:prescription: Input should be a list" + ', not {"柴胡": 10}'),
    "a list in a list": (row(prescription=[["柴胡"]]), ":1:prescription.0: Input should be a name or an object"),
    "a dose misspelt": (row(prescription=[{"herb": "柴胡", "dosis": 9}]), ":1:prescription.0.dosis: Extra inputs"),
    "a number as history": (row(prescription="柴胡10g", history=3), "not 3; give the text of the record, or leave it"),
    "a list as history": (row(prescription="柴胡10g", history=["x"]), ":1:history: Input should be a valid string"),
    "a number as previous": (row(prescription="柴胡10g", previous=3), "give the text of the previous prescription"),
    "a field misspelt": (row(prescripton="柴胡10g"), ":1:prescripton: no such field; did you mean 'prescription'?"),
    "pregnancy misspelt": (row(prescription="柴胡10g", pregnent=True), ":1:pregnent: no such field; did you mean"),
    "a dose with its unit": (row(prescription=[{"herb": "柴胡", "dose_g": "10g"}]), ":1:prescription.0.dose_g: Input"),
    "a dose as a list": (row(prescription=[{"herb": "柴胡", "dose_g": [10]}]), ":1:prescription.0.dose_g: Input"),
    "a herb of two lines": (row(prescription=["柴胡\r\n黄芩"]), ":1:prescription.0.herb: a name is one line of text"),
    "half a character in a field": (
        '{"id": 1, "\\ud800prescription": "a"}',
        ":1:\\ud800prescription: no such field; did",
    ),
    "a direction in a field": (row(**{"\u202eprescription": "a"}), ":1:\\u202eprescription: no such field; did you"),
    "an age as an object": (
        row(prescription="柴胡10g", age={"years": 4}),
        ':1:age: Input should be a valid number, not {"',
    ),
    "a sex as a list": (row(prescription="柴胡10g", sex=["女"]), f', not ["女"]; {SEX}'),
    "an age as a list": (row(prescription="柴胡10g", age=[40]), ":1:age: Input should be a valid number, not [40]"),
}


@pytest.mark.parametrize(
    ("command", "what"), [*(("score", what) for what in SCORED), *(("audit", what) for what in AUDITED)]
)
def test_a_row_that_cannot_be_used_is_refused_in_one_line_and_nothing_is_written(
    tmp_path: Path, command: str, what: str, capfd: pytest.CaptureFixture
) -> None:
    text, said = (SCORED if command == "score" else AUDITED)[what]
    path, gold, out = tmp_path / "rows.jsonl", tmp_path / "gold.jsonl", tmp_path / "out.json"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    gold.write_text(row(text="处方：柴胡10g。"), "utf-8")
    files = [str(path)] if command == "audit" else ["--gold", str(gold), "--pred", str(path)]
    assert main([command, *files, "--json", str(out)]) == 2
    message = capfd.readouterr().err
    assert message.startswith(f"error: {path}:") and said in message
    assert message.count("\n") == 1 and len(message) < 500 and not out.exists()


def test_there_are_enough_of_them() -> None:
    assert len(SCORED) + len(AUDITED) >= 40


def test_half_a_character_at_the_end_of_an_answer_is_no_reason_to_stop(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": 1, "text": "处方：柴胡10g。\\ud83d"}', "utf-8")
    assert main(["score", "--gold", str(path), "--pred", str(path)]) == 0
    path.write_text('{"id": 1, "prescription": "柴胡10g，\\ud83d", "history": "\\ud83d"}', "utf-8")
    assert main(["audit", str(path)]) == 0 and main(["read", str(path)]) == 0


@pytest.mark.parametrize("name", ["gold", "pred"])
def test_scores_never_replace_what_was_scored(tmp_path: Path, name: str, capfd: pytest.CaptureFixture) -> None:
    files = {one: tmp_path / f"{one}.jsonl" for one in ("gold", "pred")}
    for path in files.values():
        path.write_text(row(text="处方：柴胡10g。"), "utf-8")
    (tmp_path / "link").symlink_to(files[name])
    given = ["score", "--gold", str(files["gold"]), "--pred", str(files["pred"]), "--json", str(tmp_path / "link")]
    assert main(given) == 2 and "is the file that was read" in capfd.readouterr().err
    assert files[name].read_text("utf-8") == row(text="处方：柴胡10g。")


def test_half_a_character_in_an_id_is_written_as_a_mark(tmp_path: Path) -> None:
    rows, out = tmp_path / "rows.jsonl", tmp_path / "found.json"
    rows.write_text('{"id": "a\\ud800", "prescription": "柴胡10g"}\n', "utf-8")
    assert main(["audit", str(rows), "--json", str(out)]) == 0
    assert json.loads(out.read_text("utf-8"))[0]["id"] == "a?"


def test_a_row_with_blanks_around_its_id_is_the_row_of_that_id(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    gold, pred, out = tmp_path / "gold.jsonl", tmp_path / "pred.jsonl", tmp_path / "out.json"
    gold.write_text(row(id="7", text="处方：柴胡10g。"), "utf-8")
    pred.write_text(row(id=" 7 ", text="处方：柴胡10g。"), "utf-8")
    assert main(["score", "--gold", str(gold), "--pred", str(pred), "--json", str(out)]) == 0
    ids = json.loads(out.read_text("utf-8"))["ids"]
    assert (ids["n"], ids["missing_in_pred"], ids["missing_in_gold"]) == (1, 0, 0)
