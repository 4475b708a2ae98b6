"""What happens to a study when it is stopped, killed, run twice, or runs out of disk: told plainly, gone on with later.

The whole runner works on stub notebooks (`stub_project`); the tests of one study run in the order written.
"""

import os
import re
import signal
import subprocess
import time

import psutil
import pytest
from stub_project import StubProject, read_all, wait_until

from tcm_rlaif.runner.lock import holder

pytestmark = pytest.mark.slow
RUNS = 6  # of a stub study
HELD = "02_sft/sft/seed0"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """One copy of the project for all; nothing works in it at the end."""
    made = StubProject(tmp_path_factory.mktemp("faults") / "project")
    yield made
    for process in made.processes():
        process.kill()


@pytest.fixture
def held(project):
    """A study of which 02_sft waits as long as this file is there."""
    path = project.folder / "hold-02_sft"
    path.touch()
    yield path
    path.unlink(missing_ok=True)


def at_02(project: StubProject, study: str) -> subprocess.Popen:
    """The study, started, waiting in 02_sft, with nothing else left to run beside it."""
    begun, folder = time.time(), project.folder / "runs" / study
    process = project.start("run", project.params(study))
    log, engine, beside_it = folder / HELD / "log.txt", folder / "snakemake.log", "05_evaluate_base_seed0"

    def there() -> bool:
        beside = len(project.processes("tcm_rlaif.runner.notebook")) - 1
        said = engine.read_text() if engine.exists() else ""  # Snakemake removes what it did not see end
        seen = f"rule {beside_it}:" not in said or f"(Rule: {beside_it})" in said
        ended = seen and (folder / "05_evaluate/base/seed0/stage.json").exists()
        waits = log.exists() and log.stat().st_mtime >= begun and "Executing Cell 4" in log.read_text()
        return ended and waits and not beside

    assert wait_until(there, 300), project.call("status", study)
    return process


def snakemake(process: subprocess.Popen) -> psutil.Process:
    """The process of Snakemake itself."""
    children = psutil.Process(process.pid).children(recursive=True)
    return next(p for p in children if "snakemake" in p.cmdline())


WAYS = {
    "Ctrl-C": lambda process: os.killpg(process.pid, signal.SIGINT),
    "the terminal closed": lambda process: os.killpg(process.pid, signal.SIGHUP),
    "kill of the first process": lambda process: process.terminate(),
    "kill -9 of the first process": lambda process: process.kill(),
    "kill -9 of Snakemake": lambda process: snakemake(process).kill(),
    "kill -9 of all": lambda process: os.killpg(process.pid, signal.SIGKILL),
}
CODES = dict(zip(WAYS, (130, 129, 143, -9, 137, -9), strict=True))


@pytest.mark.parametrize("way", WAYS)
def test_however_a_study_is_stopped_no_process_is_left_and_its_lock_is_free(project, held, way: str) -> None:
    process = at_02(project, "stopped")
    before = project.done("stopped")
    assert set(before) == {"00_base_model/shared", "01_data_prep/shared", "05_evaluate/base/seed0"}
    WAYS[way](process)
    said = process.communicate(timeout=120)[0]
    assert process.returncode == CODES[way], said
    assert wait_until(lambda: not project.processes(), 60), [p.cmdline() for p in project.processes()]
    assert wait_until(lambda: holder(project.folder / "runs" / "stopped") is None, 60)
    assert HELD not in project.done("stopped") and project.done("stopped").items() >= before.items()
    if CODES[way] > 128:
        last = said.strip().splitlines()[-1]
        assert re.fullmatch(r"error: stopped by SIG\w+ with 3 of 6 runs done; the same command goes on", last)


def test_a_stopped_study_says_so_and_the_same_command_finishes_it_without_doing_anything_twice(project) -> None:
    before = project.done("stopped")
    code, told = project.call("status", "stopped")
    assert code == 0 and told.startswith("stopped: 3 of 6 runs done"), told
    assert "02_sft  sft  seed 0 killed: it ended before it could say why" in told and "the same command goes on" in told
    code, said = project.call("run", project.params("stopped"))
    assert code == 0, said
    after = project.done("stopped")
    assert len(after) == RUNS and after.items() >= before.items()
    assert project.call("status", "stopped")[1].splitlines()[-1] == "finished; report: reports/stopped/report.html"


