"""Invented physicians: stable habits of their own, prescriptions as safe as by the book, floors as on real records."""

import random
from collections import Counter
from functools import cache
from statistics import fmean

import pytest

from tcm import knowledge
from tcm.cases import Case
from tcm.invented import invent_cases, textbook
from tcm.invented.physicians import BY_THE_BOOK, SPECIALIST, attending, staff
from tcm.metrics.hardness import REAL, hardness, herb_f1_by_folds
from tcm.prescriptions.safety import audit

EDITION = 48


@cache
def cases(physicians: int = 5, number: int = 200, seed: int = 0) -> tuple[Case, ...]:
    return tuple(invent_cases(number, 0.4, seed, EDITION, physicians))


@cache
def floors(physicians: int, seed: int) -> dict[str, float]:
    return {name: fmean(values) for name, values in herb_f1_by_folds(cases(physicians, seed=seed)).items()}


def share(flags) -> float:
    return fmean(map(float, flags))


# the same physicians with the same habits


def test_the_same_arguments_give_the_same_physicians_and_cases() -> None:
    staff.cache_clear()
    before = staff(5, 3, EDITION)
    staff.cache_clear()
    assert staff(5, 3, EDITION) == before != staff(5, 4, EDITION)
    assert invent_cases(30, 0.4, 3, EDITION, 5) == invent_cases(30, 0.4, 3, EDITION, 5)


def test_a_larger_number_only_appends_other_patients() -> None:
    more = invent_cases(1000, 0.4, 0, EDITION, 5)
    assert tuple(more[:200]) == cases()
    assert len({case.patient_id for case in more}) == 1000
    assert len({case.visit.findings for case in more}) > 950


def test_each_disease_has_one_specialist_who_sees_most_of_its_patients() -> None:
    team = staff(5, 0, EDITION)
    diseases = {p.disease for p in textbook.edition(EDITION).patterns}
    assert Counter(d for p in team for d in p.specialty) == Counter(diseases)
    rng = random.Random(1)
    seen = [attending(team, "郁证", rng) for _ in range(600)]
    own = share("郁证" in p.specialty for p in seen)
    assert own == pytest.approx(SPECIALIST + (1 - SPECIALIST) / 5, abs=0.06) and len(set(map(id, seen))) == 5


def test_a_physician_writes_his_favourites_in_most_of_his_cases_and_others_seldom_do() -> None:
    specialists = {d: p for p in staff(5, 0, EDITION) for d in p.specialty}
    of_his, of_others = [], []
    for case in cases():
        own = specialists[case.answer.disease]
        for physician in {id(p): p for p in specialists.values()}.values():
            for herb in physician.always:
                (of_his if physician is own else of_others).append(herb in case.answer.herbs)
    assert share(of_his) > share(of_others) + 0.15


def test_habits_differ_between_physicians() -> None:
    team = staff(5, 0, EDITION)
    assert len({p.always for p in team}) == 5
    assert len({tuple(p.formulas.items()) for p in team}) == 5 and len({tuple(p.instead.items()) for p in team}) == 5


def test_in_one_case_most_habits_are_followed_and_none_is_new() -> None:
    physician = staff(5, 0, EDITION)[0]
    today = [physician.today(random.Random(n)) for n in range(50)]
    assert all(p.for_finding.items() <= physician.for_finding.items() for p in today)
    assert all(p.instead.items() <= physician.instead.items() for p in today)
    assert all(p.formulas == physician.formulas and p.dose_factors == physician.dose_factors for p in today)
    assert 0.7 < share(herb in p.always for p in today for herb in physician.always) < 0.9


def test_one_writes_another_herb_of_the_same_kind() -> None:
    rows = list(knowledge.herbs())
    for physician in staff(5, 0, EDITION):
        for herb, other in physician.instead.items():
            bases = [knowledge.herb_info(name).base for name in (herb, other)]
            assert 0 < abs(rows.index(bases[0]) - rows.index(bases[1])) <= 12


def test_doses_differ_from_the_book_within_the_range_of_the_herb() -> None:
    physician = staff(5, 0, EDITION)[1]
    book, his = knowledge.compose("归脾汤"), physician.compose("归脾汤")
    assert [herb for herb in book if herb in his and his[herb] != book[herb]]
    for herb, dose in his.items():
        known = knowledge.herb_info(herb)
        assert known.dose_min_g <= dose <= known.dose_max_g, herb


