"""Questions in other forms: each is true, none contradicts another, and they cost no step."""

import re

import tiny_model

from tcm.cases import Answer, PrescriptionItem
from tcm.invented import invent_cases
from tcm_rlaif.training import augmentation, hooks, sft, tasks

CASES = invent_cases(40, 0.4, 1, tiny_model.PATTERNS, physicians=3)
OF = {case.id: case for case in CASES}


def asked(form: str) -> list:
    """(case, question, answer) of all questions that hold a word."""
    kept, _ = tasks.questions(CASES, 6)
    return [(OF[name], question, answer) for name, (question, answer) in kept if form in question]


def test_every_form_is_asked():
    for form in ("\n证型？", "证型是哪一个", "方剂？", "治法？", "可同用", "调方？"):
        assert asked(form), form


def test_what_is_answered_is_the_physician_s_own():
    assert all(answer == f"证型：{case.answer.syndrome}。" for case, _, answer in asked("\n证型？"))
    assert all(answer == f"方剂：{case.answer.formula}。" for case, _, answer in asked("方剂？"))


def test_one_of_four_is_right_and_all_four_differ():
    for case, question, answer in asked("证型是哪一个"):
        options = dict(re.findall("([甲乙丙丁])：([^，。]+)", question.rsplit("\n", 1)[1]))
        assert len(set(options.values())) == 4
        assert answer == f"{answer[0]}：{options[answer[0]]}。" and options[answer[0]] == case.answer.syndrome


def test_both_allowed_and_forbidden_pairs_are_asked_and_the_rules_agree():
    answers = set()
    for _, question, answer in asked("可同用"):
        one, other = question.removesuffix("，可同用？").split("与")
        assert answer == ("不可。" if tasks.forbidden(one, other) else "可。")
        answers.add(answer)
    assert answers == {"可。", "不可。"}
    assert tasks.forbidden("甘草", "甘遂") and not tasks.forbidden("甘草", "桔梗")


def test_a_change_is_asked_at_follow_ups_alone():
    assert all(case.earlier_visits and answer.startswith("守上方") for case, _, answer in asked("调方？"))


def test_a_question_with_two_answers_is_dropped_and_counted():
    one = next(case for case in CASES if case.task == "first_visit")
    other = one.model_copy(update={"id": "other", "answer": one.answer.model_copy(update={"formula": "另一方"})})
    number = 6
    alone, none = tasks.questions([one], number)
    both, dropped = tasks.questions([one, other], number)
    assert none == 0 and dropped >= 2
    assert any("方剂？" in question for _, (question, _) in alone)
    assert not any("方剂？" in question for _, (question, _) in both)


def test_a_pair_that_a_rule_forbids_is_never_called_allowed_though_a_physician_gave_it():
    herbs = tuple(PrescriptionItem(herb=name, dose=6) for name in ("甘草", "甘遂"))
    cases = [CASES[0].model_copy(update={"id": f"c{n}", "answer": Answer(prescription=herbs)}) for n in range(60)]
    pairs = [one for _, one in tasks.questions(cases, 6)[0] if "可同用" in one[0]]
    assert pairs and all(answer == "不可。" for _, answer in pairs)


def test_there_are_none_by_default_and_the_same_ones_each_time():
    assert tasks.rows(CASES, tiny_model.params()) == []
    P = tiny_model.params(sft_tasks=2)
    assert tasks.rows(CASES, P) == tasks.rows(CASES, P)
    assert len(tasks.rows(CASES, P)) > len(CASES)


def test_rows_beside_the_answers_make_no_step_more(tmp_path):
    cases, steps = list(tiny_model.cases()[:8]), []
    for n, how in enumerate(({}, {"sft_tasks": 3}, {"sft_invented": 20}, {"sft_rewritings": 2})):
        P = tiny_model.params(sft_epochs=3, sft_batch_size=4, **how)
        learned = augmentation.augmented(cases, P)
        rows = sft.sft_rows(learned, more=tasks.rows(cases, P))
        made = sft.sft_trainer(*tiny_model.base(), rows, sft.sft_rows(tiny_model.cases()[8:10]), P, seed=0,
                               folder=tmp_path / str(n), answered=8)  # fmt: skip
        hooks.hook(made, learned, P, 0)
        made.train()
        readings = sum("eval_loss" in row for row in made.state.log_history)
        steps.append((made.state.global_step, readings))
        assert n == 0 or len(rows) > 8
    assert steps == [(6, 3)] * 4
