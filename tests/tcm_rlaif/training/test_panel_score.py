"""The score that the health panel follows: the study's own judge where that computes, else the rubric."""

import json
from types import SimpleNamespace

import pytest

from tcm.answers import write
from tcm.cases import Answer, Case, Patient, PrescriptionItem, Visit
from tcm.cases.store import write_cases
from tcm_rlaif.feedback.judges import make_judges
from tcm_rlaif.feedback.judges.rubric import RubricJudge
from tcm_rlaif.study.schema import Params
from tcm_rlaif.training.preference_run import PreferenceRun


def case(number: int) -> Case:
    herbs = (("麻黄", "桂枝", "杏仁"), ("金银花", "连翘", "薄荷"))[number % 2]
    visit = Visit(history=("恶寒无汗头痛", "咽痛发热口渴")[number % 2] + f"，病起{number + 1}日")
    answer = Answer(prescription=tuple(PrescriptionItem(herb=herb, dose=9) for herb in herbs), packets=3)
    return Case(
        id=f"c{number}", source="invented", patient_id=f"c{number}", patient=Patient(), visit=visit, answer=answer
    )


CASES = [case(number) for number in range(12)]


@pytest.fixture
def stage(tmp_path):
    write_cases(tmp_path / "cases.jsonl", CASES)
    place = {c.id: "train" if n < 10 else "validation" for n, c in enumerate(CASES)}
    (tmp_path / "splits.json").write_text(json.dumps(place), "utf-8")
    return SimpleNamespace(inputs={"data": tmp_path})


def panel_score(stage, judge):
    run = PreferenceRun.__new__(PreferenceRun)
    run.stage, run.P = stage, Params(judge=judge, judge_model="m")
    return run.score


@pytest.mark.parametrize("judge", [["rubric"], ["openai"], ["rubric", "evidence"]])
def test_the_rubric_scores_where_it_judges_first_or_a_model_judges_alone(stage, judge) -> None:
    text = write(CASES[1].answer)
    assert panel_score(stage, judge)(CASES[10], text) == RubricJudge().score(CASES[10], text)


@pytest.mark.parametrize("judge", [["evidence"], ["openai", "evidence"]])
def test_the_evidence_scores_where_it_judges_from_the_training_cases_alone(stage, judge) -> None:
    (expected,) = make_judges(Params(judge="evidence"), CASES[:10])
    score = panel_score(stage, judge)
    own, other = (score(CASES[10], write(CASES[n].answer)) for n in (0, 1))
    assert own == expected.score(CASES[10], write(CASES[0].answer)) and own > other
