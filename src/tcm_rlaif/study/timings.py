"""What each notebook run of a study cost: time, the fixed part of it, memory. Kept in `timing.json` beside the run."""

import resource
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tcm.files import read_json, write_json
from tcm_rlaif.study.hardware import machine


def timing(executed: Path, started: float, ended: float | None = None) -> dict[str, Any]:
    """Where the time of a run went, from the times that papermill notes at each cell.

    Args:
        executed: the executed notebook; may be missing or cut off.
        started: `time.time()` at which the run began.
        ended: when it ended; now where it is left out.

    Returns:
        `seconds` in all; of these `overhead_seconds` = start of papermill and kernel, the cell of imports (the first
        code cell after the parameters) and shutdown; `peak_mib` = largest memory of the kernel or a process of it
        (of all kernels that this process ran); `machine`, what it ran on.
    """
    ended = ended or time.time()
    try:
        cells = read_json(executed)["cells"]
    except (OSError, ValueError):
        cells = []
    ends = [(cell, _end_of(cell)) for cell in cells if cell["cell_type"] == "code" and _end_of(cell)]
    given = {"parameters", "injected-parameters"}
    after = [end for cell, end in ends if not given & set(cell["metadata"].get("tags", []))]
    ready = min(after, default=ended)
    finished = max(after, default=ended)
    unit = 1024 if sys.platform == "linux" else 1024**2  # ru_maxrss is in KiB on Linux, in bytes on macOS
    return {
        "start": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "end": datetime.fromtimestamp(ended, UTC).isoformat(timespec="seconds"),
        "seconds": round(ended - started, 2),
        "overhead_seconds": round((ready - started) + (ended - finished), 2),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / unit),
        "machine": machine(),
    }


def complete(study: Path) -> None:
    """Note what the runs took that were killed after their last cell, before it could be noted: they are done.

    A run that was not begun by the runner has no `params.yaml` of it, and no cost of its own.
    """
    for done in study.rglob("stage.json"):
        noted, given = done.with_name("timing.json"), done.with_name("params.yaml")
        if given.exists() and not noted.exists():
            took = timing(done.with_name("notebook.ipynb"), given.stat().st_mtime, done.stat().st_mtime)
            write_json(noted, {"notebook": done.relative_to(study).parts[0], "status": "done", **took, "peak_mib": 0})


OF_TIME = ("seconds", "wall_seconds", "overhead share", "peak MiB", "memory_mib", "last_loss")
"""Keys of `results.json` that differ from one run of a study to the next on one machine with as many threads. The last
loss of the base is known only where it was trained, not where it came from the cache."""


def timeless(results: Any) -> Any:
    """Results without the time and memory that they took: the same seeds give the same."""
    if isinstance(results, Mapping):
        return {k: timeless(v) for k, v in results.items() if k not in OF_TIME}
    return [timeless(v) for v in results] if isinstance(results, list) else results


def _end_of(cell: Mapping[str, Any]) -> float | None:
    noted = cell["metadata"].get("papermill", {}).get("end_time")
    if not noted:
        return None
    moment = datetime.fromisoformat(noted)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def states(study: Path) -> list[dict[str, Any]]:
    """One row for each notebook of a study that was started, in order: `run`, `status`, and its `timing.json`.

    The status is done, failed, interrupted, or `killed or running` for a run that could not say how it ended.
    """
    rows = []
    for notebook in sorted(study.rglob("notebook.ipynb")):
        noted, run = notebook.with_name("timing.json"), notebook.parent.relative_to(study).as_posix()
        unknown = {"status": "killed or running", "end": "9"}  # later than any other
        rows.append({"run": run, **(read_json(noted) if noted.exists() else unknown)})
    return rows
