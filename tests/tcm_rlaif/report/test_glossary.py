"""Terms are explained where they first stand in prose, once a page, and never inside headings, code or attributes."""

import pytest

from tcm_rlaif.report.glossary import TERMS, Explainer
from tcm_rlaif.report.safe_html import POLICY, clean, problems


def test_a_term_is_marked_at_its_first_place_alone_and_kept_for_the_glossary() -> None:
    explain = Explainer()
    page = explain("<h2>KL</h2><p>Low KL, high KL.</p>") + explain("<p>KL and DPO</p>")
    assert page.count("<abbr") == 2 and page.startswith("<h2>KL</h2><p>Low <abbr")
    assert list(explain.met) == ["KL", "DPO"]


NO_PROSE = ('<p class="note" title="KL">x</p>', "<pre>KL</pre>", '<a href="#">KL</a>', "<p>KLM</p>", "<p>pre-KL_x</p>",
            '<a href="https://x/?a>KL" class="note">y</a>')  # fmt: skip


@pytest.mark.parametrize("html", NO_PROSE)
def test_what_is_no_prose_or_no_whole_word_stays_as_it_is(html: str) -> None:
    assert Explainer()(html) == html


def test_a_chinese_term_is_found_among_chinese_characters() -> None:
    assert '<abbr title="Pattern' in Explainer()("<p>中医证型与方剂</p>")


def test_singular_and_plural_are_explained_once() -> None:
    assert Explainer()("<p>floors and a floor, seeds and a seed</p>").count("<abbr") == 2


def test_every_explanation_may_stand_on_a_page() -> None:
    html = Explainer()("<p>" + ", ".join(TERMS) + "</p>")
    meta = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    page = f"<!DOCTYPE html><html><head>{meta}<title>t</title></head><body><main>{html}</main></body></html>"
    assert problems(page) == [] and clean(html).count("<abbr") == html.count("<abbr")
