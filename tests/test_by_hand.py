"""Each stage notebook works one small example by hand before its ideas, and the examples say what is true."""

import json
import math
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from written_study import TRAIN

from tcm import answers
from tcm_rlaif.report import plots
from tcm_rlaif.study.schema import Params

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


def by_hand(stage: str) -> list[str]:
    """The code of the cells that follow a heading `### By hand`."""
    cells = json.loads(next(NOTEBOOKS.glob(f"{stage}_*.ipynb")).read_text("utf-8"))["cells"]
    texts = [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    after = [texts[i + 1] for i, (kind, text) in enumerate(texts) if kind == "markdown" and "### By hand" in text]
    assert after and all(kind == "code" for kind, _ in after)
    return [text for _, text in after]


@pytest.fixture
def shown(monkeypatch) -> dict:
    """What the cells of a notebook find there, and what they show."""
    seen = {"figures": [], "tables": []}
    config = SimpleNamespace(get_text_config=lambda: SimpleNamespace(hidden_size=128))
    return seen | {
        "P": Params(), "pd": pd, "math": math, "plots": plots, "answers": answers, "training_cases": TRAIN,
        "model": SimpleNamespace(config=config), "tokenizer": range(4000),
        "show_figure": lambda figure, alt: seen["figures"].append(alt),
        "show_table": lambda table, caption: seen["tables"].append(table),
    }  # fmt: skip


def run(stage: str, names: dict, capsys) -> str:
    """Run all examples of a stage, and give what they printed."""
    for code in by_hand(stage):
        exec(compile(code, stage, "exec"), names)
    return capsys.readouterr().out


def test_a_model_that_knows_nothing_loses_the_logarithm_of_its_vocabulary(shown, capsys) -> None:
    run("00", shown, capsys)
    assert f"all alike {math.log(4000):.2f}" in shown["figures"][0]


def test_two_findings_share_their_trigrams_and_three_herbs_break_a_rule(shown, capsys) -> None:
    said = run("01", shown, capsys)
    assert "13 of 21 trigrams" in said and "from 0.5 on near-duplicates: one group" in said
    assert "from 0.8 on near-duplicates: two groups" in said
    assert "incompatibility" in set(shown["tables"][0]["kind"])


def test_an_untrained_adapter_changes_nothing(shown, capsys) -> None:
    assert "moves the output by 0.0\n" in run("02", shown, capsys)


def test_a_dose_too_high_costs_the_criterion_of_doses_and_a_tie_is_half_a_win(shown, capsys) -> None:
    said = run("03", shown, capsys)
    assert shown["marks"]["dose"] < 1 == shown["marks"]["repetition"]
    assert "(1.0, 0.25, 0.25, None)" in said


def test_the_loss_of_a_pair_begins_at_ln_2(shown, capsys) -> None:
    said = run("04", shown, capsys)
    assert "margin 0.30, loss 0.5544; at margin 0 0.6931" in said and shown["figures"]


def test_herb_f1_by_hand_is_that_of_the_study(shown, capsys) -> None:
    assert "precision 0.67, recall 0.50, F1 0.571" in run("05", shown, capsys)


def test_a_bootstrap_of_ten_numbers_is_narrower_than_the_interval_of_the_study(shown, capsys) -> None:
    run("06", shown, capsys)
    assert shown["own_low"] < shown["low"] < shown["ten"].mean() < shown["high"] < shown["own_high"]
