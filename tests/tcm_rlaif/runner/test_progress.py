"""How far a study is, told from its files: what is done, what failed and why, how long the rest takes, what to do."""

import json
import os
import re
import time
from pathlib import Path

import pytest
import yaml

from tcm_rlaif.runner import cli, progress
from tcm_rlaif.runner.lock import HeldError, hold, holder
from tcm_rlaif.study import params, plan, stage
from tcm_rlaif.study.params import ParamsError
from tcm_rlaif.study.schema import Params


@pytest.fixture
def P(tmp_path, monkeypatch) -> Params:
    """A study of two arms, one of them trained, in a project folder of the test: six runs."""
    for module in (plan, params):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    arms = {"base": {"training": "none"}, "sft": {"training": "sft"}}
    given = {"study": "mini", "seeds": [0], "arms": arms, "ablation_questions": {}}
    P = params.validated(given, "x")
    plan.study_folder(P).mkdir(parents=True)
    (plan.study_folder(P) / params.SNAPSHOT).write_text(yaml.safe_dump(given), "utf-8")
    return P


def finish(P: Params, *stages: str, seconds: float = 60) -> None:
    """Write what the runs of these stages leave."""
    for run in plan.plan(P):
        if run.stage in stages:
            folder = plan.study_folder(P) / run.folder
            stage.Stage(run, params.for_arm(P, run.arm), P, folder, {}).close()
            note(P, run.folder, status="done", seconds=seconds)


def note(P: Params, run: str, **ended) -> None:
    """Write how a run ended."""
    folder = plan.study_folder(P) / run
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "timing.json").write_text(json.dumps(ended), "utf-8")


def told(P: Params, capsys) -> list[str]:
    """What `./study status` says."""
    capsys.readouterr()
    assert cli.main(["status", P.study]) == 0
    return capsys.readouterr().out.splitlines()


def test_a_study_that_was_not_begun_says_so(P, capsys) -> None:
    lines = told(P, capsys)
    assert lines[0] == "mini: 0 of 6 runs done · time left unknown"
    assert lines[-1] == "not begun; ./study run begins it"


def test_a_stopped_study_tells_what_is_done_by_stage_and_that_it_goes_on(P, capsys) -> None:
    finish(P, "00_base_model", "01_data_prep", "02_sft")
    note(P, "05_evaluate/base/seed0", status="interrupted", seconds=4)
    lines = told(P, capsys)
    assert lines[0] == "mini: 3 of 6 runs done · time left unknown"
    of_02 = [line.split() for line in lines if "02_sft " in line]
    assert of_02 == [["02_sft", "█" * 20, "1", "of", "1", "1:00", "each"]]
    assert any(line.split()[:2] == ["stopped", "05_evaluate"] for line in lines)
    assert lines[-1] == "stopped; ./study run goes on where it was"


def test_a_failed_study_ends_with_what_failed_where_to_look_and_what_to_do(P, capsys) -> None:
    finish(P, "00_base_model", "01_data_prep")
    note(
        P, "02_sft/sft/seed0", status="failed", seconds=4, error="02_sft.ipynb: cell 3: ValueError: row 3\n \x1b[31mred"
    )
    assert told(P, capsys)[-1] == (
        "error: 02_sft  sft  seed 0 failed: 02_sft.ipynb: cell 3: ValueError: row 3 \\u001b[31mred; look into "
        "runs/mini/02_sft/sft/seed0/log.txt; the same command goes on where it stopped"
    )


def test_a_run_that_ended_without_a_word_is_called_killed(P, capsys) -> None:
    folder = plan.study_folder(P) / "02_sft/sft/seed0"
    folder.mkdir(parents=True)
    (folder / "log.txt").touch()
    assert "02_sft  sft  seed 0 killed: it ended before it could say why" in told(P, capsys)[-1]


