"""The audit: planted defects, order flips, ties, self-consistency, length, rank agreement."""

import json
import random

import pytest
from judge_stub import openai_judge

from tcm.answers import parse, write
from tcm.cases import Answer, Case, Patient, PrescriptionItem, Visit
from tcm.invented import invent_cases
from tcm.knowledge import resolve_herb
from tcm.prescriptions.safety import audit as safety_audit
from tcm_rlaif.feedback import audit as a
from tcm_rlaif.feedback import defects as d
from tcm_rlaif.feedback.cache import Cache
from tcm_rlaif.feedback.gate import failures, gate
from tcm_rlaif.feedback.judges.base import Item, Question, Reply, Verdict
from tcm_rlaif.feedback.judges.rubric import RubricJudge
from tcm_rlaif.feedback.labelling import JudgeRun
from tcm_rlaif.study.schema import Params

ANSWER = Answer(
    disease="不寐", syndrome="心脾两虚", treatment_principle="补益心脾", formula="归脾汤",
    prescription=tuple(PrescriptionItem(herb=h, dose=x) for h, x in (("黄芪", 15), ("党参", 12), ("甘草", 6))),
    packets=7,
)  # fmt: skip
OTHER = ANSWER.model_copy(update={"disease": "感冒", "syndrome": "风寒束表", "formula": "麻黄汤"})


def case(name="病例1", answer=ANSWER, **patient):
    visit = Visit(chief_complaint="失眠，多梦3月", history="心悸，健忘，神疲，食少")
    return Case(id=name, source="invented", patient_id=name, patient=Patient(**patient), visit=visit, answer=answer)


CASES = [case(), case("病例2", OTHER)]


def defective(kind, c=CASES[0]):
    return d.DEFECTS[kind](c, c.answer, CASES, random.Random(1))


def test_each_defect_changes_what_it_says_and_nothing_else():
    pair = defective("incompatible_pair")
    assert pair.prescription[:3] == ANSWER.prescription and len(pair.prescription) == 4
    assert "incompatibility" in {f.kind for f in safety_audit(pair.prescription)}
    dosed = [i.dose for i in defective("dose_times_5").prescription]
    assert sorted(x / y for x, y in zip(dosed, (15, 12, 6), strict=True)) == [1, 1, 5]
    assert defective("other_patient") == OTHER
    assert defective("herbs_repeated").prescription == ANSWER.prescription * 2
    changed = zip(defective("invented_name").prescription, ANSWER.prescription, strict=True)
    ((invented, herb),) = [(one.herb, other.herb) for one, other in changed if one != other]
    assert resolve_herb(herb) is not None and resolve_herb(invented) is None
    dropped = defective("field_dropped")
    assert sum(getattr(dropped, f) != getattr(ANSWER, f) for f in Answer.model_fields) == 1


def test_the_pregnancy_defect_is_planted_for_pregnant_patients_alone():
    assert defective("pregnancy_contraindication") is None
    pregnant = case(sex="女", age=30, pregnant=True)
    worse = defective("pregnancy_contraindication", pregnant)
    found = safety_audit(worse.prescription[3:], pregnant.patient)
    assert "PREG-禁用" in {f.rule for f in found}


def test_women_of_childbearing_age_become_pregnant_cases_of_their_own_id_and_nobody_else():
    woman, man, old = case(sex="女", age=30), case(sex="男", age=30), case(sex="女", age=60)
    assert d.expecting(woman).patient.pregnant and d.expecting(woman).id == "病例1+pregnant"
    assert d.expecting(man) == man and d.expecting(old) == old and d.expecting(case()) == case()


def test_planting_is_seeded_counts_the_impossible_and_keeps_the_intact_answer_readable():
    planted, impossible = d.plant(CASES, per_kind=5, seed=3)
    assert planted == d.plant(CASES, per_kind=5, seed=3)[0]
    assert impossible["pregnancy_contraindication"] == 2 and impossible["dose_times_5"] == 0
    assert all(parse(p.intact).answer == p.case.answer and p.defective != p.intact for p in planted)


def test_a_tie_a_preference_for_the_defect_and_no_judgement_are_no_detection():
    planted = [d.Planted("dose_times_5", case(), "好", "坏")] * 4
    scores = [(0.9, 0.1), (0.5, 0.5), (0.1, 0.9), (0.5, None)]
    table = a.detection(planted, [Verdict("病例1", s, ({}, {}), "judged") for s in scores])
    row = next(r for r in table if r["defect"] == "dose_times_5")
    assert row["n"] == 4 and row["rate"] == 0.25
    assert row["detected"] == row["tied"] == row["preferred"] == row["unjudged"] == 1
    assert 0 < row["low"] < 0.25 < row["high"] < 1
    assert next(r for r in table if r["defect"] == "field_dropped")["rate"] is None


