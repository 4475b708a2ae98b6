"""Permuted and invented rows: the same prescriptions, never a case of the study; steps stay as many."""

import itertools
from collections import Counter

import pytest
import tiny_model

from tcm.cases import Answer, PrescriptionItem
from tcm.invented import invent_cases
from tcm_rlaif.training import augmentation, sft

CASES = tiny_model.cases()


def of(case) -> Counter:
    return Counter(case.answer.prescription)


def test_other_orders_hold_the_same_herbs_and_all_differ() -> None:
    for case in CASES:
        others = augmentation.permuted(case, 4)
        orders = [case.answer.prescription, *(c.answer.prescription for c in others)]
        assert len(others) == 4 and len(set(orders)) == 5
        assert all(of(other) == of(case) for other in others)
        back = [c.model_copy(update={"id": case.id, "answer": case.answer}) for c in others]
        assert back == [case] * 4  # nothing else changed


@pytest.mark.parametrize(("herbs", "orders"), [(0, 1), (1, 1), (2, 2), (3, 6)])
def test_few_herbs_have_no_more_orders_than_there_are(herbs: int, orders: int) -> None:
    items = tuple(PrescriptionItem(herb=name, dose=6) for name in "甘草 桔梗 薄荷".split()[:herbs])
    case = CASES[0].model_copy(update={"answer": Answer(disease="咳嗽", prescription=items)})
    found = {c.answer.prescription for c in augmentation.permuted(case, 9)} | {items}
    assert found == set(itertools.permutations(items)) and len(found) == orders


def test_nothing_is_added_by_default_and_the_same_is_added_twice() -> None:
    assert augmentation.augmented(CASES, tiny_model.params()) == list(CASES)
    P = tiny_model.params(sft_permutations=2, sft_invented=7)
    more = augmentation.augmented(CASES, P)
    assert more == augmentation.augmented(CASES, P)
    assert more[: len(CASES)] == list(CASES) and len(more) == 3 * len(CASES) + 7


def test_what_is_added_can_be_told_from_every_case_of_a_study() -> None:
    P = tiny_model.params(sft_permutations=1, sft_invented=40)
    added = augmentation.augmented(CASES, P)[len(CASES) :]
    ids = [case.id for case in (*CASES, *added)]
    assert len(set(ids)) == len(ids)
    assert all(augmentation.SOURCE in case.id for case in added)
    made = augmentation.invented(CASES, P)
    assert {case.source for case in made} == {augmentation.SOURCE}
    study = {c.visit for c in invent_cases(200, 0.4, P.data_seed, P.base_patterns)}
    assert not study & {case.visit for case in made}


def test_invented_rows_are_about_all_patterns_and_follow_up_as_often_as_the_cases() -> None:
    made = augmentation.invented(CASES, tiny_model.params(sft_invented=400))
    edition = {c.answer.disease for c in invent_cases(400, 0, 1, tiny_model.PATTERNS)}
    assert len({c.answer.disease for c in made} - edition) > 50
    share = sum(c.task == "follow_up_visit" for c in CASES) / len(CASES)
    assert sum(c.task == "follow_up_visit" for c in made) / 400 == pytest.approx(share, abs=0.08)


def test_permuted_answers_take_as_many_steps_and_readings_as_the_answers_alone(tmp_path) -> None:
    _, tokenizer = tiny_model.base()
    steps, readings = [], []
    for n in (0, 2):
        P = tiny_model.params(sft_permutations=n, sft_epochs=3, sft_batch_size=4)
        rows = sft.sft_rows(augmentation.augmented(CASES[:8], P))
        model, _ = tiny_model.base()
        trainer = sft.sft_trainer(
            model, tokenizer, rows, sft.sft_rows(CASES[8:10]), P, seed=0, folder=tmp_path / str(n), answered=8
        )
        trainer.train()
        steps.append(trainer.state.global_step)
        readings.append(sum("eval_loss" in row for row in trainer.state.log_history))
    assert steps == [6, 6] and readings == [3, 3]
