"""No text of a record or a model moves a terminal or turns a page round: what would do so is shown as its code."""

import base64
import gzip
import json
import re

import pandas as pd
import pytest

from tcm.unseen import visible, without
from tcm_rlaif.report import browser
from tcm_rlaif.report.show import show_table, show_text

HOSTILE = ("\x1b[31m", "\x1b]0;title\x07", "\u202e", "\u2066", "\r", "\x9b", "\x08", "\x00", "\u200f")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_notebooks_show_it_as_its_code(hostile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[dict] = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: shown.append(bundle))
    show_text(f"柴胡{hostile}10g", label=f"{hostile}x")
    show_table(pd.DataFrame({f"herb{hostile}": [f"柴胡{hostile}"]}), f"caption{hostile}")
    bundles = "".join(text for bundle in shown for text in bundle.values())
    assert len(shown) == 2 and hostile not in bundles and visible(hostile) in bundles and "柴胡" in bundles


@pytest.mark.parametrize("hostile", HOSTILE)
def test_the_page_of_cases_holds_its_code(hostile: str) -> None:
    page = browser.page_of({"cases": [{"text": f"失眠{hostile}", "by": [[f"{hostile}sft", 0]]}]}, "mine")
    (packed,) = re.findall(r"H4sI[A-Za-z0-9+/=]+", page)
    (case,) = json.loads(gzip.decompress(base64.b64decode(packed)))["cases"]
    assert case["text"] == f"失眠{visible(hostile)}" and hostile not in case["by"][0][0] and case["by"][0][1] == 0


def test_line_breaks_tabs_and_han_text_stay() -> None:
    text = "主诉：失眠\n\t柴胡10g，🌿"
    assert visible(text) == without(text) == text
    assert without("失眠\r\n多梦\r心悸\x1b") == "失眠\n多梦\n心悸 "
