"""Files that are written whole or not at all, readable by people."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all: a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(text, "utf-8")
    os.replace(part, path)


def write_json(path: Path, value: object) -> None:
    """Write JSON readable by people: indented, Han text as such, whole or not at all."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as JSON lines, loadable by `datasets.load_dataset("json", …)`."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
