"""Whoever reads a policy's answer to a follow-up reads a change of the last prescription as what it means."""

import pytest

from tcm.answers import previous_items, write
from tcm.invented import invent_cases
from tcm.metrics import score_case
from tcm.metrics.catalogue import METRICS
from tcm_rlaif.evaluation.tables import UNSAFE, score_answers
from tcm_rlaif.feedback import pairs
from tcm_rlaif.feedback.audit import kendall_tau_with_gold
from tcm_rlaif.feedback.judges import make_judges
from tcm_rlaif.feedback.judges.base import Item, Verdict
from tcm_rlaif.feedback.labelling import judge_items
from tcm_rlaif.feedback.physicians import herb_f1
from tcm_rlaif.feedback.preflight import preflight
from tcm_rlaif.models import prompts
from tcm_rlaif.study.schema import Params
from tcm_rlaif.training.sft import sft_rows

CASES = invent_cases(12, 1.0, seed=4, patterns=48)
OF_TEXT = {"length", "bleu4", "rouge_l", "ngram_repetition"}
"""Metrics of how an answer is written, not of what it says."""


def lesser(answer, drop: int):
    """An answer with its first herbs left out."""
    return answer.model_copy(update={"prescription": answer.prescription[drop:]})


def both(case) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Three answers of falling worth, in full and as changes."""
    answers = [lesser(case.answer, drop) for drop in (0, 1, 2)]
    return tuple(map(write, answers)), tuple(write(a, previous_items(case)) for a in answers)


def items(layout: int) -> list[Item]:
    return [Item(case, both(case)[layout]) for case in CASES]


def verdicts(of: list[Item]) -> list[Verdict]:
    return [Verdict(i.case.id, (0.9, 0.5, 0.1), ({}, {}, {}), "judged") for i in of]


def test_the_answers_compared_here_are_written_otherwise() -> None:
    written = [pair for case in CASES for pair in zip(*both(case), strict=True)]
    assert sum("守上方" in changes and "守上方" not in full for full, changes in written) > 0.8 * len(written)


def test_metrics_are_those_of_the_full_prescription() -> None:
    keys = [m.key for m in METRICS if m.key not in OF_TEXT]
    for case in CASES:
        for full, changes in zip(*both(case), strict=True):
            one, other = score_case(case, full), score_case(case, changes)
            assert {k: one[k] for k in keys} == {k: other[k] for k in keys}


def test_safety_is_that_of_the_full_prescription() -> None:
    full, changes = (
        score_answers(CASES, [both(case)[layout][0] for case in CASES], [True] * len(CASES)) for layout in (0, 1)
    )
    columns = [c for c in full if c.startswith(UNSAFE)]
    assert columns and full[columns].equals(changes[columns])


@pytest.mark.parametrize("name", ["rubric", "evidence"])
def test_judges_give_a_change_the_scores_of_the_full_prescription(name: str) -> None:
    (judge,) = make_judges(Params(judge=name), CASES)
    full, changes = (
        judge_items([judge], items(layout), mode="pointwise", progress=False).verdicts for layout in (0, 1)
    )
    assert [(v.scores, v.criteria) for v in full] == [(v.scores, v.criteria) for v in changes]


def test_audit_and_preflight_see_the_full_prescription() -> None:
    full, changes = items(0), items(1)
    assert kendall_tau_with_gold(full, verdicts(full)) == kendall_tau_with_gold(changes, verdicts(changes))
    assert preflight(full, verdicts(full)) == preflight(changes, verdicts(changes))
    assert all(herb_f1(item.case, item.candidates[0]) == 1.0 for item in changes)


def test_a_change_and_its_full_prescription_are_one_candidate_and_overlap_wholly() -> None:
    for case in CASES:
        (full, *_), (changes, *_) = both(case)
        previous = previous_items(case)
        assert pairs.fingerprint(full, previous) == pairs.fingerprint(changes, previous)
        assert pairs.overlap(full, changes, previous) == 1.0
        ranked, counts = pairs.distinct(Item(case, (full, changes)), Verdict(case.id, (0.5, 0.4), ({}, {}), "judged"))
        assert len(ranked) == 1 and counts["merged as near-duplicate"] == 1


def test_pairs_of_changes_are_filtered_as_pairs_of_full_prescriptions() -> None:
    P = Params()
    one, other = (pairs.pairs_of(i, verdicts(i), P, seed=0).funnel for i in (items(0), items(1)))
    assert one == other


def test_a_physicians_answer_is_written_in_the_layout_of_the_study() -> None:
    case = next(c for c in CASES if "守上方" in write(c.answer, previous_items(c)))
    item = Item(case, both(case)[0][1:])
    verdict = Verdict(case.id, (0.5, 0.1), ({}, {}), "judged")
    for layout in ("changes", "full"):
        P = Params(pair_strategy="gold_sample", judge_sees_gold=True, sft_followup_layout=layout, pair_max_overlap=1.0)
        expected = write(case.answer, previous_items(case) if layout == "changes" else ())
        row = pairs.pairs_of([item], [verdict], P, seed=0).rows[0]
        learned = sft_rows([case], followup_layout=layout)[0]["completion"]
        assert row["chosen"] == prompts.completion(expected) == learned


def test_the_prompt_of_a_follow_up_holds_the_prescription_that_may_be_changed_and_says_how() -> None:
    for case in CASES:
        asked = prompts.prompt(case)[1]["content"]
        assert write(case.previous_answer) in asked
        assert all(word in asked for word in ("守上方", "去", "加", "增至", "减至"))
