"""The rules 加减 as evidence: followed at a follow-up, taken back when the symptom has gone, learned from training."""

import pytest

from tcm.cases import Answer, Case, Patient, PrescriptionItem, Visit
from tcm.evidence import Evidence, Weights
from tcm.evidence.revision import revised
from tcm.invented import invent_cases
from tcm.knowledge import compose
from tcm.knowledge.matching import resolved
from tcm.metrics.sets import herb_set, overlap

GUIPI = {**compose("归脾汤")}


def again(history: str, *more: tuple[str, float], disease="不寐", syndrome="心脾两虚", age=46.0) -> Case:
    """A follow-up after 归脾汤 with further herbs."""
    items = tuple(PrescriptionItem(herb=herb, dose=dose) for herb, dose in {**GUIPI, **dict(more)}.items())
    before = Answer(disease=disease, syndrome=syndrome, formula="归脾汤加减", prescription=items)
    return Case(
        id="again", source="own", patient_id="again", patient=Patient(sex="女", age=age), visit=Visit(history=history),
        earlier_visits=(Visit(history="入睡困难，多梦易醒", answer=before),),
    )  # fmt: skip


def herbs(case: Case) -> set[str]:
    return set(revised(case).herbs)


@pytest.mark.parametrize(
    ("history", "more", "added", "removed"),
    [
        ("服后睡眠略安，现脘痞", (), {"法半夏", "陈皮"}, {"龙眼肉"}),
        ("服后睡眠略安，无脘痞", (), set(), set()),
        ("便溏已除，仍多梦", (("山药", 20.0),), set(), {"山药"}),
        ("已无便溏，仍多梦", (("山药", 20.0),), set(), {"山药"}),
        ("诸症同前", (("山药", 20.0),), set(), set()),
        ("现脘痞", (("陈皮", 9.0),), set(), set()),  # the rule was followed before
        ("脘痞已除", (), set(), set()),
    ],
)
def test_rules_are_followed_and_taken_back(history, more, added, removed):
    case = again(history, *more)
    before = set(case.previous_answer.herbs)
    assert herbs(case) - before == added and before - herbs(case) == removed


def test_what_belongs_to_the_formula_stays_when_a_symptom_goes():
    case = again("自汗已除", disease="不寐", syndrome="心胆气虚")
    assert "黄芪" in herbs(case)  # the rule for 自汗 adds it, and so does 归脾汤, which was given


def test_an_unknown_syndrome_and_a_first_visit_have_no_rules():
    case = again("现脘痞", disease="某病", syndrome="某证之极")
    assert revised(case) == case.previous_answer
    assert revised(case.model_copy(update={"earlier_visits": ()})) is None


def test_doses_of_a_rule_are_the_patients():
    adult = {item.herb: item.dose for item in revised(again("现脘痞")).prescription}
    child = {item.herb: item.dose for item in revised(again("现脘痞", age=8.0)).prescription}
    assert adult["陈皮"] == 9 and child["陈皮"] == 6


def test_a_symptom_has_gone_only_where_the_text_says_so():
    assert resolved("脘痞已除", "脘痞") and resolved("已无脘痞", "脘痞") and resolved("不再脘痞", "脘痞")
    assert not resolved("无脘痞", "脘痞") and not resolved("脘痞", "脘痞") and not resolved("脘痞减轻", "脘痞")


def test_at_follow_ups_the_expected_answer_beats_copying():
    cases = invent_cases(160, 1.0, seed=5, physicians=5)
    found = Evidence(cases[:40]).about(cases[40:])

    def f1(case: Case, answer: Answer) -> float:
        return overlap(herb_set(case.answer.herbs, "base"), herb_set(answer.herbs, "base"))["f1"]

    gain = [f1(c, e.answer) - f1(c, c.previous_answer) for c, e in zip(cases[40:], found, strict=True)]
    assert sum(gain) / len(gain) > 0.03 and all(item.dose for e in found for item in e.answer.prescription)


def by_formula(answer: Answer) -> Answer:
    """The answer with the herbs of its formula alone."""
    items = tuple(PrescriptionItem(herb=herb, dose=dose) for herb, dose in compose(answer.formula).items())
    return answer.model_copy(update={"prescription": items})


def test_how_much_rules_count_is_learned_from_the_training_answers():
    cases = invent_cases(60, 0.0, seed=11)
    plain = [case.model_copy(update={"answer": by_formula(case.answer)}) for case in cases]
    assert Evidence(cases).weights.rules > Evidence(plain).weights.rules == 0
    told = cases[0].model_copy(update={"id": "told", "patient_id": "told"})
    without = Evidence(cases[1:], weights=Weights(1, 1, 0.25)).about([told])[0]
    assert not without.parts["rules"].any()
