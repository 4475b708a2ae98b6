"""A symptom counts where the text says that it is there, and a pattern only for the patients that it is about."""

from tcm.cases import Case, Visit
from tcm.knowledge import patterns, symptom_synonyms
from tcm.knowledge.matching import findings_text, fits, mentions


def test_a_denied_or_vanished_symptom_is_not_mentioned_and_a_synonym_is():
    assert mentions("头痛，无腹痛", "头痛")
    assert not mentions("头痛，无腹痛", "腹痛") and not mentions("腹痛消失", "腹痛")
    synonyms = symptom_synonyms()
    symptom = next(s for s in synonyms if synonyms[s])
    assert mentions(f"近日{synonyms[symptom][0]}", symptom)


def test_patterns_of_women_and_children_explain_nothing_in_a_man():
    visit = Visit(history="恶寒重，发热轻，无汗，头痛，鼻塞", tongue="舌苔薄白", pulse="脉浮紧")
    case = Case(id="1", source="invented", patient_id="1", visit=visit)
    text = findings_text(case)
    for value, pattern in zip(fits(text, "男", "成人"), patterns(), strict=True):
        assert value == 0.0 or (pattern.sex != "女" and pattern.age_group != "小儿")
