"""A rewritten case is the same patient in other words: same answer, and a symptom only by other names of its own."""

import random
import re

import tiny_model

from tcm import knowledge
from tcm.invented import invent_cases
from tcm_rlaif.training import augmentation, rewriting

CASES = invent_cases(40, 0.4, 1, tiny_model.PATTERNS)


def test_only_the_words_of_this_visit_change():
    for case in CASES:
        for other in rewriting.rewritten(case, 2):
            fields = {"chief_complaint": case.visit.chief_complaint, "history": case.visit.history}
            visit = other.visit.model_copy(update=fields)
            assert other.model_copy(update={"id": case.id, "visit": visit}) == case


def test_every_wording_is_another_one():
    for case in CASES:
        visits = [case.visit, *(other.visit for other in rewriting.rewritten(case, 3))]
        assert len(set(visits)) == len(visits)
    assert sum(len(rewriting.rewritten(case, 2)) for case in CASES) > 60


def test_a_symptom_is_only_called_by_names_of_its_own():
    symptom, (first, *_) = next(iter(knowledge.symptom_synonyms().items()))
    names = {symptom, *knowledge.symptom_synonyms()[symptom]}
    said = {rewriting.said_otherwise(f"{symptom}，其他3天", random.Random(n)).split("，")[0] for n in range(60)}
    assert said == names, first


def test_a_name_within_a_longer_word_stays():
    symptom = next(iter(rewriting.other_words()))
    text = f"非{symptom}，{symptom}样"
    assert {rewriting.said_otherwise(text, random.Random(n)) for n in range(30)} == {text}


def test_a_follow_up_keeps_the_order_in_which_it_tells():
    for case in (case for case in CASES if case.earlier_visits):
        for other in rewriting.rewritten(case, 2):
            before, after = (re.split("[，、]", one.visit.history) for one in (case, other))
            assert len(before) == len(after) and before[0] == after[0]


def test_sft_gets_them_after_the_cases_and_none_by_default():
    assert augmentation.augmented(CASES, tiny_model.params()) == list(CASES)
    more = augmentation.augmented(CASES, tiny_model.params(sft_rewritings=1))
    assert more[:40] == list(CASES) and all("-rewriting-1" in case.id for case in more[40:])
