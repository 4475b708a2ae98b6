"""Reports: what a reader sees, and that nothing a model writes can run, load or lead elsewhere."""

import json
import os
import re
import shutil
import subprocess
import threading
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tcm_rlaif.report.page import ReportError, publish, to_html
from tcm_rlaif.report.safe_html import POLICY, clean, problems
from tcm_rlaif.report.show import table_html
from tcm_rlaif.study.timings import states

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
IMAGE = f'<img src="data:image/png;base64,{PIXEL}">'
RUN = "document.documentElement.dataset.ran=1"
HOSTILE = [
    f"<script>{RUN}</script>",
    f"<ScRiPt >{RUN}</sCrIpT >",
    f"<img src=x onerror={RUN}>",
    f'<svg onload="{RUN}"><script>{RUN}</script><animate onbegin="{RUN}"/></svg>',
    f'<a href="javascript:{RUN}">a</a><a href="&#106;avascript:{RUN}">b</a><a href="data:text/html,x">c</a>',
    '<meta http-equiv="refresh" content="0;url=http://127.0.0.1:PORT/refresh">',
    '<img src="http://127.0.0.1:PORT/image"><link rel="stylesheet" href="http://127.0.0.1:PORT/style">',
    '<iframe srcdoc="<script>parent.document.documentElement.dataset.ran=1</script>"></iframe>',
    f'<form action="http://127.0.0.1:PORT/form"><button autofocus onfocus="{RUN}">x</button></form>',
    f"<style>@import 'http://127.0.0.1:PORT/import'</style><b style='background:url(//127.0.0.1)' onclick={RUN}>b</b>",
    f"--><!--><script>{RUN}</script>",
    f"</title></style></textarea></pre></td></code></blockquote><script>{RUN}</script>",
    f"<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror={RUN}&gt;'>",
    '<base href="http://127.0.0.1:PORT/base/"><object data="http://127.0.0.1:PORT/object"></object>',
    f'<details open ontoggle="{RUN}"><summary>s</summary></details><video><source onerror="{RUN}"></video>',
]
ALL = "\n\n".join(HOSTILE)


def notebook(*cells: nbformat.NotebookNode, **papermill: object) -> nbformat.NotebookNode:
    return new_notebook(cells=list(cells), metadata={"papermill": papermill} if papermill else {})


def page_of(folder: Path, book: nbformat.NotebookNode, title: str = "Study") -> str:
    nbformat.write(book, folder / "notebook.ipynb")
    to_html(folder / "notebook.ipynb", folder / "page.html", title)
    return (folder / "page.html").read_text(encoding="utf-8")


def shown(data: dict, metadata: dict | None = None) -> nbformat.NotebookNode:
    """A code cell with one output."""
    return new_code_cell("show()", outputs=[new_output("display_data", data=data, metadata=metadata or {})])


def hostile_notebook() -> nbformat.NotebookNode:
    """Every way that we know for text to get into a page, filled with every payload."""
    table = pd.DataFrame({"answer": HOSTILE, "n": range(len(HOSTILE))}, index=[f"{h}" for h in HOSTILE])
    stdout, stderr = (new_output("stream", name=name, text=ALL) for name in ("stdout", "stderr"))
    error = new_output("error", ename=ALL, evalue=ALL, traceback=[ALL, f"\x1b[31m{ALL}\x1b[0m"])
    types = ["text/vnd.mermaid", "image/svg+xml", "application/javascript", "text/latex", "application/x-odd"]
    return notebook(
        new_markdown_cell(f"## {HOSTILE[0]} heading\n\n{ALL}\n\n```mermaid\n{ALL}\n```\n\n```html\n{ALL}\n```"),
        new_code_cell(ALL, outputs=[stdout, stderr, error], execution_count=1),
        *(shown({kind: ALL}) for kind in ("text/html", "text/markdown", "text/plain", *types)),
        shown({"image/png": PIXEL}, {"image/png": {"alt": f'"> {ALL}'}}),
        shown({"text/html": table_html(table, caption=ALL)}),
        parameters={"symptom": ALL, ALL: 1},
        end_time=ALL,
        duration=1.0,
    )


