"""Cases without an answer become prompts, unless their group holds a validation or test case."""

import pytest

from tcm.cases import Answer, Case, Visit
from tcm.cases.cleaning import clean
from tcm.cases.splits import unlabelled

ANSWER = Answer(disease="胃痛", syndrome="寒邪客胃")
TEXTS = {
    "stomach": "胃脘冷痛三日，得温则减，口淡不渴，喜热饮",
    "cough": "咳嗽痰黄半月，咽干，口渴欲饮，大便偏干",
    "sleep": "入睡困难两年，心悸健忘，神疲食少，面色少华",
}


def case(name: str, text: str, answer: Answer | None = None, patient: str = "") -> Case:
    return Case(id=name, source="own", patient_id=patient or name, visit=Visit(history=text), answer=answer)


def split() -> tuple[list[Case], list[str]]:
    cases = [case(name, text, ANSWER) for name, text in TEXTS.items()]
    return cases, ["train", "validation", "test"]


def kept(*pool: Case) -> list[str]:
    usable, left_out = unlabelled(pool, *split())
    assert [c.id for c in pool if c in usable or c in left_out] == [c.id for c in pool]
    assert len(usable) + len(left_out) == len(pool)
    return [c.id for c in usable]


def test_a_case_like_no_held_out_one_is_a_prompt() -> None:
    other = case("new", "腰膝酸软，畏寒肢冷，夜尿频多，腰部冷痛")
    assert kept(other, case("like training", TEXTS["stomach"] + "，苔白")) == ["new", "like training"]


@pytest.mark.parametrize("name", ["cough", "sleep"])
def test_a_near_duplicate_of_a_held_out_case_is_left_out(name: str) -> None:
    assert kept(case("near", TEXTS[name] + "。")) == []


def test_another_visit_of_a_held_out_patient_is_left_out() -> None:
    assert kept(case("v2", "服药后诸症渐平，唯纳食欠佳，时有嗳气", patient="sleep")) == []


def test_a_case_that_another_prompt_chains_to_a_held_out_one_is_left_out() -> None:
    chain = [case("near", TEXTS["cough"], patient="x"), case("far", "头晕目眩一周，耳鸣，腰酸，视物模糊", patient="x")]
    assert kept(*chain) == []


def test_no_pool_is_no_prompt() -> None:
    assert kept() == []


def test_cleaning_keeps_nothing_of_an_answer_that_answers_nothing() -> None:
    records = [case("a", TEXTS["cough"], Answer(formula="桑杏汤", usage="水煎服")), case("b", TEXTS["sleep"], ANSWER)]
    whole, funnel, pool = clean(records)
    assert [c.id for c in whole] == ["b"]
    assert [(c.id, c.answer) for c in pool] == [("a", None)]
    assert funnel[0]["cases"] == sum(row["cases"] for row in funnel[1:]) == 2


def test_a_prompt_that_was_recorded_twice_counts_once() -> None:
    _, funnel, pool = clean([case("a", TEXTS["cough"]), case("b", TEXTS["cough"] + "。")])
    assert [c.id for c in pool] == ["a"]
    assert {"step": "dropped: the same findings and answer as an earlier record", "cases": 1} in funnel
