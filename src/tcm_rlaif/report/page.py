"""From an executed notebook to one HTML page that can be sent round: no script, no network, nothing that runs.

A page is made safe three times over: the template escapes text and cleans HTML (`safe_html.clean`), the page carries
a content security policy, and the finished page is audited (`safe_html.problems`); one with a problem is not written.
"""

import base64
import copy
import json
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from tcm.files import write_bytes, write_text
from tcm_rlaif.report.glossary import Explainer
from tcm_rlaif.report.safe_html import POLICY, clean, problems
from tcm_rlaif.report.show import table_html
from tcm_rlaif.study import params, stage
from tcm_rlaif.study.params import SNAPSHOT
from tcm_rlaif.study.plan import ABLATION, PROBES
from tcm_rlaif.study.timings import states

HIDDEN_CELLS = frozenset({"parameters", "injected-parameters", "remove-cell", "papermill-error-cell-tag"})
SAID = 'class="said"'  # of words that `show_text` shows
CASE_TEXT = "case-text"  # tag of cells that show records: they stay out of a page for the public
REPORT, INDEX = "report.html", "../index.html"  # where the pages of a study lead: its report, and all studies
CASES, PROBED, EXPLORED = "cases.html", "probes.html", "explore.html"  # what may lie beside a report
BESIDE = {
    REPORT: "report", CASES: "every case, every answer", PROBED: "what hidden states hold",
    EXPLORED: "one case looked into", INDEX: "all studies",
}  # fmt: skip
SHOWN_TYPES = ("text/html", "text/markdown", "image/png", "image/jpeg", "text/plain")  # the first that an output has


class ReportError(RuntimeError):
    """A page that must not be published; the message lists why."""


def to_html(
    notebook_path: str | Path, html_path: str | Path, title: str, beside: Collection[str] = (), public: bool = False
) -> Path:
    """Write the page of an executed notebook, also of one that failed: then it says where.

    Args:
        notebook_path: the executed notebook.
        html_path: the page; replaced whole or not at all.
        title: of the page.
        beside: pages of this project to be linked, as the page sees them (keys of `BESIDE`).
        public: leave out what shows the text of cases (cells tagged `CASE_TEXT`).

    Returns:
        ``html_path``.

    Raises:
        ReportError: if the page has problems, e.g. a figure without a description, or is `public` and quotes a record.
    """
    import nbformat

    executed = nbformat.read(notebook_path, as_version=4)
    write_text(Path(html_path), page_of(executed, str(notebook_path), title, beside, public))
    return Path(html_path)


def page_of(notebook: Any, name: str, title: str, beside: Collection[str] = (), public: bool = False) -> str:
    """The page of a notebook in memory; `name` says in errors where it came from. See `to_html`."""
    from nbconvert import HTMLExporter

    templates = str(Path(__file__).parent / "templates")
    exporter = HTMLExporter(template_name="study", extra_template_basedirs=[templates], exclude_anchor_links=True)
    exporter.register_filter("clean_html", clean)
    explain = Explainer()
    exporter.register_filter("explain", explain)
    shown = _prepared(notebook, HIDDEN_CELLS | {CASE_TEXT} if public else HIDDEN_CELLS)
    facts = _facts(notebook, shown, title, beside)
    # the template ends with the terms that it met
    page, _ = exporter.from_notebook_node(shown, {"page": facts | {"terms": explain.met}})
    if public and SAID in page:  # an older notebook, whose cells bear no such tag
        raise ReportError(f"{name}: shows the words of a record in a cell not tagged {CASE_TEXT}; ./study run mends it")
    found = problems(page)
    if found:
        raise ReportError(f"{name}: the page would have {len(found)} problems:\n  " + "\n  ".join(found[:20]))
    return page


