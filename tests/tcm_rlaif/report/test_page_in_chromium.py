"""A report in a real browser: on a desk, a phone, in the dark and printed, nothing is cut off, runs or is asked for."""

import base64
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import nbformat
import pandas as pd
import pytest
from chromium import Tab
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tcm_rlaif.report import comparison_plots, plots
from tcm_rlaif.report.page import INDEX, to_html
from tcm_rlaif.report.show import figure_png, table_html

pytestmark = pytest.mark.slow
matplotlib.use("agg")
METRICS = ("herb_f1", "judge_score", "usable", "herb_base_f1", "dose_overlap", "followup_change_f1", "syndrome_f1",
           "other_judge_score", "excess incompatibility", "disease_f1", "formula_f1")  # fmt: skip
ARMS = ("base", "sft", "sft_dpo_with_a_rather_long_name_of_its_own", "copy_previous")


def shown(data: dict, **metadata: object) -> nbformat.NotebookNode:
    return new_code_cell("show()", outputs=[new_output("display_data", data=data, metadata={"image/png": metadata})])


def report() -> nbformat.NotebookNode:
    """A page with what is hard to fit: a wide table, long names, a wide figure, code, terms, Chinese."""
    rows = pd.DataFrame([[0.123] * len(METRICS)] * len(ARMS), columns=METRICS, index=pd.Index(ARMS, name="answers by"))
    arms = pd.DataFrame({"arm": ARMS, "mean": 0.4, "low": 0.3, "high": 0.5, "seeds": [[0.4]] * len(ARMS)})
    plots.style()
    png, width = figure_png(comparison_plots.overview(dict.fromkeys(METRICS[:3], arms), {"usable": {"expert": 0.6}}))
    judge = pd.DataFrame({"threshold": ["detection of pregnancy_contraindication"], "reason": ["证型与方剂 " * 30]})
    return new_notebook(cells=[
        new_markdown_cell("# A study\n\nSFT, then DPO; KL says how far. 证型。\n\n## One"),
        shown({"image/png": base64.b64encode(png).decode()}, alt="arms", width=width),
        new_markdown_cell("## Two"), shown({"text/html": table_html(rows, "Main metrics")}),
        new_markdown_cell("## Three"), shown({"text/html": table_html(judge, "The judge")}),
    ])  # fmt: skip


@pytest.fixture(scope="module")
def tab(tmp_path_factory) -> Iterator[Tab]:
    """The report, opened."""
    folder: Path = tmp_path_factory.mktemp("page")
    nbformat.write(report(), folder / "notebook.ipynb")
    to_html(folder / "notebook.ipynb", folder / "page.html", "A study", [INDEX])
    opened = Tab(folder / "page.html", folder / "profile")
    yield opened
    opened.close()


def test_the_console_is_silent_and_nothing_is_asked_for(tab: Tab) -> None:
    assert tab.errors() == [] and tab.asked() == []
    assert tab.run("document.images[0].naturalWidth") > 0, "the policy lets the page's own figures through"


@pytest.mark.parametrize("width", [1400, 390])
def test_no_page_scrolls_sideways(tab: Tab, width: int) -> None:
    tab.screen(width)
    assert tab.run("document.documentElement.scrollWidth") <= width


def test_on_a_phone_no_name_of_a_row_lies_over_its_numbers(tab: Tab) -> None:
    tab.screen(390)
    overlaps = """[...document.querySelectorAll('.wide tbody tr')].filter((row) => {
      const [name, ...cells] = row.children, range = document.createRange();
      range.selectNodeContents(name);
      return range.getBoundingClientRect().right > cells[0].getBoundingClientRect().left + 1;
    }).length"""
    assert tab.run(overlaps) == 0
    assert tab.run("Math.max(...[...document.querySelectorAll('tbody th')].map((th) => th.offsetWidth))") < 195
    first = "[...document.querySelectorAll('.wide tr > :first-child')].map((cell) => cell.offsetWidth)"
    assert tab.run(f"Math.min(...{first})") >= 90, "nor is it set letter under letter"


def test_in_print_nothing_is_cut_off_and_what_is_folded_is_left_out(tab: Tab) -> None:
    tab.screen(690, media="print")
    assert tab.run("document.documentElement.scrollWidth") <= 690
    outside = (
        "[...document.querySelectorAll('td, th, img')].filter((e) => e.getBoundingClientRect().right > 690).length"
    )
    assert tab.run(outside) == 0
    assert tab.run("[...document.querySelectorAll('details, nav')].every((e) => e.offsetHeight === 0)")


def test_in_the_dark_paper_is_dark_and_ink_is_light(tab: Tab) -> None:
    def light(what: str) -> float:
        value = tab.run(f"getComputedStyle(document.body).{what}.match(/\\d+/g).slice(0, 3).map(Number)")
        return sum(value) / 3

    tab.screen(1400, dark="dark")
    assert light("backgroundColor") < 60 and light("color") > 180
    tab.screen(1400)
    assert light("backgroundColor") > 200 and light("color") < 80


def test_code_stands_folded_behind_everything_else(tab: Tab) -> None:
    tab.screen(1400)
    assert tab.run("document.querySelectorAll('main pre').length") == 0
    assert tab.run("[...document.querySelectorAll('footer details')].every((d) => !d.open)")


def test_a_term_is_explained_where_it_first_stands_and_at_the_end(tab: Tab) -> None:
    assert tab.run("document.querySelector('abbr').title.startsWith('Supervised fine-tuning')")
    assert tab.run("[...document.querySelectorAll('#terms dt')].map((t) => t.textContent)") == [
        "SFT",
        "DPO",
        "KL",
        "证型",
    ]
