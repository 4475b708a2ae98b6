"""Command `read`: texts, files and standard input come out as a table or as JSON, with all that was not read."""

import io
import json
import subprocess
import sys

import pytest

from tcm.commands import audit, read
from tcm.commands.rows import AuditRow, RowError


@pytest.fixture
def run(capsys):
    def _run(*arguments):
        parser = read.argparse.ArgumentParser()
        read.add_arguments(parser)
        assert read.main(parser.parse_args(list(arguments))) == 0
        return capsys.readouterr().out

    return _run


def test_a_text_becomes_one_object(run):
    row = json.loads(run("桑叶10g，白术三钱（土炒），菊花lOg，鑫淼草6g。5剂，水煎服", "--json"))
    assert set(row) == {"id", "herbs", "packets", "usage", "unread", "relative"}
    assert row["herbs"][0] == {
        "name": "桑叶", "base": "桑叶", "dose_g": 10.0, "dose": "10g", "note": "", "guess": ""
    }  # fmt: skip
    assert [(h["base"], h["dose_g"], h["dose"]) for h in row["herbs"][1:]] == [
        ("白术", 9.0, "3钱"), ("菊花", 10.0, "10g"), (None, 6.0, "6g")
    ]  # fmt: skip
    assert row["herbs"][2]["guess"] and not row["herbs"][3]["guess"]
    assert (row["packets"], row["usage"], row["unread"], row["relative"]) == (5, "水煎服", [], False)


def test_several_prescriptions_stay_apart(run):
    row = json.loads(run("内服：桑叶10g，菊花6g。外洗：地肤子30g，花椒15g", "--json"))
    assert [(p["use"], [h["name"] for h in p["herbs"]]) for p in row["prescriptions"]] == [
        ("internal", ["桑叶", "菊花"]), ("external", ["地肤子", "花椒"])
    ]  # fmt: skip


def test_a_change_needs_the_previous_prescription(run):
    alone = json.loads(run("上方去菊花，加薄荷6g", "--json"))
    assert alone["relative"] and "去菊花" in alone["unread"]
    whole = json.loads(run("上方去菊花，加薄荷6g", "--json", "--previous", "桑叶10g，菊花6g"))
    assert not whole["relative"] and [h["name"] for h in whole["herbs"]] == ["桑叶", "薄荷"]


def test_the_table_names_what_needs_a_look(run):
    text = run("桑叶0g，鑫淼草6g，菊花6g。本方疏散风热")
    assert "dose not read: 0g" in text and "not in the tables" in text and "not read: 本方疏散风热" in text
    assert "relative" in run("上方加薄荷6g")


def test_a_file_is_read_line_by_line(run, tmp_path):
    lines = tmp_path / "lines.txt"
    lines.write_text("桑叶10g\n\n菊花6g，薄荷3g\n", "utf-8")
    rows = [json.loads(line) for line in run(str(lines), "--json").splitlines()]
    assert [(row["id"], len(row["herbs"])) for row in rows] == [(1, 1), (3, 2)]
    records = tmp_path / "rows.jsonl"
    records.write_text('{"id": "a", "prescription": "上方加薄荷3g", "previous": "桑叶10g"}\n', "utf-8")
    row = json.loads(run(str(records), "--json"))
    assert (row["id"], [h["name"] for h in row["herbs"]]) == ("a", ["桑叶", "薄荷"])


def test_standard_input_is_read(run, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("桑叶10g\n菊花6g\n"))
    assert len(run("-", "--json").splitlines()) == 2


@pytest.mark.parametrize("content", ["", '{"id": 1}\n', '{"id": 1, "prescription": "桑叶", "previous": 3}\n'])
def test_a_file_that_cannot_be_used_is_named(run, tmp_path, content):
    path = tmp_path / "rows.jsonl"
    path.write_text(content, "utf-8")
    with pytest.raises(RowError, match=r"rows\.jsonl"):
        run(str(path))
    with pytest.raises(RowError, match="no such file"):
        run(str(tmp_path / "missing.txt"))


def test_reading_needs_no_heavy_package():
    heavy = {"torch", "pandas", "scipy", "opencc_purepy"}
    code = f"import sys, tcm.commands.read; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def findings(text, **row):
    return audit.audit_rows({"1": AuditRow(id=1, prescription=text, **row)})


def test_a_note_without_brackets_hides_no_herb_from_the_audit():
    bare, bracketed = (
        findings("清半夏9g，制草乌12g先煎1小时。5剂，水煎服"),
        findings("清半夏9g，制草乌12g（先煎1小时）。5剂，水煎服"),
    )
    assert bare[0]["findings"] == bracketed[0]["findings"]
    assert {f["kind"] for f in bare[0]["findings"]} >= {"incompatibility", "overdose"}


def test_the_audit_says_what_it_could_not_see(capsys):
    result = findings("上方加制草乌3g")[0]
    assert result["relative"] and "上方" in result["unread"]
    assert "not given" in audit._reserve(result)
    assert findings("桑叶0g")[0]["unread"] == ["0g"]
    assert audit._reserve(findings("桑叶10g")[0]) == ""
    resolved = findings("上方加制草乌3g", previous="清半夏9g")[0]
    assert not resolved["relative"] and {f["kind"] for f in resolved["findings"]} == {"incompatibility"}


def test_prescriptions_of_one_text_are_audited_apart():
    results = findings("内服：清半夏9g，桑叶10g。外洗：制草乌30g，花椒30g")
    assert [(r["use"], [f["kind"] for f in r["findings"]]) for r in results] == [("internal", []), ("external", [])]