def publish(study: Path, reports: Path, public: bool = False) -> Path:
    """Write what a reader gets of a study: report, case browser, `results.json`, and a page of each run that stopped.

    Where arms were probed, `probes.html` and `probes.json` lie beside them. What an earlier run of the study left there
    goes: an `explore.html` that shows other answers than the report misleads (`./study look` writes it again).

    Args:
        study: folder of the study's runs; `06_ablation/notebook.ipynb` in it becomes the report.
        reports: folder of the pages. Where the study is not finished, `unfinished.html` says how far it came, and
            the report of an earlier run stays until a new one is complete.
        public: without the text of any case, so that what was measured on the records of others can be sent round:
            no case browser, no `explore.html`, and a report that shows no case and links neither.

    Returns:
        The page that was written.

    Raises:
        ReportError: if nothing was run yet, or a page has problems.
    """
    runs = states(study)
    if not runs:
        raise ReportError(f"{study}: no notebook was run there; ./study run makes it")
    stopped = [run for run in runs if run["status"] != "done"]
    last = next((run for run in runs if run["run"] == ABLATION and run["status"] == "done"), None)
    finished = last is not None and all(run["end"] <= last["end"] for run in stopped)
    if public and not finished:
        raise ReportError(f"{study}: is not finished, and pages of runs that stopped show cases; ./study run goes on")
    unfinished = reports / "unfinished.html"
    for old in (*reports.glob("stopped-*.html"), unfinished):
        old.unlink(missing_ok=True)
    for run in () if public else stopped:
        page = reports / f"stopped-{run['run'].replace('/', '-')}.html"
        to_html(study / run["run"] / "notebook.ipynb", page, f"{study.name}: {run['run']} ({run['status']})")
    if not finished:
        write_text(unfinished, page_of(_unfinished(study, runs), str(study), f"{study.name}: not finished"))
        return unfinished
    if (study / ABLATION / stage.DONE).exists() and (wrong := stage.damage(study / ABLATION)):
        raise ReportError(f"{study / ABLATION}: {wrong}; ./study run makes it again")
    executed, explored = study / ABLATION / "notebook.ipynb", reports / EXPLORED
    if public or explored.exists() and explored.stat().st_mtime < executed.stat().st_mtime:
        explored.unlink(missing_ok=True)
    if public:
        (reports / CASES).unlink(missing_ok=True)
    elif (ran_with := study / SNAPSHOT).exists():
        from tcm_rlaif.report import browser  # scores and judges; `./study params` and the like do without

        P = params.load(ran_with)
        write_text(reports / CASES, browser.page_of(browser.data_of(P), P.study))
    _probed(study / PROBES, reports)
    _first_figure(executed, reports / "figure.png")
    write_text(reports / "results.json", (study / ABLATION / "results.json").read_text("utf-8"))
    return write_report(study, reports, public)


def write_report(study: Path, reports: Path, public: bool = False) -> Path:
    """Write the report of a finished study, with links to the pages that lie beside it; `public` as in `publish`."""
    beside = [name for name in (CASES, PROBED, EXPLORED) if (reports / name).exists()]
    title = f"{study.name}: SFT and RLAIF on a few TCM cases"
    return to_html(study / ABLATION / "notebook.ipynb", reports / REPORT, title, [*beside, INDEX], public)


def _probed(probes: Path, reports: Path) -> None:
    """The page of what hidden states hold, and its numbers; none where no arm was probed."""
    page, numbers = reports / PROBED, reports / "probes.json"
    if (probes / stage.DONE).exists():
        to_html(probes / "notebook.ipynb", page, f"{probes.parent.name}: {BESIDE[PROBED]}", [REPORT, INDEX])
        write_text(numbers, (probes / "probes.json").read_text("utf-8"))
    else:
        page.unlink(missing_ok=True)
        numbers.unlink(missing_ok=True)


def _first_figure(notebook_path: Path, path: Path) -> None:
    """The report's first figure as a file of its own, for pages that link to it."""
    cells = json.loads(notebook_path.read_text("utf-8"))["cells"]
    outputs = (output.get("data", {}).get("image/png") for cell in cells for output in cell.get("outputs", []))
    if png := next(filter(None, outputs), None):
        write_bytes(path, base64.b64decode("".join(png)))


