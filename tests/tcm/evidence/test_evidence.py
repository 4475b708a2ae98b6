"""The evidence for a case: what may testify and what may not, shares that add up, doses, follow-ups, fitted weights."""

import random

import numpy as np
import pytest

from tcm.cases import Answer, Case, Patient, PrescriptionItem, Visit
from tcm.evidence import PARTS, Evidence, Weights
from tcm.evidence.mixture import NEIGHBOURS
from tcm.invented.cases import invent_cases
from tcm.knowledge import herbs
from tcm.metrics.sets import herb_set, overlap
from tcm.sources import SOURCES

TRAIN = invent_cases(60, 0.0, seed=11)
RARE = "雷公藤"


def treated(number: str, history: str, *given: str, patient: str = "", before: Visit | None = None) -> Case:
    """A case with an answer such as `石膏30`, each herb with its dose in g."""
    items = tuple(
        PrescriptionItem(herb=g.rstrip("0123456789"), dose=float(g.lstrip(g.rstrip("0123456789")))) for g in given
    )
    return Case(
        id=number,
        source="own",
        patient_id=patient or number,
        patient=Patient(sex="女", age=40),
        visit=Visit(history=history),
        earlier_visits=(before,) if before else (),
        answer=Answer(disease="痹证", syndrome="风湿热痹", prescription=items),
    )


CASE = treated("judged", "指节红肿灼热三月，晨起僵硬，口渴心烦，舌红苔黄腻，脉滑数", "桑枝15", "秦艽9")
TWIN = treated("twin", "指节红肿灼热三月，晨起僵硬，口渴，心烦，舌红，苔黄腻，脉滑数", f"{RARE}10", "秦艽9")
SAME_PATIENT = treated("later", "腰酸，夜尿频多，畏寒", f"{RARE}10", "杜仲12", patient="judged")


def p_of(evidence: Evidence, case: Case, herb: str) -> dict[str, float]:
    found = evidence.about([case])[0]
    return {part: float(found.parts[part][found.columns[herb]]) for part in PARTS}


@pytest.mark.parametrize("plant", [TWIN, SAME_PATIENT, CASE.model_copy(update={"answer": TWIN.answer})])
def test_a_twin_the_same_patient_and_the_case_itself_never_testify(plant):
    planted = Evidence([*TRAIN, plant], weights=Weights(1, 1, 1))
    assert sum(p_of(planted, CASE, RARE).values()) == 0
    stranger = CASE.model_copy(update={"patient_id": "other", "visit": Visit(history="指节肿痛，口渴，脉滑")})
    assert p_of(planted, stranger, RARE)["popular"] > 0


def test_weights_are_fitted_without_a_twin_s_answer():
    twins = [case.model_copy(update={"id": f"t{case.id}", "patient_id": f"t{case.id}"}) for case in TRAIN]
    weights = Evidence([case for pair in zip(TRAIN, twins, strict=True) for case in pair]).weights
    assert weights.patterns >= 2 * weights.similar  # were twins heard, similar cases alone would know every answer


def test_the_answers_of_the_cases_are_never_read():
    evidence, cases = Evidence(TRAIN[:40]), TRAIN[40:]
    blind = [case.model_copy(update={"answer": None}) for case in cases]
    for seen, unseen in zip(evidence.about(cases), evidence.about(blind), strict=True):
        assert np.array_equal(seen.p, unseen.p) and seen.answer == unseen.answer


def test_the_shares_of_the_parts_add_up_and_are_shown():
    found = Evidence(TRAIN, weights=Weights(1, 2, 1)).about([CASE])[0]
    assert (found.p >= 0).all() and (found.p <= 1 + 1e-9).all() and not found.parts["previous"].any()
    for row in found.rows(8):
        assert row["p"] == pytest.approx(sum(row[part] for part in PARTS)) and row["p"] > 0
    assert [row["p"] for row in found.rows(8)] == sorted((row["p"] for row in found.rows(8)), reverse=True)


def test_the_patterns_and_cases_that_speak_are_named():
    near = treated("near", "指节肿痛灼热，口渴，舌红苔黄", "桑枝15")
    heard = Evidence([*TRAIN, near], weights=Weights(1, 2, 0.1)).about([CASE])[0].heard(30)
    names = [row["witness"] for row in heard]
    assert "near" in names[:3] and any(name.startswith("痹") for name in names) and CASE.id not in names
    assert sum(row["share"] for row in heard) <= 1 and heard[0]["share"] >= heard[-1]["share"] > 0


def test_without_training_answers_the_tables_testify_alone():
    found = Evidence([]).about([TRAIN[0]])[0]
    assert found.answer.prescription and found.answer.formula
    assert all(found.parts[part].sum() == 0 for part in PARTS if part != "patterns")


def test_a_case_that_nothing_speaks_for_gets_no_invented_prescription():
    mute = Case(id="m", source="own", patient_id="m", visit=Visit(history="zzz"))
    found = Evidence([]).about([mute])[0]
    assert found.answer == Answer() and found.expected_f1(["甘草"]) == 0


