"""A judge made worse on purpose is worse in the way that was asked for, and in no other."""

import pytest

from tcm import answers
from tcm.invented import invent_cases
from tcm_rlaif.feedback.judges import make_judges
from tcm_rlaif.feedback.judges.base import Question
from tcm_rlaif.feedback.judges.impaired import ImpairedJudge
from tcm_rlaif.study.params import ParamsError, validated
from tcm_rlaif.study.schema import Params

CASES = invent_cases(80, 0.3, seed=11)
TRAIN, CASES = CASES[:40], CASES[40:]
TEXTS = {c.id: [answers.write(c.answer), answers.write(other.answer)] for c, other in zip(CASES, TRAIN, strict=True)}


def judge(**changes):
    (made,) = make_judges(Params(judge="evidence", **changes), TRAIN)
    return made


def scores(made) -> dict[str, list[float]]:
    return {c.id: [made.score(c, text) for text in TEXTS[c.id]] for c in CASES}


def test_without_any_of_the_keys_the_judge_is_the_sound_one() -> None:
    assert not isinstance(judge(), ImpairedJudge)


@pytest.mark.parametrize("share", [0.2, 0.5, 1.0])
def test_noise_draws_whole_prompts_by_lot_and_leaves_the_others(share: float) -> None:
    sound, noisy = scores(judge()), scores(judge(judge_noise=share))
    moved = [i for i in sound if sound[i] != noisy[i]]
    assert abs(len(moved) / len(sound) - share) < 0.2
    assert all(a != b for i in moved for a, b in zip(sound[i], noisy[i], strict=True)), "a whole prompt or nothing"
    if share == 1.0:
        own_first = sum(a > b for a, b in noisy.values()) / len(noisy)
        assert 0.25 < own_first < 0.75 < sum(a > b for a, b in sound.values()) / len(sound)


def test_noise_is_the_same_whenever_it_is_asked() -> None:
    assert scores(judge(judge_noise=0.5)) == scores(judge(judge_noise=0.5))
    few, many = scores(judge(judge_noise=0.2)), scores(judge(judge_noise=0.4))
    sound = scores(judge())
    assert all(many[i] == few[i] for i in sound if few[i] != sound[i]), "more noise keeps what less noise drew"


def test_a_criterion_left_out_counts_no_more() -> None:
    made, case = judge(judge_leave_out="agreement"), CASES[0]
    (rules,) = make_judges(Params(judge="rubric"), [])
    assert "agreement" not in made.criteria(case, TEXTS[case.id][0])
    assert made.score(case, TEXTS[case.id][1]) == rules.score(case, TEXTS[case.id][1])
    assert "safety" not in judge(judge_leave_out="safety").criteria(case, TEXTS[case.id][0])


def test_a_biased_judge_prefers_the_same_answer_with_more_herbs() -> None:
    case = CASES[0]
    text = answers.write(case.answer)
    longer = answers.write(
        case.answer.model_copy(update={"prescription": case.answer.prescription + TRAIN[3].answer.prescription})
    )
    assert judge().score(case, text) > judge().score(case, longer)
    assert judge(judge_bias=5.0).score(case, text) < judge(judge_bias=5.0).score(case, longer)


def test_it_says_what_was_done_to_it() -> None:
    question = Question("pointwise", CASES[0], (TEXTS[CASES[0].id][0],))
    said = judge(judge_noise=0.3, judge_leave_out="dose").description(question)[-1]
    assert said == "made worse on purpose: scores of 30% of the prompts drawn by lot; without the criterion dose"


def test_fewer_answers_are_other_evidence() -> None:
    assert len(judge(judge_answers=10).evidence.pool.train) == 10
    assert scores(judge(judge_answers=10)) != scores(judge())


def test_a_judge_may_know_only_a_share_of_the_patterns():
    assert judge(judge_pattern_share=0.5).evidence.pool.heard_patterns.mean() == pytest.approx(0.5, abs=0.01)
    assert scores(judge(judge_pattern_share=0.5)) != scores(judge())


def test_a_criterion_that_no_judge_has_is_refused() -> None:
    with pytest.raises(ParamsError, match="judge_leave_out"):
        validated({"judge_leave_out": "beauty"}, "params")
