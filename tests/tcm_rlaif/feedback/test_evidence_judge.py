"""The evidence judge: the rubric with the agreement that training answers let hope for, never the case's own."""

import pytest

from tcm.answers import write
from tcm.cases import Answer, Case, Patient, PrescriptionItem, Visit
from tcm_rlaif.feedback.judges import make_judges
from tcm_rlaif.feedback.judges.base import Item
from tcm_rlaif.feedback.judges.evidence_judge import left_by
from tcm_rlaif.feedback.judges.rubric import RubricJudge
from tcm_rlaif.feedback.labelling import judge_items
from tcm_rlaif.study.schema import Params

FINDINGS = ("胃脘冷痛喜温喜按", "夜尿频多腰膝酸软", "咽干咳嗽痰少而黏", "两胁胀痛嗳气频作")
HERBS = (("干姜", "桂枝", "白术"), ("杜仲", "山药", "熟地黄"), ("麦冬", "川贝母", "桔梗"), ("香附", "川芎", "枳壳"))


def answer(herbs) -> Answer:
    return Answer(prescription=tuple(PrescriptionItem(herb=herb, dose=9) for herb in herbs), packets=5)


def case(name: str, kind: int, herbs=None, more="") -> Case:
    return Case(
        id=name, source="invented", patient_id=name, patient=Patient(age=50.0),
        visit=Visit(history=FINDINGS[kind] + more), answer=answer(herbs or HERBS[kind]),
    )  # fmt: skip


TRAIN = [case(f"{kind}-{n}", kind, more="，" + "甲乙丙丁戊"[n] * 9) for kind in range(4) for n in range(5)]
NEW = case("new", 2, more="，病起三日")
TEXTS = tuple(write(answer(herbs)) for herbs in HERBS)


def evidence_judge(train=TRAIN, **changes):
    (judge,) = make_judges(Params(judge="evidence", **changes), train)
    return judge


def scores(judge, asked=NEW, texts=TEXTS, mode="pointwise"):
    return judge_items([judge], [Item(asked, texts)], mode=mode, progress=False).verdicts[0]


def test_what_physicians_gave_to_similar_patients_scores_best() -> None:
    verdict = scores(evidence_judge())
    assert max(range(4), key=lambda i: verdict.scores[i]) == 2
    agreement = [row["agreement"] for row in verdict.criteria]
    assert max(agreement) == agreement[2] and all(0 <= a <= 1 for a in agreement)


def test_the_own_answer_changes_nothing_even_where_the_case_is_a_training_case() -> None:
    strange = case("3-0", 3, ("附子", "黄连", "石膏"), "，" + "甲" * 9)
    judges = [evidence_judge([strange if c.id == "3-0" else c for c in TRAIN]), evidence_judge()]
    by_own, by_other = (scores(judge, strange, (*TEXTS, write(strange.answer))).criteria for judge in judges)
    assert [row["agreement"] for row in by_own] == [row["agreement"] for row in by_other]


def test_only_answers_that_sft_may_see_are_evidence() -> None:
    few = evidence_judge(sft_cases=10)
    assert few.evidence.pool.train == TRAIN[:10]
    assert "10 training answers" in few.description(None)[1]


def test_where_nothing_is_unsafe_a_weight_of_0_is_the_rubric_and_a_high_one_the_agreement() -> None:
    (rules,) = make_judges(Params(judge="rubric"), TRAIN)
    assert all(row["safety"] == 1 for row in scores(rules).criteria)
    assert scores(evidence_judge(judge_agreement_weight=0)).scores == scores(rules).scores
    verdict = scores(evidence_judge(judge_agreement_weight=1e6))
    assert verdict.scores == pytest.approx([row["agreement"] for row in verdict.criteria], abs=1e-4)


def test_the_score_is_the_weighted_mean_of_rubric_and_agreement() -> None:
    verdict = scores(evidence_judge(judge_agreement_weight=3))
    for text, score, row in zip(TEXTS, verdict.scores, verdict.criteria, strict=True):
        rules = RubricJudge().score(NEW, text)
        assert score == pytest.approx((rules + 3 * row["agreement"]) / 4, abs=1e-5)


def test_a_severe_finding_costs_more_than_the_margin_of_a_pair_and_a_moderate_one_little() -> None:
    judge, P = evidence_judge(), Params()
    likely = (*HERBS[2], "甘草")
    safe, severe, moderate = (judge.score(NEW, write(answer((*likely, more)))) for more in ("枇杷叶", "甘遂", "肉桂"))
    assert safe - severe > P.pair_margin, "甘草 with 甘遂: 十八反"
    assert left_by(0.3) < left_by(0.7) == left_by(1.0) == 1
    assert moderate <= safe


def test_it_says_that_safety_takes_of_the_whole_score() -> None:
    assert "multiplied by 0.5 (safety 0)" in evidence_judge().description(None)[2]


@pytest.mark.parametrize("mode", ["pairwise", "listwise"])
def test_it_ranks_alike_in_every_mode(mode: str) -> None:
    def ranks(verdict):
        return sorted(range(4), key=lambda i: verdict.scores[i])

    assert ranks(scores(evidence_judge(), mode=mode)) == ranks(scores(evidence_judge()))


def test_an_answer_without_herbs_may_hope_for_nothing() -> None:
    assert scores(evidence_judge(), texts=("", "无方")).criteria[0]["agreement"] == 0


def test_it_sits_on_a_jury_with_the_rubric() -> None:
    jury = make_judges(Params(judge=["rubric", "evidence"]), TRAIN)
    report = judge_items(jury, [Item(NEW, TEXTS)], mode="pointwise", progress=False)
    assert list(report.runs) == ["rubric", "evidence"] and report.verdicts[0].status == "judged"


@pytest.mark.parametrize("words", ["守上方，", "去当归，", "麦冬9g，"])
def test_an_answer_that_cannot_be_used_as_it_stands_costs_more_than_the_margin_of_a_pair(words) -> None:
    judge, P = evidence_judge(), Params()
    text = TEXTS[2]
    assert judge.score(NEW, text) - judge.score(NEW, text.replace("处方：", f"处方：{words}", 1)) > P.pair_margin


def test_a_name_that_physicians_write_of_others_is_known_though_no_table_holds_it() -> None:
    judge = evidence_judge(
        [case("own", 3, ("香附", "当归甘油"), "，甲"), case("other", 3, ("香附", "野香附草"), "，乙"), *TRAIN]
    )
    text = write(answer(("香附", "当归甘油", "野香附草")))
    assert judge.criteria(case("own", 3, more="，甲"), text)["known_herbs"] == pytest.approx(2 / 3), (
        "its own answer is unread"
    )
    assert judge.criteria(NEW, text)["known_herbs"] == 1


def test_a_herb_that_no_table_knows_costs_more_than_one_that_is_merely_unlikely() -> None:
    judge, P = evidence_judge(), Params()
    unlikely, invented = (judge.score(NEW, write(answer((*HERBS[2], more)))) for more in ("肉桂", "当归甘油"))
    assert unlikely - invented > P.pair_margin
