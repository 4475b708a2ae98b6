"""What the judge knows and what its choice promised stand beside what physicians wrote and what training brought."""

import pandas as pd
import pytest
import written_study

from tcm.metrics import human
from tcm_rlaif.evaluation import ablation, known
from tcm_rlaif.feedback.physicians import FIGURES

FLIGHT = {"candidates": 4, "prompts": 9, "gain": 0.08, "low": 0.03, "high": 0.12, "possible": 0.2}
ENDS = {"value": 0.7, "low": 0.6, "high": 0.8, "n": 30, "unjudged": 0}


@pytest.fixture(scope="module")
def evidence(stage):
    """With an audit and a pre-flight in the stage that labelled."""
    found = ablation.collect(stage)
    judged = [
        {"judge": judge, "scored_by": scored_by, "figure": figure, **ENDS}
        for judge, scored_by in (("rubric", "score"), ("rubric", "safety"), ("popularity", "score"))
        for figure in FIGURES
    ]
    for labels in found.labels.values():
        labels |= {
            "physicians": {"rows": judged, "drift": {}},
            "preflight": {"rows": [FLIGHT | {"gain": 0.01}, FLIGHT]},
        }
    return found


def test_the_table_holds_floors_oracle_and_verdicts_each_with_an_interval(stage, evidence) -> None:
    table = known.knowledge(evidence, written_study.TEST, stage.study)
    herbs = table[table["what"] == "herb F1, base level"].set_index("of")
    assert list(herbs.index) == ["popularity", "nearest_case", "expert_rule", "expert", "pattern_oracle"]
    assert herbs.loc["expert", "value"] == pytest.approx(evidence.tables["expert"]["herb_base_f1"].mean())
    assert set(herbs["n"]) == {2} and table.notna().all(axis=None)
    order = table[table["what"] == known.VERDICTS["order"]]["of"].tolist()
    assert order == [f"{who} (sft_dpo/seed{s})" for s in (0, 1) for who in ("rubric", "popularity")]


def test_what_was_promised_stands_beside_what_the_arm_gained_over_its_start(stage, evidence) -> None:
    table = known.promises(evidence, stage.study)
    assert table[["arm", "seed", "start"]].values.tolist() == [["sft_dpo", 0, "sft"], ["sft_dpo", 1, "sft"]]
    assert set(table["expected"]) == {0.08} and set(table["candidates"]) == {4}, "the row with most candidates"
    assert table["gain"].tolist() == pytest.approx([1 / 3, 1 / 3]) and set(table["n"]) == {2}
    assert known.agreement(table).startswith(
        "In 2 of 2 trainings the judge's choice promised a gain (interval above 0)"
    )


def test_what_a_choice_at_the_test_adds_is_not_called_a_gain_of_training(stage, evidence) -> None:
    chosen = {"sft_dpo_of_8": {"eval_number": 8, "eval_temperature": 0.8}}
    more = stage.study.model_copy(update={"arms": {**stage.study.arms, **chosen}})
    assert set(known.promises(evidence, more)["arm"]) == {"sft_dpo"}


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(0.01, 0.2, "a gain in 1, a loss in 0, and nothing clear in 0"), (-0.1, 0.1, "and nothing clear in 1"),
     (-0.2, -0.01, "a gain in 0, a loss in 1")],
)  # fmt: skip
def test_a_promise_is_kept_only_where_the_interval_shows_it(low: float, high: float, said: str) -> None:
    row = {
        "possible": 0.3,
        "expected": 0.1,
        "expected low": 0.05,
        "gain": (low + high) / 2,
        "gain low": low,
        "gain high": high,
    }
    found = known.agreement(pd.DataFrame([row]))
    assert said in found and "+0.100 herb F1 (processing ignored) on average of the +0.300 that a choice by" in found
    assert known.agreement(pd.DataFrame([row | {"expected low": -0.1}])).startswith("In no training")


def test_the_start_of_an_arm_is_the_arm_that_answers_with_the_model_it_started_from(stage) -> None:
    assert [known.start_of(stage.study, arm, 1) for arm in written_study.ARMS] == [None, None, "sft"]
    alone = stage.study.model_copy(update={"arms": {"base": {"training": "none"}, "dpo": {"training": "dpo"}}})
    assert known.start_of(alone, "dpo", 1) == "base"
    other = {"sft": {"training": "sft", "sft_epochs": 1}, "sft_dpo": {}}
    assert known.start_of(stage.study.model_copy(update={"arms": other}), "sft_dpo", 0) is None
    fewer = {"more": {"training": "sft", "sft_epochs": 3}, **stage.study.arms}
    few = stage.study.model_copy(update={"arms": fewer, "arm_seeds": {"more": (0,)}})
    assert known.start_of(few, "sft_dpo", 1) == "sft", "an arm without that seed is not asked for it"


def test_a_diagnosis_stands_beside_how_far_physicians_agree_and_the_comparison_is_called_rough(stage, evidence) -> None:
    table = known.diagnosis(evidence, stage.study).set_index("answers by")
    assert table["value"].iloc[0] == human.PATTERN.mean == 0.57 and "another measure" in table.index[0]
    assert table.loc["sft_dpo", "value"] == 1.0 and table.loc["base", "value"] == 0.0 and {"expert"} < set(table.index)
    said = human.sentence()
    assert all(part in said for part in ("57%", "65%", "0.34", "PMC6864748", "rough", "not at 60% of perfect"))
