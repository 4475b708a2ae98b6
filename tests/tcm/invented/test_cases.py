"""Invented cases say that they are invented, are hard, possible and safe, and are the same for the same seed."""

import re
from collections import Counter
from functools import cache

import pytest

from tcm import answers, knowledge
from tcm.cases import Case, Patient
from tcm.invented import textbook
from tcm.invented.cases import NEWBORN_DISEASES, _items, invent_cases
from tcm.prescriptions import safety


@cache
def cases(number: int = 700, patterns: int = 0) -> tuple[Case, ...]:
    """About one case a pattern, half of them follow-up visits."""
    return tuple(invent_cases(number, 0.5, seed=0, patterns=patterns))


def follow_ups() -> list[Case]:
    return [c for c in cases() if c.task == "follow_up_visit"]


def findings(case: Case) -> list[safety.Finding]:
    return safety.audit(case.answer.prescription, case.patient, case.answer.packets, case.answer.usage)


def share(flags) -> float:
    flags = list(flags)
    return sum(flags) / len(flags)


def test_the_same_arguments_give_the_same_cases() -> None:
    assert invent_cases(40, 0.4, 3, 48) == invent_cases(40, 0.4, 3, 48)


def test_another_seed_gives_other_cases() -> None:
    assert invent_cases(40, 0.4, 3, 48) != invent_cases(40, 0.4, 4, 48)


def test_every_invented_case_says_that_it_is_invented() -> None:
    assert {c.source for c in cases()} == {"invented"}
    assert all(c.id.startswith("invented-") and c.patient_id == c.id for c in cases())


def test_ids_are_unique() -> None:
    assert len({c.id for c in cases()}) == len(cases()) == 700


@pytest.mark.parametrize(("asked", "found"), [(0.0, 0.0), (1.0, 1.0)])
def test_none_or_all_cases_are_follow_ups_where_that_is_asked(asked: float, found: float) -> None:
    assert share(c.task == "follow_up_visit" for c in invent_cases(30, asked, 0, 48)) == found


def test_about_the_asked_share_are_follow_ups() -> None:
    assert share(c.task == "follow_up_visit" for c in cases()) == pytest.approx(0.5, abs=0.06)


def test_every_pattern_comes_once_before_any_comes_twice() -> None:
    book = textbook.edition(0).patterns
    drawn = Counter((c.answer.disease, c.answer.syndrome) for c in invent_cases(len(book), 0.0, 0, 0))
    assert drawn == Counter((p.disease, p.syndrome) for p in book)


def test_no_man_is_pregnant_and_no_man_has_a_womens_disease() -> None:
    women = {p.disease for p in knowledge.patterns() if p.department == "妇科"}
    men = [c for c in cases() if c.patient.sex == "男"]
    assert men and not [c.id for c in men if c.patient.pregnant or c.answer.disease in women]


def test_patients_with_a_disease_of_pregnancy_are_pregnant() -> None:
    of_pregnancy = [c for c in cases() if c.answer.disease.startswith(("妊娠", "胎动", "胎漏", "子肿"))]
    assert of_pregnancy and all(c.patient.pregnant for c in of_pregnancy)


def test_patients_with_a_disease_of_childbed_are_not_pregnant() -> None:
    childbed = [c for c in cases() if c.answer.disease.startswith("产后")]
    assert childbed and not any(c.patient.pregnant for c in childbed)


def test_newborns_with_jaundice_are_two_weeks_old() -> None:
    newborn = {c.patient.age for c in cases() if c.answer.disease in NEWBORN_DISEASES}
    assert newborn == {0.04}


def test_children_of_paediatric_patterns_are_under_fourteen() -> None:
    paediatric = {p.disease for p in knowledge.patterns() if p.age_group == "小儿"}
    only = paediatric - {p.disease for p in knowledge.patterns() if p.age_group != "小儿"}
    ages = [c.patient.age for c in cases() if c.answer.disease in only]
    assert len(ages) > 50 and max(ages) < 14


def test_no_forbidden_herb_is_prescribed_in_pregnancy() -> None:
    pregnant = [c for c in cases() if c.patient.pregnant]
    classes = {knowledge.herb_info(h).pregnancy for c in pregnant for h in c.answer.herbs}
    assert pregnant and not classes & {"禁用", "忌用"}


def test_a_forbidden_herb_of_a_formula_is_left_out_in_pregnancy_alone() -> None:
    herbs = {"当归": 9.0, "三棱": 6.0}
    assert knowledge.herb_info("三棱").pregnancy == "禁用"
    pregnant = _items(herbs, Patient(sex="女", age=28, pregnant=True))
    assert [i.herb for i in pregnant] == ["当归"]
    assert [i.herb for i in _items(herbs, Patient(sex="女", age=28))] == ["当归", "三棱"]


def test_every_answer_has_the_five_fields_packets_and_usage() -> None:
    for case in cases():
        assert answers.missing_fields(case.answer) == () and case.answer.packets in (3, 5, 7), case.id
        assert case.answer.usage == "水煎服"


def test_every_answer_is_read_back_as_it_was_written() -> None:
    lost = [c.id for c in cases() if answers.parse(answers.write(c.answer)).answer != c.answer]
    assert lost == []


