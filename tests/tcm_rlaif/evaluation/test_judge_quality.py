"""The judge's worth by its audit stands beside what learning from it brought, for arms that learned its choice."""

import copy

import pytest
import written_study

from tcm_rlaif.evaluation import ablation, judge_quality


def audit(order: float) -> dict:
    rows = [
        {"judge": judge, "scored_by": "score", "figure": figure, "value": value}
        for judge, figure, value in (("popularity", "order", 0.1), ("rubric", "order", order),
                                     ("rubric", "own_above_other", 0.9))
    ]  # fmt: skip
    return {"physicians": {"rows": rows}, "detection": [{"rate": 1.0}, {"rate": 0.5}, {"rate": None}]}


def test_each_arm_stands_with_its_judge_and_its_gain(tmp_path) -> None:
    with written_study.opened(tmp_path) as stage:
        found = ablation.collect(stage)
        labels = {name: copy.deepcopy(audit(0.6 + 0.2 * i)) for i, name in enumerate(sorted(found.labels))}
        table = judge_quality.rows(ablation.Evidence(**{**vars(found), "labels": labels}), stage.study)
    (row,) = table.to_dict("records")
    assert row["arm"] == "sft_dpo" and row["seeds"] == 2 and row["defects found"] == 0.75
    assert row["order as herb F1"] == pytest.approx(0.7) and row["this patient's above another's"] == 0.9
    gains = found.mean("sft_dpo", "herb_f1") - found.mean("sft", "herb_f1")
    assert row["gain"] == pytest.approx(gains) and row["low"] <= row["gain"] <= row["high"]
    assert not judge_quality.differ(table) and "sft_dpo 0.70" in judge_quality.describe(table)


def test_controls_that_learn_no_choice_have_no_row(tmp_path) -> None:
    with written_study.opened(tmp_path) as stage:
        random = stage.study.model_copy(update={"preference_choice": "random"})
        assert len(judge_quality.rows(ablation.collect(stage), random)) == 0