def test_without_physicians_everything_is_by_the_book() -> None:
    assert staff(0, 7, EDITION) == (BY_THE_BOOK,)
    pattern = textbook.edition(EDITION).patterns[0]
    assert BY_THE_BOOK.own(pattern) == pattern and BY_THE_BOOK.additions(pattern.key_symptoms) == []
    assert BY_THE_BOOK.compose("归脾汤") == knowledge.compose("归脾汤")
    assert tuple(invent_cases(200, 0.4, 0, EDITION)) == cases(0)


# what is written


def test_a_formula_says_what_was_composed_and_is_understood() -> None:
    for case in cases():
        names = knowledge.resolve_formula(case.answer.formula)
        assert names and set(names) <= knowledge.formulas().keys(), case.answer.formula
    assert share("合" in case.answer.formula for case in cases()) > share("合" in c.answer.formula for c in cases(0))


def test_every_word_of_the_answers_stands_in_the_edition() -> None:
    book = textbook.edition(EDITION)
    herbs, names = {herb.name for herb in book.herbs}, {formula.name for formula in book.formulas}
    for case in cases():
        assert set(case.answer.herbs) <= herbs and set(knowledge.resolve_formula(case.answer.formula)) <= names


def test_a_follow_up_keeps_the_habits_and_changes_what_its_text_tells() -> None:
    again = [c for c in cases(number=400) if c.task == "follow_up_visit"]
    assert len(again) > 120 and all(c.answer.prescription != c.previous_answer.prescription for c in again)
    for case in again:
        added = set(case.answer.herbs) - set(case.previous_answer.herbs)
        removed = set(case.previous_answer.herbs) - set(case.answer.herbs)
        assert not added or "现" in case.visit.history, case.id
        assert not removed or "现" in case.visit.history or "已除" in case.visit.history, case.id


# safety


def worst(case: Case) -> int:
    findings = audit(case.answer.prescription, case.patient, case.answer.packets, case.answer.usage)
    return max((("low", "medium", "high").index(f.severity) for f in findings), default=-1)


@pytest.mark.parametrize("least", [0, 1, 2])
def test_physicians_are_not_less_safe_than_the_book(least: int) -> None:
    habits, book = (share(worst(c) >= least for s in (0, 1) for c in cases(n, 200, s)) for n in (5, 0))
    assert habits <= book


def test_no_pair_of_herbs_is_incompatible_and_none_is_given_twice() -> None:
    kinds = {f.kind for c in cases(number=400) for f in audit(c.answer.prescription, c.patient)}
    assert not kinds & {"incompatibility", "duplicate_herb", "unknown_herb", "route"}


def test_in_pregnancy_no_habit_adds_a_forbidden_herb() -> None:
    pregnant = [c for c in invent_cases(1200, 0.0, 0, 0, 5) if c.patient.pregnant]
    classes = {knowledge.herb_info(herb).pregnancy for c in pregnant for herb in c.answer.herbs}
    assert len(pregnant) > 20 and not classes & {"禁用", "忌用"}


# hardness: floors stand to each other about as on real records


@pytest.mark.parametrize("seed", [0, 3])
def test_floors_stand_in_the_promised_order_and_distance(seed: int) -> None:
    found = floors(5, seed)
    assert 0.33 <= found["expert_rule"] <= 0.52
    assert found["expert"] >= found["expert_rule"] + 0.06
    assert found["expert"] >= found["popularity"] + 0.08
    assert found["nearest_case"] < found["expert"] <= found["pattern_oracle"]
    assert 0.54 <= found["pattern_oracle"] <= 0.67


def test_by_the_book_the_tables_know_nearly_everything() -> None:
    found = floors(0, 0)
    assert found["expert_rule"] > 0.7 and found["expert"] > 0.9  # the rules 加减 are the evidence's, not the rule's


def test_rows_of_the_table_hold_mean_interval_and_number() -> None:
    rows = hardness(cases(number=40))
    assert [row["answer"] for row in rows] == list(REAL)
    first = sum(case.task == "first_visit" for case in cases(number=40))
    assert all(row["low"] <= row["herb_f1"] <= row["high"] and row["n"] == first for row in rows)
    assert hardness([case for case in cases() if case.task == "follow_up_visit"]) == []