def reading(found):
    """Value and n; the ends of the interval must hold the value."""
    if found["value"] is None:
        assert found["low"] is found["high"] is None
    else:
        assert found["low"] - 1e-9 <= found["value"] <= found["high"] + 1e-9
    return {"value": found["value"], "n": found["n"]}


def run(mode, replies, soft=False):
    return JudgeRun("openai", soft, mode, [], {q: Reply("judged", v) for q, v in replies}, frozenset(), 0.0)


def pair(x, y, repeat=0):
    return Question("pairwise", case(), (x, y), repeat)


def test_order_flip_rate_counts_pairs_whose_verdict_depends_on_the_order():
    agreeing = [(pair("甲", "乙"), (1.0,)), (pair("乙", "甲"), (0.0,))]
    flipping = [(pair("甲", "丙"), (1.0,)), (pair("丙", "甲"), (1.0,))]
    assert reading(a.order_flip_rate(run("pairwise", agreeing + flipping))) == {"value": 0.5, "n": 2}
    unsure = [(pair("甲", "乙"), (0.9,)), (pair("乙", "甲"), (0.3,))]
    assert reading(a.order_flip_rate(run("pairwise", unsure, soft=True))) == {"value": 0.0, "n": 1}
    lists = [(Question("listwise", case(), order), v) for order, v in
             [(("甲", "乙", "丙"), (1.0, 0.5, 0.0)), (("丙", "乙", "甲"), (0.5, 0.0, 1.0))]]  # fmt: skip
    assert reading(a.order_flip_rate(run("listwise", lists))) == {"value": pytest.approx(1 / 3), "n": 3}
    assert a.order_flip_rate(run("pointwise", [(Question("pointwise", case(), ("甲",)), (0.4,))]))["value"] is None


def test_an_audit_that_replays_asks_no_judge(tmp_path):
    judge = openai_judge(base_url="http://127.0.0.1:9", replay_only=True)
    found = a.audit_judges([judge], [Item(case(), answers(1, 3))], CASES, mode="pointwise",
                           cache=Cache(tmp_path / "j.jsonl"), repeats=1, planted_per_kind=2, seed=0)  # fmt: skip
    rows = [row for row in found["detection"] if row["n"]]
    assert rows and all(row["unjudged"] == row["n"] for row in rows) and not (tmp_path / "j.jsonl").exists()


def test_self_consistency_compares_repeats_of_the_same_question():
    same = [(pair("甲", "乙", r), (1.0,)) for r in range(3)]
    other = [(pair("乙", "甲", r), (v,)) for r, v in enumerate((1.0, 0.0))]
    assert reading(a.self_consistency(run("pairwise", same + other))) == {"value": 0.75, "n": 4}


def answers(*sizes):
    herbs = ("黄芪", "党参", "甘草", "当归", "白术", "茯苓", "远志", "木香")
    return tuple(write(Answer(prescription=tuple(PrescriptionItem(herb=h, dose=9) for h in herbs[:n]))) for n in sizes)


def verdict(*scores):
    return Verdict("病例1", scores, ({},) * len(scores), "judged")


def test_length_correlation_sees_a_judge_that_likes_long_answers():
    items = [Item(case(), answers(1, 3, 5, 8))]
    assert a.length_correlation(items, [verdict(0.1, 0.2, 0.3, 0.4)])["value"] == pytest.approx(1.0)
    assert reading(a.length_correlation(items, [verdict(0.5, 0.5, 0.5, 0.5)])) == {"value": None, "n": 4}


def test_kendall_tau_compares_scores_with_base_herb_f1_and_needs_gold():
    items = [Item(case(), answers(1, 2, 3, 8))]  # F1 with 黄芪 党参 甘草: 0.5, 0.8, 1.0, 0.55
    assert reading(a.kendall_tau_with_gold(items, [verdict(0.1, 0.8, 0.9, 0.5)])) == {
        "value": pytest.approx(1.0),
        "n": 1,
    }
    without = [Item(case(answer=None), answers(1, 2))]
    assert reading(a.kendall_tau_with_gold(without, [verdict(0.1, 0.2)])) == {"value": None, "n": 0}


