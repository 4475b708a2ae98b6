"""A whole study through Snakemake: which runs are due, one process tree under one lock, signals passed on.

Whoever runs the study holds its lock: Snakemake inherits it, so a study whose first process was killed is still locked
while Snakemake works, and is free as soon as all of it has ended, however it ended. Snakemake's own lock, which
outlives a killed process, is therefore switched off.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from tcm.cases import CaseError
from tcm.files import write_text
from tcm_rlaif.runner.lock import HeldError, hold
from tcm_rlaif.study import params, stage
from tcm_rlaif.study.params import ROOT
from tcm_rlaif.study.plan import ABLATION, StageError, plan, reports_folder, study_folder
from tcm_rlaif.study.schema import Params

PUBLISHED = "published"
"""Written into the study's folder when its report was published."""


def run_study(P: Params, cores: int, extra: Sequence[str] = ()) -> int:
    """Run what is due of a study; finished runs are kept, an interrupted study goes on where it was.

    Args:
        cores: processors that all runs share.
        extra: further arguments of Snakemake.

    Returns:
        Exit status: 0 done, 1 where runs are still due, 128 + signal number when interrupted, else Snakemake's.

    Raises:
        StageError: if another process runs this study.
        CaseError: if its records cannot be read.
    """
    try:
        with hold(study_folder(P)) as lock:
            due = stage.problems(P)
            _check_data(P, due)
            _say_what_is_old(P, due)
            status = _supervised([*_snakemake(P, list(due), cores), *extra], lock)
            left = {} if status or "--dry-run" in extra else stage.problems(P)  # an engine's 0 is not taken on trust
    except HeldError as error:
        raise StageError(f"study {P.study!r}: {error}; wait for it or stop it (kill NUMBER)") from None
    if left:
        print(f"\n{len(left)} runs are still due, {next(iter(left))} first; the same command goes on", file=sys.stderr)
        return 1
    if status == 0:
        print(f"\nreport and results: {reports_folder(P)}")
    else:
        print(f"\nthe study stopped; notebooks and logs: {study_folder(P)}. The same command goes on.", file=sys.stderr)
    return status


def snapshot(P: Params) -> Path:
    """Write the parameters that a study is run with beside its runs: nobody's later edit reaches a running study.

    Returns:
        The file, relative to the project folder (whose own name and that of the user's file may hold any character).
    """
    path = study_folder(P) / params.SNAPSHOT
    write_text(path, yaml.safe_dump(params.changes(P), allow_unicode=True, sort_keys=False))
    return path.relative_to(ROOT)


def threads(P: Params, cores: int) -> int:
    """Processors of one run: all of them where only one runs at a time, else half, so that two run side by side.

    One at a time runs on a GPU (`gpus: 1`), with a real model on processors (the memory of one is what a machine has),
    or where no two runs of the study could go side by side anyway.

    Source:
        Measured: SFT of the tiny model alone learns 1.8 times as many tokens a second on two cores as on one, for 1.1
        times the processor's time (`tests/benchmarks/bench_training.py --more-threads 2`); two side by side pay better.
    """
    stages = [run.stage for run in plan(P)]
    alone = max(map(stages.count, stages)) == 1
    alone |= P.gpus == 1 if has_gpu() else P.base_model != "tiny"
    return cores if alone else max(1, cores // 2)


def has_gpu() -> bool:
    """Whether NVIDIA's driver answers."""
    return (
        shutil.which("nvidia-smi") is not None and subprocess.run(["nvidia-smi"], capture_output=True).returncode == 0
    )


def _check_data(P: Params, due: Mapping[str, str]) -> None:
    """Read the records where they are due: a wrong path or column is found before a model is built."""
    if P.data_source == "invented" or not any(folder.startswith("01_data_prep/") for folder in due):
        return
    path = ROOT / P.data_path
    try:
        from tcm.sources import SOURCES  # compiles patterns: `./study params` starts without

        SOURCES[P.data_source](path, P.data_columns, P.data_fill_merged, P.data_leave_out)
    except OSError as error:
        raise CaseError(f"{path}: cannot be read ({error.strerror}); correct data_path") from None


def _say_what_is_old(P: Params, due: Mapping[str, str]) -> None:
    for folder, why in due.items():
        if why != stage.UNFINISHED:
            print(f"{folder} is run again: {why}")
    old = [f for src, runs in stage.made_with(P).items() if src != stage.source_hash() for f in runs if f not in due]
    if old:
        print(f"{len(old)} finished runs were made with other code under src and stand as they are; `./study clean "
              f"{P.study}` makes everything anew")  # fmt: skip


def _snakemake(P: Params, due: list[str], cores: int) -> list[str]:
    """The command. What is due is named: Snakemake by itself takes an old file for a finished one."""
    published, last = study_folder(P) / PUBLISHED, study_folder(P) / ABLATION / stage.DONE
    if due or not published.exists() or published.stat().st_mtime < last.stat().st_mtime:
        due = [*due, "report"]
    forced = ["--forcerun", *(rule_name(folder) for folder in due)] if due else []
    return [
        sys.executable, "-m", "snakemake", "--nolock", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(ROOT),
        *forced, "--cores", str(cores), "--resources", f"gpu={P.gpus if has_gpu() else cores}",
        "--workflow-profile", str(ROOT / "profiles" / "default"),
        "--config", f"due={','.join(folder for folder in due if folder != 'report')}", f"params={snapshot(P)}",
    ]  # fmt: skip


def rule_name(folder: str) -> str:
    """The Snakemake rule of a run, by its folder."""
    return folder.replace("/", "_")


def _supervised(command: Sequence[str], lock: int) -> int:
    """Run Snakemake, pass signals on to it and to its notebooks, and wait until all of them have ended."""
    import psutil

    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))  # the DAG's `python` is this
    child = subprocess.Popen(command, env={**os.environ, "PATH": path}, pass_fds=(lock,))
    got: list[int] = []

    def stop(number: int, _frame: object) -> None:
        got.append(number)
        for process in psutil.Process(child.pid).children(recursive=True) if child.poll() is None else []:
            try:
                if "tcm_rlaif.runner.notebook" in process.cmdline():
                    process.terminate()  # it ends its kernel, and says in its folder that it was interrupted
            except psutil.NoSuchProcess:
                pass
        child.terminate()  # Snakemake starts nothing more and waits for what runs

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        status = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 + got[0] if got else status
