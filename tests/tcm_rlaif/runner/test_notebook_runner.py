"""The notebook runner: what it refuses, what it leaves behind, and that nothing of a stopped run lives on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
import yaml
from stub_project import wait_until

from tcm_rlaif.runner import notebook
from tcm_rlaif.runner.notebook import NotebookError, check_parameters, declared_parameters, main, run_notebook
from tcm_rlaif.study.params import ROOT
from tcm_rlaif.study.timings import timing

PARAMETERS = 'seed = 0  # our choice\nlearning_rate: float = 1.0e-4\nsymptom = "失眠"\nout_dir = ""'
IMPORTS = "import json, os, pathlib, subprocess, sys, time\nout = pathlib.Path(out_dir)"
MARK = '(out / "stage.json").write_text(json.dumps({"seed": seed, "rate": learning_rate, "symptom": symptom}))'


def write_notebook(path: Path, *cells: str, parameters: str = PARAMETERS) -> Path:
    """A notebook with a parameters cell, an imports cell, and the cells of the test."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    written = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
    written.cells = [nbformat.v4.new_code_cell(source) for source in (parameters, IMPORTS, *cells)]
    written.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(written, path)
    return path


def alive(pid: int) -> bool:
    """Whether a process runs (one that ended and waits to be reaped does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sed": 1}, "did you mean 'seed'"),
        ({"x=1;import os;y": 1}, "is no name for a parameter"),
        ({"judge_api_key": "k"}, "give secrets as environment variables"),
        ({"HF_TOKEN": "k"}, "give secrets as environment variables"),
    ],
)
def test_parameters_that_must_not_reach_a_notebook_are_refused_before_anything_is_written(
    tmp_path: Path, given: dict, message: str
) -> None:
    source = write_notebook(tmp_path / "a.ipynb")
    with pytest.raises(ValueError, match=message):
        run_notebook(source, tmp_path / "out", given)
    assert not (tmp_path / "out").exists()


def test_names_that_merely_contain_token_are_no_secrets(tmp_path: Path) -> None:
    source = write_notebook(tmp_path / "a.ipynb", parameters="max_new_tokens = 1\ntokenizer = ''\nkeys = 1")
    check_parameters(source, {"max_new_tokens": 256, "tokenizer": "tiny", "keys": 2})


def test_validate_sees_the_defaults_too_and_decides_which_names_exist(tmp_path: Path) -> None:
    seen = []
    check_parameters(write_notebook(tmp_path / "a.ipynb"), {"seed": 3, "dpo_beta": 0.1}, seen.append)
    assert seen == [{"seed": 3, "learning_rate": 1e-4, "symptom": "失眠", "out_dir": "", "dpo_beta": 0.1}]


@pytest.mark.parametrize("cell", ["a = 1\nb = a * 10", "import os", "a, b = 1, 2", "a: int"])
def test_a_parameters_cell_holds_names_and_literals_only(tmp_path: Path, cell: str) -> None:
    with pytest.raises(ValueError, match="must be NAME = LITERAL"):
        declared_parameters(write_notebook(tmp_path / "a.ipynb", parameters=cell))


def test_the_command_line_says_what_is_wrong_and_returns_2(tmp_path: Path, capsys) -> None:
    assert main([str(tmp_path / "absent.ipynb"), str(tmp_path / "out")]) == 2
    assert "absent.ipynb is not a readable notebook" in capsys.readouterr().err
    (tmp_path / "own.yaml").write_text("study: own")
    source = write_notebook(tmp_path / "a.ipynb", parameters=f'params_file = "{tmp_path / "own.yaml"}"\narm = "sft"')
    assert main([str(source), str(tmp_path / "out"), "-y", '{"sft_epoch": 1}']) == 2
    assert "did you mean 'sft_epochs'" in capsys.readouterr().err


def test_a_run_leaves_copy_log_params_timing_and_marker_and_no_process(tmp_path: Path) -> None:
    source = write_notebook(
        tmp_path / "a.ipynb",
        "time.sleep(0.3)",
        'print("pid", subprocess.Popen(["sleep", "300"]).pid, os.getcwd(), os.environ["TQDM_MININTERVAL"])',
        MARK,
    )
    before, out = source.read_bytes(), tmp_path / "{odd} 名" / "out"
    given = {"learning_rate": 1e-5, "symptom": "入睡困难：“寐差”", "out_dir": str(out)}
    assert run_notebook(source, out, given) == out / "notebook.ipynb"

    assert source.read_bytes() == before
    assert json.loads((out / "stage.json").read_text()) == {"seed": 0, "rate": 1e-5, "symptom": "入睡困难：“寐差”"}
    assert yaml.safe_load((out / "params.yaml").read_text()) == given, "plain papermill reads the same values"
    assert nbformat.read(out / "notebook.ipynb", 4).metadata.papermill.exception is None
    word, pid, cwd, interval = next(x for x in (out / "log.txt").read_text().splitlines() if " pid " in x).split()[1:]
    assert (word, cwd, interval) == ("pid", str(tmp_path), "30") and not alive(int(pid))
    timing = json.loads((out / "timing.json").read_text())
    assert timing["status"] == "done" and timing["notebook"] == "a"
    assert 0.3 < timing["seconds"] - timing["overhead_seconds"] < timing["seconds"]
    assert 20 < timing["peak_mib"] < 4000


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ('raise KeyError("证型")', r"(?s)cell 4: KeyError: '证型'.*executed copy: .*notebook.ipynb"),
        ("sys.exit(0)", "without writing .*stage.json"),
        ("os.kill(os.getpid(), 9)", "the kernel died .probably out of memory"),
    ],
)
def test_a_notebook_that_did_not_reach_its_end_fails_keeps_its_copy_and_loses_a_stale_marker(
    tmp_path: Path, cell: str, message: str
) -> None:
    source, out = write_notebook(tmp_path / "a.ipynb", cell, MARK), tmp_path / "out"
    out.mkdir()
    (out / "stage.json").write_text("{}")
    with pytest.raises(NotebookError, match=message):
        run_notebook(source, out, {"out_dir": str(out)})
    assert not (out / "stage.json").exists() and (out / "log.txt").exists()
    assert json.loads((out / "timing.json").read_text())["status"] == "failed"
    copy = nbformat.read(out / "notebook.ipynb", 4)
    shown = [o.get("ename") for c in copy.cells if c.cell_type == "code" for o in c.outputs]
    assert "KeyError" not in cell or "KeyError" in shown


def test_a_marker_written_before_a_later_cell_fails_does_not_count(tmp_path: Path) -> None:
    source, out = write_notebook(tmp_path / "a.ipynb", MARK, "1 / 0"), tmp_path / "out"
    assert main([str(source), str(out), "-y", json.dumps({"out_dir": str(out)})]) == 1
    assert not (out / "stage.json").exists()


HANG = """
child = subprocess.Popen(["sleep", "300"])
(out / "pids.part").write_text(f"{os.getpid()} {child.pid}")
os.rename(out / "pids.part", out / "pids")
time.sleep(300)
"""


def start_hanging_notebook(tmp_path: Path) -> tuple[subprocess.Popen, list[int]]:
    """A runner whose notebook has started a child process and hangs; and the pids of kernel and child."""
    source, out = write_notebook(tmp_path / "a.ipynb", HANG, MARK), tmp_path / "out"
    command = [sys.executable, "-m", "tcm_rlaif.runner.notebook", source, out, "-y", json.dumps({"out_dir": str(out)})]
    runner = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert wait_until((out / "pids").exists, 120), runner.poll()
    return runner, [int(pid) for pid in (out / "pids").read_text().split()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_takes_kernel_and_children_with_it_and_says_so_in_its_copy(tmp_path: Path, number: int) -> None:
    runner, pids = start_hanging_notebook(tmp_path)
    assert all(map(alive, pids))
    runner.send_signal(number)
    time.sleep(0.2)
    runner.send_signal(number)  # an impatient second Ctrl-C
    _, errors = runner.communicate(timeout=120)
    assert runner.returncode == 128 + number, errors
    assert [pid for pid in pids if alive(pid)] == []
    out, name = tmp_path / "out", signal.Signals(number).name
    assert json.loads((out / "timing.json").read_text())["status"] == "interrupted"
    copy = nbformat.read(out / "notebook.ipynb", 4)
    assert f"Interrupted by {name}" in copy.cells[0].source and copy.metadata.papermill.exception is True


def test_the_kernel_of_a_runner_that_was_killed_outright_ends_by_itself(tmp_path: Path) -> None:
    runner, (kernel, child) = start_hanging_notebook(tmp_path)
    runner.kill()
    runner.wait()
    try:
        assert wait_until(lambda: not alive(kernel), 60)
    finally:
        os.kill(child, signal.SIGKILL)  # no process can see to its grandchildren once it was killed


def test_two_processes_never_run_one_notebook_into_one_folder(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(notebook, "PATIENCE", 0.5)
    runner, _ = start_hanging_notebook(tmp_path)
    try:
        kept = (tmp_path / "out" / "notebook.ipynb").read_bytes()
        with pytest.raises(NotebookError, match=f"in use by process {runner.pid}; wait for it"):
            run_notebook(tmp_path / "a.ipynb", tmp_path / "out", {"out_dir": str(tmp_path / "out")})
        assert (tmp_path / "out" / "notebook.ipynb").read_bytes() == kept
    finally:
        runner.terminate()
        runner.wait(timeout=120)


def test_a_notebook_whose_input_is_stale_is_refused_before_anything_of_its_last_run_is_touched(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in ("stage.json", "notebook.ipynb", "log.txt", "timing.json", "params.yaml"):
        (out / name).write_text(f"the finished {name}", "utf-8")
    (tmp_path / "own.yaml").write_text("study: never_run_before")
    given = json.dumps({"params_file": str(tmp_path / "own.yaml"), "arm": "sft", "seed": 0})
    assert main([str(ROOT / "notebooks" / "02_sft.ipynb"), str(out), "-y", given]) == 2
    assert all(path.read_text("utf-8") == f"the finished {path.name}" for path in out.iterdir())
    assert len(list(out.iterdir())) == 5


@pytest.mark.slow
def test_plain_papermill_repeats_a_run_from_its_params_file(tmp_path: Path) -> None:
    source, out = write_notebook(tmp_path / "a.ipynb", MARK), tmp_path / "out"
    run_notebook(source, out, {"learning_rate": 1e-5, "out_dir": str(out)})
    (out / "stage.json").unlink()
    papermill = [sys.executable, "-m", "papermill", source, tmp_path / "copy.ipynb", "-f", out / "params.yaml"]
    done = subprocess.run(papermill, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads((out / "stage.json").read_text())["rate"] == 1e-5


def test_overhead_is_start_imports_and_shutdown(tmp_path: Path) -> None:
    executed = nbformat.v4.new_notebook()
    started, second = 1_700_000_000.0, "2023-11-14T22:13:{:02}.000000+00:00"  # 22:13:20 is `started`
    for tags, start, end in ((["parameters"], 22, 22), ([], 22, 25), ([], 25, 40)):
        cell = nbformat.v4.new_code_cell("x", metadata={"tags": tags})
        cell.metadata["papermill"] = {"start_time": second.format(start), "end_time": second.format(end)}
        executed.cells.append(cell)
    nbformat.write(executed, tmp_path / "notebook.ipynb")
    found = timing(tmp_path / "notebook.ipynb", started, ended=started + 21)
    assert found["seconds"] == 21 and found["overhead_seconds"] == 5 + 1
    assert timing(tmp_path / "absent.ipynb", started, ended=started + 3)["overhead_seconds"] == 3
