"""The ablation: arms, floors and facts of a small study are gathered and told."""

import pytest
from written_study import ARMS

from tcm import metrics
from tcm.metrics import FLOORS, PRIMARY
from tcm_rlaif.evaluation import ablation, judging, tables


def test_the_evidence_has_a_row_for_each_arm_seed_and_case(evidence) -> None:
    counted = evidence.scores.groupby(["arm", "seed"]).size().to_dict()
    assert counted == {("base", 0): 2, ("sft", 0): 2, ("sft", 1): 2, ("sft_dpo", 0): 2, ("sft_dpo", 1): 2}


def test_the_evidence_holds_arms_floors_attacks_and_gold(evidence) -> None:
    assert set(evidence.tables) == {*ARMS, *FLOORS, *metrics.ATTACKS, "gold"}
    assert set(evidence.dpo) == {"sft_dpo/seed0", "sft_dpo/seed1"} == set(evidence.labels)
    assert evidence.primary == ["herb_f1", "judge_score", "usable"]
    assert {*PRIMARY, "other_judge_score", "formula_f1"} < set(evidence.shown)


def test_answers_that_other_judges_scored_are_scored_by_those_of_the_study(stage, evidence) -> None:
    folder = next(iter(stage.inputs.values()))
    kept = tables.read_table(folder / "scores.jsonl")
    other = {judging.JUDGED_BY: "judge_score: another", "judge_score": -1.0, "other_judge_score": -1.0}
    tables.write_table(folder / "scores.jsonl", kept.assign(**other))
    again = ablation.collect(stage)
    assert set(again.scores[judging.JUDGED_BY]) == set(evidence.scores[judging.JUDGED_BY])
    for key in ("judge_score", "other_judge_score"):
        assert again.scores[key].tolist() == pytest.approx(evidence.scores[key].tolist(), nan_ok=True)
    tables.write_table(folder / "scores.jsonl", kept)


def test_the_arms_are_told_with_what_trains_and_what_differs(stage) -> None:
    assert list(ablation.arm_rows(stage.study)) == [
        {"arm": "base", "trains": "nothing", "difference": "training: none"},
        {"arm": "sft", "trains": "sft", "difference": "training: sft"},
        {"arm": "sft_dpo", "trains": "sft -> rlaif_labels -> dpo", "difference": "none: the study itself"},
    ]


def test_the_main_table_counts_cases_and_not_answers(evidence) -> None:
    table = ablation.main_table(evidence, evidence.shown)
    assert set(table["n herb_f1"]) <= {1, 2}
    assert table.loc["sft", "herb_f1"] == pytest.approx(2 / 3)
    assert set(ablation.main_table(evidence, ["usable"]).columns) == {"usable", "n usable"}
    assert table.loc[["gold", "sft_dpo"], "herb_f1"].tolist() == [1.0, 1.0] and table.loc["base", "herb_f1"] == 0.0


def test_the_mean_of_an_arm_is_over_cases_with_one_mean_a_seed(evidence, stage) -> None:
    rows = ablation.arm_means(evidence, "herb_f1", stage.study).set_index("arm")
    assert rows.loc["sft", "mean"] == pytest.approx(2 / 3) and rows.loc["sft", "seeds"] == [0.6667, 0.6667]
    assert rows.loc["base", "seeds"] == [0.0] and set(rows["n"]) == {2}
    assert all(rows["low"] <= rows["mean"]) and all(rows["mean"] <= rows["high"])


def test_the_training_rows_tell_the_first_loss_and_how_it_ended(evidence) -> None:
    rows = ablation.training_rows(evidence).set_index("run")
    assert rows.loc["sft_dpo/seed0", "first loss"] == pytest.approx(0.6931, abs=1e-4)
    assert rows.loc["sft_dpo/seed1", "last margin"] == 1.5


def test_the_training_rows_of_a_study_without_preference_training_are_none(evidence) -> None:
    assert len(ablation.training_rows(ablation.Evidence(**{**vars(evidence), "dpo": {}}))) == 0


def test_side_by_side_shows_gold_and_every_arm_of_a_case(evidence) -> None:
    shown = dict(ablation.side_by_side(evidence))
    assert set(shown) <= {"a", "b"} and shown
    for table in shown.values():
        assert table["answers by"].tolist() == ["gold", "base", "sft", "sft_dpo"]


def test_a_share_that_never_came_has_an_interval_all_the_same(evidence, stage) -> None:
    rows = ablation.arm_means(evidence, "usable", stage.study).set_index("arm")
    assert rows.loc["base", "mean"] == 0.0 == rows.loc["base", "low"] and rows.loc["base", "high"] > 0.5  # two cases
    assert rows.loc["sft_dpo", "mean"] == 1.0 == rows.loc["sft_dpo", "high"] and rows.loc["sft_dpo", "low"] < 0.5
