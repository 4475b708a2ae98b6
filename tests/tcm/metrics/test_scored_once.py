"""What scoring saves by counting and reading once changes no number: each is that of the long way round."""

import random
from statistics import fmean, median

import pytest
from invented_notation import prescription

from tcm.answers import format_valid, parse, write
from tcm.commands.rows import ScoreRow
from tcm.commands.score import entry_of
from tcm.invented import invent_cases
from tcm.metrics import batch, case, text
from tcm.metrics.floors import leave_one_out
from tcm.metrics.usable import usable

ODD = [
    *("", " \n\t", "抱歉，我无法开处方", "['甘草', '茯苓']", "<think>先想</think>处方：柴胡10g。", "<think>不完"),
    *("守上方，去柴胡", "处方：柴胡10g，柴胡10g，鑫淼10g。", "a b c 中 医", "制川乌3g，法半夏9g", "甘", "甘草甘草甘草"),
]


@pytest.fixture(scope="module")
def answers() -> list[str]:
    """Answers of invented cases, prescriptions written in forty ways, and odd texts."""
    dice = random.Random(5)
    return [*(write(c.answer) for c in invent_cases(60, 0.3, 5)), *(prescription(dice)[1] for _ in range(60)), *ODD]


def test_bleu_is_that_of_the_library(answers: list[str]) -> None:
    for gold, pred in zip(answers, random.Random(1).sample(answers, len(answers)), strict=True):
        if gold.strip() and pred.strip():
            theirs = text._bleu().sentence_score(pred, [gold]).score / 100
            assert text.bleu4(gold, pred) == pytest.approx(min(1.0, theirs), abs=1e-12)
        assert text.bleu4(gold, " ") == text.bleu4("", pred) == 0.0


def test_a_text_that_was_read_is_judged_as_one_that_was_not(answers: list[str]) -> None:
    for answer in answers:
        assert format_valid(answer, parsed=parse(answer)) == format_valid(answer)
        assert case.text_scores(answer, parse(answer))["format_valid"] == format_valid(answer)


def test_shares_of_usable_answers_are_those_of_answers_read_and_audited_one_by_one(answers: list[str]) -> None:
    golds = [ScoreRow(id=i, text=t, pregnant=i % 3 == 0) for i, t in enumerate(answers)]
    preds = [ScoreRow(id=i, text=t, finished=i % 5 > 0) for i, t in enumerate(reversed(answers))]
    pairs = {str(gold.id): (entry_of(gold), entry_of(pred)) for gold, pred in zip(golds, preds, strict=True)}
    found = batch.sections(pairs)["safety"]
    asked = [(gold, pred) for gold, pred in zip(golds, preds, strict=True) if entry_of(gold).answer.prescription]
    assert found["usable_n"] == len(asked) > 50

    def one(gold: ScoreRow, pred: ScoreRow) -> float:
        return usable(entry_of(gold).answer, entry_of(pred).parsed, gold.patient, pred.finished)[0]

    assert found["usable"] == pytest.approx(fmean(one(gold, pred) for gold, pred in asked))
    assert found["usable_gold"] == pytest.approx(fmean(one(gold, gold) for gold, _ in asked))
    assert 0 < found["usable"] < 1


def test_the_doses_of_the_floor_are_medians_of_all_others() -> None:
    golds = [c.answer for c in invent_cases(40, 0.3, 6)]
    for index, answer in enumerate(leave_one_out(golds)):
        others = [item for i, gold in enumerate(golds) if i != index for item in gold.prescription]
        for item in answer.prescription:
            assert item.dose == median(other.dose for other in others if other.herb == item.herb)