def test_the_run_tells_each_run_that_ended_in_a_line_and_leaves_snakemakes_lines_to_a_log(project) -> None:
    code, said = project.call("run", project.params("told"))
    assert code == 0, said
    ended = [line for line in said.splitlines() if re.match(r"\d\d:\d\d:\d\d  \w+", line)]
    assert len(ended) == RUNS and ended[-1].endswith("(6 of 6)"), said
    assert re.search(r"02_sft  sft  seed 0  done after \d:\d\d", said)
    assert "Snakemake" not in said and "rule" not in said and len(said.splitlines()) < RUNS + 4
    assert "rule 02_sft_sft_seed0" in (project.folder / "runs/told/snakemake.log").read_text("utf-8")


def test_a_run_killed_after_its_last_cell_is_done_and_the_report_is_whole(project) -> None:
    for run in ("02_sft/sft/seed0", "06_ablation"):
        (project.folder / "runs/told" / run / "timing.json").unlink()
    before = project.done("told")
    (project.folder / "reports/told/report.html").unlink()
    (project.folder / "runs/told/published").unlink()
    code, said = project.call("run", project.params("told"))
    assert code == 0 and project.done("told") == before, said
    assert (project.folder / "reports/told/report.html").exists()
    assert not (project.folder / "reports/told/unfinished.html").exists()


def test_a_failure_ends_with_what_failed_where_to_look_and_what_to_do(project) -> None:
    told = project.folder / "do-02_sft"
    told.write_text('raise ValueError("the 3rd row\\n has no herb")')
    code, said = project.call("run", project.params("failed"))
    told.unlink()
    last = said.strip().splitlines()[-1]
    assert code == 1 and last == (
        "error: 02_sft  sft  seed 0 failed: 02_sft.ipynb: cell 4: ValueError: the 3rd row has no herb; look into "
        "runs/failed/02_sft/sft/seed0/log.txt; the same command goes on where it stopped"
    )
    assert "Traceback" not in said
    status = project.call("status", "failed")[1]
    assert status.strip().splitlines()[-1] == last and "failed   02_sft  sft  seed 0" in status
    before = project.done("failed")
    assert project.call("run", project.params("failed"))[0] == 0
    assert project.done("failed").items() >= before.items()


def test_nothing_else_works_in_a_study_that_runs(project, held) -> None:
    process = at_02(project, "busy")
    for command in (("run",), ("notebook", "01_data_prep")):
        code, said = project.call(*command, project.params("busy"))
        assert code == 2 and said.startswith("error: study 'busy':") and said.count("\n") == 1, said
        assert f"is in use by process {process.pid}; wait for it or stop it" in said
    code, said = project.call("clean", "busy")
    assert code == 2 and "is in use by process" in said and project.done("busy")
    status = project.call("status", "busy")[1]
    assert f"running; process {process.pid}" in status and re.search(r"running  02_sft  sft  seed 0  0:\d\d", status)
    held.unlink()
    assert process.wait(timeout=120) == 0


def test_a_study_waits_for_no_notebook_but_says_that_one_runs_in_it(project, held) -> None:
    process = project.start("notebook", "02_sft", project.params("busy"), "--arm", "sft")
    assert wait_until(lambda: holder(project.folder / "runs/busy" / HELD))
    code, said = project.call("run", project.params("busy"))
    assert code == 2 and "is in use by process" in said
    held.unlink()
    assert process.wait(timeout=120) == 0
    assert project.call("run", project.params("busy"))[0] == 0


def test_two_studies_run_side_by_side(project) -> None:
    both = [project.start("run", project.params(study), "--cores", "1") for study in ("one", "other")]
    said = [process.communicate(timeout=240)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert len(project.done("one")) == len(project.done("other")) == RUNS


@pytest.fixture
def small_disk(project):
    """Runs of the study `full` on a disk of 600 KiB, as a function that mounts it anew with other options."""
    place = project.folder / "runs" / "full"
    place.mkdir(parents=True, exist_ok=True)

    def mount(options: str) -> None:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"only root may mount a small disk: {done.stderr.strip()}")

    mount("size=600k")
    yield mount
    subprocess.run(["umount", "--lazy", place], check=True)


