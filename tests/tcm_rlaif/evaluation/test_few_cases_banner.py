"""A report on too few cases says so in its first paragraph, whichever parameter made them few."""

from pathlib import Path

import pandas as pd
import pytest

from tcm_rlaif.evaluation import ablation, standing
from tcm_rlaif.study.schema import Params


def evidence(train: int, test: int) -> ablation.Evidence:
    table = pd.DataFrame({"case_id": ["a", "b"], "task": "first_visit", "seed": 0, "herb_f1": [0.2, 0.4]})
    splits = [{"split": n, "cases": c} for n, c in (("train", train), ("validation", 3), ("test", test))]
    facts = {"data": {"source": "own", "splits": splits}, "base": {"model": "tiny", "parameters": 5_200_000}}
    tables = dict.fromkeys(("base", "sft", "dpo_only", "sft_dpo", "gold"), table)
    return ablation.Evidence(table, tables, facts, {}, {}, {}, ["herb_f1"], ["herb_f1"], Path())


@pytest.mark.parametrize(
    ("train", "test", "changed", "said"),
    [
        (20, 3, {}, "3 test cases"),
        (4, 20, {}, "4 training answers"),
        (20, 20, {"eval_cases": 5}, "5 test cases"),
        (20, 20, {"sft_cases": 2}, "2 training answers"),
    ],
)
def test_too_few_cases_are_a_banner(train: int, test: int, changed: dict, said: str) -> None:
    text = standing.warnings(evidence(train, test), Params(**changed))
    assert "**Too few cases for a finding:**" in text and said in text


def test_enough_cases_need_none() -> None:
    assert "Too few" not in standing.warnings(evidence(20, 20), Params())
