"""Files of records that are broken or hostile are refused in one line; what stands in them never moves a terminal."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tcm.cases import CaseError
from tcm.commands import main
from tcm.sources import read_own
from tcm.sources.tables import read_table

HEAD = "id,主诉,处方\n"
DEEP = "[" * 200_000 + "]" * 200_000
REFUSED = {
    "an open quote.csv": (HEAD + '1,"失眠,柴胡10g\n2,头痛,黄芩10g\n', ":2: a stray quote"),
    "a quote that closes too early.csv": (HEAD + '1,"失眠"多梦,柴胡10g\n', ":2: a stray quote"),
    "quotes two records apart.csv": (HEAD + '1,a,x\n2,"失眠,柴胡\n3,"咳嗽,甘草\n', ":3: a stray quote"),
    "a field too few.csv": (HEAD + "1,失眠\n", ":2: has other fields than the header"),
    "a field too many.csv": (HEAD + "1,失眠,柴胡,10g\n", ":2: has other fields than the header"),
    "a cell without end.csv": (HEAD + f"1,{'痛' * 200_000},x\n", ":2: a cell of more than 131072 characters"),
    "a column twice.csv": ("id,主诉,主诉\n1,a,b\n", ":1: the column '主诉' stands twice"),
    "only a header.csv": (HEAD, "empty; give a header and at least one record"),
    "nothing.csv": ("", "empty"),
    "a web page.csv": ("<html><table></table>", "is a web page"),
    "levels.json": (DEEP, "no records"),
    "levels.jsonl": (f'{{"主诉": {DEEP}}}', ":1: no record (thousands of levels)"),
    "a key twice.jsonl": ('{"id": 1, "主诉": "失眠", "主诉": "头痛"}', ":1: no record (the key '主诉' stands twice)"),
    "a key twice.json": ('[{"id": 1, "主诉": "失眠", "主诉": "头痛"}]', "the key '主诉' stands twice"),
    "a deep key twice.jsonl": ('{"id": 1, "x": {"a": 1, "a": 2}}', "the key 'a' stands twice"),
    "5,000 digits.jsonl": (f'{{"id": {"9" * 5000}}}', ":1: no record (Exceeds the limit"),
    "5,000 digits.json": (f'[{{"id": {"9" * 5000}}}]', "no records (Exceeds the limit"),
    "a number.json": ("[1, 2]", "record 1: must be an object"),
    "an empty list.json": ("[]", "empty"),
    "cut.json": ('[{"id": 1', "no valid JSON"),
    "cut.jsonl": ('{"id": 1, "主诉": "失', ":1: no valid JSON"),
    "a list a line.jsonl": ("[1]\n[2]\n", ":1: must be an object"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_broken_file_is_refused_in_one_line_with_its_place(tmp_path: Path, name: str) -> None:
    text, said = REFUSED[name]
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(CaseError) as caught:
        read_table(tmp_path / name)
    message = str(caught.value)
    assert message.startswith(str(tmp_path / name)) and said in message
    assert "\n" not in message and len(message) < 500


@pytest.mark.parametrize("shares", [(9, 1), (1, 1), (5, 5), (1, 4)])
def test_a_misspelt_field_is_named_where_it_stands_however_many_records_have_it(tmp_path: Path, shares) -> None:
    names = ["prescription"] * shares[0] + ["prescripton"] * shares[1]
    rows = [{"id": i, "history": "失眠", name: "柴胡10g"} for i, name in enumerate(names, 1)]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    with pytest.raises(CaseError, match=f"a.jsonl:{shares[0] + 1}: prescription: 'prescripton' stands in the place of"):
        read_own(path, {})


@pytest.mark.parametrize("other", ["prescriber", "history_2"])
def test_a_field_beside_ours_or_of_another_name_is_no_misspelling(tmp_path: Path, other: str) -> None:
    rows = [
        {"id": i, "history": f"失眠{i}月", "prescription": "柴胡10g"} | ({other: "x"} if i == 3 else {})
        for i in range(9)
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    assert len(read_own(path, {}).cases) == 9


AUDITED = {
    "Pregnant": "did you mean 'pregnant'?",
    "pregant": "did you mean 'pregnant'?",
    "ages": "did you mean 'age'?",
    "previos": "did you mean 'previous'?",
}


@pytest.mark.parametrize("field", AUDITED)
def test_a_misspelt_field_of_an_audited_row_is_refused(tmp_path: Path, field: str, capsys) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"id": 1, "prescription": "桃仁10g", field: True}), "utf-8")
    assert main(["audit", str(path)]) == 2
    assert f"{path}:1:{field}: no such field; {AUDITED[field]}" in capsys.readouterr().err


def test_other_fields_of_an_audited_row_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": 1, "prescription": "桃仁10g", "note": "x", "previous_id": 3}', "utf-8")
    assert main(["audit", str(path)]) == 0


@pytest.mark.parametrize("name", ["rows.jsonl", "../{}/rows.jsonl", "link.jsonl"], ids=["same", "other path", "link"])
def test_the_file_that_is_read_is_never_written_over(tmp_path: Path, name: str, capsys) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": 1, "prescription": "桃仁10g"}', "utf-8")
    (tmp_path / "link.jsonl").symlink_to(path)
    assert main(["audit", str(path), "--json", str(tmp_path / name.format(tmp_path.name))]) == 2
    assert "is the file that was read" in capsys.readouterr().err and path.read_text("utf-8").startswith('{"id": 1')


CONTRADICTIONS = {
    "a sex that changes": ([("1", "女", "40"), ("2", "男", "40")], ":2: sex: patient 'P' is"),
    "an age that falls": ([("1", "女", "41"), ("2", "女", "40")], ":3: age: patient 'P' is 41 on line 2 and 40"),
    "a visit that is missing": ([("1", "女", "40"), ("3", "女", "40")], ":3: visit: patient 'P' has visit 1 on line 2"),
    "a visit twice": ([("1", "女", "40"), ("1", "女", "40")], ":3: visit: patient 'P' has visit 1"),
    "no first visit": ([("2", "女", "40"), ("3", "女", "40")], ":2: visit: patient 'P' starts with visit 2"),
    "an age that is a truth": ([("1", "女", "true")], ":2: age: 'true'"),
    "an age of 5,000 digits": ([("1", "女", "9" * 5000)], ":2: age:"),
    "an age of nobody": ([("1", "女", "130")], ":2: age: '130'"),
    "a sex that is none": ([("1", "x", "40")], ":2: sex: 'x'"),
    "a visit that is none": ([("first", "女", "40")], ":2: visit: 'first'"),
    "a visit of no day": ([("2023-02-30", "女", "40")], ":2: visit: '2023-02-30' is no day"),
}


@pytest.mark.parametrize("what", CONTRADICTIONS)
def test_visits_of_one_patient_that_contradict_each_other_are_refused(tmp_path: Path, what: str) -> None:
    visits, said = CONTRADICTIONS[what]
    path = tmp_path / "a.csv"
    lines = [f"P,{number},{sex},{age},失眠{i}日,柴胡10g" for i, (number, sex, age) in enumerate(visits)]
    path.write_text("\n".join(["patient_id,visit,sex,age,history,prescription", *lines]), "utf-8")
    with pytest.raises(CaseError) as caught:
        read_own(path, {})
    message = str(caught.value)
    assert f"{path}{said}" in message and "\n" not in message and len(message) < 500


def test_an_age_in_months_and_then_in_years_does_not_fall(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "patient_id,visit,age,history,prescription\nP,1,3岁4个月,咳嗽,柴胡6g\nP,2,3岁,咳减,柴胡6g\n", "utf-8"
    )
    assert len(read_own(path, {}).cases) == 2


@pytest.mark.parametrize("hostile", ["\x1b[31m", "\x1b]0;title\x07", "\u202e", "\u2066", "\r", "\x9b", "\x08"])
def test_what_a_terminal_would_obey_is_shown_as_its_code(tmp_path: Path, hostile: str) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"id": f"a{hostile}b", "prescription": f"桃仁10g，{hostile}x"}), "utf-8")
    wrong = tmp_path / "wrong.jsonl"
    wrong.write_text(json.dumps({"id": 1, "prescription": "x", "sex": f"{hostile}男"}), "utf-8")
    for path in (rows, wrong):
        done = subprocess.run([sys.executable, "-m", "tcm", "audit", str(path)], capture_output=True)
        shown = (done.stdout + done.stderr).decode("utf-8")
        assert hostile not in shown and shown