def _unfinished(study: Path, runs: list[dict[str, Any]]) -> Any:
    """A notebook that says how far a study came, with the error of each run that failed."""
    import nbformat
    import pandas as pd
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

    table = pd.DataFrame(runs).reindex(columns=["run", "status", "seconds", "overhead_seconds", "peak_mib", "end"])
    done = sum(run["status"] == "done" for run in runs)
    title = f"# Study {study.name} is not finished\n\n{done} of the {len(runs)} notebooks that were started are done. "
    title += "The same command that started the study goes on where it stopped."
    html = table_html(table.replace({"end": {"9": None}}), "Runs that were started", digits=1)
    cells = [new_markdown_cell(title), new_code_cell("", outputs=[new_output("display_data", {"text/html": html})])]
    for run in runs:
        if run["status"] == "failed":
            executed = nbformat.read(study / run["run"] / "notebook.ipynb", as_version=4)
            outputs = [output for cell in executed.cells for output in cell.get("outputs", [])]
            errors = [output for output in outputs if output.output_type == "error"]
            cells += [new_markdown_cell(f"## {run['run']}"), new_code_cell("", outputs=errors)]
    return new_notebook(cells=cells)


def _prepared(notebook: Any, hidden: Collection[str]) -> Any:
    """A copy without hidden cells and idle sections; cells get anchors, and outputs keep one admitted type."""
    shown = copy.deepcopy(notebook)
    shown.cells = _with_something_to_show(c for c in shown.cells if not set(hidden) & set(c.metadata.get("tags", [])))
    for number, cell in enumerate(shown.cells):
        cell.metadata["anchor"] = f"s{number}"
        for output in cell.get("outputs", []):
            if "data" in output:
                unknown = {"text/plain": f"[an output of type {', '.join(output.data)} is not shown]"}
                output.data = next(({t: output.data[t]} for t in SHOWN_TYPES if t in output.data), unknown)
    return shown


def _with_something_to_show(cells: Iterable[Any]) -> list[Any]:
    """Cells without the sections (from one heading below the title to the next) whose code ran and showed nothing.

    So a notebook can ask what only some studies can answer, and the page of another study does not stand empty there.
    """
    sections: list[list[Any]] = [[]]
    for cell in cells:
        if cell.cell_type == "markdown" and re.search(r"^##", cell.source, re.MULTILINE):
            sections.append([])
        sections[-1].append(cell)

    def idle(section: list[Any]) -> bool:
        code = [cell for cell in section if cell.cell_type == "code"]
        return bool(code) and all(cell.execution_count and not cell.outputs for cell in code)

    return [cell for number, section in enumerate(sections) if not number or not idle(section) for cell in section]


def _facts(notebook: Any, page: Any, title: str, beside: Collection[str]) -> dict[str, Any]:
    """What the template shows around the cells.

    Args:
        notebook: as it was executed, with the code of all its cells.
        page: what is shown of it, see `_prepared`.
    """
    run = notebook.metadata.get("papermill", {})
    facts = [title]
    if run.get("end_time"):
        facts.append(f"executed {run['end_time'][:16].replace('T', ' ')} UTC in {run.get('duration') or 0:.0f} s")
    parameters = [
        (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in run.get("parameters", {}).items()
    ]
    prose = [(c.metadata["anchor"], c.source) for c in page.cells if c.cell_type == "markdown"]
    headings = [(anchor, re.search(r"^## +(.+)$", text, re.MULTILINE)) for anchor, text in prose]
    sections = [(anchor, re.sub(r"[`*]", "", found[1])) for anchor, found in headings if found]
    shown = [cell for cell in notebook.cells if not {*HIDDEN_CELLS, "hide-input"} & set(cell.metadata.get("tags", []))]
    code = [cell.source for cell in shown if cell.cell_type == "code" and cell.source.strip()]
    return {
        "title": title, "policy": POLICY, "facts": facts, "failure": _failure(notebook),
        # behind what a reader looks for first; a page of prose alone begins with them
        "contents": sections[any(c.cell_type == "code" for c in page.cells)][0] if len(sections) > 2 else None,
        "sections": sections, "parameters": parameters, "code": code,
        "beside": {page: BESIDE[page] for page in beside},
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
