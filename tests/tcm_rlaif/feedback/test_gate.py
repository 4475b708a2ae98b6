"""The gate in front of DPO: each threshold can close it, it says why and what to do, and an override is said too."""

import pytest

from tcm_rlaif.feedback.audit import readings
from tcm_rlaif.feedback.gate import FAILS, NOT_SHOWN, failures, gate, gate_message
from tcm_rlaif.study.schema import Params


def read(value: float | None, n: int = 20, width: float = 0.02) -> dict:
    """A reading with its interval."""
    ends = {"low": None, "high": None} if value is None else {"low": value - width, "high": value + width}
    return {"value": value, "n": n, **ends}


def defect(rate: float | None, width: float = 0.02) -> dict:
    return {**read(rate, 10, width), "defect": "overdose", "rate": rate, "detected": round(10 * (rate or 0)), "n": 10}


def own_above_other(value: float, judge: str = "rubric", width: float = 0.02) -> dict:
    row = {"judge": judge, "scored_by": "score", "figure": "own_above_other"}
    return {"rows": [row | read(value, 9, width)], "drift": {}}


def audit(**changes) -> dict:
    """An audit that passes all thresholds, with changes."""
    passing = {
        "detection": [defect(0.9), defect(None)],
        "order_flip_rate": {"rubric": read(None, 0)},
        "tie_rate": {"rubric": read(0.1)},
        "self_consistency": {"rubric": read(1.0, width=0)},
        "length_correlation": read(-0.2),
        "kendall_tau": read(0.4),
        "agreement": [],
        "physicians": own_above_other(0.8),
    }
    return passing | changes


def test_an_audit_that_passes_opens_the_gate() -> None:
    assert gate(audit(), Params()) == []
    assert gate_message([], Params()) == ""


BEYOND = [
    ("audit_min_detection", lambda width: {"detection": [defect(0.7, width)]}),
    ("audit_max_flip_rate", lambda width: {"order_flip_rate": {"openai": read(0.45, 9, width)}}),
    ("audit_min_kendall_tau", lambda width: {"kendall_tau": read(0.02, 9, width)}),
    ("audit_min_own_above_other", lambda width: {"physicians": own_above_other(0.42, width=width)}),
    ("audit_max_length_correlation", lambda width: {"length_correlation": read(0.78, 9, width)}),
    ("audit_max_length_correlation", lambda width: {"length_correlation": read(-0.78, 9, width)}),
]


@pytest.mark.parametrize(("threshold", "change"), BEYOND)
def test_each_threshold_closes_the_gate_where_the_whole_interval_lies_beyond_it(threshold: str, change) -> None:
    (row,) = gate(audit(**change(0.05)), Params())
    assert (row["threshold"], row["verdict"]) == (threshold, FAILS)
    assert failures([row]) == [row]


@pytest.mark.parametrize(("threshold", "change"), BEYOND)
def test_where_the_interval_straddles_the_limit_nothing_is_shown_and_nothing_closed(threshold: str, change) -> None:
    rows = gate(audit(**change(0.15)), Params())
    assert [(row["threshold"], row["verdict"]) for row in rows] == [(threshold, NOT_SHOWN)]
    assert failures(rows) == [] and gate_message(failures(rows), Params()) == ""


def test_a_point_that_passes_is_not_shown_either_while_its_interval_straddles() -> None:
    (row,) = gate(audit(detection=[defect(0.9, 0.2)]), Params())
    assert row["verdict"] == NOT_SHOWN and row["value"] > row["limit"]
    assert row["reason"] == "detection of overdose: the interval holds the limit, more cases would tell"


def test_an_interval_that_only_touches_the_limit_passes() -> None:
    at = {"detection": [defect(0.75, 0.0) | {"rate": 0.8, "low": 0.8, "high": 0.8}], "kendall_tau": read(0.1, 9, 0.0)}
    assert gate(audit(**at), Params()) == []


def test_failures_come_first() -> None:
    found = gate(audit(detection=[defect(0.8, 0.1)], kendall_tau=read(0.0, 9)), Params())
    assert [row["verdict"] for row in found] == [FAILS, NOT_SHOWN]


def test_a_jury_is_held_to_its_own_figure_not_to_that_of_a_member() -> None:
    rows = [own_above_other(value, judge)["rows"][0] for judge, value in
            (("popularity", 0.1), ("rubric", 0.1), ("openai", 0.9), ("jury", 0.8))]  # fmt: skip
    assert gate(audit(physicians={"rows": rows}), Params()) == []


def test_where_no_case_has_an_answer_nothing_fails() -> None:
    assert gate(audit(physicians={"rows": [], "drift": {}}), Params()) == []


def test_the_thresholds_are_parameters() -> None:
    failing = audit(kendall_tau=read(0.05, 9))
    assert gate(failing, Params(audit_min_kendall_tau=0.0)) == []


def test_a_closed_gate_says_why_and_what_to_do() -> None:
    failed = failures(gate(audit(kendall_tau=read(0.05, 9)), Params()))
    said = gate_message(failed, Params())
    assert said.startswith("the judge failed its audit: the judge hardly ranks candidates as herb F1")
    assert said.endswith(
        "(audit_min_kendall_tau: 0.05 [0.03, 0.07], limit 0.1); mend the judge, or set audit_override: true"
    )


def test_an_overridden_gate_says_that_it_was_overridden() -> None:
    P = Params(audit_override=True)
    assert gate_message(gate(audit(kendall_tau=read(0.0, 9)), P), P).endswith("; overridden by audit_override")


def test_the_readings_are_rows_with_a_none_where_nothing_could_be_measured() -> None:
    agreement = [{"judges": ["rubric", "openai"], **read(0.3, 7)}]
    rows = readings(audit(agreement=agreement))
    assert [(r["reading"], r["judge"], r["value"], r["n"]) for r in rows] == [
        ("order_flip_rate", "rubric", None, 0),
        ("tie_rate", "rubric", 0.1, 20),
        ("self_consistency", "rubric", 1.0, 20),
        ("length_correlation", "all", -0.2, 20),
        ("kendall_tau", "all", 0.4, 20),
        ("agreement", "rubric / openai", 0.3, 7),
    ]
