"""Locks on a study and on a run: held by whoever works there, freed by the system when the last of them is gone."""

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class HeldError(RuntimeError):
    """Another process works there; the message names it."""


@contextmanager
def hold(folder: Path, patience: float = 0) -> Iterator[int]:
    """Hold the lock of a folder.

    A child that is given the descriptor (`pass_fds`) holds the lock too: it is free only when all holders have ended,
    however they end.

    Args:
        folder: made where it is missing; the lock is the file `.lock` in it.
        patience: seconds to wait for whoever holds it.

    Yields:
        The file descriptor.

    Raises:
        HeldError: if it is still held then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+", encoding="utf-8") as file:
        until, said = time.monotonic() + patience, False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    file.seek(0)
                    raise HeldError(f"{folder} is in use by process {file.read().strip()}") from None
                if not said:
                    print(f"{folder} is in use; waiting for up to {patience:g} s", file=sys.stderr)
                    said = True
                time.sleep(0.2)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield file.fileno()
