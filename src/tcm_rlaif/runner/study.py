"""A whole study through Snakemake: which runs are due, one process tree under one lock, one view of how far it is.

Whoever runs the study holds its lock: Snakemake inherits it, so a study whose first process was killed is still locked
while Snakemake works, and is free as soon as all of it has ended, however it ended. Snakemake's own lock, which
outlives a killed process, is therefore switched off.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import yaml

from tcm.cases import CaseError
from tcm.files import write_text
from tcm_rlaif.models import places
from tcm_rlaif.runner import live, progress
from tcm_rlaif.runner.lock import HeldError, hold
from tcm_rlaif.runner.supervisor import supervised
from tcm_rlaif.study import hardware, params, stage, timings
from tcm_rlaif.study.params import ROOT, ParamsError
from tcm_rlaif.study.plan import ABLATION, PROBES, StageError, plan, reports_folder, study_folder
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
        ParamsError: if it wants a package that is not installed.
        ModelError: if a model of it, or of a judge, is not where it is said to be, or cannot be loaded here.
    """
    folder = study_folder(P)
    with alone(P) as lock:
        params.check_installed(P)
        timings.complete(folder)
        due = stage.problems(P)
        _check_data(P, due)
        check_models(P, due, here=not _elsewhere(extra))
        _say_what_is_old(P, due)
        if not _elsewhere(extra):
            os.environ.pop("SLURM_CPUS_PER_TASK", None)  # of an allocation that this runs in; runs here have a share
        started, command = time.time(), [*_snakemake(P, list(due), cores, extra), *extra]
        if extra:  # whoever talks to Snakemake wants its answer
            status = supervised(command, lock)
        else:
            with (folder / progress.ENGINE_LOG).open("w") as log, live.view(P, due, at_once(P, cores)) as look:
                status = supervised(command, lock, log, look)
        left = stage.problems(P)  # an engine's 0 is not taken on trust
    if "--dry-run" in extra:
        return status
    if status == 0 and not left:
        print(f"\nreport and results: {reports_folder(P)}; a page of one case: ./study look {P.study}")
        return 0
    print(f"\nerror: {_why_it_stopped(P, status, left, started)}", file=sys.stderr)
    return status or 1


@contextmanager
def alone(P: Params, shared: bool = False) -> Iterator[int]:
    """Hold the lock of a study, so that no other command changes what lies there.

    Args:
        shared: for a single notebook: others may run beside it, a whole study may not.

    Raises:
        StageError: if another process runs this study.
    """
    try:
        with hold(study_folder(P), shared=shared) as lock:
            yield lock
    except HeldError as error:
        raise StageError(f"study {P.study!r}: {error}; wait for it or stop it (kill NUMBER)") from None


def _why_it_stopped(P: Params, status: int, left: Mapping[str, str], started: float) -> str:
    """What failed, where to look, what to do: one line."""
    if status - 128 in set(signal.Signals):
        name, done = signal.Signals(status - 128).name, len(plan(P)) - len(left)
        return f"stopped by {name} with {done} of {len(plan(P))} runs done; the same command goes on"
    if failed := progress.wrong(P, progress.states(P, left, started)):
        return failed
    log = study_folder(P) / progress.ENGINE_LOG
    said = [row for row in log.read_text("utf-8", "replace").splitlines() if "error: " in row] if log.exists() else []
    what = f"{len(left)} runs are still due" if left else "the report was not written"
    if said:
        what = said[0].strip().removeprefix("error: ")
    return f"{what}; look into {log}; the same command goes on where it stopped"


def snapshot(P: Params) -> Path:
    """Write the parameters that a study is run with beside its runs: nobody's later edit reaches a running study.

    Returns:
        The file, relative to the project folder (whose own name and that of the user's file may hold any character).
    """
    path = study_folder(P) / params.SNAPSHOT
    write_text(path, yaml.safe_dump(params.changes(P), allow_unicode=True, sort_keys=False))
    return path.relative_to(ROOT)


