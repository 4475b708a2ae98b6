"""Choosing one of several drawn answers: by the judge, by consensus or the first; what it costs and could give."""

import json
from itertools import combinations
from math import log
from statistics import fmean

import pytest
import tiny_model

from tcm.answers import write
from tcm.cases import Answer, Case, Patient, PrescriptionItem, Visit
from tcm.files import read_rows
from tcm_rlaif.evaluation import choice
from tcm_rlaif.feedback.judges import base, make_judges, rubric
from tcm_rlaif.feedback.physicians import herb_f1
from tcm_rlaif.models.sampling import Sample, sample

DRAWING = {"eval_number": 4, "eval_temperature": 1.0, "eval_max_new_tokens": 24}
HERBS = ("黄芪", "党参", "白术", "茯苓", "当归", "川芎", "白芍", "甘草")


def text(*herbs: str) -> str:
    """An answer with these herbs."""
    items = tuple(PrescriptionItem(herb=herb, dose=9) for herb in herbs)
    return write(Answer(disease="虚劳", syndrome="气血两虚", treatment_principle="补气", formula="八珍汤",
                        prescription=items, packets=7))  # fmt: skip


def case(name: str, herbs=HERBS, gold=True) -> Case:
    answer = Answer(disease="虚劳", prescription=tuple(PrescriptionItem(herb=h, dose=9) for h in herbs), packets=7)
    return Case(id=name, source="invented", patient_id=name, patient=Patient(), visit=Visit(history="神疲乏力"),
                answer=answer if gold else None)  # fmt: skip


def answered(model, folder, **changes):
    """Chosen samples, facts and the rows of `draws.jsonl` of the tiny model on twelve cases."""
    P = tiny_model.params(**{**DRAWING, **changes})
    said, facts = choice.answers(*model, tiny_model.cases(), tiny_model.cases(), P, 3, folder)
    return said, facts, read_rows(folder / "draws.jsonl") if P.eval_number > 1 else []


def test_one_answer_is_the_greedy_one_and_nothing_is_chosen_or_kept(model, tmp_path) -> None:
    said, facts, _ = answered(model, tmp_path, eval_number=1, eval_temperature=0.0)
    assert said == sample(*model, tiny_model.cases(), number=1, temperature=0, max_new_tokens=24, batch_size=8, seed=3)
    assert (facts["draws"], facts["choice"], facts["undecided"], facts["unjudged"]) == (1, "first", 0, 0)
    assert list(tmp_path.iterdir()) == []
    assert choice.said(facts).startswith("one answer a case, greedy: ")


def test_the_judge_chooses_what_it_scores_highest_and_all_draws_are_kept(model, tmp_path) -> None:
    said, facts, rows = answered(model, tmp_path)
    assert len(rows) == 48 and [s.case_id for s in said] == [c.id for c in tiny_model.cases()]
    judge = make_judges(tiny_model.params(), tiny_model.cases())[0]
    for c, s in zip(tiny_model.cases(), said, strict=True):
        of_case = [row for row in rows if row["case_id"] == c.id]
        assert [row["score"] for row in of_case] == pytest.approx([judge.score(c, row["text"]) for row in of_case])
        assert [row["number"] for row in of_case if row["chosen"]] == [s.number]
        ended = [row for row in of_case if row["finished"]] or of_case
        assert judge.score(c, s.text) == max(row["score"] for row in ended)
    assert len({s.number for s in said}) > 1, "else the first would do"
    assert facts["tokens"] == sum(len(row["ids"]) for row in rows) / 12 and facts["choice"] == "judge"
    assert facts["seconds"] >= facts["choosing_seconds"] > 0 and facts["judge"]["name"] == "rubric"
    assert json.loads(json.dumps(facts)) == facts
    assert choice.said(facts).startswith("the judge's choice of 4 draws a case, at temperature 1: ")


def test_the_first_of_several_is_a_control_on_the_same_draws(model, tmp_path) -> None:
    judged = answered(model, tmp_path / "judge")[2]
    said, facts, rows = answered(model, tmp_path / "first", eval_choice="first")
    assert [row["ids"] for row in rows] == [row["ids"] for row in judged]
    assert {s.number for s in said} == {0} and {row["score"] for row in rows} == {None}
    assert "judge" not in facts and "curve" not in facts


def test_the_model_s_own_consensus_is_chosen_without_a_judge(model, tmp_path) -> None:
    said, facts, rows = answered(model, tmp_path, eval_choice="consensus")
    assert "judge" not in facts and not (tmp_path / "judgements.jsonl").exists()
    for s in said:
        texts = [row["text"] for row in rows if row["case_id"] == s.case_id]
        scores = choice.consensus(case(s.case_id, HERBS[:4]), texts)
        ended = [row["finished"] for row in rows if row["case_id"] == s.case_id]
        assert scores[s.number] == max(score for score, fit in zip(scores, ended, strict=True) if fit or not any(ended))


def test_an_answer_that_was_cut_off_is_chosen_only_where_none_ended(model, tmp_path, monkeypatch) -> None:
    def drawn(*args, **how):
        ends = {0: (False, True, True, False), 1: (False,) * 4}
        return [
            Sample(c.id, n, text(*HERBS[: 8 - 2 * n]), ends[i % 2][n], (1, 2))
            for i, c in enumerate(tiny_model.cases())
            for n in range(4)
        ]

    monkeypatch.setattr(choice, "sample", drawn)
    monkeypatch.setattr(rubric.RubricJudge, "criteria", lambda self, case, t: {"dose": t.count("9g") / 8})
    said, facts, _ = answered(model, tmp_path)
    assert [s.number for s in said] == [1, 0] * 6 and facts["undecided"] == 0


