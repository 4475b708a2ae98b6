"""The ablation: arms, floors and questions of a small study are gathered, compared and put into honest sentences."""

import pandas as pd
import pytest
import written_study
from written_study import ARMS

from tcm import metrics
from tcm.metrics import FLOORS, PRIMARY
from tcm_rlaif.evaluation import ablation, stats


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """06_ablation of a study whose earlier stages are written by hand."""
    with written_study.opened(tmp_path_factory.mktemp("project")) as opened:
        yield opened


@pytest.fixture(scope="module")
def evidence(stage):
    return ablation.collect(stage)


def test_the_evidence_has_a_row_for_each_arm_seed_and_case(evidence) -> None:
    counted = evidence.scores.groupby(["arm", "seed"]).size().to_dict()
    assert counted == {("base", 0): 2, ("sft", 0): 2, ("sft", 1): 2, ("sft_dpo", 0): 2, ("sft_dpo", 1): 2}


def test_the_evidence_holds_arms_floors_attacks_and_gold(evidence) -> None:
    assert set(evidence.tables) == {*ARMS, *FLOORS, *metrics.ATTACKS, "gold"}
    assert set(evidence.dpo) == {"sft_dpo/seed0", "sft_dpo/seed1"} == set(evidence.labels)
    assert evidence.primary == list(PRIMARY)


def test_the_arms_are_told_with_what_trains_and_what_differs(stage) -> None:
    assert list(ablation.arm_rows(stage.study)) == [
        {"arm": "base", "trains": "nothing", "difference": "training: none"},
        {"arm": "sft", "trains": "sft", "difference": "training: sft"},
        {"arm": "sft_dpo", "trains": "sft -> rlaif_labels -> dpo", "difference": "none: the study itself"},
    ]


def test_the_main_table_counts_cases_and_not_answers(evidence) -> None:
    table = ablation.main_table(evidence)
    assert set(table["n herb_f1"]) <= {1, 2}
    assert table.loc["sft", "herb_f1"] == pytest.approx(2 / 3)
    assert table.loc[["gold", "sft_dpo"], "herb_f1"].tolist() == [1.0, 1.0] and table.loc["base", "herb_f1"] == 0.0


def test_the_mean_of_an_arm_is_over_cases_with_one_mean_a_seed(evidence, stage) -> None:
    rows = ablation.arm_means(evidence, "herb_f1", stage.study).set_index("arm")
    assert rows.loc["sft", "mean"] == pytest.approx(2 / 3) and rows.loc["sft", "seeds"] == [0.6667, 0.6667]
    assert rows.loc["base", "seeds"] == [0.0] and set(rows["n"]) == {2}
    assert all(rows["low"] <= rows["mean"]) and all(rows["mean"] <= rows["high"])


def test_a_floor_is_told_where_it_answers_every_case_of_the_metric(evidence) -> None:
    floors = ablation.floor_means(evidence, "herb_f1")
    assert set(floors) == {"popularity", "nearest_case", "expert_rule", "expert", "template_only"}
    assert floors["template_only"] == 0.0
    assert ablation.floor_means(evidence, "followup_change_f1")["copy_previous"] == 0.0


def test_comparisons_are_the_studys_questions_with_adjusted_p(evidence, stage) -> None:
    table = ablation.comparisons(evidence, stage.study)
    f1 = table[table["metric"] == "herb_f1"].set_index("arms")
    assert list(f1.index) == ["sft - base", "sft_dpo - sft", "sft_dpo - base"]
    assert f1.loc["sft_dpo - base", "difference"] == 1.0
    assert f1.loc["sft_dpo - sft", "difference"] == pytest.approx(1 / 3)
    assert f1["p_holm"].to_dict() == stats.holm(f1["p"].to_dict()) != f1["p"].to_dict()
    assert set(f1["n"]) == {2}


def test_two_cases_prove_nothing_and_the_findings_say_so(evidence, stage) -> None:
    said = ablation.findings(ablation.comparisons(evidence, stage.study), evidence, stage.study)
    assert sum("no clear difference" in line for line in said) == 3
    assert any(line.startswith("base (0.000) does not beat the floor") for line in said)
    assert not any(line.startswith("sft_dpo") for line in said)


def test_arms_that_cannot_be_compared_are_told_so(evidence, stage) -> None:
    assert ablation.findings(pd.DataFrame(), evidence, stage.study) == ["No two arms of this study can be compared."]


def test_in_short_calls_invented_cases_invented_and_names_the_floors(evidence, stage) -> None:
    said = ablation.in_short(evidence, stage.study)
    assert "2 training, 0 validation and 2 test **invented** cases" in said
    assert "popularity" in said and "sft_dpo 1.000" in said and "overridden" not in said


def test_in_short_warns_where_the_audit_was_overridden(evidence, stage) -> None:
    evidence = ablation.Evidence(**{**vars(evidence), "dpo": {"sft_dpo/seed0": {"gate_overridden": True, "pairs": 3}}})
    said = ablation.in_short(evidence, stage.study)
    assert "**The judge's audit failed and was overridden** for sft_dpo/seed0." in said


def test_means_by_task_tell_how_many_cases_stand_behind(evidence) -> None:
    table = ablation.by_task(evidence)
    assert table.loc[("first_visit", "sft"), "n"] == 1
    assert table.loc[("first_visit", "sft"), "herb_f1"] == pytest.approx(2 / 3)
    assert ("first_visit", "copy_previous") not in table.index


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
