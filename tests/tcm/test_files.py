"""A file is written whole or not at all, readable by people, into folders that are made for it."""

import pytest

from tcm import files


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch) -> None:
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    monkeypatch.setattr(files.os, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        files.write_text(path, "new")
    assert path.read_text("utf-8") == "old"


def test_a_file_is_written_into_folders_that_were_not_there(tmp_path) -> None:
    files.write_json(tmp_path / "a" / "b.json", {"词": 1})
    assert (tmp_path / "a" / "b.json").read_text("utf-8") == '{\n "词": 1\n}\n'


def test_rows_are_json_lines_with_han_text_as_such(tmp_path) -> None:
    files.write_rows(tmp_path / "rows.jsonl", [{"text": "失眠"}, {"text": "头痛"}])
    assert (tmp_path / "rows.jsonl").read_text("utf-8") == '{"text": "失眠"}\n{"text": "头痛"}\n'
