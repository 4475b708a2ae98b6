"""Direct RLAIF: the rewards add up to the judge's score, and the policy samples, is rewarded and moves."""

import math

import pytest
import tiny_model

from tcm.answers import write
from tcm_rlaif.feedback.judges import make_judges
from tcm_rlaif.feedback.judges.base import Item, Verdict
from tcm_rlaif.feedback.labels import Feedback
from tcm_rlaif.models import chat
from tcm_rlaif.training import grpo
from tcm_rlaif.training.arguments import run

CASES = tiny_model.cases()
SMALL = {"candidate_number": 4, "candidate_max_new_tokens": 8, "dpo_batch_size": 2, "dpo_accumulation": 1}


def feedback(number: int) -> Feedback:
    items = [Item(case, ("甲", "乙")) for case in CASES[:number]]
    return Feedback(items, [Verdict(i.case.id, (0.0, 1.0), ({}, {}), "judged") for i in items], ())


@pytest.mark.parametrize("name", ["rubric", "evidence", "format"])
def test_the_rewards_of_an_answer_add_up_to_the_judges_score(name: str) -> None:
    (judge,) = make_judges(tiny_model.params(judge=name), CASES[:8])
    functions = grpo.rewards(judge, CASES)
    assert len({f.__name__ for f in functions}) == len(functions) > 2
    asked = [(case, text) for case in CASES for text in (write(CASES[0].answer), write(case.answer), "不知道")]
    completions = [[{"role": "assistant", "content": f" {text}\n"}] for _, text in asked]
    given = [f(completions=completions, case_id=[c.id for c, _ in asked], prompts=None) for f in functions]
    for (case, text), *rewards in zip(asked, *given, strict=True):
        assert sum(rewards) == pytest.approx(judge.score(case, text), abs=1e-5)
    assert any(case.earlier_visits for case in CASES) and not all(case.earlier_visits for case in CASES)


@pytest.mark.parametrize(("prompts", "rows", "steps"), [(4, 4, 2), (5, 6, 3), (1, 2, 1)])
def test_every_prompt_is_asked_and_the_last_step_filled(prompts: int, rows: int, steps: int) -> None:
    P = tiny_model.params(**SMALL)
    found = grpo.rows(feedback(prompts), P, 0)
    assert len(found.rows) == rows and grpo.steps(P, rows) == steps
    assert {row["case_id"] for row in found.rows} == {case.id for case in CASES[:prompts]}
    assert found.funnel[0]["count"] == sum(row["count"] for row in found.funnel[1:])


@pytest.mark.parametrize("start", ["base", "sft"])
def test_two_steps_log_each_criterion_and_move_the_policy(tmp_path, start: str) -> None:
    model, tokenizer = tiny_model.with_adapter() if start == "sft" else tiny_model.base()
    P = tiny_model.params(**SMALL, preference_learning_rate=0.01, preference_rounds=1)
    (judge,) = make_judges(P, CASES)
    found = grpo.rows(feedback(4), P, 0).rows

    def text_length(case, text):  # a reward in which random answers differ
        return {"length": len(text) / 100, "herbs": 0.0}

    judge.criteria, judge.parts = text_length, dict
    trainer = grpo.trainer(model, tokenizer, found, P, seed=0, folder=tmp_path, judge=judge, cases=CASES[:4])
    assert trainer.chat_template_kwargs == chat.RENDERING, "asked as everywhere else"
    before = {n: p.detach().clone() for n, p in trainer.model.named_parameters() if ".default." in n}
    log = run(trainer)
    assert trainer.state.global_step == 2 == grpo.steps(P, 4)
    assert all(math.isfinite(row["rewards/length/mean"]) and row["rewards/herbs/mean"] == 0 for row in log)
    assert all(row["reward"] == pytest.approx(row["rewards/length/mean"]) for row in log)
    after = dict(trainer.model.named_parameters())
    assert max((after[n] - p).abs().max().item() for n, p in before.items()) > 1e-4


@pytest.mark.parametrize("judge", [["openai"], ["rubric", "evidence"]])
def test_a_judge_that_gives_no_criteria_of_one_score_is_refused(judge) -> None:
    with pytest.raises(ValueError, match="preference_training grpo: judge: name one that computes"):
        tiny_model.params(preference_training="grpo", judge=judge, judge_model="m")
