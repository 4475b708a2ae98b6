"""`reports/index.html`: every study that is published there, with its question, its answer and where to read on."""

import subprocess
from collections.abc import Collection
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tcm.files import read_json, write_text
from tcm_rlaif.report import first_screen
from tcm_rlaif.report.page import BESIDE, CASES, EXPLORED, PROBED, REPORT, ReportError, page_of
from tcm_rlaif.study.damage import named
from tcm_rlaif.study.params import ROOT

INDEX = "index.html"
ORDER = (
    "default",
    "replication",
    "mtcmb",
    "mtcmb_qwen",
    "mtcmb_gemma",
    "best4sdt",
    "best4sdt_qwen",
    "qwen_small",
)  # then by name


def sound(study: str, folder: Path = ROOT / "reports") -> AbstractContextManager[None]:
    """Within it, a fault of what the results of a study hold is a StageError that names their file."""
    return named(folder / study / "results.json", f"./study report {study}")


def read(folder: Path) -> dict[str, dict[str, Any]]:
    """Name of each study in a folder of reports -> its `results.json`.

    Raises:
        StageError: if one is damaged, or no results of a study.
    """
    found = {}
    for path in sorted(folder.glob("*/results.json")):
        study = path.parent.name
        with sound(study, folder):
            found[study] = read_json(path)
            if not {"study", "arms"} <= found[study].keys():
                raise ValueError("no results of a study")
    return found


def published() -> set[str]:
    """Studies of this project whose results are part of it (known to git); the others are their owner's alone."""
    command = ["git", "ls-files", "reports/*/results.json"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        raise ReportError(f"{ROOT}: git alone knows which studies are published; run this in a clone") from None
    return {Path(line).parent.name for line in listed.splitlines()}


def publish(folder: Path, studies: Collection[str]) -> Path:
    """Write the index of a folder of reports.

    Args:
        folder: of the reports, one folder a study.
        studies: which to list.

    Returns:
        The page.
    """
    from nbformat.v4 import new_markdown_cell, new_notebook

    found = {name: results for name, results in read(folder).items() if name in studies}
    entries, short = [], []
    for name in sorted(found, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER)):
        with sound(name, folder):
            short.append(_line(name, found[name], folder))
            entries.append(new_markdown_cell(_entry(name, found[name], folder)))
    head = "# All studies\n\nEach in short, then with all that it found, from its `results.json`; figures and tables "
    cells = [new_markdown_cell("\n".join([f"{head}stand in the reports.\n", *short])), *entries]
    path = folder / INDEX
    write_text(path, page_of(new_notebook(cells=cells), str(path), "All studies"))
    return path


def _line(name: str, results: dict[str, Any], folder: Path) -> str:
    linked = f"[{name}]({name}/{REPORT})" if (folder / name / REPORT).exists() else name
    return f"- **{linked}**: {first_screen.in_a_line(results)}"


def _entry(name: str, results: dict[str, Any], folder: Path) -> str:
    pages = [page for page in (REPORT, CASES, PROBED, EXPLORED) if (folder / name / page).exists()]
    links = [f"[{BESIDE[page]}]({name}/{page})" for page in pages]
    return f"## {name}\n\n{' · '.join(links)}\n\n{first_screen.said(results)}"
