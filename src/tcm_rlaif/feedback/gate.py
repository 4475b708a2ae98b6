"""The gate in front of DPO: which thresholds a judge's audit fails, decided on intervals rather than on points."""

from collections.abc import Sequence
from typing import Any

from tcm_rlaif.feedback import physicians
from tcm_rlaif.study.schema import Params

FAILS, NOT_SHOWN = "fails", "not shown"


def gate(audit: dict[str, Any], P: Params) -> list[dict[str, Any]]:
    """Thresholds of the parameters that an audit does not show to be met.

    A threshold fails only where the whole interval lies beyond it. Where the interval straddles it, neither is shown:
    that closes nothing, and more audited cases would tell. What could not be measured (no pregnant patient, no gold
    answer, no order in pointwise mode) fails nothing; that the audit says None there is for the reader to see.

    Returns:
        Rows ``{"threshold", "value", "low", "high", "limit", "verdict", "reason"}``, failures first.
    """
    rows = [
        _at_least(
            "audit_min_detection", row, row["rate"], P, f"sees {row['defect']} in {row['detected']} of {row['n']}"
        )
        for row in audit["detection"]
    ]
    tau = audit["kendall_tau"]
    rows.append(_at_least("audit_min_kendall_tau", tau, tau["value"], P,
                          "hardly ranks candidates as herb F1 with the gold prescription does"))  # fmt: skip
    measured = audit["physicians"]["rows"]
    who = list(dict.fromkeys(row["judge"] for row in measured if row["judge"] != "popularity"))
    own = physicians.figure(measured, "jury" if "jury" in who else (who or [""])[0], "own_above_other")
    if own:
        rows.append(_at_least("audit_min_own_above_other", own, own["value"], P,
                              "hardly tells this patient's answer from another patient's"))  # fmt: skip
    for judge, rate in audit["order_flip_rate"].items():
        rows.append(_at_most("audit_max_flip_rate", rate, P, f"({judge}) says otherwise in the other order"))
    rows.append(_at_most("audit_max_length_correlation", _absolute(audit["length_correlation"]), P,
                         "scores follow the length of the answer"))  # fmt: skip
    open_questions = [row for row in rows if row and row["verdict"]]
    return sorted(open_questions, key=lambda row: row["verdict"] != FAILS)


def failures(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those rows of the gate that close it."""
    return [row for row in rows if row["verdict"] == FAILS]


def _at_least(threshold: str, found: dict[str, Any], value: float | None, P: Params, reason: str) -> dict | None:
    low, high, limit = found.get("low"), found.get("high"), getattr(P, threshold)
    if value is None:
        return None
    verdict = FAILS if high < limit else NOT_SHOWN if low < limit else ""
    return _row(threshold, value, low, high, limit, verdict, reason)


def _at_most(threshold: str, found: dict[str, Any], P: Params, reason: str) -> dict | None:
    value, low, high, limit = found["value"], found.get("low"), found.get("high"), getattr(P, threshold)
    if value is None:
        return None
    verdict = FAILS if low > limit else NOT_SHOWN if high > limit else ""
    return _row(threshold, value, low, high, limit, verdict, reason)


def _row(threshold: str, value: float, low: float, high: float, limit: float, verdict: str, reason: str) -> dict:
    found = {"threshold": threshold, "value": value, "low": low, "high": high, "limit": limit}
    return found | {"verdict": verdict, "reason": f"the judge {reason}"}


def _absolute(found: dict[str, Any]) -> dict[str, Any]:
    """A correlation without its sign; an interval that holds 0 begins there."""
    value, low, high = found["value"], found.get("low"), found.get("high")
    if value is None:
        return found
    ends = sorted((abs(low), abs(high)))
    return {"value": abs(value), "low": 0.0 if low <= 0 <= high else ends[0], "high": ends[1]}


def gate_message(failed: Sequence[dict[str, Any]], P: Params) -> str:
    """Why training must not start, or an empty string."""
    if not failed:
        return ""
    reasons = "; ".join(
        f"{row['reason']} ({row['threshold']}: {physicians.said(row)}, limit {row['limit']:g})" for row in failed
    )
    advice = "overridden by audit_override" if P.audit_override else "mend the judge, or set audit_override: true"
    return f"the judge failed its audit: {reasons}; {advice}"
