"""Folds of a cross-validation: every case is held out once, and a patient never stands on both sides."""

from tcm.cases import Case, Visit
from tcm.cases.splits import folds


def case(number: int) -> Case:
    text = f"{'甲乙丙丁戊己庚辛'[number % 8] * 3}痛{number * 7919}日，{'子丑寅卯辰巳'[number % 6] * 4}"
    return Case(id=f"c{number}", source="own", patient_id=f"p{number // 2}", visit=Visit(history=text))


CASES = [case(number) for number in range(40)]


def test_every_case_is_held_out_once_and_trained_on_in_all_other_folds() -> None:
    held = [c.id for _, part in folds(CASES) for c in part]
    assert sorted(held) == sorted(c.id for c in CASES)
    for train, part in folds(CASES):
        assert len(train) + len(part) == len(CASES)


def test_a_patient_never_stands_on_both_sides() -> None:
    for train, part in folds(CASES, seed=1):
        assert part and not {c.patient_id for c in train} & {c.patient_id for c in part}


def test_the_seed_decides_who_is_held_out_together() -> None:
    assert folds(CASES, seed=2) == folds(CASES, seed=2) != folds(CASES, seed=3)
