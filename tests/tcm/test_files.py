"""A file is written whole or not at all, readable by people, into folders that are made for it."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tcm import commands, files


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch) -> None:
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    monkeypatch.setattr(files.os, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        files.write_text(path, "new")
    assert path.read_text("utf-8") == "old" and list(tmp_path.iterdir()) == [path], "no half-written file stays"


def test_a_full_disk_is_named_with_the_file_and_no_half_of_it_stays(tmp_path, monkeypatch) -> None:
    def full(_, __) -> None:
        (tmp_path / f".a.txt.{os.getpid()}.part").touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.Path, "write_bytes", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*a\.txt'"):
        files.write_text(tmp_path / "a.txt", "new")
    assert list(tmp_path.iterdir()) == []


def test_a_command_on_a_full_disk_ends_with_one_line(capsys) -> None:
    def full() -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "answers.jsonl")

    assert commands.guarded(full) == 2
    assert capsys.readouterr().err == "error: answers.jsonl: No space left on device\n"


def test_a_file_is_written_into_folders_that_were_not_there(tmp_path) -> None:
    files.write_json(tmp_path / "a" / "b.json", {"词": 1})
    assert (tmp_path / "a" / "b.json").read_text("utf-8") == '{\n "词": 1\n}\n'


def test_rows_are_json_lines_with_han_text_as_such(tmp_path) -> None:
    files.write_rows(tmp_path / "rows.jsonl", [{"text": "失眠"}, {"text": "头痛"}])
    assert (tmp_path / "rows.jsonl").read_text("utf-8") == '{"text": "失眠"}\n{"text": "头痛"}\n'


def test_a_pipe_is_written_to_and_stays_one(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    files.write_text(pipe, "柴胡")
    assert os.read(reader, 100).decode() == "柴胡" and pipe.is_fifo()
    os.close(reader)


def test_what_is_written_to_standard_output_arrives_there(tmp_path):
    call = [sys.executable, "-c", "from tcm.files import *; write_text(Path('/dev/stdout'), 'here')"]
    with (tmp_path / "out").open("wb") as file:
        subprocess.run(call, check=True, stdout=file)
    assert (tmp_path / "out").read_text() == "here" and Path("/dev/stdout").is_symlink()
