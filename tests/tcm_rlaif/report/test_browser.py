"""The case browser in a real browser: filter, search, keyboard, blind reading; hostile text stays text; no request."""

import base64
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import Tab

from tcm import answers
from tcm.cases import write_cases
from tcm.files import write_json
from tcm.invented import invent_cases
from tcm_rlaif.evaluation import tables
from tcm_rlaif.report import browser
from tcm_rlaif.study import params, plan

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
ARMS = ("base", "sft", "sft_dpo")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> dict[str, Any]:
    """The page's data of a study of twelve invented cases that no model answered: what the arms say is written here."""
    root = tmp_path_factory.mktemp("project")
    P = params.validated(
        {"study": "browsed", "seeds": [0, 1], "arms": {"base": {"training": "none"}, "sft": {"training": "sft"},
                                                        "sft_dpo": {}}}, "test",
    )  # fmt: skip
    cases = invent_cases(36, 0.4, seed=5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "ROOT", root)
        folder = plan.study_folder(P)
        runs = {run.folder: run for run in plan.plan(P)}
        where = folder / next(name for name, run in runs.items() if run.stage == "01_data_prep")
        test, train = cases[:12], cases[12:]
        where.mkdir(parents=True)
        write_cases(where / "cases.jsonl", cases)
        write_json(where / "splits.json", {c.id: "test" if c in test else "train" for c in cases})
        gold = [answers.write(c.answer) for c in test]
        said = {"base": [HOSTILE] * 12, "sft": gold[1:] + gold[:1], "sft_dpo": gold[:6] + gold[7:] + gold[6:7]}
        for name, evaluated in runs["06_ablation"].inputs:
            arm = name.split("/")[0]
            (folder / evaluated).mkdir(parents=True)
            tables.write_table(
                folder / evaluated / "scores.jsonl", tables.score_answers(test, said[arm], [True] * len(test))
            )
            tables.write_table(folder / evaluated / "floors.jsonl", tables.floors(train, test))
        return browser.data_of(P)


def test_equal_answers_stand_once_with_everybody_who_gave_them(data) -> None:
    first = data["cases"][0]
    by = {tuple(map(tuple, a["by"])) for a in first["answers"]}
    gold = next(names for names in by if ("gold", None) in names)
    assert {("sft_dpo", 0), ("sft_dpo", 1)} <= set(gold)
    assert sum(len(names) for names in by) == 5 + len(data["others"]) - ("copy_previous" in data["others"] and
                                                                        first["task"] == "first_visit")  # fmt: skip


def test_herbs_are_marked_against_the_physicians(data) -> None:
    for one in data["cases"]:
        gold = next(a for a in one["answers"] if ["gold", None] in a["by"])
        assert gold["missing"] == [] and all(right and not off for _, _, right, off in gold["herbs"])
        other = next(a for a in one["answers"] if ["sft", 0] in a["by"])
        given, wanted = {row[0] for row in other["herbs"]}, {row[0] for row in gold["herbs"]}
        assert {row[0] for row in other["herbs"] if row[2]} == given & wanted
        assert set(other["missing"]) == wanted - given


def test_a_dose_is_marked_from_half_as_much_again() -> None:
    item = {"herb": "柴胡", "unit": "g"}
    gold = browser.Answer(prescription=[{**item, "dose": 10}])
    offs = [browser._marked(browser.Answer(prescription=[{**item, "dose": d}]), gold)[0][0][3] for d in (14, 15, 7, 6)]
    assert offs == [False, True, False, True]


def test_the_page_admits_its_own_script_and_style_alone(data) -> None:
    page = browser.page_of(data, "a<b>&\"'")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert "default-src &#x27;none&#x27;" in policy and "unsafe" not in policy and "http" not in policy
    assert policy.count("sha256-") == 2
    assert "owned" not in page, "what models wrote reaches the page packed, as data"
    assert "<b>" not in page.split("<script")[0]


def test_the_data_come_back_whole(data) -> None:
    packed = re.search(r'id="data">([^<]*)<', browser.page_of(data, "s"))[1]
    assert json.loads(gzip.decompress(base64.b64decode(packed))) == json.loads(json.dumps(data))


class BrowserTab(Tab):
    """The case browser, opened."""

    shows = "document.querySelectorAll('.card').length > 0"

    def choose(self, control: str, value: str) -> None:
        """Set a control and let the page know."""
        self.run(f"{{const c = document.getElementById('{control}'); c.value = {json.dumps(value)};"
                 "c.dispatchEvent(new Event('change')); c.dispatchEvent(new Event('input')); 0}")  # fmt: skip

    def ids(self) -> list[str]:
        """The cases in the list."""
        return self.run("[...document.querySelectorAll('#list a')].map((a) => a.dataset.id)")

    def text(self) -> str:
        """What the opened case shows."""
        return self.run("document.getElementById('case').textContent")


