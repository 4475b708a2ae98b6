"""A copy of the project whose notebooks do nothing but open and close their stage: the whole runner, in seconds.

Snakemake, the runner, kernels and locks are the real ones. What a stub does beside is told by files in the project:
`hold-STAGE` keeps it waiting while the file is there, `do-STAGE` is code that it executes.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import psutil
import yaml

from tcm_rlaif.study.params import ROOT
from tcm_rlaif.study.plan import STAGES

WORK = """
import json, pathlib, time
from tcm_rlaif.study.params import ROOT
while (ROOT / "hold-{stage}").exists():
    time.sleep(0.1)
told = ROOT / "do-{stage}"
exec(told.read_text("utf-8") if told.exists() else "")
(stage.folder / "results.json").write_text(json.dumps({{"study": stage.P.study, "cost": []}}))
"""


class StubProject:
    """The copy, and what a user does in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("src", "profiles"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "Snakefile", folder)
        stub = "def data_of(P):\n    return {}\n\n\ndef page_of(data, study):\n    return ''\n"
        (folder / "src/tcm_rlaif/report/browser.py").write_text(stub)
        (folder / "notebooks").mkdir()
        for stage in STAGES:
            self._notebook(stage)

    def _notebook(self, stage: str) -> None:
        told = ['params_file = ""', 'arm = "base"', "seed = 0"]
        told = told[: 1 if stage == STAGES[-1] else 2 if stage < "02" else 3]
        opened = f'from tcm_rlaif.study.stage import open_stage\nstage = open_stage("{stage}", globals())'
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        written = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
        cells = ("\n".join(told), opened, WORK.format(stage=stage), "stage.close(cached=globals().get('cached', []))")
        written.cells = [nbformat.v4.new_code_cell(source) for source in cells]
        written.cells[0].metadata["tags"] = ["parameters"]
        nbformat.write(written, self.folder / "notebooks" / f"{stage}.ipynb")

    def params(self, study: str) -> str:
        """A params file of a study of two arms, one of them trained: six runs."""
        path = self.folder / f"{study}.yaml"
        arms = {"base": {"training": "none"}, "sft": {"training": "sft"}}
        path.write_text(yaml.safe_dump({"study": study, "seeds": [0], "arms": arms, "ablation_questions": {}}))
        return str(path)

    def start(self, *arguments: str, **options) -> subprocess.Popen:
        """Start a command in a process group of its own, as a terminal does."""
        environment = {**os.environ, "PYTHONPATH": str(self.folder / "src")}
        piped = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True} | options
        return subprocess.Popen([sys.executable, "-m", "tcm_rlaif", *arguments], cwd=self.folder, env=environment,
                                start_new_session=True, **piped)  # fmt: skip

    def call(self, *arguments: str) -> tuple[int, str]:
        """Run a command to its end: exit code and all that it said."""
        process = self.start(*arguments)
        said = process.communicate(timeout=400)[0]
        return process.returncode, said

    def done(self, study: str) -> dict[str, int]:
        """Finished runs of a study, and when each was begun (Snakemake touches a marker once more when it sees it)."""
        folder = self.folder / "runs" / study
        markers = {p.parent.relative_to(folder).as_posix(): p for p in folder.rglob("stage.json")}
        return {run: p.with_name("params.yaml").stat().st_mtime_ns for run, p in markers.items()}

    def processes(self, part: str = "") -> list[psutil.Process]:
        """Every process that works in the project; only Python's that were called with `part`, if one is given."""
        found = []
        for process in psutil.process_iter():
            try:
                alive = Path(process.cwd()).is_relative_to(self.folder) and process.status() != psutil.STATUS_ZOMBIE
                if alive and (not part or part in process.cmdline()):
                    found.append(process)
            except (psutil.Error, OSError):
                pass
        return found


def wait_until(condition: Callable[[], object], seconds: float = 60) -> bool:
    """Whether a condition comes to hold in that time."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
    return bool(condition())


def read_all(terminal: int) -> str:
    """All that was shown on a terminal, until nobody holds it any more."""
    said = b""
    try:
        while part := os.read(terminal, 4096):
            said += part
    except OSError:  # so Linux tells the end
        pass
    return said.decode()
