"""A judge against physicians: judges whose worth is known get the figures they deserve, with intervals over cases."""

import json

import pytest

from tcm.cases import Answer, Case, Patient, PrescriptionItem, Visit
from tcm.evidence import Evidence
from tcm.sources import SOURCES
from tcm_rlaif.feedback import physicians
from tcm_rlaif.feedback.judges.base import JUDGED, Reply
from tcm_rlaif.feedback.judges.evidence_judge import EvidenceJudge
from tcm_rlaif.feedback.judges.rubric import RubricJudge
from tcm_rlaif.feedback.physicians import FIGURES, figure, herb_f1, measure, said, table

KINDS = (
    ("失眠多梦心悸健忘", ("酸枣仁", "远志", "龙眼肉", "当归")),
    ("胃脘冷痛喜温喜按", ("干姜", "桂枝", "白术", "当归")),
    ("咽干咳嗽痰少而黏", ("麦冬", "桔梗", "川贝母", "甘草")),
    ("两胁胀痛嗳气频作", ("香附", "川芎", "枳壳", "甘草")),
)


def case(kind: int, n: int) -> Case:
    findings, herbs = KINDS[kind]
    herbs = (*herbs[: 2 + n % 3], ("黄芪", "党参", "茯苓", "陈皮", "半夏", "山药")[n])
    items = tuple(PrescriptionItem(herb=herb, dose=9 + n) for herb in herbs)
    name = f"{kind}-{n}"
    visit = Visit(history=findings + "，" + "甲乙丙丁戊己"[n] * 9)
    answer = Answer(disease="病", syndrome="证", prescription=items, packets=5)
    return Case(id=name, source="invented", patient_id=name, patient=Patient(), visit=visit, answer=answer)


CASES = [case(kind, n) for kind in range(4) for n in range(6)]
EVIDENCE = Evidence(CASES)


class Scores(RubricJudge):
    """Scores by a function of case and text."""

    def __init__(self, name: str, of) -> None:
        self.name, self.of = name, of

    def ask(self, questions, record) -> None:
        for q in questions:
            scores = [self.of(q.case, text) for text in q.texts]
            if None in scores:
                record(q, Reply("timeout"))
            elif q.mode == "pairwise":
                record(q, Reply(JUDGED, (0.5 + (scores[0] > scores[1]) / 2 - (scores[0] < scores[1]) / 2,)))
            else:
                record(q, Reply(JUDGED, tuple(scores)))


ORACLE = Scores("oracle", herb_f1)
CONTRARY = Scores("contrary", lambda c, text: 1 - herb_f1(c, text))
BLIND = Scores("blind", lambda c, text: 0.5)


def measured(*judges, mode="pointwise", cases=CASES, evidence=EVIDENCE, number=99):
    return measure(judges, cases, evidence, number=number, mode=mode, progress=False)


@pytest.mark.parametrize("mode", ["pointwise", "pairwise", "listwise"])
@pytest.mark.parametrize(("judge", "value"), [(ORACLE, 1.0), (CONTRARY, 0.0), (BLIND, 0.5)])
def test_an_oracle_is_always_right_its_contrary_never_and_a_blind_judge_half(judge, value: float, mode: str) -> None:
    rows = measured(judge, mode=mode)["rows"]
    for name in ("own_above_other", "order", "own_above_optimum"):
        row = figure(rows, judge.name, name)
        assert row["value"] == value and row["low"] <= value <= row["high"] and row["n"] > 10, name


def test_the_optimum_is_what_the_judge_likes_best_of_the_answers_that_need_no_model() -> None:
    rows = measured(ORACLE, CONTRARY, BLIND)["rows"]
    best, worst, even = (figure(rows, name, "optimum_f1")["value"] for name in ("oracle", "contrary", "blind"))
    assert best > even > worst
    popular = figure(rows, "popularity", "optimum_f1")["value"]
    assert figure(rows, "oracle", "optimum_gain")["value"] == pytest.approx(best - popular)
    assert worst <= popular <= best


def test_popularity_stands_beside_every_judge_and_knows_no_patient() -> None:
    rows = measured(EvidenceJudge(EVIDENCE, 4.0))["rows"]
    assert figure(rows, "popularity", "own_above_other")["low"] < 0.5
    assert figure(rows, "popularity", "own_above_optimum") is None, "popularity's optimum is popularity"
    order, popular, gain = (figure(rows, who, name)["value"] for who, name in
                            (("evidence", "order"), ("popularity", "order"), ("evidence", "order_gain")))  # fmt: skip
    assert gain == pytest.approx(order - popular)


