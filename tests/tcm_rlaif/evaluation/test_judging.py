"""Judges of test answers: the study's own, and one that labelled for no arm; one yardstick for all arms."""

import re

import pytest
from written_study import TEST, TRAIN, answer

from tcm.answers import write
from tcm_rlaif.evaluation import judging, tables
from tcm_rlaif.study import params


def study(**changed):
    return params.validated({"study": "s", "seeds": [0], **changed}, "s.yaml")


MODEL = {"judge_model": "a-judge"}


@pytest.mark.parametrize(
    ("changed", "own", "other"),
    [
        ({"judge": "rubric"}, "rubric", "evidence"),
        ({"judge": "evidence"}, "evidence", "rubric"),
        ({"judge": "openai", **MODEL}, None, "rubric"),
        ({"judge": ["openai", "evidence"], **MODEL}, "evidence", "rubric"),
        ({"judge": ["rubric", "evidence"]}, "rubric", None),
        ({"arms": {"sft_dpo": {}, "by_evidence": {"judge": "evidence"}}}, "rubric", None),
    ],
)
def test_the_other_judge_labelled_for_no_arm(changed: dict, own: str | None, other: str | None) -> None:
    assert judging.names(study(**changed)) == {"judge_score": own, "other_judge_score": other}


def test_answers_are_scored_by_both_judges_and_the_table_says_by_whom() -> None:
    by = judging.judges(study(), TRAIN)
    texts = [write(TEST[0].answer), ""]
    table = judging.judged(tables.score_answers(TEST, texts, [True, True]), TEST, by)
    assert table.loc[0, "judge_score"] == by["judge_score"].score(TEST[0], texts[0]) > table.loc[1, "judge_score"]
    assert table.loc[0, "other_judge_score"] > table.loc[1, "other_judge_score"]
    (said,) = set(table[judging.JUDGED_BY])
    assert re.fullmatch(r"judge_score: rubric [0-9a-f]{8}, other_judge_score: evidence [0-9a-f]{8}", said)
    found = tables.summary(table)["judge_score"]
    assert found == {"mean": pytest.approx(table["judge_score"].mean()), "n": 2}


def test_the_same_judge_of_other_answers_is_told_apart() -> None:
    def said(**keys) -> str:
        return judging.signature(judging.judges(study(judge="evidence", **keys), TRAIN))

    assert said() == said() != said(sft_cases=1) and said() != said(judge_agreement_weight=1.0)


def test_a_judge_that_learns_sees_the_answers_that_sft_sees() -> None:
    by = judging.judges(study(judge="evidence", sft_cases=1), TRAIN)
    assert len(by["judge_score"].evidence.pool.train) == 1


def test_without_a_judge_there_is_no_score() -> None:
    by = judging.judges(study(judge="openai", **MODEL), TRAIN)
    table = judging.judged(tables.score_answers(TEST[:1], [write(answer("柴胡"))], [None]), TEST, by)
    assert table.loc[0, "judge_score"] is None and tables.summary(table)["judge_score"] == {"mean": None, "n": 0}


def test_floors_and_gold_are_judged() -> None:
    table = judging.judged(tables.floors(TRAIN, TEST), TEST, judging.judges(study(), TRAIN))
    assert table["judge_score"].notna().all() and "gold" in set(table["arm"])
