"""Run one notebook headless: checked parameters, a clean end, and a done-marker that can be trusted.

papermill executes the notebook. Around it lies what papermill leaves open: it only logs an unknown parameter, keeps
the processes of a notebook that is terminated, and calls a notebook done in which a cell called `sys.exit(0)`.

What a run leaves in its folder: `notebook.ipynb` (the executed copy, also of a run that failed), `log.txt` (what the
cells printed, as it happens), `params.yaml` (so that plain `papermill SOURCE OUT -f params.yaml` repeats the run),
`timing.json`, and `stage.json`, which the notebook's own last cell writes.

    python -m tcm_rlaif.runner.notebook notebooks/04_dpo.ipynb runs/x/04_dpo -y '{"params_file": "params/smoke.yaml"}'
"""

import argparse
import json
import logging
import math
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from tcm.files import write_json, write_text
from tcm_rlaif.runner.lock import HeldError, hold
from tcm_rlaif.runner.parameters import Validate, check_parameters, declared_parameters
from tcm_rlaif.runner.supervisor import follow
from tcm_rlaif.study import stage
from tcm_rlaif.study.plan import StageError
from tcm_rlaif.study.stage import DONE
from tcm_rlaif.study.timings import timing

PATIENCE = 30  # seconds to wait for a kernel of an earlier run that was killed: it ends by itself within a few
STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOOK = "executed copy:"  # from here on an error says where to look


class NotebookError(RuntimeError):
    """A notebook that could not be run to its end; the message says where it stopped and where to look."""


