"""Studies are compared by what both have, a repetition is held against published intervals, blind marks are read."""

import copy
import json
from pathlib import Path

import pytest

from tcm.cases import CaseError
from tcm_rlaif.report import compare
from tcm_rlaif.report.safe_html import problems
from tcm_rlaif.runner import cli


def results(**changes) -> dict:
    cell = {"mean": 0.5, "low": 0.4, "high": 0.6, "n": 10}
    return {
        "study": "a", "params": {"sft_epochs": 2}, "seeds": [0], "machine": {"torch": "2.13.0"}, "data": {}, "base": {},
        "side_by_side": {},
        "arms": {"base": {"herb_f1": cell}, "sft": {"herb_f1": {**cell, "mean": 0.8, "low": 0.7, "high": 0.9}}},
        "comparisons": [
            {"arms": f"sft - {other}", "metric": "herb_f1", "difference": 0.3, "low": 0.2, "high": 0.4, "declared": it}
            for other, it in (("base", True), ("gold", False))
        ],
        **changes,
    }  # fmt: skip


def test_what_differs_is_named_and_nothing_else() -> None:
    table = compare.what_differs(results(), results(study="b", params={"sft_epochs": 4}, machine={"torch": "2.14.0"}))
    assert table.values.tolist() == [["params.sft_epochs", "2", "4"], ["machine.torch", '"2.13.0"', '"2.14.0"']]


def test_arms_of_both_stand_beside_each_other() -> None:
    other = results(study="b")
    other["arms"] = {"sft": {"herb_f1": {"mean": 0.65, "low": 0.6, "high": 0.69, "n": 10}, "x": {}}, "new": {}}
    (row,) = compare.side_by_side(results(), other).to_dict("records")
    assert (row["arm"], row["metric"], row["intervals"]) == ("sft", "herb_f1", "apart")
    assert row["a"] == "0.800 [0.700, 0.900]" and row["difference"] == pytest.approx(-0.15)


def test_a_repetition_is_held_against_the_published_intervals() -> None:
    again = copy.deepcopy(results())
    again["arms"]["sft"]["herb_f1"]["mean"] = 0.95
    again["arms"].pop("base")
    again["comparisons"][0]["difference"] = 0.21
    table = compare.reproduced(results(), again).set_index("what")["within"]
    assert table.to_dict() == {"base": False, "sft": False, "sft - base": True}
    assert compare.reproduced(results(), results())["within"].all()


def marks(tmp_path: Path) -> Path:
    def row(case: str, arm: str, mark: int, score: float, f1: float | None, named: bool = False) -> dict:
        return {"case": case, "by": [[arm, 0], [arm, 1]], "mark": mark, "named": named, "score": score, "herb_f1": f1}

    rows = [row("1", "sft", 2, 0.3, 0.1), row("1", "gold", 5, 0.9, 1.0), row("1", "base", 1, 0.5, 0.0),
            row("2", "sft", 4, 0.6, 0.2), row("2", "gold", 4, 0.9, 1.0),
            row("2", "base", 5, 0.1, None, named=True)]  # fmt: skip
    path = tmp_path / "marks.json"
    path.write_text(json.dumps({"study": "a", "judge": "rubric", "marks": rows}), "utf-8")
    return path


def test_blind_marks_against_judge_and_herb_f1(tmp_path) -> None:
    means, agreement, named = compare.marked(compare.read_marks(marks(tmp_path)))
    assert named == 1
    assert means.set_index("by")["mean"].to_dict() == {"base": 1, "gold": 4.5, "sft": 3}
    shares = agreement.set_index("with")["same order"].to_dict()
    assert shares == {"judge rubric": pytest.approx(2 / 3), "herb F1": 1.0}
    assert agreement["pairs"].tolist() == [3, 3], "marks that tie order nothing; case 2 has one mark of each kind"


def test_the_commands(tmp_path, capsys) -> None:
    for name, made in (("a", results()), ("b", results(study="b"))):
        (tmp_path / f"{name}.json").write_text(json.dumps(made), "utf-8")
    page = tmp_path / "page.html"
    assert cli.main(["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json"), "--page", str(page)]) == 0
    assert "sft" in capsys.readouterr().out and problems(page.read_text("utf-8")) == []
    assert cli.main(["compare", str(marks(tmp_path))]) == 0
    assert "1 marks were given after the names were shown" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "[]", '{"study": "a"}', '{"arms": '])
def test_a_file_that_is_no_results_is_refused(tmp_path, text) -> None:
    (tmp_path / "r.json").write_text(text, "utf-8")
    with pytest.raises(CaseError, match=r"r\.json: (damaged|these are no results)"):
        compare.read_results(str(tmp_path / "r.json"))
    with pytest.raises(CaseError, match="no results there"):
        compare.read_results(str(tmp_path / "absent"))
    with pytest.raises(CaseError, match="no marks"):
        compare.read_marks(tmp_path / "r.json")


def test_verify_runs_the_published_parameters_under_another_name(tmp_path, monkeypatch, capsys) -> None:
    ran = []
    monkeypatch.setattr(cli.study, "run_study", lambda P, cores: ran.append(P) or 0)
    monkeypatch.setattr(cli, "reports_folder", lambda P: tmp_path)
    (tmp_path / "results.json").write_text(json.dumps(results()), "utf-8")
    assert cli.main(["verify", str(tmp_path)]) == 0
    assert ran[0].study == "a_again" and ran[0].sft_epochs == 2
    assert "3 of 3 numbers lie within" in capsys.readouterr().out


def test_the_page_shows_what_each_found_a_figure_and_what_differs(tmp_path) -> None:
    a, b = results(), results(study="b", params={"sft_epochs": 4})
    page = compare.page(a, b, tmp_path / "page.html").read_text("utf-8")
    assert problems((tmp_path / "page.html").read_text("utf-8")) == []
    assert "What a found" in page and "What b found" in page and page.count("<img ") == 1
    assert "params.sft_epochs" in page.replace("<wbr/>", "")


def test_a_hostile_name_of_a_study_or_an_arm_stays_text(tmp_path) -> None:
    hostile = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    a = results(study=hostile)
    a["arms"] = {hostile: a["arms"]["sft"]}
    page = compare.page(a, a, tmp_path / "page.html").read_text("utf-8")
    assert problems((tmp_path / "page.html").read_text("utf-8")) == []
    assert "&lt;img src=x onerror=alert(1)&gt;" in page and "<script" not in page
