"""Notebooks go by the params file that was chosen once, and their errors say what to do without library frames."""

import os
import re
import sys
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from tcm_rlaif.study import lab
from tcm_rlaif.study.params import ParamsError
from tcm_rlaif.study.stage import prepare

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def chosen(monkeypatch, tmp_path) -> Path:
    """A params file chosen for all notebooks."""
    path = tmp_path / "mine.yaml"
    path.write_text("study: chosen_once\n", "utf-8")
    monkeypatch.setenv(lab.CHOSEN, str(path))
    return path


def test_a_notebook_that_names_no_params_file_goes_by_the_one_chosen_for_all(chosen) -> None:
    assert prepare("00_base_model", {"params_file": "", "arm": "sft_dpo"}).study.study == "chosen_once"


def test_a_params_file_that_is_given_to_a_notebook_wins_over_the_one_chosen(chosen) -> None:
    assert prepare("00_base_model", {"params_file": "params/smoke.yaml", "arm": "sft_dpo"}).study.study == "smoke"


def test_without_a_choice_it_is_the_default_study(monkeypatch) -> None:
    monkeypatch.delenv(lab.CHOSEN, raising=False)
    assert prepare("00_base_model", {"params_file": "", "arm": "sft_dpo"}).study.study == "default"


def test_nobody_watches_a_notebook_that_papermill_runs(monkeypatch) -> None:
    for name in lab.SESSIONS:
        monkeypatch.delenv(name, raising=False)
    assert not lab.watched()
    assert type(lab.bar([1])).__module__ == "tqdm.std"


def test_a_bar_is_output_in_a_notebook_and_keeps_off_the_output_of_a_command(monkeypatch, shell, capsys) -> None:
    for name in lab.SESSIONS:
        monkeypatch.delenv(name, raising=False)
    list(lab.bar([1], desc="sampling"))
    in_notebook = capsys.readouterr()
    InteractiveShell.clear_instance()
    list(lab.bar([1], desc="sampling"))
    in_command = capsys.readouterr()
    assert "sampling: 100%" in in_notebook.out and not in_notebook.err
    assert "sampling: 100%" in in_command.err and not in_command.out


@pytest.fixture
def shell():
    """IPython as a kernel has it, with its errors shown in short."""
    kernel = InteractiveShell.instance()
    lab.errors_in_short(ParamsError)
    yield kernel
    InteractiveShell.clear_instance()


def shown(kernel: InteractiveShell, code: str, capsys) -> tuple[str, BaseException]:
    result = kernel.run_cell(code)
    return "".join(capsys.readouterr()), result.error_in_exec


def test_an_error_of_input_is_one_line_and_still_an_error(shell, capsys) -> None:
    code = "from tcm_rlaif.study import params\nparams.validated({'dpo_bata': 1}, 'mine.yaml')"
    said, error = shown(shell, code, capsys)
    assert isinstance(error, ParamsError), "papermill must see that the cell failed"
    assert [line for line in said.splitlines() if line.strip()] == [
        "ParamsError: mine.yaml: dpo_bata: no such key; did you mean 'dpo_beta'?"
    ]


def test_other_errors_keep_the_lines_of_the_notebook_and_lose_those_of_libraries(shell, capsys) -> None:
    said, error = shown(shell, "import pandas\nframe = pandas.DataFrame()\nframe['herb']", capsys)
    assert isinstance(error, KeyError)
    said = re.sub(r"\x1b\[[0-9;]*m", "", said)  # colours
    assert "frame['herb']" in said and "KeyError" in said
    assert "site-packages" not in said


def test_outside_a_notebook_nothing_is_changed(monkeypatch) -> None:
    InteractiveShell.clear_instance()
    before = sys.excepthook
    lab.errors_in_short(ParamsError)
    assert sys.excepthook is before


def test_the_launcher_tells_kernels_the_params_file(tmp_path) -> None:
    sys.path.insert(0, str(ROOT / "tests"))
    from test_study_script import Checkout

    checkout = Checkout(tmp_path / "checkout").stand_in()
    python = checkout.folder / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\necho "$TCM_PARAMS $@" >> "{checkout.log}"\n')
    checkout.run("lab", PATH=os.environ["PATH"])
    (checkout.folder / "mine.yaml").write_text("study: mine\n")
    checkout.calls()
    assert checkout.run("lab", "mine.yaml", "--no-browser").returncode == 0
    assert checkout.calls() == ["mine.yaml -m jupyterlab --no-browser"]
    missing = checkout.run("lab", "yours.yaml")
    assert missing.returncode == 2 and "yours.yaml: no such params file" in missing.stderr
