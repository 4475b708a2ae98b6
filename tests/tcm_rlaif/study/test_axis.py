"""A data-size axis: every arm with SFT once a size, with as many seeds as the size asks for; the rest as it was."""

import pytest

from tcm_rlaif.study import axis, params
from tcm_rlaif.study.params import ROOT, ParamsError
from tcm_rlaif.study.plan import find_run, plan

ARMS = {"base": {"training": "none"}, "sft": {"training": "sft"}, "tasks": {"training": "sft", "sft_tasks": 2}}


def study(**values):
    return params.validated({"seeds": [0, 1, 2], "sizes": {10: 1, 40: 3}, "arms": ARMS, **values}, "x")


def test_every_arm_with_sft_stands_at_every_size_and_the_base_once():
    P = study()
    assert list(P.arms) == ["base", "sft_10", "sft_40", "tasks_10", "tasks_40"]
    assert params.for_arm(P, "tasks_10").sft_cases == 10 and params.for_arm(P, "tasks_10").sft_tasks == 2
    assert axis.places(P) == {"sft_10": ("sft", 10), "sft_40": ("sft", 40),
                              "tasks_10": ("tasks", 10), "tasks_40": ("tasks", 40)}  # fmt: skip


def test_a_size_runs_with_its_own_number_of_seeds():
    P = study()
    sft = [run.folder for run in plan(P) if run.stage == "02_sft"]
    assert sft == [*("02_sft/sft_10/seed0",), *(f"02_sft/sft_40/seed{n}" for n in range(3)),
                   *("02_sft/tasks_10/seed0",), *(f"02_sft/tasks_40/seed{n}" for n in range(3))]  # fmt: skip
    assert find_run(P, "05_evaluate", "tasks_40", 2).folder == "05_evaluate/tasks_40/seed2"


def test_what_is_written_down_of_the_study_reads_back_as_the_same_study():
    P = study()
    assert params.validated(params.changes(P), "x") == P


def test_an_arm_that_names_its_own_number_of_answers_stays():
    P = study(arms={**ARMS, "few": {"training": "sft", "sft_cases": 5}})
    assert "few" in P.arms and "few_10" not in P.arms and params.seeds_of(P, "few") == (0, 1, 2)


def test_the_size_is_none_of_the_three_keys_that_may_differ():
    three = {"training": "sft", "sft_tasks": 1, "sft_epochs": 2, "lora_rank": 4}
    assert "three_40" in study(arms={"three": three}).arms


def test_sentences_name_the_arms_at_the_size_with_the_most_seeds():
    assert axis.told(study()) == ["base", "sft_40", "tasks_40"]
    assert axis.told(study(sizes={10: 1, 40: 1})) == ["base", "sft_40", "tasks_40"]
    assert axis.told(study(sizes={})) == list(ARMS)


def test_a_study_without_sizes_is_as_it_was():
    P = study(sizes={})
    assert P.arms == ARMS and axis.places(P) == {} and params.seeds_of(P, "sft") == (0, 1, 2)


def test_more_seeds_than_there_are_is_refused():
    with pytest.raises(ParamsError, match="sizes: asks for 4 seeds; `seeds` names 3"):
        study(sizes={10: 4})


def test_a_question_may_be_asked_of_arms_on_the_axis_and_of_no_other():
    assert study(ablation_questions={"tasks_40 - sft_40": "what questions add"})
    with pytest.raises(ParamsError, match="write `arm - arm` of these arms: base, sft_10"):
        study(ablation_questions={"tasks - sft": "what questions add"})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"sft_order": "boundary", "sft_batches": "by_disease"}, "sft_order: batches by_disease have an order"),
        ({"sft_tasks": 1, "sft_order": "competence"}, "sft_tasks: its questions are no cases"),
        ({"sft_tasks": 1, "sft_batches": "by_disease"}, "sft_tasks: its questions are no cases"),
    ],
)
def test_ideas_that_want_the_same_order_are_refused_together(values, words):
    with pytest.raises(ParamsError, match=words):
        params.validated(values, "x")


def test_the_small_data_study_has_all_ideas_at_all_sizes_with_five_seeds_at_forty_answers():
    P = params.load(ROOT / "params" / "small-data.yaml")
    assert P.sizes == {10: 3, 20: 3, 40: 5, 80: 3, 110: 3}
    ideas = {idea for idea, _ in axis.places(P).values()}
    assert ideas >= {"sft", "rewritten", "invented", "tasks", "textbook", "competence", "boundary", "noise_stability",
                     "by_disease", "prompt", "prefix"}  # fmt: skip
    assert len(params.seeds_of(P, "tasks_40")) == 5 and len(params.seeds_of(P, "tasks_80")) == 3
    assert {pair for pair in params.questions(P) if pair[1] == "sft_40"} >= {
        (f"{i}_40", "sft_40") for i in ideas - {"sft"}
    }
