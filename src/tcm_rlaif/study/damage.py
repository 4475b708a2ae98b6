"""A file of `reports/` that is cut, empty or of another shape is told in one line: the file, the fault, the cure."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tcm_rlaif.study.plan import StageError

FAULTS = (ArithmeticError, AttributeError, LookupError, RecursionError, StopIteration, TypeError, ValueError)
"""What code that reads a file and tells its values meets where the file holds something else."""


@contextmanager
def named(path: Path, cure: str) -> Iterator[None]:
    """Within it, a fault of what a file holds is told by the file's name.

    Args:
        path: of the file that is read and told.
        cure: what to run, so that it is written again.

    Raises:
        StageError: in place of any of `FAULTS`.
    """
    try:
        yield
    except FAULTS as error:
        raise StageError(f"{path}: is damaged ({error!r:.120}); {cure} writes it again") from None
