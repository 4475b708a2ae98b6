"""`./study readme` names a damaged file of reports/ in one line and writes nothing, however the file is damaged."""

import json
import shutil
from pathlib import Path

import pytest

from tcm_rlaif.evaluation import rounding
from tcm_rlaif.report import index, measured, readme
from tcm_rlaif.runner import cli
from tcm_rlaif.study.params import ROOT
from tcm_rlaif.study.plan import StageError

SPEED = {"rate": 130.0, "peak": 1.5, "rate_ratio": 1.3, "peak_ratio": 1.0}
WAYS = {f"{side} {kind}": SPEED for side in ("ours", "trl") for kind in ("sft", "dpo")}
RUN = {"threads": 1, "dtype": "float32", "herb_f1": 0.5}
UNPUBLISHED = {  # measured by a benchmark that has no published file at all times
    "trl": {"a": {"rows": 8, "batch": 4, "threads": 1, "ways": WAYS}},
    "rounding": {"spread": 0.03, "training_answers": 40, "test_cases": 60, "machine": "x86_64", "runs": [RUN]},
}
MEASURED = sorted(measured.BLOCKS)
STUDIES = ("best4sdt", "default", "mtcmb")
WHOLE = {
    "empty": b"", "blank": b" \n", "list": b"[]", "object": b"{}", "null": b"null", "number": b"0", "true": b"true",
    "text": b'"text"', "a list of lists": b"[[]]", "not UTF-8": b'{"a": "\xff"}', "no JSON": b"{'a': 1}",
    "two values": b"{}{}", "deep": b"[" * 100_000, "of something else": b'{"study": "x", "a": {"b": [1]}}',
}  # fmt: skip
PARTS = {"list": [], "object": {}, "null": None, "number": 7, "text": "text", "list of null": [None]}


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A copy of the texts and of what they are filled from, with every file of figures and three studies."""
    results = (ROOT / "reports" / study / "results.json" for study in STUDIES)
    for path in (*readme.FILES, readme.TRIPOD, *(ROOT / "reports").glob("*.json"), *results):
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    for name, found in UNPUBLISHED.items():
        (tmp_path / "reports" / f"{name}.json").write_text(json.dumps(found), "utf-8")
    docs = tmp_path / "docs" / "results.md"
    blocks = (readme.MEASURED.format(name=name) for name in MEASURED)
    added = [f"{block}\nold\n{readme.END}\n" for block in blocks if block not in _texts(tmp_path)]
    docs.write_text("\n".join([docs.read_text("utf-8"), *added]), "utf-8")
    monkeypatch.setattr(readme, "ROOT", tmp_path)
    monkeypatch.setattr(readme, "FILES", tuple(tmp_path / path.relative_to(ROOT) for path in readme.FILES))
    monkeypatch.setattr(readme, "TRIPOD", tmp_path / readme.TRIPOD.relative_to(ROOT))
    monkeypatch.setattr(index, "published", lambda: set(STUDIES))
    return tmp_path


def _texts(folder: Path) -> str:
    return "".join(p.read_text("utf-8") for p in sorted(folder.rglob("*.md")))


def refused(project: Path, file: str, capsys: pytest.CaptureFixture) -> str:
    """What the command says: one line that names the file and the cure; nothing was written."""
    before = {p: p.read_bytes() for p in project.rglob("*") if p.is_file()}
    assert cli.main(["readme"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and len(said) < 400 and said.startswith("error: "), said
    assert file in said and "is damaged (" in said and "writes it again" in said
    assert {p: p.read_bytes() for p in project.rglob("*") if p.is_file()} == before
    return said


def test_sound_files_fill_the_texts(project) -> None:
    assert cli.main(["readme"]) == 0
    said = _texts(project)
    assert "\nold\n" not in said and "SFT 130 tokens/s" in said and (project / "reports" / index.INDEX).exists()


@pytest.mark.parametrize("name", MEASURED)
@pytest.mark.parametrize("damage", ["cut", *WHOLE])
def test_a_damaged_file_of_figures_is_named(project, capsys, name, damage) -> None:
    path = project / "reports" / f"{name}.json"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] if damage == "cut" else WHOLE[damage])
    assert measured.BLOCKS[name][1] in refused(project, f"reports/{name}.json", capsys)


@pytest.mark.parametrize("name", MEASURED)
@pytest.mark.parametrize("damage", PARTS)
def test_a_file_of_figures_with_a_damaged_part_is_named(project, capsys, name, damage) -> None:
    path = project / "reports" / f"{name}.json"
    found = json.loads(path.read_text("utf-8"))
    part = [key for key, value in found.items() if isinstance(value, dict | list)][-1]
    path.write_text(json.dumps(found | {part: PARTS[damage]}), "utf-8")
    refused(project, f"reports/{name}.json", capsys)


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("damage", ["cut", *WHOLE])
def test_damaged_results_of_a_study_are_named(project, capsys, study, damage) -> None:
    path = project / "reports" / study / "results.json"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] if damage == "cut" else WHOLE[damage])
    assert f"./study report {study}" in refused(project, f"reports/{study}/results.json", capsys)


@pytest.mark.parametrize("key", ["arms", "floors", "comparisons", "data", "base", "side_by_side", "cost", "seeds"])
@pytest.mark.parametrize("damage", ["missing", "null", "number"])
def test_results_with_a_damaged_part_are_named(project, capsys, key, damage) -> None:
    path = project / "reports" / "default" / "results.json"
    results = json.loads(path.read_text("utf-8"))
    del results[key]
    if damage != "missing":
        results[key] = PARTS[damage]
    path.write_text(json.dumps(results), "utf-8")
    refused(project, "reports/default/results.json", capsys)


@pytest.mark.parametrize("damage", PARTS)
def test_no_wrong_value_in_results_ends_in_a_traceback(project, capsys, monkeypatch, damage) -> None:
    monkeypatch.setattr(readme, "FILES", [path for path in readme.FILES if path.name in ("README.md", "results.md")])
    monkeypatch.setattr(index, "page_of", lambda *given: "page")
    for study in STUDIES[::2]:
        shutil.rmtree(project / "reports" / study)
    path = project / "reports" / "default" / "results.json"
    results = json.loads(path.read_text("utf-8"))
    codes = []
    for key in results:
        path.write_text(json.dumps(results | {key: PARTS[damage]}), "utf-8")
        codes.append(cli.main(["readme"]))
        said = capsys.readouterr().err
        assert not said or (said.count("\n") == 1 and "reports/default/results.json: is damaged (" in said), key
        assert codes[-1] == (2 if said else 0), key
    assert codes.count(2) > 10


def test_without_the_study_that_the_table_is_filled_from_its_file_is_named(project, capsys) -> None:
    (project / "reports" / "default" / "results.json").unlink()
    refused(project, "reports/default/results.json", capsys)


def test_a_block_without_its_end_is_named(project, capsys) -> None:
    path = project / "docs" / "data.md"
    path.write_text(path.read_text("utf-8").replace(readme.END, ""), "utf-8")
    assert cli.main(["readme"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "has no end" in said and readme.END in said


@pytest.mark.parametrize("damage", ["cut", *WHOLE])
def test_a_damaged_floor_of_rounding_is_named(project, damage) -> None:
    path = project / "reports" / "rounding.json"
    assert "0.030" in rounding.sentence(rounding.measured(path))
    path.write_bytes(path.read_bytes()[:60] if damage == "cut" else WHOLE[damage])
    with pytest.raises(StageError, match=r"rounding\.json: is damaged .*/measure_rounding\.py writes it again"):
        rounding.measured(path)