def test_a_running_study_names_its_process_and_what_runs_for_how_long(P, capsys) -> None:
    finish(P, "00_base_model", "01_data_prep")
    folder = plan.study_folder(P)
    with hold(folder), hold(folder / "02_sft/sft/seed0"):
        began = time.time() - 65
        os.utime(folder / "02_sft/sft/seed0/.lock", (began, began))
        lines = told(P, capsys)
    assert re.search(r" · 0:0\d elapsed · ", lines[0])
    shown = re.compile(r"  running  02_sft  sft  seed 0  1:0[5-9]  runs/mini/02_sft/sft/seed0/log\.txt")
    assert [line for line in lines if shown.fullmatch(line)], lines
    assert lines[-1] == f"running; process {os.getpid()}, which `kill {os.getpid()}` stops"


def test_a_finished_study_names_its_report(P, capsys) -> None:
    finish(P, *plan.STAGES)
    assert told(P, capsys)[-1] == "finished, without a report"
    page = plan.reports_folder(P) / "report.html"
    page.parent.mkdir(parents=True)
    page.touch()
    assert told(P, capsys)[-1] == "finished; report: reports/mini/report.html"


def test_what_another_recipe_made_is_not_counted_as_done(P, capsys) -> None:
    finish(P, *plan.STAGES)
    (plan.study_folder(P) / params.SNAPSHOT).write_text(yaml.safe_dump({**params.changes(P), "sft_epochs": 2}), "utf-8")
    assert told(P, capsys)[0] == "mini: 2 of 6 runs done · about 3:00 left", "at the pace of before"


def test_a_study_that_is_not_here_is_one_line_with_those_that_are(P) -> None:
    with pytest.raises(ParamsError, match="other: no study of that name has run here; have run: mini"):
        progress.named("other")


# time left


def left(P: Params, at_once: int) -> tuple[float, bool]:
    found = progress.states(P, stage.problems(P))
    return progress.left(found, progress.expected(P, found), at_once)


def test_before_anything_was_measured_the_published_times_of_the_study_count(P) -> None:
    assert left(P, 2) == (0, False)
    cost = [{"stage": name, "runs": 2, "seconds": 20} for name in plan.STAGES[:-2]]
    plan.reports_folder(P).mkdir(parents=True)
    (plan.reports_folder(P) / "results.json").write_text(json.dumps({"cost": cost}), "utf-8")
    assert left(P, 1) == (50, True)


def test_time_left_is_that_of_the_longest_chain_or_of_all_work_shared(P) -> None:
    finish(P, "00_base_model", "01_data_prep", seconds=30)
    finish(P, "02_sft", "05_evaluate", "06_ablation", seconds=10)
    for run in ("02_sft/sft/seed0", "05_evaluate/sft/seed0", "06_ablation"):
        (plan.study_folder(P) / run / stage.DONE).unlink()
        (plan.study_folder(P) / run / "timing.json").unlink()
    known = dict.fromkeys(plan.STAGES, 10.0)
    found = progress.states(P, stage.problems(P))
    assert progress.left(found, known, 4) == (30, True), "02, 05 and 06 wait for each other"
    assert progress.left(found, {**known, "05_evaluate": 40.0}, 1) == (60, True)


def test_what_failed_before_a_call_waits_for_its_turn_in_it(P) -> None:
    note(P, "02_sft/sft/seed0", status="failed", seconds=4, error="x")
    due = stage.problems(P)
    of = {s.run.stage: s.state for s in progress.states(P, due, since=time.time() + 1)}
    assert of["02_sft"] == "waiting"


def test_what_is_due_is_done_once_it_was_finished_in_this_call(P) -> None:
    finish(P, "00_base_model")
    due = ["00_base_model/shared"]
    began = (plan.study_folder(P) / due[0] / stage.DONE).stat().st_mtime
    assert progress.states(P, due, since=began + 1)[0].state == "waiting"
    assert progress.states(P, due, since=began - 1)[0].state == "done"


# the lock


def test_looking_at_a_lock_neither_holds_nor_changes_it(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    with hold(tmp_path):
        assert holder(tmp_path) == os.getpid()
    assert holder(tmp_path) is None


def test_two_may_share_a_lock_and_a_third_may_not_have_it_alone(tmp_path: Path) -> None:
    both = hold(tmp_path, shared=True), hold(tmp_path, shared=True)
    with both[0], both[1], pytest.raises(HeldError, match="in use"), hold(tmp_path):
        pass
    with hold(tmp_path):
        pass