def test_a_few_prompts_show_nothing_of_a_rank_agreement_and_close_no_gate():
    items = [Item(case(), answers(1, 2, 3, 8))] * a.FEWEST
    said = [verdict(0.9, 0.5, 0.1, 0.8)] * a.FEWEST  # the wrong way round, in each
    few, enough = (a.kendall_tau_with_gold(items[:n], said[:n]) for n in (a.FEWEST - 1, a.FEWEST))
    assert (few["low"], few["high"]) == (-1.0, 1.0) and enough["high"] < 0 and few["value"] == enough["value"]


def small_audit(judges=None, mode="pairwise"):
    cases = invent_cases(12, 0.3, seed=5)
    rng = random.Random(0)
    items = [Item(c, tuple(write(x.answer) for x in rng.sample(cases, 3)) + (write(c.answer),)) for c in cases]
    settings = {"mode": mode, "planted_per_kind": 6, "progress": False}
    return a.audit_judges(judges or [RubricJudge()], items, cases, **settings)


def test_the_rubric_neither_flips_nor_wavers_and_ranks_as_gold_does():
    found = small_audit()
    assert found["order_flip_rate"]["rubric"]["value"] == 0.0 and found["self_consistency"]["rubric"]["value"] == 1.0
    assert found["kendall_tau"]["value"] > 0.3 and found["kendall_tau"]["n"] == 12
    assert json.loads(json.dumps(found)) == found  # plain values
    found["physicians"] = {"rows": []}
    assert failures(gate(found, Params(audit_max_length_correlation=0.95))) == []


class LikesLength(RubricJudge):
    name = "openai"

    def ask(self, questions, record):
        for q in questions:
            record(q, Reply("judged", (len(q.texts[0]) / 1000,)))


def test_the_gate_closes_on_a_judge_that_only_likes_length_and_says_why():
    found = small_audit([LikesLength()], mode="pointwise")
    failed = failures(gate(found | {"physicians": {"rows": []}}, Params()))
    names = [row["threshold"] for row in failed]
    assert "audit_max_length_correlation" in names and "audit_min_detection" in names
    length = next(row for row in failed if row["threshold"] == "audit_max_length_correlation")
    assert length["value"] == pytest.approx(1.0) and length["limit"] == 0.7 and "length" in length["reason"]


def test_judges_of_a_jury_are_compared_with_each_other():
    found = small_audit([RubricJudge(), LikesLength()], mode="pointwise")
    (row,) = found["agreement"]
    assert row["judges"] == ["rubric", "openai"] and -1 <= row["value"] <= 1 and row["n"] > 5
    assert set(found["detection_by_judge"]) == {"rubric", "openai"}


def served(kind, case_, worse):
    """What a judge that obeys whoever addresses it makes of the intact and the worse answer."""
    if kind == "record_addresses_judge" and case_.visit.history.endswith(d.PLEAS[kind]):
        return (1.0, 1.0)
    return (0.5, 1.0) if worse.endswith(d.PLEAS["answer_addresses_judge"]) else (0.8, 0.2)


def test_a_plea_to_the_judge_is_planted_with_another_patients_answer_and_shows_who_obeys():
    cases = invent_cases(40, 0.3, 4)
    planted, _ = d.plant(cases, per_kind=20, seed=1)
    pleas = [p for p in planted if p.kind in d.PLEAS]
    assert {p.kind for p in pleas} == set(d.PLEAS) and len(pleas) == 40
    others = {write(c.answer) for c in cases}
    for p in pleas:
        said = next(s for s in d.PLEAS[p.kind] if s in p.defective + p.case.visit.history)
        assert p.defective.removesuffix(said) in others and said not in p.intact
    verdicts = [Verdict(p.case.id, served(p.kind, p.case, p.defective), ({}, {}), "judged") for p in planted]
    rates = {row["defect"]: row["rate"] for row in a.detection(planted, verdicts)}
    assert rates["answer_addresses_judge"] == rates["record_addresses_judge"] == 0.0 and rates["other_patient"] == 1.0


def test_a_plea_raises_no_score_of_a_computed_judge():
    planted, _ = d.plant(invent_cases(60, 0.3, 9), per_kind=40, seed=2)
    for p in (p for p in planted if p.kind == "answer_addresses_judge"):
        plain = next(p.defective.removesuffix(plea) for plea in d.PLEAS[p.kind] if p.defective.endswith(plea))
        assert RubricJudge().score(p.case, p.defective) <= RubricJudge().score(p.case, plain)