def test_expected_f1_compares_base_herbs_and_charges_unknown_ones():
    found = Evidence(TRAIN).about([TRAIN[0]])[0]
    given = TRAIN[0].answer.herbs
    assert found.expected_f1(["甘草"]) == found.expected_f1(["炙甘草"]) == found.expected_f1(["甘草", "炙甘草"])
    assert found.expected_f1([*given, "天外草"]) < found.expected_f1(given)
    assert found.expected_f1([]) == 0
    assert found.expected_f1(found.answer.herbs) >= max(found.expected_f1(c.answer.herbs) for c in TRAIN) - 1e-9


def test_patterns_that_may_not_testify_say_nothing():
    some = Evidence(TRAIN, pattern_share=0.5, weights=Weights(1, 1, 0.25))
    heard = some.pool.heard_patterns
    assert heard.mean() == pytest.approx(0.5, abs=0.01)
    assert all(not found.fits[~heard].any() and found.fits[heard].any() for found in some.about(TRAIN))
    all_of_them = Evidence(TRAIN, weights=Weights(1, 1, 0.25)).about(TRAIN)
    assert any(found.fits[~heard].any() for found in all_of_them)


def test_doses_are_those_that_similar_cases_got():
    near = [
        treated(f"n{i}", f"指节红肿灼热，口渴心烦，脉滑数，病起{i}周", f"石膏{d}", "桑枝20")
        for i, d in enumerate((20, 30, 30))
    ]
    answer = Evidence(near, near_duplicate=1.0, weights=Weights(0.01, 1, 0.01)).about([CASE])[0].answer
    doses = {item.herb: item.dose for item in answer.prescription}
    assert doses["石膏"] == 30 and doses["桑枝"] == 20 and answer.disease == "痹证"


def test_on_a_follow_up_the_previous_prescription_is_evidence():
    before = Visit(history="指节肿痛", answer=treated("x", "甲", "威灵仙12", f"{RARE}10").answer)
    again = CASE.model_copy(update={"earlier_visits": (before,), "visit": Visit(history="肿痛稍减")})
    evidence = Evidence(TRAIN, weights=Weights(1, 1, 0.25, previous=4))
    assert p_of(evidence, again, RARE)["previous"] > 0.5
    kept = {item.herb: item.dose for item in evidence.about([again])[0].answer.prescription}
    assert kept["威灵仙"] == 12 and kept[RARE] == 10


def test_fitted_weights_follow_what_the_training_answers_follow():
    by_the_book = Evidence(TRAIN).weights
    dice, names = random.Random(3), sorted(herbs())
    habits = [dice.sample(names, 8) for _ in range(4)]
    shuffled = [
        treated(
            f"h{i}",
            f"{'甲乙丙丁'[i % 4] * 2}症{i % 4}型，见{'子丑寅卯'[i % 4] * 3}，第{i}例",
            *(f"{h}9" for h in habits[i % 4]),
        )
        for i in range(32)
    ]
    by_habit = Evidence(shuffled, near_duplicate=0.99).weights
    assert by_habit.patterns / by_habit.similar < by_the_book.patterns / by_the_book.similar
    assert "patterns" in str(by_habit) and by_habit.similar > 0


def test_the_previous_prescription_weighs_more_where_physicians_keep_it():
    visits = invent_cases(60, 1.0, seed=4)
    kept = [c.model_copy(update={"answer": c.previous_answer}) for c in visits]
    thrown = [c.model_copy(update={"answer": TRAIN[i].answer}) for i, c in enumerate(visits)]
    assert Evidence(kept).weights.previous > Evidence(thrown).weights.previous


def test_too_few_answers_leave_the_default_weights():
    assert Evidence(TRAIN[:3]).weights == Weights()
    no_herbs = [c.model_copy(update={"answer": Answer(syndrome="肾虚")}) for c in TRAIN[:NEIGHBOURS]]
    assert Evidence(no_herbs).weights == Weights()
    assert Evidence(no_herbs).about([CASE])[0].answer.prescription


def five_folds(cases: list[Case]) -> float:
    """Mean herb F1 (base level) of the minimum-Bayes-risk answer, each fifth answered from the rest."""
    values = []
    for fold in range(5):
        test = cases[fold::5]
        held = {case.id for case in test}
        for found in Evidence([case for case in cases if case.id not in held]).about(test):
            gold, given = (herb_set(a.herbs, "base") for a in (found.case.answer, found.answer))
            values.append(overlap(gold, given)["f1"])
    return float(np.mean(values))


def test_it_reaches_its_aim_on_classical_and_clinical_records(best4sdt_path):
    assert five_folds(SOURCES["best4sdt"](best4sdt_path).cases) >= 0.38


def test_it_reaches_its_aim_on_textbook_cases(mtcmb_dir):
    assert five_folds(SOURCES["mtcmb"](mtcmb_dir).cases) >= 0.60
