"""The commands: what they print, what they refuse in one line with exit code 2, and what they would start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tcm_rlaif.runner import cli
from tcm_rlaif.study import params, plan
from tcm_rlaif.study.schema import Params

COMMANDS = ("run", "notebook", "report", "params", "clean", "score", "audit")


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A project folder of the test, in which two studies have run and a base model is cached."""
    for name in ("runs/mini", "runs/other", "runs/cache", "src"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_text("x", "utf-8")
    monkeypatch.setattr(plan, "ROOT", tmp_path)
    return tmp_path


def fails(capsys, *arguments: str) -> str:
    """The one line with which a command is refused."""
    assert cli.main(list(arguments)) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("error: ") and said.err.count("\n") == 1
    return said.err.strip().removeprefix("error: ")


# help


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_listed_with_a_line_of_its_own(capsys, command: str) -> None:
    with pytest.raises(SystemExit) as done:
        cli.main(["--help"])
    assert done.value.code == 0
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith(f"    {command} ")]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(capsys, command: str) -> None:
    with pytest.raises(SystemExit) as done:
        cli.main([command, "--help"])
    assert done.value.code == 0 and f"./study {command}" in capsys.readouterr().out


def test_no_command_is_a_usage_error(capsys) -> None:
    with pytest.raises(SystemExit) as done:
        cli.main([])
    assert done.value.code == 2 and "usage: ./study" in capsys.readouterr().err


def test_the_command_line_starts_without_torch() -> None:
    heavy = ("torch", "transformers", "trl", "pandas", "scipy")
    code = f"import sys, tcm_rlaif.runner.cli; sys.exit(any(m in sys.modules for m in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# params


def test_params_prints_every_key_with_its_meaning_and_source(capsys) -> None:
    assert cli.main(["params"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[::2]] == list(Params.model_fields)
    beta = lines.index("dpo_beta: 0.1")
    assert lines[beta + 1] == "    pull to the reference: larger stays nearer [arXiv 2305.18290]"


def test_params_marks_what_a_params_file_changes(capsys) -> None:
    assert cli.main(["params", "params/smoke.yaml"]) == 0
    marked = [line for line in capsys.readouterr().out.splitlines() if "  ->  " in line]
    assert "data_cases: 200 cases  ->  60" in marked
    assert len(marked) == len(params.differences(params.load("params/smoke.yaml")))


# refusals


def test_a_missing_params_file_is_one_line(capsys) -> None:
    said = fails(capsys, "run", "params/none.yaml")
    assert "none.yaml: no such params file; params/ holds " in said and "default.yaml" in said


def test_a_typo_in_a_params_file_is_one_line_with_the_nearest_key(capsys, tmp_path) -> None:
    (tmp_path / "my.yaml").write_text("sft_epoch: 3\n", "utf-8")
    said = fails(capsys, "run", str(tmp_path / "my.yaml"))
    assert said == f"{tmp_path / 'my.yaml'}: sft_epoch: no such key; did you mean 'sft_epochs'?"


def test_a_notebook_that_is_not_there_is_one_line(capsys) -> None:
    assert fails(capsys, "notebook", "04_dop") == "no notebook '04_dop'; did you mean '04_dpo'?"


def test_an_arm_that_is_not_there_is_one_line(capsys) -> None:
    assert fails(capsys, "notebook", "sft", "--arm", "stf").startswith("arm: study 'default' has no arm 'stf'")


def test_a_seed_that_is_not_there_is_one_line(capsys) -> None:
    assert fails(capsys, "notebook", "sft", "--seed", "9").startswith("seed: 9 is not among this study's seeds")


def test_a_report_of_a_study_that_never_ran_is_one_line(capsys, place) -> None:
    assert "nothere" in fails(capsys, "report", "nothere")


def test_scoring_a_missing_file_is_one_line(capsys, tmp_path) -> None:
    missing = str(tmp_path / "gold.jsonl")
    assert "gold.jsonl" in fails(capsys, "score", "--gold", missing, "--pred", missing)


# clean


def test_clean_deletes_one_study_and_nothing_else(place) -> None:
    assert cli.main(["clean", "mini"]) == 0
    assert not (place / "runs/mini").exists()
    assert (place / "runs/other/file").exists() and (place / "runs/cache/file").exists()


def test_cleaning_a_study_that_is_not_there_is_one_line(capsys, place) -> None:
    assert "runs/nothere: nothing of such a study is there" in fails(capsys, "clean", "nothere")


@pytest.mark.parametrize("name", ["..", ".", "/", "", "cache"])
def test_clean_deletes_nothing_that_is_no_study(place, monkeypatch, name: str) -> None:
    deleted = []
    monkeypatch.setattr(cli.shutil, "rmtree", deleted.append)
    cli.main(["clean", name])
    assert deleted == []


# one notebook


def test_notebook_runs_the_notebook_of_the_arm_and_seed_where_the_study_keeps_it(monkeypatch, place) -> None:
    given = []
    monkeypatch.setattr(cli.notebook, "main", lambda arguments: given.append(arguments) or 0)
    assert cli.main(["notebook", "sft", "params/smoke.yaml", "--arm", "sft_dpo", "--seed", "0"]) == 0
    source, folder, flag, values = given[0]
    assert source.endswith("notebooks/02_sft.ipynb") and folder.endswith("runs/smoke/02_sft/sft/seed0")
    assert (flag, values) == ("-y", '{"params_file": "params/smoke.yaml", "arm": "sft_dpo", "seed": 0}')
    assert cli.main(["notebook", "04"]) == 0
    assert '"arm": "sft_dpo"' in given[1][3], "the method itself, not the control that comes last in the file"


@pytest.mark.parametrize("encoding", ["ascii", "gb18030", "utf-8"])
def test_a_terminal_of_another_encoding_is_no_error(encoding: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-m", "tcm_rlaif", "params"], capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert "主诉" in done.stdout.decode(encoding) or b"\\u4e3b\\u8bc9" in done.stdout


def test_an_interrupt_ends_with_130(monkeypatch) -> None:
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "print_params", interrupted)
    assert cli.main(["params"]) == 130
