"""Where training made answers worse it is said by how much, and what the pairs taught, each in a figure."""

from types import SimpleNamespace

import pytest

from tcm.cases import Answer, Case, PrescriptionItem, Visit
from tcm_rlaif.feedback.judges.base import Item
from tcm_rlaif.training.diagnosis import changes, displaced, taught, told_apart, why_worse


def case(name: str, *herbs: str) -> Case:
    items = tuple(PrescriptionItem(herb=herb, dose=9) for herb in herbs)
    answer = Answer(disease="胃痛", prescription=items) if herbs else None
    return Case(id=name, source="own", patient_id=name, visit=Visit(history="胃脘隐痛"), answer=answer)


CASES = [case("a", "白术", "干姜"), case("b", "麦冬", "沙参"), case("pool")]


def pair(case_id: str, chosen: str, rejected: str) -> dict:
    return {"case_id": case_id, "chosen": [{"content": chosen}], "rejected": [{"content": rejected}]}


PAIRS = [
    pair("a", "处方：白术9g，干姜9g，甘草6g。", "处方：黄连3g。"),  # chosen right, longer
    pair("b", "处方：黄连3g，黄芩9g，石膏15g。", "处方：麦冬9g。"),  # chosen wrong, longer
    pair("b", "处方：大黄9g，芒硝9g，厚朴9g。", "处方：沙参9g。"),  # chosen wrong, longer
    pair("pool", "处方：当归9g。", "处方：熟地黄9g，川芎6g。"),  # unknown, shorter
]
BEFORE = [{"herb_f1": 0.5 + 0.01 * (n % 3), "usable": 1.0} for n in range(12)]
WORSE = [{"herb_f1": row["herb_f1"] - 0.2 - 0.01 * (n % 2), "usable": 1.0} for n, row in enumerate(BEFORE)]
READINGS = [
    {"step": 0, "chosen_logp_per_token": -1.0, "rejected_logp_per_token": -1.2},
    {"step": 9, "chosen_logp_per_token": -1.5, "rejected_logp_per_token": -3.0},
]


def finished(after: list[dict]) -> SimpleNamespace:
    panel = SimpleNamespace(rows=READINGS, scores={0: BEFORE, 9: after}, kept_step=9, kept=READINGS[-1])
    items = [Item(c, ("甲", "乙")) for c in [*CASES, case("silent")]]
    return SimpleNamespace(first_panel=panel, panel=panel, pairs=PAIRS, feedback=SimpleNamespace(items=items))


def test_a_fall_beyond_its_interval_is_worse_and_no_change_is_none() -> None:
    said, worse = changes(BEFORE, WORSE)
    assert worse and "0.510 before, 0.305 after" in said[0] and said[0].endswith(": worse.")
    assert said[1].endswith(": no clear change.")
    said, worse = changes(WORSE, BEFORE)
    assert not worse and said[0].endswith(": better.")


def test_one_bad_answer_in_twelve_is_no_clear_change() -> None:
    after = [*BEFORE[:-1], {"herb_f1": 0.0, "usable": 0.0}]
    assert changes(BEFORE, after)[1] is False


def test_cases_without_a_known_answer_count_only_as_usable() -> None:
    unknown = [row | {"herb_f1": None} for row in BEFORE]
    said, _ = changes(unknown, [row | {"usable": 0.0} for row in unknown])
    assert len(said) == 1 and said[0].startswith("usable answers on 12 watched cases: 1.000 before, 0.000 after")


def test_what_the_pairs_taught_is_told_in_figures() -> None:
    items = [Item(c, ("甲", "乙")) for c in [*CASES, case("silent")]]
    said = taught(PAIRS, items)
    assert said[0].startswith("4 pairs from 3 of 4 prompts")
    assert said[1].startswith("by length alone chosen is the higher one in 0.75 of the pairs")
    assert said[-1].startswith("chosen has the higher herb F1 in 1 of 3 pairs whose answer is known (0.33 [")


def test_ties_count_half() -> None:
    texts = [(CASES[0], "甲乙", "丙丁"), (CASES[0], "甲乙丙", "丁")]
    assert told_apart(texts, lambda case, text: float(len(text))) == 0.75


@pytest.mark.parametrize(("chosen", "said"), [(-1.5, ": both fell."), (-0.5, ": they did not both fall.")])
def test_likelihood_displacement_is_told_from_the_panel(chosen: float, said: str) -> None:
    last = {**READINGS[1], "chosen_logp_per_token": chosen}
    assert displaced(READINGS[0], last)[0].endswith(said)
    assert displaced(READINGS[0], dict.fromkeys(last)) == []


def test_the_reasons_are_looked_up_only_where_it_got_worse() -> None:
    assert len(why_worse(finished(BEFORE))) == 2
    said = why_worse(finished(WORSE))
    assert len(said) == 2 + 4 + 1 and all(any(c.isdigit() for c in sentence) for sentence in said)
