"""What a stage wrote, as its done-marker says, against what lies there now: damage is named, never read.

For each file that later stages may read, `stage.json` holds size, hash and, of JSON lines, how many. What is kept for
every study (`runs/cache`) has the same in a `files.json` of its own.
"""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from tcm.files import read_json, write_json

MANIFEST = "files.json"
OF_THE_RUNNER = ("stage.json", "notebook.ipynb", "log.txt", "timing.json", "params.yaml", MANIFEST)
"""What the runner writes for people, before and after the stage is done."""

UNFINISHED = ".unfinished"
"""Ending of files that only a killed run needs, to go on; they go when their stage is closed."""

Files = Mapping[str, Mapping[str, Any]]


def files_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Name -> size, sha256 and, of JSON lines, rows of every file that a stage wrote (checkpoints are no result)."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        passing = any(part.startswith((".", "checkpoint")) for part in name.parts)
        if path.is_file() and not passing and name.as_posix() not in OF_THE_RUNNER:
            found[name.as_posix()] = _facts(path)
    return found


def damage(folder: Path, files: Files) -> str:
    """How the files of a folder differ from what is said of them, in one phrase; empty where they do not."""
    for name, said in files.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        size = path.stat().st_size
        if size == said["size"] and _facts(path)["sha256"] == said["sha256"]:
            continue
        now = _facts(path)
        unit = "rows" if "rows" in said and now["rows"] != said["rows"] else "size"
        if now[unit] != said[unit]:
            unit_said = "rows" if unit == "rows" else "bytes"
            return f"{name} is damaged: {now[unit]} {unit_said} where {said[unit]} were written"
        return f"{name} is damaged: other bytes than were written"
    return ""


def _facts(path: Path) -> dict[str, Any]:
    state = path.stat()
    return _read(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=4096)
def _read(path: Path, size: int, _changed: int) -> dict[str, Any]:
    """Size, hash and rows of a file, read once for each of its states."""
    digest, rows = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
            rows += block.count(b"\n")
    return {"size": size, "sha256": digest.hexdigest()} | ({"rows": rows} if path.suffix == ".jsonl" else {})


def note(folder: Path) -> None:
    """Write down what a folder under `runs/cache` holds, once it is whole."""
    if not (folder / MANIFEST).exists():
        write_json(folder / MANIFEST, files_of(folder))


def cache_damage(folder: Path) -> str:
    """What is wrong with a folder under `runs/cache`; empty where it is whole, or made before anything was noted."""
    if not folder.is_dir():
        return "is missing"
    if not (folder / MANIFEST).exists():
        return ""
    try:
        return damage(folder, dict(read_json(folder / MANIFEST)))
    except (ValueError, TypeError, KeyError):
        return f"{MANIFEST} is damaged"