def test_a_hostile_notebook_gives_a_page_without_problems(tmp_path: Path) -> None:
    page = page_of(tmp_path, hostile_notebook(), title=ALL)
    assert problems((tmp_path / "page.html").read_text("utf-8")) == []
    assert page.count("document.documentElement") > 50, "the words are there, as text"


class Listener:
    """A server on this machine that notes which paths were asked for."""

    def __enter__(self) -> "Listener":
        asked = self.asked = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_response(204)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def dom_after_loading(page: Path, profile: Path) -> str:
    """The document as Chromium has it a while after loading."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not browser:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    quiet = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", *quiet, f"--user-data-dir={profile}"]
    command += ["--virtual-time-budget=3000", "--dump-dom", page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.mark.slow
def test_in_a_browser_nothing_of_a_hostile_notebook_runs_or_loads(tmp_path: Path) -> None:
    with Listener() as listener:
        port = str(listener.server.server_port)
        raw = tmp_path / "raw.html"
        raw.write_text(f"<html><body>{ALL.replace('PORT', port)}</body></html>", encoding="utf-8")
        dom = dom_after_loading(raw, tmp_path / "profile1")
        assert 'data-ran="1"' in dom, "these payloads do harm where nothing stops them"
        assert "/image" in listener.asked and "/style" in listener.asked
        listener.asked.clear()

        book = json.loads(json.dumps(hostile_notebook()).replace("PORT", port))
        page_of(tmp_path, nbformat.from_dict(book))
        dom = dom_after_loading(tmp_path / "page.html", tmp_path / "profile2")
        assert "For research only" in dom, "the page itself is shown, not another one"
        assert not re.search(r"<html[^>]*data-ran", dom) and listener.asked == []


@pytest.mark.slow
def test_the_policy_alone_stops_scripts_too(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    script = f"<p>kept</p><script>{RUN}</script><img src=x onerror={RUN}>"
    page.write_text(f"<!DOCTYPE html><html><head></head><body>{script}</body></html>")
    assert 'data-ran="1"' in dom_after_loading(page, tmp_path / "profile1")
    meta = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    page.write_text(f"<!DOCTYPE html><html><head>{meta}</head><body>{script}</body></html>")
    dom = dom_after_loading(page, tmp_path / "profile2")
    assert "data-ran" not in dom.split("<body>")[0] and "kept" in dom


@pytest.mark.parametrize("payload", HOSTILE)
def test_each_payload_is_a_problem_when_it_reaches_a_page_and_none_after_cleaning(payload: str) -> None:
    good = page_around("<p>主诉：失眠三月</p>")
    assert problems(good) == []
    assert problems(page_around(payload)) != []
    assert problems(page_around(clean(payload))) == [], clean(payload)


def page_around(body: str) -> str:
    meta = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    return f'<!DOCTYPE html><html lang="en"><head>{meta}<title>t</title></head><body><main>{body}</main></body></html>'


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        (page_around("").replace(POLICY, "default-src *"), "content security policy"),
        (page_around("").replace("<title>t</title>", ""), "0 <title>"),
        (page_around("<main></main>"), "2 <main>"),
        (page_around(IMAGE), "without a description"),
        (page_around(IMAGE.replace(">", ' alt="No description has been provided for this image">')), "without a desc"),
        (page_around('<img src="data:image/svg+xml;base64,AAAA" alt="x">'), "is not allowed"),
        (page_around('<p style="position:fixed">x</p>'), "is not allowed"),
        (page_around('<section id="s1"></section><section id="s1"></section>'), "is not allowed"),
        (page_around("").replace("<title>", "<style>b{background:url(x)}</style><title>"), "style sheet"),
        (page_around("<!-- x -->"), "a comment"),
        (page_around("<![CDATA[x]]>"), "is not allowed"),
        (page_around("<?xml x?>"), "is not allowed"),
    ],
)
def test_the_audit_names_what_is_wrong(page: str, problem: str) -> None:
    assert problem in "\n".join(problems(page))


def test_escaped_text_is_no_problem() -> None:
    assert problems(page_around("<p>&lt;script&gt;alert(1)&lt;/script&gt; onerror= javascript:</p>")) == []


def test_a_figure_without_description_is_not_published_and_an_old_page_stays(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("old")
    with pytest.raises(ReportError, match="an image without a description; show figures with show_figure"):
        page_of(tmp_path, notebook(shown({"image/png": PIXEL})))
    assert (tmp_path / "page.html").read_text() == "old"


def test_a_page_shows_prose_text_tables_and_figures_and_folds_code(tmp_path: Path) -> None:
    page = page_of(
        tmp_path,
        notebook(
            new_markdown_cell("# 六味地黄丸\n\nWhat β does: `beta`.\n\n| arm | F1 |\n|:--|--:|\n| sft | 0.5 |"),
            new_code_cell("seed = 1", metadata={"tags": ["injected-parameters"]}),
            new_code_cell("print(1 < 2)", outputs=[new_output("stream", name="stdout", text="柴胡10g，黄芩12g\n")]),
            shown({"image/png": PIXEL, "text/plain": "<Figure>"}, {"image/png": {"alt": "F1 by arm: sft leads."}}),
            new_code_cell("x", metadata={"tags": ["hide-input"]}),
            parameters={"seed": 1, "arms": {"甲": {"dpo_beta": 0.1}}},
            end_time="2026-01-02T03:04:05.678",
            duration=61.2,
        ),
    )
    assert "<h1>六味地黄丸</h1>" in page and "柴胡10g，黄芩12g" in page and "<title>Study</title>" in page
    assert '<td style="text-align: right' in page or '<td style="text-align:right' in page
    assert page.count("<summary>Code</summary>") == 1 and '<details class="code" open' not in page
    code = page.split("<summary>Code</summary>")[1]
    assert page.index("</main>") < page.index("<summary>Code</summary>"), "folded away behind all that is read"
    assert re.findall("<pre><code>(.*?)</code></pre>", code) == ["print(1 &lt; 2)", "show()"], "no parameters, no x"
    assert 'alt="F1 by arm: sft leads."' in page and "&lt;Figure&gt;" not in page
    assert "executed 2026-01-02 03:04 UTC in 61 s" in page
    assert '<th scope="row">arms</th><td>{"甲": {"dpo_beta": 0.1}}</td>' in unescape(page)
    assert 'role="alert"' not in page and len(page) < 20_000


def test_a_page_of_a_failed_notebook_says_where_it_stopped(tmp_path: Path) -> None:
    lines = ["\x1b[31mTraceback\x1b[0m 证型"]
    error = new_output("error", ename="StageError", evalue="run 02_sft first", traceback=lines)
    banner = new_markdown_cell("An Exception", metadata={"tags": ["papermill-error-cell-tag"]})
    failed = new_code_cell("open()", outputs=[error], execution_count=3)
    page = page_of(tmp_path, notebook(banner, failed, exception=True))
    assert "This notebook stopped in cell 3: StageError: run 02_sft first." in page
    assert '<pre class="failed">Traceback 证型</pre>' in page and "An Exception" not in page


def test_a_page_of_an_interrupted_notebook_says_so(tmp_path: Path) -> None:
    page = page_of(tmp_path, notebook(new_markdown_cell("text"), exception=True, interrupted="SIGTERM"))
    assert "This notebook was interrupted by SIGTERM" in page


def test_a_long_page_has_contents_that_lead_to_its_sections(tmp_path: Path) -> None:
    page = page_of(tmp_path, notebook(*(new_markdown_cell(f"## Part `{n}`\n\ntext") for n in range(3))))
    for anchor, name in re.findall(r'<a href="#(s\d+)">(Part \d)</a>', page):
        assert re.search(rf'<section id="{anchor}">\s*<h2>Part <code>{name[-1]}</code></h2>', page)
    assert page.count('<a href="#s') == 3


def run_folder(study: Path, run: str, status: str, minute: int, *cells: nbformat.NotebookNode) -> None:
    """What the notebook runner leaves of one run."""
    folder = study / run
    folder.mkdir(parents=True)
    nbformat.write(notebook(*(cells or [new_markdown_cell(f"# {run}")])), folder / "notebook.ipynb")
    timing = {"status": status, "end": f"2026-01-02T03:{minute:02}:00+00:00", "seconds": 9.0, "peak_mib": 400}
    if status != "killed or running":
        (folder / "timing.json").write_text(json.dumps(timing))


def test_a_finished_study_is_published_with_its_results(tmp_path: Path) -> None:
    study, reports = tmp_path / "default", tmp_path / "reports"
    run_folder(study, "02_sft/sft/seed0", "done", 1)
    run_folder(study, "06_ablation", "done", 2, new_markdown_cell("# 消融实验"))
    (study / "06_ablation" / "results.json").write_text('{"herb_f1": 0.5}')
    assert publish(study, reports) == reports / "report.html"
    assert "<h1>消融实验</h1>" in (reports / "report.html").read_text(encoding="utf-8")
    assert json.loads((reports / "results.json").read_text()) == {"herb_f1": 0.5}
    assert [row["run"] for row in states(study)] == ["02_sft/sft/seed0", "06_ablation"]


def test_a_report_links_the_pages_that_lie_beside_it_and_they_lead_back(tmp_path: Path) -> None:
    study, reports = tmp_path / "default", tmp_path / "reports"
    for minute, name in enumerate(("06_ablation", "07_probes"), 1):
        run_folder(study, name, "done", minute, new_markdown_cell(f"# page of {name}"))
    (study / "06_ablation" / "results.json").write_text("{}")
    publish(study, reports)
    assert {path.name for path in reports.iterdir()} == {"report.html", "results.json"}, "the probes are not done"
    assert links(reports / "report.html") == ["../index.html"]
    (study / "07_probes" / "probes.json").write_text('{"arms": ["base"]}')
    (study / "07_probes" / "stage.json").write_text("{}")
    (reports / "explore.html").write_text("written by ./study look")
    assert publish(study, reports) == reports / "report.html"
    assert links(reports / "report.html") == ["probes.html", "explore.html", "../index.html"]
    assert "<h1>page of 07_probes</h1>" in (reports / "probes.html").read_text(encoding="utf-8")
    assert links(reports / "probes.html") == ["report.html", "../index.html"]
    assert json.loads((reports / "probes.json").read_text()) == {"arms": ["base"]}


def links(page: Path) -> list[str]:
    """Where the head of a page leads."""
    return re.findall(r'<a href="([^"#]+)"', page.read_text(encoding="utf-8").split("<main>")[0])


def test_what_an_earlier_run_left_beside_a_report_is_not_taken_for_this_one(tmp_path: Path) -> None:
    study, reports = tmp_path / "default", tmp_path / "reports"
    reports.mkdir()
    for name in ("explore.html", "probes.html", "probes.json"):
        (reports / name).write_text("of an earlier run")
        os.utime(reports / name, (0, 0))
    run_folder(study, "06_ablation", "done", 1)
    (study / "06_ablation" / "results.json").write_text("{}")
    assert links(publish(study, reports)) == ["../index.html"]
    assert {path.name for path in reports.iterdir()} == {"report.html", "results.json"}


@pytest.mark.parametrize("status", ["failed", "interrupted", "killed or running"])
def test_a_study_that_stopped_after_its_last_report_is_not_published_as_finished(tmp_path: Path, status: str) -> None:
    study, reports = tmp_path / "default", tmp_path / "reports"
    run_folder(study, "06_ablation", "done", 2)
    (study / "06_ablation" / "results.json").write_text("{}")
    reports.mkdir()
    (reports / "report.html").write_text("the report of an earlier run")
    error = new_output("error", ename="ValueError", evalue="<b>剂量</b>", traceback=["the cause"])
    run_folder(study, "04_dpo/sft_dpo/seed0", status, 3, new_code_cell("x", outputs=[error], execution_count=7))
    page = publish(study, reports).read_text(encoding="utf-8")
    assert "Study default is not finished" in page and "1 of the 2 notebooks" in page and status in page
    assert ("the cause" in page) == (status == "failed")
    assert (reports / "report.html").read_text() == "the report of an earlier run"
    stopped = (reports / "stopped-04_dpo-sft_dpo-seed0.html").read_text(encoding="utf-8")
    assert "stopped in cell 7: ValueError: &lt;b&gt;剂量&lt;/b&gt;" in stopped

    (study / "04_dpo" / "sft_dpo" / "seed0" / "timing.json").write_text('{"status": "done", "end": "2026-01-03"}')
    publish(study, reports)
    assert {path.name for path in reports.iterdir()} == {"report.html", "results.json"}, "no page of what stopped"


def test_a_study_that_never_ran_has_no_report(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="no notebook was run there"):
        publish(tmp_path / "absent", tmp_path / "reports")
    assert not (tmp_path / "reports").exists()