def test_a_full_disk_is_called_so_leaves_no_half_file_and_the_study_goes_on_when_there_is_room(
    project, small_disk
) -> None:
    told = project.folder / "do-02_sft"
    told.write_text("from tcm.files import write_text\nwrite_text(stage.folder / 'big.txt', 'x' * 10**6)")
    code, said = project.call("run", project.params("full"))
    assert code == 1 and "No space left on device" in said.strip().splitlines()[-1], said
    assert list((project.folder / "runs/full").rglob("*.part")) == []
    before = project.done("full")
    small_disk("remount,size=20m")
    assert project.call("run", project.params("full"))[0] == 0
    assert project.done("full").items() >= before.items()
    told.unlink()


def test_runs_that_cannot_be_written_are_one_line(project, small_disk) -> None:
    small_disk("remount,ro")
    code, said = project.call("run", project.params("full"))
    assert code == 2 and said.count("\n") == 1 and "Read-only file system" in said and "runs/full" in said


CACHE = """
import shutil
from tcm_rlaif.study import outputs
cached, base = ["runs/cache/tiny-stub"], ROOT / "runs/cache/tiny-stub"
shutil.rmtree(base, ignore_errors=True)
base.mkdir(parents=True)
(base / "model.safetensors").write_text("all of the weights")
outputs.note(base)
"""
ROWS = "(stage.folder / 'rows.jsonl').write_text('{}\\n' * 9)"
DAMAGE = {  # file -> what is left of it, and how the run that made it is named
    "runs/cache/tiny-stub/model.safetensors": ("all of", "00_base_model/shared", "model.safetensors is damaged"),
    "runs/damaged/01_data_prep/shared/rows.jsonl": ("{}\n", "01_data_prep/shared", "1 rows where 9 were written"),
    "runs/damaged/02_sft/sft/seed0/results.json": (None, "02_sft/sft/seed0", "results.json is missing"),
    "runs/damaged/05_evaluate/base/seed0/rows.jsonl": ("", "05_evaluate/base/seed0", "0 rows where 9 were written"),
    "runs/damaged/05_evaluate/sft/seed0/stage.json": ("{}", "05_evaluate/sft/seed0", "its stage.json is damaged"),
    "runs/damaged/06_ablation/results.json": ('{"stu', "06_ablation", "results.json is damaged"),
}


def test_what_is_damaged_is_named_and_made_again_by_the_same_command(project) -> None:
    code = {"00_base_model": CACHE, "01_data_prep": ROWS, "05_evaluate": ROWS}
    for stage, text in code.items():
        (project.folder / f"do-{stage}").write_text(text)
    assert project.call("run", project.params("damaged"))[0] == 0
    whole = {name: (project.folder / name).read_text("utf-8") for name in DAMAGE if "stage.json" not in name}
    for name, (text, _, _) in DAMAGE.items():
        path = project.folder / name
        path.unlink() if text is None else path.write_text(text, "utf-8")
    code, said = project.call("run", project.params("damaged"))
    assert code == 0, said
    for _, run, why in DAMAGE.values():
        assert re.search(rf"^{run} is run again: .*{re.escape(why)}", said, re.MULTILINE), said
    assert {name: (project.folder / name).read_text("utf-8") for name in whole} == whole
    assert project.call("run", project.params("damaged"))[1].count("run again") == 0


def test_on_a_terminal_one_view_is_kept_up_to_date_and_errors_cannot_move_its_cursor(project) -> None:
    (project.folder / "do-02_sft").write_text('raise ValueError("\x1b[2Jgone")')
    shown, terminal = os.openpty()
    process = project.start("run", project.params("seen"), stdout=terminal, stderr=terminal)
    os.close(terminal)
    text = read_all(shown)
    (project.folder / "do-02_sft").unlink()
    assert process.wait(timeout=120) == 1
    assert "seen: 0 of 6 runs done · 0:0" in text and "seen: 3 of 6 runs done · 0:" in text
    assert re.search(r"02_sft +█* *░+ +0 of 1", text) and "log: runs/seen/snakemake.log" in text
    assert re.search(r"running +0[0-9]_\w+ .*runs/seen/0\w+/.*log.txt", text)
    assert "\x1b[2J" not in text and "\\u001b[2Jgone" in text and "Snakemake" not in text
