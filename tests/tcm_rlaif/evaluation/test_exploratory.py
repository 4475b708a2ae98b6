"""One seed of a trained arm is exploratory, however many seeds the study names; controls are told by their values."""

import numpy as np
import pandas as pd
import pytest

from tcm_rlaif.evaluation import comparisons, standing
from tcm_rlaif.evaluation.ablation import Evidence
from tcm_rlaif.study import params

SIZES = {"study": "sizes", "seeds": [0, 1, 2], "ablation_primary": ["herb_f1"]}
SIZES |= {
    "arms": {"base": {"training": "none"}, "sft": {"training": "sft"}, "tasks": {"training": "sft", "sft_tasks": 2}}
}


def written(seeds: dict[str, int]) -> Evidence:
    """Thirty cases; each arm is 0.1 better than the one before it, with so many seeds."""
    rng = np.random.default_rng(0)
    rows = [
        {"arm": arm, "seed": seed, "case_id": str(case), "patient_id": str(case), "task": "first_visit"}
        | {"herb_f1": 0.1 * place + 0.3 * case / 30 + rng.normal(0, 0.01)}
        for place, (arm, number) in enumerate(seeds.items())
        for seed in range(number)
        for case in range(30)
    ]
    scores = pd.DataFrame(rows)
    tables = {arm: scores[scores["arm"] == arm] for arm in seeds}
    return Evidence(scores, tables, {}, {}, {}, {}, ["herb_f1"], ["herb_f1"], None)


@pytest.mark.parametrize(
    ("seeds_at_10", "question", "said"),
    [
        (1, "tasks_10 - sft_10", "one seed: exploratory (higher there)"),
        (1, "sft_10 - base", "one seed: exploratory (higher there)"),
        (1, "tasks_20 - sft_10", "one seed: exploratory (higher there)"),
        (3, "tasks_10 - sft_10", "higher"),
        (3, "sft_10 - base", "higher"),
    ],
)
def test_what_one_seed_of_an_axis_shows_is_never_said_plainly(seeds_at_10: int, question: str, said: str) -> None:
    study = params.validated(
        SIZES | {"sizes": {10: seeds_at_10, 20: 3}, "ablation_questions": {question: "x"}}, "x.yaml"
    )
    found = written({"base": 1, "sft_10": seeds_at_10, "tasks_10": seeds_at_10, "sft_20": 3, "tasks_20": 3})
    (row,) = comparisons.comparisons(found, study).to_dict("records")
    assert row["verdict"] == said


def test_the_seeds_that_stand_behind_a_sentence_on_floors_are_those_of_the_arms_it_names(evidence, stage) -> None:
    few = stage.study.model_copy(update={"seeds": (0, 1, 2), "sizes": {2: 1}, "sft_cases": 2})
    assert all(line.endswith("(1 seed(s): exploratory).") for line in standing.sentences(evidence, few))


def test_a_control_is_told_by_its_value_however_it_is_written() -> None:
    arms = {"sft_dpo": {}, "layout": {"judge": ["format"]}, "lot": {"pair_labels": "shuffled"}}
    arms |= {"as_ever": {"pair_labels": "judged"}, "more": {"preference_training": "sft_more"}}
    study = params.validated({"study": "s", "arms": arms, "ablation_primary": ["herb_f1"]}, "x.yaml")
    table = pd.DataFrame({"arms": [f"{arm} - sft_dpo" for arm in arms if arm != "sft_dpo"], "metric": "herb_f1"})
    found = comparisons.controls(table, study)["arms"].tolist()
    assert found == ["layout - sft_dpo", "lot - sft_dpo", "more - sft_dpo"]
