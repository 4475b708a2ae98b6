"""The tables' rules 加减: which ones a case calls for, and what they make of the last prescription at a follow-up."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from tcm.cases import Answer, Case, PrescriptionItem
from tcm.evidence.witnesses import base_herb, base_herbs, first_answers
from tcm.knowledge import Modification, Pattern, compose, patterns
from tcm.knowledge.matching import age_group, answered, findings_text, mentions, resolved
from tcm.prescriptions.safety import child_fraction


@cache
def rules() -> tuple[tuple[Modification, ...], tuple[Answer, ...], np.ndarray]:
    """All rules that add herbs beyond the first formula of their pattern.

    Returns:
        The rules, what each adds as an answer of these herbs alone, and the number of each one's pattern.
    """
    found, answers, numbers = [], [], []
    for number, first in first_answers().items():
        there = base_herbs(first.herbs)
        for rule in patterns()[number].modifications:
            items = tuple(item for herb, item in _added(rule, 1.0).items() if herb not in there)
            if items:
                found.append(rule)
                answers.append(Answer(prescription=items))
                numbers.append(number)
    return tuple(found), tuple(answers), np.array(numbers)


def called_for(cases: Sequence[Case]) -> np.ndarray:
    """Whether each case tells of each rule's symptom, in any wording; shape (cases, rules), 0 or 1."""
    symptoms = [rule.symptom for rule in rules()[0]]
    distinct = dict.fromkeys(symptoms)
    called = np.zeros((len(cases), len(symptoms)))
    for row, case in enumerate(cases):
        text = findings_text(case)
        told = {symptom: mentions(text, symptom) for symptom in distinct}
        called[row] = [told[symptom] for symptom in symptoms]
    return called


def rule_share(pattern: Pattern, age: float | None) -> float:
    """Share of a rule's doses for a patient's age: paediatric patterns give doses of small children (1/2) already."""
    fraction = child_fraction(age)
    return min(1.0, 2 * fraction) if pattern.age_group == "小儿" else fraction


def revised(case: Case) -> Answer | None:
    """The previous answer, changed by the rules of the pattern that it names; None at a first visit.

    A rule whose symptom this visit tells of adds its herbs and takes out what it takes out, unless one of its herbs
    is there already. A rule whose symptom has gone takes its herbs out again, but for those of the formula itself.
    Where the tables do not know the syndrome, or no rule speaks, it is the previous answer as it was.

    Source:
        Our choice: the rules are the tables', that what was added for a symptom goes with it is our reading of them.
    """
    before = case.previous_answer
    if before is None:
        return None
    items = {base_herb(item.herb): item for item in before.prescription}
    formula = base_herbs(compose(before.formula))
    found = answered(before.disease, before.syndrome, case.patient.sex, age_group(case.patient.age))
    for pattern in found.patterns:
        for rule in pattern.modifications:
            added = _added(rule, rule_share(pattern, case.patient.age))
            if resolved(case.visit.findings, rule.symptom):
                items = {herb: item for herb, item in items.items() if herb not in added or herb in formula}
            elif not added.keys() & items.keys() and mentions(case.visit.findings, rule.symptom):
                out = base_herbs(rule.remove)
                items = {herb: item for herb, item in items.items() if herb not in out} | added
    return before.model_copy(update={"prescription": tuple(items.values())})


def _added(rule: Modification, share: float) -> dict[str, PrescriptionItem]:
    """Base herb -> the herb as a rule adds it, in g for this patient."""
    return {base_herb(herb): PrescriptionItem(herb=herb, dose=round(dose * share, 2)) for herb, dose in rule.add}
