"""How a study is run: what is due is named to Snakemake, one process tree under one lock, threads by what runs."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tcm_rlaif.models.loading import ModelError
from tcm_rlaif.runner import progress, study
from tcm_rlaif.runner.lock import HeldError, hold
from tcm_rlaif.study import hardware, params, plan, stage
from tcm_rlaif.study.params import ParamsError
from tcm_rlaif.study.plan import StageError
from tcm_rlaif.study.schema import Params


@pytest.fixture
def P(tmp_path, monkeypatch) -> Params:
    """The smoke study in a project folder of the test."""
    monkeypatch.setattr(plan, "ROOT", tmp_path)
    monkeypatch.setattr(study, "ROOT", tmp_path)
    return params.load("params/smoke.yaml")


@pytest.fixture
def commands(monkeypatch) -> list[list[str]]:
    """Every command that would be started."""
    started = []
    monkeypatch.setattr(study, "supervised", lambda command, *_: started.append(command) or 0)
    monkeypatch.setattr(hardware, "gpus", lambda: [])
    return started


def finish(P: Params) -> None:
    """Write the stage.json of every run, and the marker of the report."""
    for run in plan.plan(P):
        folder = plan.study_folder(P) / run.folder
        stage.Stage(run, params.for_arm(P, run.arm), P, folder, {}).close()
    (plan.study_folder(P) / study.PUBLISHED).touch()


def forced(command: list[str]) -> list[str]:
    """The rules that Snakemake is told to run."""
    after = command[command.index("--forcerun") + 1 :] if "--forcerun" in command else []
    return after[: after.index("--cores")] if after else []


def test_a_fresh_study_is_run_whole_and_an_engine_that_ran_nothing_is_not_believed(P, commands, capsys) -> None:
    assert study.run_study(P, cores=3) == 1
    assert f"error: {len(plan.plan(P))} runs are still due; look into " in capsys.readouterr().err
    (command,) = commands
    assert command[1:3] == ["-m", "snakemake"] and command[command.index("--cores") + 1] == "3"
    assert forced(command) == [*(r.folder.replace("/", "_") for r in plan.plan(P)), "report"]


def test_a_finished_study_runs_nothing(P, commands) -> None:
    finish(P)
    study.run_study(P, cores=2)
    assert forced(commands[0]) == []


def test_only_what_is_stale_is_run_again_and_it_is_said_why(P, commands, capsys) -> None:
    finish(P)
    study.run_study(P.model_copy(update={"eval_cases": 5}), cores=2)
    assert {name[:2] for name in forced(commands[0])} == {"05", "06", "07", "re"}
    assert "05_evaluate/sft/seed0 is run again: eval_cases was 0 and is 5" in capsys.readouterr().out


def test_finished_runs_of_other_code_under_src_stand_and_it_is_said(P, commands, capsys) -> None:
    finish(P)
    done = plan.study_folder(P) / "01_data_prep/shared" / stage.DONE
    done.write_text(json.dumps(json.loads(done.read_text("utf-8")) | {"src": "older"}), "utf-8")
    study.run_study(P, cores=2)
    assert forced(commands[0]) == []
    assert "1 finished runs were made with other code under src and stand as they are" in capsys.readouterr().out


@pytest.mark.parametrize("how", [("--workflow-profile", "profiles/slurm"), ("--executor=slurm",), ("-e", "slurm")])
def test_an_allocation_of_slurm_gives_its_processors_to_jobs_alone(P, commands, monkeypatch, how) -> None:
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "8")
    study.run_study(P, cores=2, extra=[*how, "--dry-run"])
    assert os.environ["SLURM_CPUS_PER_TASK"] == "8"
    study.run_study(P, cores=2)  # its runs share the cores
    assert "SLURM_CPUS_PER_TASK" not in os.environ


def test_nothing_is_deleted_before_it_is_made_anew(P, commands, tmp_path) -> None:
    finish(P)
    report = tmp_path / "reports" / "smoke" / "report.html"
    report.parent.mkdir(parents=True)
    report.write_text("published", "utf-8")
    kept = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    study.run_study(P.model_copy(update={"data_seed": 5}), cores=2, extra=["--dry-run"])
    assert commands[0][-1] == "--dry-run"
    assert {p: p.read_bytes() for p in kept} == kept


def test_a_study_runs_by_a_copy_of_its_parameters(P, commands, tmp_path) -> None:
    study.run_study(P, cores=2)
    path = commands[0][-1].removeprefix("params=")
    assert path == "runs/smoke/params.yaml" and params.load(tmp_path / path) == P


def test_a_study_that_fails_says_where_to_look_and_that_it_can_go_on(P, monkeypatch, capsys) -> None:
    def failing(command, lock, log, look) -> int:
        log.write("error: the 3rd row has no herb\n")
        log.flush()
        return 1

    monkeypatch.setattr(study, "supervised", failing)
    assert study.run_study(P, cores=2) == 1
    said = capsys.readouterr().err.strip()
    log = plan.study_folder(P) / progress.ENGINE_LOG
    assert said == f"error: the 3rd row has no herb; look into {log}; the same command goes on where it stopped"


def test_a_study_is_run_by_one_process_at_a_time(P, commands) -> None:
    with hold(plan.study_folder(P)), pytest.raises(StageError, match="study 'smoke': .* is in use by process "):
        study.run_study(P, cores=2)
    assert commands == []
    finish(P)
    assert study.run_study(P, cores=2) == 0


# the lock


def test_a_lock_is_held_until_the_last_process_that_has_it_ends(tmp_path: Path) -> None:
    with hold(tmp_path) as lock:
        child = subprocess.Popen(["sleep", "60"], pass_fds=(lock,))
    try:
        with pytest.raises(HeldError), hold(tmp_path):
            pass
    finally:
        child.kill()
        child.wait()
    with hold(tmp_path):
        pass


def test_a_lock_is_waited_for(tmp_path: Path) -> None:
    with hold(tmp_path) as lock:
        child = subprocess.Popen(["sleep", "2"], pass_fds=(lock,))
    started = time.monotonic()
    with hold(tmp_path, patience=30):
        assert time.monotonic() - started > 0.3
    child.wait()


# signals


STUDY = """
import os, sys, time
from tcm_rlaif.runner.supervisor import supervised
child = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(300)"]
with open(sys.argv[1], "w") as lock:
    sys.exit(supervised(child, lock.fileno()))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_first_process_alone_ends_all_of_them(tmp_path: Path, number: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", STUDY, str(tmp_path / "lock")], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "up\n"
    process.send_signal(number)
    assert process.wait(timeout=120) == 128 + number
    assert process.stdout.read() == ""  # the pipe is closed: no child holds it any more


HANGS = """
import os, sys, time
from tcm_rlaif.runner import supervisor
supervisor.ENDS_WITHIN = 1.0
deaf = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(300)"
with open(sys.argv[1], "w") as lock, open(sys.argv[2], "w") as log:
    sys.exit(supervisor.supervised([sys.executable, "-u", "-c", deaf], lock.fileno(), log))
"""


def test_a_snakemake_that_hangs_when_told_to_stop_is_killed(tmp_path: Path) -> None:
    lock, log = tmp_path / "lock", tmp_path / "log"
    process = subprocess.Popen([sys.executable, "-c", HANGS, str(lock), str(log)])
    while not (log.exists() and log.read_text() == "up\n"):
        assert process.poll() is None
        time.sleep(0.05)
    process.terminate()
    assert process.wait(timeout=120) == 128 + signal.SIGTERM


# threads


def threads(cores: int, **values) -> int:
    return study.threads(params.validated(values, "x"), cores)


def test_runs_side_by_side_share_the_cores(commands) -> None:
    assert threads(2) == 1 and threads(8) == 4 and threads(1) == 1


def test_a_run_that_is_alone_gets_all_cores(commands, monkeypatch) -> None:
    assert threads(8, seeds=[0], arms={"sft": {"training": "sft"}}, ablation_questions={}) == 8
    assert threads(8, base_model="models/own") == 8
    monkeypatch.setattr(hardware, "gpus", lambda: ["a card"])
    assert threads(8, gpus=0) == 4
    assert threads(8, gpus=1) == 8 and threads(8, gpus=2) == 4 and threads(8, gpus=4) == 2


# models that are not there


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"base_model": "models/absent/7B"}, "base_model: 'models/absent/7B' is no folder"),
        ({"base_model": "absent.gguf"}, r"base_model: .*absent\.gguf: no such file"),
        ({"judge": ("transformers",), "judge_model": "models/absent/7B"}, "judge_model: 'models/absent/7B' is no"),
        (
            {"arms": {"base": {"training": "none"}, "big": {"base_model": "/no/7B"}}, "probe_arms": ()},
            "base_model: '/no/7B' is no folder",
        ),
        ({"base_model": "owner/name", "base_quantization": "4bit"}, "base_quantization: 4bit needs a GPU with CUDA"),
    ],
)
def test_a_model_that_is_not_there_is_told_before_any_work(P, commands, monkeypatch, changes, words) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ModelError, match=words):
        study.run_study(P.model_copy(update=changes), 2)
    assert commands == []


def test_where_a_scheduler_starts_the_runs_the_gpu_is_looked_for_there(P, commands, monkeypatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    packed = P.model_copy(update={"base_model": "owner/name", "base_quantization": "4bit"})
    study.run_study(packed, 2, extra=["--executor=slurm", "--dry-run"])
    assert len(commands) == 1


def test_an_engine_that_is_not_installed_is_told_before_any_work_where_it_is_due(P, commands, monkeypatch) -> None:
    monkeypatch.setattr(study, "find_spec", lambda name: None)
    sampled = P.model_copy(update={"candidate_engine": "vllm"})
    with pytest.raises(ParamsError, match="candidate_engine: vllm is not installed; .*pip install vllm.*transformers"):
        study.run_study(sampled, 2)
    assert commands == []
    finish(sampled)
    study.run_study(sampled, 2)
    assert forced(commands[0]) == []