def threads(P: Params, cores: int) -> int:
    """Processors of one run: their share where runs share GPUs (`gpus`), else half, so that two run side by side.

    One at a time, with all of them, runs a real model on processors (the memory of one is what a machine has), a
    training of several processes, and a study of which no two runs could go side by side anyway.

    Source:
        Measured: SFT of the tiny model alone learns 1.8 times as many tokens a second on two cores as on one, for 1.1
        times the processor's time (`tests/benchmarks/bench_training.py --more-threads 2`); two side by side pay better.
    """
    stages = [run.stage for run in plan(P)]
    alone = max(map(stages.count, stages)) == 1
    if not alone and P.gpus and hardware.gpus():
        return max(1, cores // P.gpus)
    alone |= P.base_model != "tiny" or bool(P.accelerate)
    return cores if alone else max(1, cores // 2)


def at_once(P: Params, cores: int) -> int:
    """How many runs go side by side."""
    return max(1, cores // threads(P, cores))


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


def check_models(P: Params, due: Mapping[str, str], here: bool = True) -> None:
    """Look for the bases and judges of all arms before any work: what is seen without loading, and no network.

    Args:
        here: whether this machine runs them.

    Raises:
        ParamsError: if candidates are to be sampled by what is not installed.
        ModelError: as `places.check`.
    """
    wanted: dict[tuple[str, str, str], Params] = {}
    for run in plan(P):
        if run.folder not in due or run.stage in ("01_data_prep", ABLATION):
            continue
        PA = params.for_arm(P, run.arm)
        if PA.base_model != "tiny":
            wanted["base_model", PA.base_model, PA.base_quantization] = PA
        if run.stage == "03_rlaif_labels" and "transformers" in PA.judge:
            wanted["judge_model", PA.judge_model, PA.base_quantization] = PA
        if run.stage == "03_rlaif_labels" and PA.candidate_engine == "vllm" and not find_spec("vllm"):
            fix = f"install it ({sys.executable} -m pip install vllm), or set candidate_engine: transformers"
            raise ParamsError(f"candidate_engine: vllm is not installed; {fix}")
    for (key, source, _), PA in wanted.items():
        places.check(source, PA, key, here)


def _say_what_is_old(P: Params, due: Mapping[str, str]) -> None:
    for folder, why in due.items():
        if why != stage.UNFINISHED:
            print(f"{folder} is run again: {why}")
    old = [f for src, runs in stage.made_with(P).items() if src != stage.source_hash() for f in runs if f not in due]
    if old:
        print(f"{len(old)} finished runs were made with other code under src and stand as they are; `./study clean "
              f"{P.study}` makes everything anew")  # fmt: skip


def _snakemake(P: Params, due: list[str], cores: int, extra: Sequence[str] = ()) -> list[str]:
    """The command. What is due is named: Snakemake by itself takes an old file for a finished one."""
    published, last = study_folder(P) / PUBLISHED, [run.folder for run in plan(P) if run.stage in (ABLATION, PROBES)]
    shown = [study_folder(P) / folder / stage.DONE for folder in last]
    if due or not published.exists() or published.stat().st_mtime < max(done.stat().st_mtime for done in shown):
        due = [*due, "report"]
    forced = ["--forcerun", *(rule_name(folder) for folder in due)] if due else []
    gpus = [] if _elsewhere(extra) else ["--resources", f"gpu={P.gpus if hardware.gpus() else cores}"]
    return [
        sys.executable, "-m", "snakemake", "--nolock", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(ROOT),
        *forced, "--cores", str(cores), *gpus,
        "--workflow-profile", str(ROOT / "profiles" / "default"),
        "--config", f"due={','.join(folder for folder in due if folder != 'report')}", f"params={snapshot(P)}",
    ]  # fmt: skip


def _elsewhere(extra: Sequence[str]) -> bool:
    """Whether a scheduler starts the runs, which knows its own GPUs and processors."""
    options = ("--executor", "-e", "--workflow-profile")
    return any(word.split("=")[0] in options for word in extra)


def rule_name(folder: str) -> str:
    """The Snakemake rule of a run, by its folder."""
    return folder.replace("/", "_")