def test_criteria_have_figures_of_their_own_where_the_judge_has_criteria() -> None:
    found = measured(EvidenceJudge(EVIDENCE, 4.0))
    by = {row["scored_by"] for row in found["rows"] if row["judge"] == "evidence"}
    assert {"score", "agreement", "safety", "coverage"} <= by
    assert {row["scored_by"] for row in measured(BLIND)["rows"]} == {"score"}
    lines = table(found["rows"])
    assert list(lines[0]) == ["judge", "scored by", *FIGURES] and lines[0]["own_above_optimum"] == ""
    assert said({"value": 0.5, "low": 0.25, "high": 0.7512}) == "0.50 [0.25, 0.75]"


def test_a_jury_is_measured_beside_its_members() -> None:
    found = measured(ORACLE, BLIND)
    assert list(found["drift"]) == ["oracle", "blind", "jury"]
    assert figure(found["rows"], "jury", "order")["value"] == 1.0, "the blind judge's ties change no rank"


def test_a_case_whose_judgement_is_missing_is_counted_and_left_out() -> None:
    found = measured(Scores("deaf", lambda c, text: None if c.id == "0-0" else herb_f1(c, text)))
    row = figure(found["rows"], "deaf", "own_above_other")
    assert (row["n"], row["unjudged"], row["value"]) == (len(CASES) - 1, 1, 1.0)
    nothing = measured(Scores("mute", lambda c, text: None))
    assert nothing["drift"] == {} and {row["judge"] for row in nothing["rows"]} == {"popularity"}


@pytest.mark.parametrize(("gain", "words"), [
    ((0.1, 0.05, 0.15), "comes nearer to the physicians than popularity does"),
    ((0.0, -0.05, 0.05), "is not shown that"),
    ((-0.1, -0.15, -0.05), "walks away from the physicians"),
])  # fmt: skip
def test_the_drift_is_said_by_the_interval_of_what_the_optimum_has_above_popularity(gain, words: str) -> None:
    def row(judge, name, values):
        return dict(zip(("judge", "scored_by", "figure", "value", "low", "high"), (judge, "score", name, *values),
                        strict=True))  # fmt: skip

    rows = [row("rubric", "own_above_optimum", (0.01, 0.0, 0.03)), row("rubric", "optimum_f1", (0.27, 0.24, 0.3)),
            row("rubric", "optimum_gain", gain), row("rubric", "order", (0.58, 0.5, 0.6)),
            row("popularity", "order", (0.74, 0.7, 0.8))]  # fmt: skip
    sentence = physicians._drift("rubric", rows)
    assert words in sentence and "in 99% of cases [97%, 100%]" in sentence and "0.74 [0.70, 0.80]" in sentence
    assert ("not to their own answers" in sentence) == (gain[0] > 0)
    rows[0] = row("rubric", "own_above_optimum", (0.9, 0.8, 0.95))
    assert "not to their own answers" not in physicians._drift("rubric", rows)


@pytest.mark.parametrize(("mode", "n"), [("pointwise", 6), ("pairwise", 3), ("listwise", 3)])
def test_as_many_cases_are_audited_as_asked_for_and_half_where_answers_are_compared(mode: str, n: int) -> None:
    found = measured(ORACLE, number=6, mode=mode)
    assert figure(found["rows"], "oracle", "own_above_other")["n"] == n
    asked = next(row["total"] for row in found["counts"] if row["unit"] == "questions")
    assert asked <= n * (9 if mode == "pointwise" else 34)


def test_an_answer_that_testifies_is_not_set_against_the_silent_own_where_cases_outside_the_evidence_suffice() -> None:
    half = Evidence([c for c in CASES if c.id[-1] in "012"])
    fair, unfair = (figure(measured(BLIND, evidence=e)["rows"], "popularity", "own_above_other") for e in
                    (half, EVIDENCE))  # fmt: skip
    assert unfair["high"] < 0.2 < fair["low"], "popularity prefers what testified"


def test_the_figures_are_plain_values_and_the_same_again() -> None:
    found, again = measured(RubricJudge()), measured(RubricJudge())
    assert json.loads(json.dumps(found["rows"])) == found["rows"] == again["rows"]


@pytest.mark.parametrize("cases", [[], CASES[:1], [c.model_copy(update={"answer": None}) for c in CASES]])
def test_where_fewer_than_two_answers_are_known_nothing_is_measured(cases) -> None:
    found = measured(RubricJudge(), cases=cases)
    assert found["rows"] == [] and found["drift"] == {}


def test_on_records_of_practice_the_rubric_likes_its_own_rule_better_than_any_physician(best4sdt_path) -> None:
    cases = SOURCES["best4sdt"](best4sdt_path).cases[::4]
    evidence = Evidence(cases)
    rows = measured(RubricJudge(), EvidenceJudge(evidence, 4.0), cases=cases, evidence=evidence)["rows"]
    assert figure(rows, "rubric", "own_above_optimum")["high"] < 0.2
    assert figure(rows, "rubric", "order_gain")["high"] < 0 < figure(rows, "evidence", "optimum_gain")["low"]
    assert figure(rows, "evidence", "order")["low"] > figure(rows, "rubric", "order")["high"]
