"""The format judge sees the layout alone: another patient's answer scores as this patient's does."""

import pytest

from tcm.answers import write
from tcm.invented import invent_cases
from tcm_rlaif.feedback.judges import make_judges
from tcm_rlaif.study.schema import Params

CASES = invent_cases(20, 0.4, 3, 20)
(JUDGE,) = make_judges(Params(judge="format"), CASES)
WHOLE = write(CASES[0].answer)


def test_it_knows_nothing_about_the_patient() -> None:
    assert {JUDGE.score(case, WHOLE) for case in CASES} == {1.0}


@pytest.mark.parametrize(
    ("text", "criterion"),
    [
        (WHOLE.split("方剂")[0], "format"),
        (WHOLE[:-4], "ended"),
        (WHOLE.replace("处方：", "处方：甘草6g，甘草6g，甘草6g，"), "repetition"),
        ("好的，我来看看。" + WHOLE, "format"),
    ],
)
def test_each_fault_of_layout_costs_its_criterion(text: str, criterion: str) -> None:
    intact, faulty = JUDGE.criteria(CASES[0], WHOLE), JUDGE.criteria(CASES[0], text)
    assert faulty[criterion] < intact[criterion] == 1.0
    assert JUDGE.score(CASES[0], text) < JUDGE.score(CASES[0], WHOLE)


def test_an_empty_answer_scores_nothing_and_the_parts_are_the_score() -> None:
    assert JUDGE.score(CASES[0], "") == 0
    row = JUDGE.criteria(CASES[0], WHOLE[:-4])
    assert sum(JUDGE.parts(row).values()) == pytest.approx(JUDGE.total(row), abs=1e-6)