def test_every_answer_keeps_the_layout() -> None:
    assert all(answers.format_valid(answers.write(c.answer)) for c in cases())


def test_every_herb_is_in_the_tables_and_no_herb_is_named_twice() -> None:
    assert {h for c in cases() for h in c.answer.herbs if knowledge.resolve_herb(h) is None} == set()
    assert [c.id for c in cases() if len(set(c.answer.herbs)) < len(c.answer.herbs)] == []


def test_doses_are_steps_of_half_a_gram() -> None:
    doses = {i.dose for c in cases() for i in c.answer.prescription}
    assert min(doses) > 0 and {d % 0.5 for d in doses if d >= 0.5} == {0.0}


# follow-up visits


def test_a_follow_up_has_one_earlier_visit_with_its_answer() -> None:
    for case in follow_ups():
        (earlier,) = case.earlier_visits
        assert earlier.answer == case.previous_answer and earlier.answer.prescription and earlier.chief_complaint


def test_every_follow_up_changes_a_herb_or_a_dose() -> None:
    unchanged = [c.id for c in follow_ups() if c.answer.prescription == c.previous_answer.prescription]
    assert len(follow_ups()) > 300 and unchanged == []


def test_a_dose_is_raised_where_a_complaint_did_not_yield() -> None:
    staying = [c for c in follow_ups() if c.visit.history.endswith("仍在")]
    raised = []
    for case in staying:
        before = {i.herb: i.dose for i in case.previous_answer.prescription}
        raised.append(any(i.dose > before.get(i.herb, i.dose) for i in case.answer.prescription))
    assert len(staying) > 50 and share(raised) > 0.9


def test_follow_ups_are_adjusted_rather_than_written_anew() -> None:
    kept = [
        len(set(c.answer.herbs) & set(c.previous_answer.herbs)) / len(c.previous_answer.herbs) for c in follow_ups()
    ]
    assert sum(kept) / len(kept) > 0.8
    assert all(c.answer.disease == c.previous_answer.disease for c in follow_ups())


def test_a_follow_up_says_what_was_taken_and_how_it_went() -> None:
    for case in follow_ups():
        assert case.visit.history.startswith(f"服上方{case.previous_answer.packets}剂，")
        assert re.search("减轻|好转|明显缓解", case.visit.history)


def test_the_formula_of_a_follow_up_is_marked_as_modified_once() -> None:
    assert all(c.answer.formula.endswith("加减") and c.answer.formula.count("加减") == 1 for c in follow_ups())


# hardness


def test_the_findings_of_a_case_are_not_the_textbooks_list() -> None:
    of = {(p.disease, p.syndrome): p for p in knowledge.patterns()}
    verbatim = [
        all(s in c.visit.findings for s in of[c.answer.disease, c.answer.syndrome].key_symptoms)
        for c in cases()
        if c.task == "first_visit"
    ]
    assert share(verbatim) < 0.1


def test_no_case_names_its_syndrome_or_formula() -> None:
    named = [c for c in cases() if c.answer.syndrome in c.visit.findings or c.answer.formula in c.visit.findings]
    assert named == []


# safety of the gold answers


def test_few_gold_answers_for_adults_have_a_safety_finding() -> None:
    assert share(bool(findings(c)) for c in cases() if c.patient.age >= 12) < 0.12


def test_hardly_any_gold_answer_has_a_finding_of_high_severity() -> None:
    assert share(any(f.severity == "high" for f in findings(c)) for c in cases()) < 0.03


def test_no_gold_answer_has_a_finding_of_pregnancy_of_high_severity() -> None:
    found = [f for c in cases() for f in findings(c) if f.kind == "pregnancy" and f.severity == "high"]
    assert found == []


def test_no_gold_answer_names_an_unknown_herb() -> None:
    assert [f.herbs for c in cases() for f in findings(c) if f.kind == "unknown_herb"] == []


def test_children_get_a_share_of_the_adult_dose() -> None:
    of = {(p.disease, p.syndrome): p for p in knowledge.patterns()}
    young = [c for c in cases() if c.patient.age < 6 and not of[c.answer.disease, c.answer.syndrome].modifications]
    young += [c for c in cases() if c.patient.age < 6 and c.task == "first_visit" and "加减" not in c.answer.formula]
    assert young
    for case in young:
        adult = knowledge.compose(case.answer.formula)
        for item in case.answer.prescription:
            fraction = safety.child_fraction(case.patient.age)
            high = knowledge.herb_info(item.herb).dose_max_g or adult[item.herb]
            expected = min(adult[item.herb], high) * fraction
            assert item.dose == pytest.approx(expected, abs=0.51), (case.id, item)


def test_few_gold_answers_for_children_have_an_overdose() -> None:
    children = [c for c in cases() if c.patient.age < 12]
    assert share(any(f.kind == "overdose" for f in findings(c)) for c in children) < 0.15


def test_no_child_gets_twice_what_the_age_allows() -> None:
    over = []
    for case in (c for c in cases() if 1 <= c.patient.age < 12):
        for item in case.answer.prescription:
            high = knowledge.herb_info(item.herb).dose_max_g
            if high and item.dose > 2 * max(0.5, high * safety.child_fraction(case.patient.age)):
                over.append((case.id, item.herb))
    assert len(over) <= 0.01 * len(cases())
