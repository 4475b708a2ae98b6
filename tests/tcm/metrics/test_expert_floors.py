"""The floors `expert_rule` and `expert`: one reads the tables alone, the other learns from training answers as well."""

from tcm.answers import parse, write
from tcm.cases import Case, Visit
from tcm.evidence.witnesses import pattern_answers
from tcm.invented.cases import invent_cases
from tcm.metrics import FLOORS, score_case, summarise
from tcm.metrics.floors import pattern_oracle

CASES = invent_cases(120, 0.3, seed=2)
TRAIN, TEST = CASES[:80], CASES[80:]


def mean_f1(name: str) -> float:
    texts = FLOORS[name](TRAIN, TEST)
    return summarise([score_case(case, text) for case, text in zip(TEST, texts, strict=True)])["herb_base_f1"]["mean"]


def test_the_expert_stands_well_above_popularity_and_the_nearest_case():
    assert mean_f1("expert") > max(mean_f1("popularity"), mean_f1("nearest_case")) + 0.1


def test_the_rule_reads_no_training_case_and_names_its_pattern():
    assert FLOORS["expert_rule"]([], TEST) == FLOORS["expert_rule"](TRAIN, TEST)
    answer = parse(FLOORS["expert_rule"]([], TEST)[0]).answer
    assert answer.disease and answer.syndrome and answer.formula and all(i.dose for i in answer.prescription)


def test_the_rule_says_nothing_where_no_finding_is_known():
    mute = Case(id="m", source="own", patient_id="m", visit=Visit(history="zzz"))
    assert FLOORS["expert_rule"]([], [mute]) == [""]


def test_an_expert_answer_is_complete():
    for text in FLOORS["expert"](TRAIN, TEST[:5]):
        read = parse(text)
        assert not read.unread and read.answer.disease and read.answer.treatment_principle and read.answer.packets


def test_the_oracle_of_the_tables_is_the_most_that_any_pattern_and_formula_reach():
    texts = pattern_oracle([], TEST)
    found = [score_case(case, text)["herb_base_f1"] for case, text in zip(TEST, texts, strict=True)]
    rule = [
        score_case(case, text)["herb_base_f1"] for case, text in zip(TEST, FLOORS["expert_rule"]([], TEST), strict=True)
    ]
    assert all(best >= one for best, one in zip(found, rule, strict=True)) and sum(found) > sum(rule)


def test_the_oracle_is_silent_without_a_gold_prescription():
    assert pattern_oracle([], [TEST[0].model_copy(update={"answer": None})]) == [None]


def test_no_formula_of_the_tables_agrees_better_than_the_oracle():
    texts = pattern_oracle([], TEST)
    values = [score_case(c, text)["herb_base_f1"] for c, text in zip(TEST, texts, strict=True)]
    others = {write(answer) for answer in pattern_answers()[0][::40]}
    for case, value in zip(TEST[:10], values, strict=False):
        assert value >= max(score_case(case, other)["herb_base_f1"] for other in others)
    assert sum(values) / len(values) >= mean_f1("expert_rule")
