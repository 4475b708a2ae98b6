"""A sweep through a cluster executor (a stand-in scheduler here), trained in two processes, completes and resumes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from tcm_rlaif.study import params, stage
from tcm_rlaif.study.params import ROOT
from tcm_rlaif.study.plan import plan

STUDY = "cluster_test"
FOLDER, REPORTS = ROOT / "runs" / STUDY, ROOT / "reports" / STUDY
VALUES = {
    "study": STUDY, "seeds": [0],
    "arms": {"base": {"training": "none"}, "sft_best_of_n": {"preference_training": "best_of_n"}},
    "accelerate": "profiles/accelerate/cpu.yaml", "base_patterns": 12, "base_hidden": 32, "base_layers": 1,
    "base_vocabulary": 768, "base_steps": 40, "base_block": 64, "data_cases": 40, "data_unlabelled": 0,
    "sft_epochs": 4, "sft_learning_rate": 0.003, "candidate_number": 4, "candidate_max_new_tokens": 128,
    "audit_cases": 4, "audit_override": True,
    "preference_epochs": 1, "dpo_health_evaluations": 1, "dpo_health_cases": 2, "eval_max_new_tokens": 16,
}  # fmt: skip
SCHEDULER = """#!/bin/bash
# takes a job script, runs it on its own, says the job's number
echo "$1" >> {log}
setsid bash "$1" > /dev/null 2>&1 < /dev/null &
echo $!
"""


def test_the_profile_that_is_shipped_holds_all_of_the_default_one() -> None:
    default, slurm = (
        yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text("utf-8")) for name in ("default", "slurm")
    )
    assert {k: slurm[k] for k in default if k != "latency-wait"} == {
        k: v for k, v in default.items() if k != "latency-wait"
    }
    assert slurm["executor"] == "slurm" and slurm["latency-wait"] > default["latency-wait"]


@pytest.fixture
def place(tmp_path):
    """A params file, and the command that submits its runs to the stand-in scheduler; nothing is left of the study."""
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(VALUES), "utf-8")
    submit = tmp_path / "submit"
    submit.write_text(SCHEDULER.format(log=tmp_path / "submitted"), "utf-8")
    submit.chmod(0o755)
    yield tmp_path
    for folder in (FOLDER, REPORTS):
        shutil.rmtree(folder, ignore_errors=True)


def start(place: Path) -> subprocess.Popen:
    how = ["--executor", "cluster-generic", "--cluster-generic-submit-cmd", str(place / "submit"), "--jobs", "2"]
    command = [sys.executable, "-m", "tcm_rlaif", "run", str(place / "study.yaml"), "--snakemake", *how]
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PATH": path}, start_new_session=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # fmt: skip


@pytest.mark.slow
def test_a_sweep_by_a_scheduler_is_killed_resumes_and_completes(place) -> None:
    first = start(place)
    end = time.time() + 600
    while not list(FOLDER.glob("02_sft/*/*/log.txt")):  # so base and data are known to be done
        assert first.poll() is None and time.time() < end, first.stdout.read()[-3000:] if first.poll() else "too slow"
        time.sleep(0.2)
    done = {p: p.stat().st_mtime_ns for p in FOLDER.glob("0[01]_*/shared/stage.json")}
    os.killpg(first.pid, signal.SIGKILL)  # the submitting machine goes down; jobs that run go on, and are run once more
    first.wait()
    while [p for p in psutil.process_iter() if "tcm_rlaif.runner.notebook" in " ".join(_command(p)) and STUDY in
           " ".join(_command(p))]:  # fmt: skip
        assert time.time() < end
        time.sleep(0.5)
    again = start(place)
    output = again.communicate(timeout=600)[0]
    assert again.returncode == 0, output[-4000:]
    runs = {run.folder for run in plan(params.load(place / "study.yaml"))}
    assert {p.parent.relative_to(FOLDER).as_posix() for p in FOLDER.rglob(stage.DONE)} == runs
    assert len(done) == 2
    assert all(p.stat().st_mtime_ns == made for p, made in done.items()), "finished runs were run again"
    assert len((place / "submitted").read_text("utf-8").splitlines()) >= len(runs), "not every run was a job"
    assert (REPORTS / "results.json").exists()
    for name in ("02_sft", "04_dpo"):
        log = (FOLDER / name / "sft_best_of_n/seed0/log.txt").read_text("utf-8")
        assert "trained in 2 processes (MULTI_CPU), 2 rows each at a time" in log, name


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
