"""From an executed notebook to one HTML page that can be sent round: no script, no network, nothing that runs.

A page is made safe three times over: the template escapes text and cleans HTML (`safe_html.clean`), the page carries
a content security policy, and the finished page is audited (`safe_html.problems`); one with a problem is not written.
"""

import copy
import json
import re
from pathlib import Path
from typing import Any

from tcm_rlaif.cases import write_text
from tcm_rlaif.safe_html import POLICY, clean, problems

HIDDEN_CELLS = {"parameters", "injected-parameters", "remove-cell", "papermill-error-cell-tag"}
SHOWN_TYPES = ("text/html", "text/markdown", "image/png", "image/jpeg", "text/plain")  # the first that an output has


class ReportError(RuntimeError):
    """A page that must not be published; the message lists why."""


def to_html(notebook_path: str | Path, html_path: str | Path, title: str) -> Path:
    """Write the page of an executed notebook, also of one that failed: then it says where.

    Args:
        notebook_path: the executed notebook.
        html_path: the page; replaced whole or not at all.
        title: of the page, for the browser's tab.

    Returns:
        ``html_path``.

    Raises:
        ReportError: if the page has problems, e.g. a figure without a description.
    """
    import nbformat

    notebook = nbformat.read(notebook_path, as_version=4)
    frame = {"page": _facts(notebook, Path(notebook_path), title)}
    page, _ = _exporter().from_notebook_node(_prepared(notebook), frame)
    found = problems(page)
    if found:
        raise ReportError(f"{notebook_path}: the page would have {len(found)} problems:\n  " + "\n  ".join(found[:20]))
    write_text(Path(html_path), page)
    return Path(html_path)


def _exporter():
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    config = Config()
    config.NbConvertBase.display_data_priority = list(SHOWN_TYPES)
    exporter = HTMLExporter(
        config=config,
        template_name="study",
        extra_template_basedirs=[str(Path(__file__).parent / "templates")],
        exclude_anchor_links=True,
    )
    exporter.register_preprocessor("nbconvert.preprocessors.CSSHTMLHeaderPreprocessor", enabled=False)
    exporter.register_filter("clean_html", clean)
    return exporter


def _prepared(notebook: Any) -> Any:
    """A copy without the cells that only the machine needs; each prose cell gets an anchor."""
    shown = copy.deepcopy(notebook)
    shown.cells = [c for c in shown.cells if not HIDDEN_CELLS & set(c.metadata.get("tags", []))]
    for number, cell in enumerate(shown.cells):
        cell.metadata["anchor"] = f"s{number}"
        for output in cell.get("outputs", []):
            if "data" in output and not set(SHOWN_TYPES) & set(output.data):
                output.data = {"text/plain": f"[an output of type {', '.join(output.data)} is not shown]"}
    return shown


def _facts(notebook: Any, path: Path, title: str) -> dict[str, Any]:
    """What the template shows around the cells."""
    run = notebook.metadata.get("papermill", {})
    facts = [path.name]
    if run.get("end_time"):
        facts += [f"executed {run['end_time'][:16].replace('T', ' ')} UTC", f"took {run.get('duration') or 0:.0f} s"]
    parameters = [
        (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in run.get("parameters", {}).items()
    ]
    prose = [(c.metadata["anchor"], c.source) for c in _prepared(notebook).cells if c.cell_type == "markdown"]
    headings = [(anchor, re.search(r"^## +(.+)$", text, re.MULTILINE)) for anchor, text in prose]
    sections = [(anchor, re.sub(r"[`*]", "", found[1])) for anchor, found in headings if found]
    return {
        "title": title, "policy": POLICY, "facts": facts, "failure": _failure(notebook),
        "first": prose[0][0] if prose else None, "sections": sections, "parameters": parameters,
    }  # fmt: skip


def _failure(notebook: Any) -> str:
    """Where the notebook stopped, in one sentence; empty where it did not."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                where = f"This notebook stopped in cell {cell.get('execution_count')}"
                return f"{where}: {output.ename}: {output.evalue}. What follows did not run."
    run = notebook.metadata.get("papermill", {})
    if run.get("interrupted"):
        return f"This notebook was interrupted by {run['interrupted']}; it did not run to its end."
    return "This notebook did not run to its end." if run.get("exception") else ""
