"""The pre-flight: what the judge's choice gains over chance, beside an oracle's, on prompts whose answer is known."""

import json
from itertools import combinations
from statistics import fmean

import pytest

from tcm.answers import write
from tcm.cases import Answer, Case, Patient, PrescriptionItem, Visit
from tcm_rlaif.feedback.judges.base import Item, Verdict
from tcm_rlaif.feedback.preflight import COLUMNS, of_best, preflight

HERBS = ("黄芪", "党参", "白术", "茯苓", "当归", "川芎", "白芍", "甘草")


def answer(number: int) -> Answer:
    """So many herbs of the gold answer, which has all eight."""
    items = tuple(PrescriptionItem(herb=herb, dose=9) for herb in HERBS[:number])
    return Answer(
        disease="虚劳",
        syndrome="气血两虚",
        treatment_principle="补气",
        formula="四君子汤",
        prescription=items,
        packets=7,
    )


def item(name: str, sizes=(2, 4, 6, 8), gold=True) -> Item:
    case = Case(id=name, source="invented", patient_id=name, patient=Patient(), visit=Visit(history="神疲乏力"),
                answer=answer(8) if gold else None)  # fmt: skip
    return Item(case, tuple(write(answer(size)) for size in sizes))


ITEMS = [item(f"case-{n}", sizes) for n, sizes in enumerate([(2, 4, 6, 8), (1, 3, 5, 7), (8, 2, 3, 4)])]
LENGTHS = [[len(text) for text in item.candidates] for item in ITEMS]


def verdicts(items, scores) -> list[Verdict]:
    return [Verdict(i.case.id, tuple(row), ({},) * len(row), "judged") for i, row in zip(items, scores, strict=True)]


def flight(scores=LENGTHS, items=ITEMS) -> dict:
    return preflight(items, verdicts(items, scores))


def test_a_judge_that_ranks_as_herb_f1_does_gains_what_an_oracle_gains() -> None:
    found = flight()
    assert [row["candidates"] for row in found["rows"]] == [2, 4], "8 only where there are 8 candidates"
    for row in found["rows"]:
        assert tuple(row) == COLUMNS and row["prompts"] == 3
        assert row["choice"] == row["oracle"] and row["gain"] == pytest.approx(row["possible"]) and row["low"] > 0
    assert found["rows"][0]["gain"] < found["rows"][1]["gain"]
    assert found["warning"] == "" and found["alike"] == 0
    assert found["sentence"].startswith("Of 4 candidates the judge's choice is better than chance by 0.")


def test_a_judge_that_ranks_the_other_way_round_is_said_to_mislead() -> None:
    found = flight([[-length for length in row] for row in LENGTHS])
    assert found["rows"][-1]["high"] < 0 and "worse than chance" in found["warning"]


def test_a_judge_that_sees_no_difference_gains_nothing_and_that_is_warned_of() -> None:
    found = flight([[0.5] * 4] * 3)
    assert found["alike"] == 1 and found["rows"][-1]["gain"] == pytest.approx(0)
    assert "contains 0" in found["warning"]
    one = flight([[0.5] * 4, *LENGTHS[1:]])
    assert one["alike"] == pytest.approx(1 / 3)


def test_prompts_without_a_known_answer_and_candidates_without_a_score_do_not_count() -> None:
    items = [*ITEMS, item("unknown", gold=False)]
    scores = [[*LENGTHS[0][:1], None, None, None], [*LENGTHS[1][:3], None], LENGTHS[2], [0.1, 0.2, 0.3, 0.4]]
    found = flight(scores, items)
    assert [(row["candidates"], row["prompts"]) for row in found["rows"]] == [(2, 2), (4, 1)]
    assert found["prompts"] == 2


def test_without_any_known_answer_it_says_so() -> None:
    found = flight([[0.1] * 4], [item("unknown", gold=False)])
    assert found["rows"] == [] and found["alike"] is None and "no prompt" in found["sentence"]


def test_the_best_of_n_is_the_mean_over_all_draws_with_equals_sharing() -> None:
    candidates = [(0.2, 0.9, 1.0), (0.7, 0.1, 1.0), (0.7, 0.5, 0.0), (0.4, 0.3, 1.0), (0.9, 0.2, 0.0)]
    for n in (2, 3, 5):
        draws = []
        for drawn in combinations(candidates, n):
            top = max(score for score, _, _ in drawn)
            draws.append(fmean(f1 for score, f1, _ in drawn if score == top))
        assert of_best(candidates, n, lambda c: c[0], lambda c: c[1]) == pytest.approx(fmean(draws))


@pytest.mark.parametrize(
    "spoilt", ["黄芪党参", write(answer(4)).replace("9g", ""), write(answer(4)).replace("党参", "黄芪")]
)
def test_usable_answers_are_those_that_the_metric_calls_so(spoilt) -> None:
    broken = [Item(i.case, (*i.candidates[:3], spoilt)) for i in ITEMS]
    row = flight([[1, 2, 3, 4]] * 3, broken)["rows"][-1]
    assert row["usable_choice"] == 0 and row["usable_mean"] == pytest.approx(0.75)


def test_an_answer_without_a_formula_is_usable() -> None:
    """Records with doses often name none."""
    plain = [Item(i.case, tuple(t.replace("方剂：四君子汤。", "") for t in i.candidates)) for i in ITEMS]
    assert flight(items=plain)["rows"][-1]["usable_mean"] == 1


def test_the_values_are_plain_json() -> None:
    found = flight()
    assert json.loads(json.dumps(found)) == found


def test_an_answer_that_was_cut_off_is_not_usable_and_not_the_choice() -> None:
    cut = [Item(i.case, i.candidates, (True, True, True, False)) for i in ITEMS]
    scores = [[length / 1000 for length in row] for row in LENGTHS]
    whole, row = (flight(scores, items)["rows"][-1] for items in (ITEMS, cut))
    assert whole["usable_choice"] == whole["usable_mean"] == row["usable_choice"] == 1
    assert row["usable_mean"] == 0.75 and row["choice"] < whole["choice"] and row["mean"] == whole["mean"]
