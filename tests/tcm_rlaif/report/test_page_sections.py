"""What stands on a page: only sections that this study has something to show for, and for the public no case."""

import json
import os
import re
import subprocess
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tcm_rlaif.report.page import ReportError, page_of, publish
from tcm_rlaif.runner import cli
from tcm_rlaif.study.params import ROOT


def said(text: str) -> nbformat.NotebookNode:
    return new_code_cell("tell()", execution_count=1, outputs=[new_output("stream", name="stdout", text=text)])


def silent(count: int | None = 1, **metadata) -> nbformat.NotebookNode:
    return new_code_cell("if asked: tell()", execution_count=count, metadata=metadata)


def headings(page: str) -> list[str]:
    return re.findall("<h[123]>(.*?)</h[123]>", page)


def test_a_section_whose_code_ran_and_showed_nothing_does_not_stand_on_the_page() -> None:
    cells = [
        new_markdown_cell("# Study"), silent(),
        new_markdown_cell("## Sizes\n\nLook at the line."), silent(),
        new_markdown_cell("## Controls"), said("a finding"), new_markdown_cell("More prose."), silent(),
        new_markdown_cell("### Rare"), silent(), new_markdown_cell("It goes on."), silent(),
        new_markdown_cell("## Limits\n\nOnly words."),
    ]  # fmt: skip
    page = page_of(new_notebook(cells=cells), "notebook", "Study")
    assert headings(page) == ["Study", "Controls", "Limits"]
    assert "Look at the line" not in page and "It goes on" not in page and "More prose" in page
    assert "Sizes" not in page.split("<summary>Code</summary>")[0], "neither do the contents lead there"


def test_a_section_that_did_not_run_stays_where_a_notebook_stopped() -> None:
    error = new_output("error", ename="StageError", evalue="no", traceback=["no"])
    stopped = new_code_cell("fail()", execution_count=1, outputs=[error])
    cells = [new_markdown_cell("## First"), stopped, new_markdown_cell("## Later"), silent(None)]
    assert headings(page_of(new_notebook(cells=cells), "notebook", "Study"))[:2] == ["First", "Later"]


@pytest.mark.parametrize(("code", "first"), [(True, "Part 0"), (False, "contents")])
def test_contents_stand_behind_the_answer_and_before_a_page_of_prose_alone(code: bool, first: str) -> None:
    parts = [new_markdown_cell(f"## Part {n}") for n in range(3)]
    page = page_of(new_notebook(cells=[parts[0], *[said("answer")] * code, *parts[1:]]), "notebook", "Study")
    places = {"contents": page.index("<nav"), "Part 0": page.index("<h2>Part 0")}
    assert min(places, key=places.__getitem__) == first


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A finished study whose report shows a record."""
    folder = tmp_path / "runs" / "default" / "06_ablation"
    folder.mkdir(parents=True)
    shown = new_code_cell("show()", execution_count=1, metadata={"tags": ["case-text"]},
                          outputs=[new_output("stream", name="stdout", text="主诉：胸闷三天")])  # fmt: skip
    record = new_markdown_cell("## Answers side by side", metadata={"tags": ["case-text"]})
    book = new_notebook(cells=[new_markdown_cell("# Report\n\nmeans"), record, shown])
    nbformat.write(book, folder / "notebook.ipynb")
    timing = {"status": "done", "end": "2026-01-02T03:04:00+00:00", "seconds": 9.0}
    (folder / "timing.json").write_text(json.dumps(timing), "utf-8")
    (folder / "results.json").write_text("{}", "utf-8")
    return folder.parent


def test_a_report_for_the_public_holds_no_case_and_leads_to_none(study: Path, tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    assert "胸闷三天" in publish(study, reports).read_text("utf-8")
    for name in ("cases.html", "explore.html"):
        (reports / name).write_text("胸闷三天", "utf-8")
    page = publish(study, reports, public=True).read_text("utf-8")
    assert "胸闷" not in page and "Answers side by side" not in page and "means" in page
    assert 'href="cases.html"' not in page and 'href="explore.html"' not in page
    assert {path.name for path in reports.iterdir()} == {"report.html", "results.json"}
    assert "胸闷三天" in publish(study, reports).read_text("utf-8"), "one's own report is whole again"


def test_a_record_quoted_outside_of_a_tagged_cell_is_refused_and_not_let_through() -> None:
    quoted = new_output("display_data", {"text/html": '<blockquote class="said"><p>主诉：胸闷</p></blockquote>'})
    book = new_notebook(cells=[new_markdown_cell("# Old"), new_code_cell("show()", outputs=[quoted])])
    assert "胸闷" in page_of(book, "old", "Study")
    with pytest.raises(ReportError, match="old: shows the words of a record"):
        page_of(book, "old", "Study", public=True)


def test_what_stopped_is_not_for_the_public(study: Path, tmp_path: Path) -> None:
    (study / "06_ablation" / "timing.json").write_text('{"status": "failed", "end": "2026-01-02"}', "utf-8")
    with pytest.raises(ReportError, match="is not finished"):
        publish(study, tmp_path / "reports", public=True)
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize("asked", [[], ["--public"]])
def test_the_command_asks_for_it(study: Path, tmp_path: Path, monkeypatch, asked: list[str]) -> None:
    monkeypatch.setattr(cli, "study_folder", lambda P: study)
    monkeypatch.setattr(cli, "reports_folder", lambda P: tmp_path / "reports")
    assert cli.main(["report", "default", *asked]) == 0
    assert ("胸闷" in (tmp_path / "reports" / "report.html").read_text("utf-8")) != bool(asked)


def published() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "reports"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this copy of the project has no git, so what is published cannot be told from what lies about")
    return listed.stdout.split()


def test_published_pages_lead_only_to_pages_that_are_published() -> None:
    files = set(published())
    for page in (name for name in files if name.endswith(".html")):
        for link in re.findall(r'<a href="([\w./-]+\.html)[^"]*"', (ROOT / page).read_text("utf-8")):
            assert os.path.normpath(f"{os.path.dirname(page)}/{link}") in files, f"{page}: {link}"


def test_what_is_published_of_the_records_of_others_shows_none_of_them() -> None:
    for name in (name for name in published() if name.endswith("/results.json")):
        if json.loads((ROOT / name).read_text("utf-8"))["data"]["source"] == "invented":
            continue
        for page in (ROOT / name).parent.glob("*.html"):
            if str(page.relative_to(ROOT)) in published():
                assert 'class="said"' not in page.read_text("utf-8"), f"{page}: ./study report … --public writes it"
