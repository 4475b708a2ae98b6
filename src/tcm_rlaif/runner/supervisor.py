"""One process tree: the process that runs a study passes signals on, and no notebook outlives it.

Signals reach a study in two ways. One that is sent to the first process is passed on by it. And where that process
ends without a chance to (SIGKILL, out of memory), each notebook notices within a second and ends as on SIGTERM.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import psutil

from tcm_rlaif.runner.lock import also_held_by

SUPERVISOR = "TCM_RLAIF_SUPERVISOR"  # environment variable: host and number of the process that runs the study
LOOK = 1.0  # seconds between two looks
ENDS_WITHIN = 30.0
"""Seconds after the first signal to stop in which Snakemake and its notebooks end by themselves; the rest is killed.

Source:
    Our choice, because Snakemake's handler of SIGTERM takes a lock that the thread it interrupts may hold, and then
    waits for ever. Nothing is lost: what is done lies in the study's folder (`test_faults` kills it at any time).
"""


def supervised(
    command: Sequence[str], lock: int, log: TextIO | None = None, look: Callable[[bool], object] = bool
) -> int:
    """Run Snakemake, pass signals on to it and to its notebooks, and wait until all of them have ended.

    Args:
        lock: descriptor of the study's lock, which Snakemake holds too.
        log: where its lines go; None for where ours go: whoever talks to Snakemake ends it, it may wait for a cluster.
        look: called about once a second while it runs, with whether it was told to stop.

    Returns:
        Its exit status; 128 + signal number where it was stopped or killed.
    """
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))  # the DAG's `python` is this
    environment = {**os.environ, "PATH": path, SUPERVISOR: f"{socket.gethostname()} {os.getpid()}"}
    child = subprocess.Popen(command, env=environment, pass_fds=(lock,), stdout=log, stderr=log)
    also_held_by(lock, child.pid)
    got: list[tuple[int, float]] = []  # signals, and when they came

    def stop(number: int, _frame: object) -> None:
        got.append((number, time.monotonic()))
        for process in _notebooks(child):
            with suppress(psutil.NoSuchProcess):
                process.terminate()  # it ends its kernel, and says in its folder that it was interrupted
        child.terminate()  # Snakemake starts nothing more and waits for what runs

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        while (status := _ended(child)) is None:
            look(bool(got))
            if got and log and time.monotonic() - got[0][1] > ENDS_WITHIN:
                for process in [*_notebooks(child), child]:
                    with suppress(psutil.NoSuchProcess):
                        process.kill()
        look(bool(got))  # what ended last
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 + got[0][0] if got else 128 - status if status < 0 else status


def _notebooks(child: subprocess.Popen) -> list[psutil.Process]:
    """The notebooks that run under it on this machine."""
    found = []
    with suppress(psutil.NoSuchProcess):
        for process in psutil.Process(child.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if "tcm_rlaif.runner.notebook" in process.cmdline():
                    found.append(process)
    return found


def _ended(child: subprocess.Popen) -> int | None:
    """The exit status of a process that ends within a second; None for one that goes on."""
    with suppress(subprocess.TimeoutExpired):
        return child.wait(LOOK)


def follow() -> None:
    """End this process as on SIGTERM, and Snakemake with it, once the process that runs the study is gone.

    Nothing where there is none: a notebook run by hand, or on another machine of a cluster.
    """
    host, _, number = os.environ.get(SUPERVISOR, "").partition(" ")
    if host == socket.gethostname():
        threading.Thread(target=_follow, args=(int(number),), daemon=True).start()


def _follow(number: int) -> None:
    with suppress(psutil.NoSuchProcess):
        supervisor = psutil.Process(number)
        while supervisor.is_running() and supervisor.status() != psutil.STATUS_ZOMBIE:
            time.sleep(LOOK)
    for process in psutil.Process().parents():
        with suppress(psutil.Error):
            if "snakemake" in process.cmdline():
                process.kill()  # or it would start the next one; told to end, it may hang: `ENDS_WITHIN`
    os.kill(os.getpid(), signal.SIGTERM)
