"""Locks on a study and on a run: held by whoever works there, freed by the system when the last of them is gone."""

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

LOCK = ".lock"
GLANCE = 1.0  # seconds: longer than `holder` looks at a lock that is free


class HeldError(RuntimeError):
    """Another process works there; the message names it."""


@contextmanager
def hold(folder: Path, patience: float = 0, shared: bool = False) -> Iterator[int]:
    """Hold the lock of a folder.

    A child that is given the descriptor (`pass_fds`) holds the lock too: it is free only when all holders have ended,
    however they end.

    Args:
        folder: made where it is missing; the lock is the file `.lock` in it, which names the holders.
        patience: seconds to wait for whoever holds it.
        shared: whether others may hold it in the same way at the same time.

    Yields:
        The file descriptor.

    Raises:
        HeldError: if it is still held then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    with (folder / LOCK).open("a+", encoding="utf-8") as file:
        until, said = time.monotonic() + max(patience, GLANCE), patience <= GLANCE
        while True:
            try:
                fcntl.flock(file, kind | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise HeldError(f"{folder} is in use by process {_first_alive(folder)}") from None
                if not said:
                    print(f"{folder} is in use; waiting for up to {patience:g} s", file=sys.stderr)
                    said = True
                time.sleep(0.2)
        file.truncate(0)
        also_held_by(file.fileno(), os.getpid())
        yield file.fileno()


def also_held_by(lock: int, number: int) -> None:
    """Name a process that was given the lock, for the message to whoever finds it held."""
    os.write(lock, f"{number} ".encode())


def holder(folder: Path) -> int | None:
    """A process that works in a folder; None where its lock is free."""
    try:
        with (folder / LOCK).open(encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return _first_alive(folder)
    return None


def _first_alive(folder: Path) -> int:
    named = [int(number) for number in (folder / LOCK).read_text("utf-8").split()]
    return next(filter(psutil.pid_exists, named), named[-1] if named else 0)
