"""README.md keeps what it says: its numbers are the published ones, its files and commands exist."""

import json
import re

import pytest
import shipped

from tcm_rlaif.report import readme
from tcm_rlaif.runner import cli
from tcm_rlaif.study import params
from tcm_rlaif.study.params import ROOT

TEXT, CHINESE = ((ROOT / name).read_text("utf-8") for name in ("README.md", "README.zh.md"))
DOCS = "".join(path.read_text("utf-8") for path in sorted((ROOT / "docs").glob("*.md")))


@pytest.mark.parametrize("path", readme.FILES, ids=lambda path: path.name)
def test_every_number_of_a_published_study_is_the_one_in_its_results(path):
    text = path.read_text("utf-8")
    assert readme.filled(text) == text, "run ./study readme"


def test_both_languages_hold_the_same_numbers_sections_and_commands():
    rows = [re.findall(r"^\| (?:default|mtcmb|best4sdt) .*", text, re.MULTILINE) for text in (TEXT, CHINESE)]
    numbers = [[re.findall(r"\d+\.\d+|\d+", row) for row in found] for found in rows]
    assert numbers[0] and numbers[0] == numbers[1]
    assert len(re.findall("^## ", TEXT, re.MULTILINE)) == len(re.findall("^## ", CHINESE, re.MULTILINE))
    assert set(re.findall(r"\./study (\w+)", CHINESE)) <= set(re.findall(r"\./study (\w+)", TEXT + DOCS))


def test_ideas_on_an_axis_stand_by_number_of_answers_with_their_differences():
    plain = {"idea": "sft", "mean": 0.3, "difference": None, "from": None, "to": None}
    rows = [plain | {"answers": 10}, plain | {"answers": 40, "mean": 0.5}]
    rows += [{"idea": "tasks", "answers": 40, "mean": 0.52, "difference": 0.02, "from": -0.01, "to": 0.05}]
    assert readme._by_size(rows)[1:] == [
        "| idea | 10 answers | 40 answers |", "|---|---|---|", "| **sft** | 0.300 | 0.500 |",
        "| **tasks** | – | 0.520 (+0.020 [-0.010, +0.050]) |",
    ]  # fmt: skip
    assert readme._by_size([]) == []


@pytest.mark.parametrize(
    ("machines", "told"),
    [
        ({"8 cores": 5}, "On 8 cores, one notebook at a time"),
        ({"a GPU": 4, "2 cores": 1}, "On a GPU (4 of 5 notebooks) and 2 cores (1 of 5 notebooks)"),
        ({"a GPU": 5}, "On a GPU (5 of 5 notebooks)"),
    ],
)
def test_what_a_study_ran_on_is_told_with_its_time(machines, told):
    values = json.loads((ROOT / "reports/mtcmb_gemma/results.json").read_text("utf-8")) | {"machines": machines}
    assert f"\n{told}, this took " in readme.render(values)


def test_an_arm_with_fewer_seeds_is_marked_in_every_table():
    values = json.loads((ROOT / "reports/judge_quality/results.json").read_text("utf-8"))
    arm = values["judge_quality"][0]["arm"]
    unmarked = readme.render(values)
    values["all_params"]["arm_seeds"] = {arm: [0]}
    marked = readme.render(values)
    assert marked.count(f"{arm}** (one seed) |") == marked.count(f"| {arm} (one seed) |") == 1
    assert "over cases alone" in marked and "(one seed)" not in unmarked


def test_readme_is_read_in_two_minutes():
    assert len(TEXT.splitlines()) <= 150


@pytest.mark.parametrize("path", sorted(set(re.findall(r"params/[\w-]+\.yaml", TEXT + DOCS)) - {"params/mine.yaml"}))
def test_params_files_that_are_named_exist_and_load(path):
    assert params.load(path).study


def test_every_params_file_is_named():
    assert {p.name for p in shipped.PARAMS} == set(re.findall(r"params/([\w-]+\.yaml)", TEXT)) - {"mine.yaml"}


@pytest.mark.parametrize("stem", sorted(set(re.findall(r"`(0\d_\w+)`", TEXT + DOCS))))
def test_notebooks_that_are_named_exist(stem):
    assert (ROOT / "notebooks" / f"{stem}.ipynb").is_file()


@pytest.mark.parametrize("line", sorted(set(re.findall(r"\./study (\w+)", TEXT + DOCS)) - {"test", "lab"}))
def test_commands_that_are_named_exist(line, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main([line, "--help"])
    assert stopped.value.code == 0


def test_the_limits_of_the_study_are_said():
    assert "Research only" in TEXT and "invented" in TEXT and "仅供研究" in CHINESE and "虚构" in CHINESE


def test_the_file_tree_names_every_folder_under_src_and_no_other():
    tree = TEXT.split("## Files", 1)[1].split("Snakefile profiles/", 1)[0]
    named, package = set(), ""
    for name in re.findall(r"^(src/\w+|  \w+)/ ", tree, re.MULTILINE):
        package = name if name.startswith("src/") else package
        named.add(name if name == package else f"{package}/{name.strip()}")
    have = {p.parent.relative_to(ROOT).as_posix() for p in (ROOT / "src").glob("*/**/__init__.py")}
    assert {n for n in named if n.count("/") < 3} == {h for h in have if h.count("/") < 3}
