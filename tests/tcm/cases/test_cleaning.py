"""Cleaning drops what cannot be used; every drop is a row of a funnel that adds up."""

import pytest

from tcm.cases import Answer, Case, Visit
from tcm.cases.cleaning import clean

ANSWER = Answer(disease="不寐", syndrome="肝郁脾虚")


def case(name: str, text: str = "失眠", answer: Answer | None = ANSWER, **values) -> Case:
    visit = values.pop("visit", {"history": text})
    return Case(id=name, source="own", patient_id=name, visit=visit, answer=answer, **values)


# the funnel


def test_the_first_row_of_the_funnel_is_the_sum_of_the_others() -> None:
    records = [
        case("1"),
        case("2"),
        case("3", "头痛", answer=None),
        case("4", "咳嗽", answer=Answer(formula="二陈汤")),
        case("5", "咳嗽"),
    ]
    kept, funnel, *_ = clean(records)
    assert [c.id for c in kept] == ["1", "5"]
    assert funnel == [
        {"step": "records read", "cases": 5},
        {"step": "dropped: the same findings and answer as an earlier record", "cases": 1},
        {"step": "without an answer: a prompt for AI feedback alone (unlabelled)", "cases": 2},
        {"step": "cases kept", "cases": 2},
    ]


def test_a_clean_source_has_no_row_of_drops() -> None:
    assert clean([case("1")])[1] == [{"step": "records read", "cases": 1}, {"step": "cases kept", "cases": 1}]


def test_no_record_gives_a_funnel_of_zeros() -> None:
    assert clean([]) == ([], [{"step": "records read", "cases": 0}, {"step": "cases kept", "cases": 0}], [])


def test_punctuation_and_blanks_make_no_other_findings() -> None:
    assert len(clean([case("1", "失眠，多梦。"), case("2", "失眠 多梦")])[0]) == 1


def test_the_same_findings_with_another_answer_are_kept() -> None:
    assert len(clean([case("1"), case("2", answer=Answer(disease="郁证"))])[0]) == 2


def test_the_same_findings_after_other_earlier_visits_are_kept() -> None:
    earlier = [(), (Visit(history="失眠"),), (Visit(history="头痛"),)]
    assert len(clean([case(str(i), earlier_visits=e) for i, e in enumerate(earlier)])[0]) == 3


# the limit


def whole(funnel: list[dict]) -> bool:
    """Whether the first row is the sum of the others."""
    return funnel[0]["cases"] == sum(row["cases"] for row in funnel[1:])


def test_a_limit_uses_the_first_records_and_counts_the_rest_in_the_funnel() -> None:
    records = [case("1"), case("2"), case("3", "头痛"), case("4", "咳嗽"), case("5", "胃痛", answer=None)]
    kept, funnel, *_ = clean(records, limit=3)
    assert [c.id for c in kept] == ["1", "3"]
    assert {"step": "left out: beyond the first 3 (data_limit)", "cases": 2} in funnel
    assert funnel[0] == {"step": "records read", "cases": 5} and whole(funnel)


@pytest.mark.parametrize("limit", [0, 2, 9], ids=["none", "as many as there are", "more than there are"])
def test_a_limit_that_leaves_nothing_out_changes_nothing(limit: int) -> None:
    records = [case("1"), case("2", "头痛")]
    assert clean(records, limit) == clean(records)
