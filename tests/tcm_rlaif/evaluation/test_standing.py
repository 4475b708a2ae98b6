"""Arms against floors: per task, with the floors of that task, and the judge's own knowledge kept apart."""

import pytest

from tcm_rlaif.evaluation import ablation, standing


def test_a_floor_is_told_where_it_answers_every_case_of_the_metric(evidence) -> None:
    floors = standing.floor_means(evidence, "herb_f1")
    assert set(floors) == {*("popularity", "nearest_case", "expert_rule", "expert", "template_only", standing.COMBINED)}
    assert floors["template_only"] == 0.0
    assert standing.floor_means(evidence, "followup_change_f1")["copy_previous"] == 0.0


def test_copying_counts_as_a_floor_of_follow_up_visits_alone(evidence) -> None:
    assert standing.best_floor(evidence, "herb_f1", "follow_up_visit", standing.PLAIN) == (
        "copy_previous",
        pytest.approx(2 / 3),  # 黄芪 of 黄芪, 党参
        1,
    )
    assert standing.best_floor(evidence, "herb_f1", "first_visit", standing.PLAIN)[0] != "copy_previous"


def test_the_combined_floor_is_the_best_of_each_task(evidence) -> None:
    first = standing.best_floor(evidence, "herb_f1", "first_visit", standing.PLAIN)
    assert standing.floor_means(evidence, "herb_f1")[standing.COMBINED] == pytest.approx((first[1] + 2 / 3) / 2)


def test_every_arm_is_told_for_each_task_and_each_kind_of_floor(evidence, stage) -> None:
    said = standing.sentences(evidence, stage.study)
    assert [line.split(" (n")[0] for line in said] == ["On first visits"] * 2 + ["On follow-up visits"] * 2
    plain, knowing = said[2], said[3]
    assert "the best floor is copy_previous (herb_f1 0.667)" in plain and "knows what the judge knows" in knowing
    assert "no clear difference: sft (0.667); below it: base (0.000)" in plain and "beats it: sft_dpo (1.000)" in plain
    assert "2 seed(s): exploratory" in plain
    alone = stage.study.model_copy(update={"arm_seeds": {"sft_dpo": (0,)}})
    assert "beats it: sft_dpo (1.000, one seed)" in standing.sentences(evidence, alone)[2]


def test_means_by_task_tell_how_many_cases_stand_behind(evidence) -> None:
    table = standing.by_task(evidence)
    assert table.loc[("first_visit", "sft"), "n"] == 1
    assert table.loc[("first_visit", "sft"), "herb_f1"] == pytest.approx(2 / 3)
    assert ("first_visit", "copy_previous") not in table.index and ("first_visit", "expert") in table.index


def test_each_task_has_its_own_means_and_its_own_floors(evidence, stage) -> None:
    means, floors = standing.tasks(evidence, stage.study)
    first, later = "herb_f1, first visits (n = 1)", "herb_f1, follow-up visits (n = 1)"
    assert list(means) == list(floors) == [first, later]
    assert means[later].set_index("arm").loc["sft_dpo", "mean"] == 1.0
    assert means[first].set_index("arm").loc["sft", "mean"] == pytest.approx(2 / 3)
    assert floors[later]["copy_previous"] == pytest.approx(2 / 3) and "copy_previous" not in floors[first]
    assert all(len(of_task) == 2 and set(of_task) & set(standing.KNOWING) for of_task in floors.values())


def test_the_setting_calls_invented_cases_invented(evidence, stage) -> None:
    said = standing.setting(evidence, stage.study)
    assert "2 training, 0 validation and 2 test **invented** cases" in said and "seeds [0, 1]" in said
    assert "overridden" not in standing.warnings(evidence, stage.study)


def test_a_reader_is_warned_where_the_audit_was_overridden(evidence, stage) -> None:
    evidence = ablation.Evidence(**{**vars(evidence), "dpo": {"sft_dpo/seed0": {"gate_overridden": True, "rows": 3}}})
    said = standing.warnings(evidence, stage.study)
    assert "**The judge's audit failed and was overridden** for sft_dpo/seed0." in said