class Interrupted(KeyboardInterrupt):
    """SIGINT, SIGTERM or SIGHUP arrived; `signal` is its number."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.signal = number


def run_notebook(
    source: str | Path,
    out_dir: str | Path,
    parameters: Mapping[str, Any],
    validate: Validate | None = None,
    timeout: float | None = None,
    started: float | None = None,
) -> Path:
    """Execute a notebook, with its own folder as the working folder, as in JupyterLab.

    Args:
        source: the notebook; it is not changed.
        out_dir: folder of this run; made where it is missing. A `stage.json` of an earlier run is removed first.
        parameters: override the notebook's parameters cell.
        validate: called with all parameters before anything is touched; raises where they cannot be used, or where
            what the notebook reads is missing. Without it only names of the parameters cell are admitted.
        timeout: seconds that one cell may take; None for no limit.
        started: `time.time()` at which the run began, if it began before this call.

    Returns:
        The executed notebook, `out_dir/notebook.ipynb`.

    Raises:
        ValueError: on parameters that cannot be used; nothing was written then.
        NotebookError: if a cell failed, the kernel died, or the last cell left no `stage.json`.
        Interrupted: after SIGINT, SIGTERM or SIGHUP; kernel and child processes are gone by then.
    """
    started = started or time.time()
    source, out_dir = Path(source).resolve(), Path(out_dir).resolve()
    check_parameters(source, parameters, validate)
    try:
        with hold(out_dir, PATIENCE) as lock:
            return _run_alone(source, out_dir, parameters, timeout, started, lock)
    except HeldError as error:
        raise NotebookError(f"{source.name}: {error}; wait for it, or stop it") from None


def _run_alone(
    source: Path, out_dir: Path, parameters: Mapping[str, Any], timeout: float | None, started: float, lock: int
) -> Path:
    executed, marker = out_dir / "notebook.ipynb", out_dir / DONE
    halves = out_dir.rglob(".*.part")  # of a run that was killed while it wrote
    for stale in (marker, executed, out_dir / "timing.json", *halves):
        stale.unlink(missing_ok=True)
    write_text(out_dir / "params.yaml", yaml.safe_dump(dict(parameters), allow_unicode=True, sort_keys=False))
    ended = {"notebook": source.stem, "status": "failed"}
    try:
        with signals_interrupt(), logged_to(out_dir / "log.txt"):
            _execute(source, executed, parameters, timeout, lock)
        if not marker.exists():
            raise NotebookError(f"{source.name} ran to its end without writing {marker}; its last cell has to")
        ended["status"] = "done"
    except Interrupted as interruption:
        ended["status"] = "done" if marker.exists() else "interrupted"
        if not marker.exists():  # its last cell writes it: then only the kernel's end was disturbed
            stamp_interrupted(executed, interruption)
            raise
    except NotebookError as error:
        ended["error"] = str(error).partition(LOOK)[0].rstrip("\n; ")
        raise
    finally:
        if ended["status"] != "done":
            marker.unlink(missing_ok=True)
        _note(out_dir / "timing.json", ended | timing(executed, started))
    return executed


def _note(path: Path, ended: Mapping[str, Any]) -> None:
    """Write how a run ended. On a full disk it is said, and hides no error that was there before."""
    try:
        write_json(path, ended)
    except OSError as error:
        print(f"{path}: {error.strerror}; how the run ended is not noted", file=sys.stderr)


def _execute(source: Path, executed: Path, parameters: Mapping[str, Any], timeout: float | None, lock: int) -> None:
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError
    from papermill.iorw import LocalHandler, papermill_io

    from tcm_rlaif.runner.kernel import PrivateKernelManager

    paths = [str(p).replace("{", "{{").replace("}", "}}") for p in (source, executed)]  # papermill formats them
    look = f"{LOOK} {executed}, output: {executed.with_name('log.txt')}"
    # papermill writes its copy in place: a kill or a full disk would leave half of it
    whole = type("WholeFile", (LocalHandler,), {"write": lambda _, text, path: write_text(Path(path), text)})
    papermill_io.register(str(executed), whole())
    try:
        papermill.execute_notebook(
            *paths,
            dict(parameters),
            kernel_name="python3",  # a notebook saved in another kernel's JupyterLab names that one
            language="python",
            cwd=str(source.parent),
            progress_bar=False,
            log_output=True,
            start_timeout=180,  # seconds; the defaults (60 and 4) fail healthy runs on a busy machine
            iopub_timeout=120,
            execution_timeout=timeout,
            coalesce_streams=True,  # otherwise each write to stdout is an output of its own
            kernel_manager_class=type("LockedKernelManager", (PrivateKernelManager,), {"held": lock}),
        )
    except PapermillExecutionError as error:
        raise NotebookError(f"{source.name}: cell {error.exec_count}: {error.ename}: {error.evalue}\n{look}") from None
    except DeadKernelError as error:
        fix = "probably out of memory: lower batch sizes, or choose a smaller model"
        raise NotebookError(f"{source.name}: the kernel died ({fix}); {look}") from error
    except Exception as error:
        raise NotebookError(f"{source.name}: {type(error).__name__}: {error}\n{look}") from error


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """Turn signals to stop into `Interrupted`; more of them do not disturb the end of the kernel for 10 seconds."""
    if threading.current_thread() is not threading.main_thread():  # only there can handlers be set
        yield
        return

    last = -math.inf

    def interrupt(number: int, _frame: object) -> None:
        nonlocal last
        if time.monotonic() - last > 10:
            last = time.monotonic()
            raise Interrupted(number)

    before = {number: signal.signal(number, interrupt) for number in STOP}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def logged_to(path: Path) -> Iterator[None]:
    """Write what the cells print to a file, line by line, for `tail -f`."""
    handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("papermill")
    level, propagate = logger.level, logger.propagate
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
        handler.close()


def stamp_interrupted(executed: Path, interruption: Interrupted) -> None:
    """Say so in the executed copy: papermill marks the cells of an interrupted notebook as completed."""
    import nbformat

    if not executed.exists():
        return
    notebook = nbformat.read(executed, as_version=4)
    notebook.metadata.setdefault("papermill", {}).update(exception=True, interrupted=str(interruption))
    banner = nbformat.v4.new_markdown_cell(f"**Interrupted by {interruption}; the cells below did not all run.**")
    banner.metadata["tags"] = ["papermill-error-cell-tag"]  # papermill removes such cells when the copy runs again
    notebook.cells.insert(0, banner)
    write_text(executed, nbformat.writes(notebook))


def main(arguments: list[str] | None = None) -> int:
    """Run a notebook from the command line; the exit status is 0 only where `stage.json` was written.

    Returns:
        0 done, 1 failed, 2 parameters that cannot be used, 128 + signal number when interrupted.
    """
    started = time.time()
    parser = argparse.ArgumentParser(
        prog="python -m tcm_rlaif.runner.notebook", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("source", type=Path, help="the notebook")
    parser.add_argument("out_dir", type=Path, help="folder of this run")
    parser.add_argument("-y", "--parameters", type=json.loads, default={}, metavar="JSON", help="its parameters")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="for one cell")
    given = parser.parse_args(arguments)
    follow()
    try:
        known = declared_parameters(given.source)
        validate = partial(stage.prepare, given.source.stem) if "params_file" in known else None
        run_notebook(given.source, given.out_dir, given.parameters, validate, given.timeout, started)
        for number in STOP:  # it is done: Snakemake must not hear of a failure that came while the process ends
            signal.signal(number, signal.SIG_IGN)
    except (ValueError, StageError, NotebookError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1 if isinstance(error, NotebookError) else 2
    except Interrupted as interruption:
        print(f"{given.source.name}: interrupted by {interruption}", file=sys.stderr)
        return 128 + interruption.signal
    return 0


if __name__ == "__main__":
    sys.exit(main())
