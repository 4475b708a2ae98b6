"""The gate in front of DPO: each threshold can close it, it says why and what to do, and an override is said too."""

import pytest

from tcm_rlaif.feedback.audit import gate, gate_message, readings
from tcm_rlaif.study.schema import Params

DEFECTS = [{"defect": "overdose", "rate": 0.9, "detected": 9, "n": 10}, {"defect": "wrong_herb", "rate": None,
            "detected": 0, "n": 0}]  # fmt: skip


def audit(**changes) -> dict:
    """An audit that passes all thresholds, with changes."""
    passing = {
        "detection": DEFECTS,
        "order_flip_rate": {"rubric": {"value": None, "n": 0}},
        "tie_rate": {"rubric": {"value": 0.1, "n": 20}},
        "self_consistency": {"rubric": {"value": 1.0, "n": 20}},
        "length_correlation": {"value": -0.2, "n": 20},
        "kendall_tau": {"value": 0.4, "n": 20},
        "agreement": [],
    }
    return passing | changes


def test_an_audit_that_passes_opens_the_gate() -> None:
    assert gate(audit(), Params()) == []
    assert gate_message([], Params()) == ""


@pytest.mark.parametrize(
    ("change", "threshold"),
    [
        ({"detection": [{"defect": "overdose", "rate": 0.7, "detected": 7, "n": 10}]}, "audit_min_detection"),
        ({"order_flip_rate": {"openai": {"value": 0.4, "n": 9}}}, "audit_max_flip_rate"),
        ({"kendall_tau": {"value": 0.05, "n": 9}}, "audit_min_kendall_tau"),
        ({"length_correlation": {"value": 0.75, "n": 9}}, "audit_max_length_correlation"),
        ({"length_correlation": {"value": -0.75, "n": 9}}, "audit_max_length_correlation"),
    ],
)
def test_each_threshold_of_the_parameters_can_close_the_gate(change, threshold: str) -> None:
    assert [row["threshold"] for row in gate(audit(**change), Params())] == [threshold]


def test_a_reading_at_exactly_the_threshold_passes() -> None:
    at = {"detection": [{"defect": "x", "rate": 0.8, "detected": 8, "n": 10}], "kendall_tau": {"value": 0.1, "n": 9}}
    assert gate(audit(**at), Params()) == []


def test_the_thresholds_are_parameters() -> None:
    failing = audit(kendall_tau={"value": 0.05, "n": 9})
    assert gate(failing, Params(audit_min_kendall_tau=0.0)) == []


def test_a_closed_gate_says_why_and_what_to_do() -> None:
    failed = gate(audit(kendall_tau={"value": 0.05, "n": 9}), Params())
    said = gate_message(failed, Params())
    assert said.startswith("the judge failed its audit: the judge hardly ranks candidates as herb F1")
    assert said.endswith("(audit_min_kendall_tau: 0.05, limit 0.1); mend the judge, or set audit_override: true")


def test_an_overridden_gate_says_that_it_was_overridden() -> None:
    P = Params(audit_override=True)
    assert gate_message(gate(audit(kendall_tau={"value": 0.0, "n": 9}), P), P).endswith(
        "; overridden by audit_override"
    )


def test_the_readings_are_rows_with_a_none_where_nothing_could_be_measured() -> None:
    agreement = [{"judges": ["rubric", "openai"], "value": 0.3, "n": 7}]
    rows = readings(audit(agreement=agreement))
    assert [(r["reading"], r["judge"], r["value"], r["n"]) for r in rows] == [
        ("order_flip_rate", "rubric", None, 0),
        ("tie_rate", "rubric", 0.1, 20),
        ("self_consistency", "rubric", 1.0, 20),
        ("length_correlation", "all", -0.2, 20),
        ("kendall_tau", "all", 0.4, 20),
        ("agreement", "rubric / openai", 0.3, 7),
    ]