def test_consensus_is_the_mean_herb_f1_with_the_others() -> None:
    texts = [text(*HERBS[:4]), text(*HERBS[2:6]), text(*HERBS[:4]), text("麦冬")]
    scores = choice.consensus(case("x", HERBS[:4]), texts)
    expected = [fmean(herb_f1(case("x", herbs), t) for herbs in others)
                for t, others in zip(texts, [(HERBS[2:6], HERBS[:4], ["麦冬"]), (HERBS[:4], HERBS[:4], ["麦冬"]),
                                             (HERBS[:4], HERBS[2:6], ["麦冬"]), (HERBS[:4], HERBS[2:6], HERBS[:4])],
                                     strict=True)]  # fmt: skip
    assert scores == pytest.approx(expected) and choice.best(scores) == 0


def test_answers_without_herbs_do_not_agree_with_each_other() -> None:
    scores = choice.consensus(case("x", HERBS[:4]), ["无", "无", "无", text("黄芪", "党参"), text("黄芪", "白术")])
    assert scores[:3] == [0, 0, 0] and choice.best(scores) == 3


@pytest.mark.parametrize(
    ("scores", "number"),
    [([0.2, 0.7, 0.7], 1), ([None, 0.0, None], 1), ([None, None], 0), ([0.4, None, 0.5], 2)],
)
def test_the_first_of_equals_stands_and_a_draw_without_a_score_only_where_none_has_one(scores, number) -> None:
    assert choice.best(scores) == number


class Nosy:
    """A judge that would give away the physician's answer, and fails on every second text."""

    name, soft, stored, replay_only, spent = "openai", False, True, False, (0, 0)

    def identity(self, mode):
        return {"sees_gold": "yes"}

    def ask(self, questions, record):
        for number, question in enumerate(questions):
            assert question.case.answer is None, "the physician's answer was shown"
            failed = number % 2
            record(question, base.Reply("timeout") if failed else base.Reply("judged", (0.5,), requests=1, tokens=9))


def test_no_judge_sees_the_physician_s_answer_and_failures_and_ties_are_counted(model, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(choice, "make_judges", lambda P, cases: [Nosy()])
    said, facts, rows = answered(model, tmp_path)
    unjudged = sum(row["score"] is None for row in rows)
    assert 0 < facts["unjudged"] == unjudged < len(rows) and facts["undecided"] > 0
    assert all(row["score"] is not None for row in rows if row["chosen"])
    counts = facts["judge"]["counts"][0]
    assert counts["total"] == counts["judged"] + counts["timeout"] and facts["judge"]["cost"]["requests"] > 0
    assert (tmp_path / "judgements.jsonl").exists() and facts["curve"] == []


def test_what_was_judged_is_not_asked_again(model, tmp_path, monkeypatch) -> None:
    first = answered(model, tmp_path)[0]
    asked = []
    monkeypatch.setattr(rubric.RubricJudge, "stored", True)
    answered(model, tmp_path)
    ask = rubric.RubricJudge.ask
    monkeypatch.setattr(rubric.RubricJudge, "ask", lambda self, q, record: (asked.extend(q), ask(self, q, record)))
    again, facts, _ = answered(model, tmp_path)
    assert again == first and asked == [] and facts["judge"]["counts"][0]["from_cache"] > 0


# the curve


def rows(scores, texts, name="a") -> list[dict]:
    return [{"case_id": name, "score": s, "text": t, "finished": True} for s, t in zip(scores, texts, strict=True)]


def test_the_curve_is_the_mean_over_every_choice_of_k_draws() -> None:
    texts = [text(*HERBS[:n]) for n in (2, 5, 8, 3, 6)]
    scores = [0.4, 0.9, 0.1, 0.9, 0.5]
    worth = [herb_f1(case("a"), t) for t in texts]
    found = choice.curve([case("a")], rows(scores, texts))
    assert [point["k"] for point in found] == [1, 2, 4]
    for point in found:
        draws = [max(one) for one in combinations(scores, point["k"])]
        assert point["score"] == pytest.approx(fmean(draws))
        chosen = []
        for some in combinations(range(5), point["k"]):
            top = max(scores[n] for n in some)
            chosen.append(fmean(worth[n] for n in some if scores[n] == top))
        assert point["herb_f1"] == pytest.approx(fmean(chosen))
        assert point["oracle"] == pytest.approx(fmean(max(one) for one in combinations(worth, point["k"])))
    assert found[0]["herb_f1"] == found[0]["oracle"] == pytest.approx(fmean(worth)) and found[0]["kl"] == 0
    assert found[2]["kl"] == pytest.approx(log(4) - 0.75)


def test_on_the_curve_one_that_ended_is_chosen_before_one_that_was_cut_off() -> None:
    cut, ended = rows([0.9, 0.2], [text(*HERBS), text(*HERBS[:2])])
    last = choice.curve([case("a")], [cut | {"finished": False}, ended])[-1]
    assert last["k"] == 2 and last["score"] == 0.2 and last["herb_f1"] < last["oracle"] == 1


def test_every_point_is_of_the_same_cases_and_goes_as_far_as_their_draws() -> None:
    texts = [text(*HERBS[:n]) for n in (2, 4, 6, 8)]
    cases = [case("a"), case("b"), case("unscored"), case("open", gold=False)]
    draws = [*rows([1, 2, 3, 4], texts, "a"), *rows([4, 3], texts[:2], "b"), *rows([1, None, 2, 3], texts, "unscored"),
             *rows([1, 2, 3, 4], texts, "open")]  # fmt: skip
    assert [(point["k"], point["cases"]) for point in choice.curve(cases, draws)] == [(1, 2), (2, 2)]
    assert choice.curve(cases[2:], draws) == []
    assert json.loads(json.dumps(choice.curve(cases, draws))) == choice.curve(cases, draws)