@pytest.fixture
def tab(data, tmp_path) -> Iterator["BrowserTab"]:
    """The page, opened."""
    page = tmp_path / "cases.html"
    page.write_text(browser.page_of(data, "browsed"), "utf-8")
    opened = BrowserTab(page, tmp_path / "profile")
    yield opened
    opened.close()


@pytest.mark.slow
def test_a_reader_filters_searches_and_goes_by_keyboard(tab, data) -> None:
    ids = [c["id"] for c in data["cases"]]
    assert tab.ids() == ids
    tab.press("j")
    assert tab.run("location.hash") == f"#{ids[1]}" and ids[1] in tab.text()
    tab.press("k")
    assert tab.run("location.hash") == f"#{ids[0]}"
    tab.choose("task", "follow_up_visit")
    assert tab.ids() == [c["id"] for c in data["cases"] if c["task"] == "follow_up_visit"]
    tab.choose("task", "")
    word = data["cases"][4]["answers"][-1]["herbs"][0][0]
    tab.press("/")
    assert tab.run("document.activeElement.id") == "search"
    tab.choose("search", word)
    holding = [c["id"] for c in data["cases"] if word in c["text"] + "".join(a["text"] for a in c["answers"])]
    assert tab.ids() == holding and len(holding) > 0
    tab.choose("search", "no case says this")
    assert tab.ids() == [] and "No case matches" in tab.text()
    tab.run(f"location.hash = '#{ids[3]}'; 0")
    tab.wait(f"document.getElementById('case').textContent.includes({json.dumps(ids[3])})")
    assert tab.ids() == ids, "a linked case is shown, whatever was filtered"


@pytest.mark.slow
def test_the_biggest_gain_of_one_arm_over_another_comes_first(tab, data) -> None:
    def score(case: dict, arm: str) -> float:
        return next(a["scores"]["herb_f1"] for a in case["answers"] if [arm, 0] in a["by"])

    gains = {c["id"]: score(c, "sft_dpo") - score(c, "sft") for c in data["cases"]}
    tab.choose("order", "biggest gain")
    ordered = [gains[i] for i in tab.ids()]
    assert ordered == sorted(ordered, reverse=True) and ordered[0] > ordered[-1]
    tab.choose("order", "biggest loss")
    assert [gains[i] for i in tab.ids()] == sorted(gains.values())


@pytest.mark.slow
def test_blind_reading_hides_every_name_until_it_is_asked_for_and_saves_its_marks(tab, data, tmp_path) -> None:
    tab.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path / "saved"))
    tab.press("b")
    shown = tab.text()
    for word in ("physician", "sft", "base", "judge", "F1", "✓", "expect"):
        assert word not in shown.replace("as the physician", ""), word
    tab.run("document.querySelectorAll('.card')[1].querySelectorAll('input')[3].click()")
    tab.run("document.getElementById('reveal').click()")
    assert "physician" in tab.text()
    tab.run("[...document.querySelectorAll('.card')].find((c) => !c.querySelector('input:checked'))"
            ".querySelector('input').click()")  # fmt: skip
    tab.run("document.getElementById('save').click()")
    found: list[Path] = []
    for _ in range(200):
        found = list((tmp_path / "saved").glob("marks-browsed.json"))
        if found:
            break
        tab.run("new Promise((done) => setTimeout(done, 50))")
    saved = json.loads(found[0].read_text("utf-8"))
    assert saved["study"] == "browsed" and [m["mark"] for m in saved["marks"]] == [4, 1]
    assert [m["named"] for m in saved["marks"]] == [False, True], "a mark given after the names were shown says so"
    assert all(m["case"] == data["cases"][0]["id"] and m["by"] for m in saved["marks"])


@pytest.mark.slow
def test_hostile_answers_stay_text_and_the_page_asks_for_nothing(tab, data) -> None:
    assert HOSTILE in tab.text()
    assert tab.run("document.title") == "browsed: cases" and tab.run("document.images.length") == 0
    assert tab.asked() == [] and tab.errors() == []


@pytest.mark.slow
def test_a_phone_shows_a_case_without_scrolling_sideways(tab) -> None:
    tab.call("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=1, mobile=True)
    assert tab.run("document.documentElement.scrollWidth") <= 390


@pytest.mark.slow
def test_two_thousand_cases_open_search_and_filter_as_twelve_do(data, tmp_path) -> None:
    many = [{**data["cases"][n % 12], "id": f"case-{n:04}"} for n in range(2000)]
    (tmp_path / "cases.html").write_text(browser.page_of({**data, "cases": many}, "many"), "utf-8")
    opened = BrowserTab(tmp_path / "cases.html", tmp_path / "profile")
    try:
        assert len(opened.ids()) == 2000
        opened.choose("search", "case-1999")
        assert opened.ids() == ["case-1999"] and "case-1999" in opened.text()
        assert opened.run("document.querySelector('h2 a').getAttribute('href')") == "#case-1999"
        opened.choose("search", "")
        opened.choose("order", "biggest gain")
        assert len(opened.ids()) == 2000 and opened.errors() == []
    finally:
        opened.close()
