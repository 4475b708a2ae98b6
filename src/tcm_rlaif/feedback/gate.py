"""The gate in front of DPO: which thresholds a judge's audit fails, decided on intervals rather than on points."""

from collections.abc import Sequence
from typing import Any

from tcm_rlaif.feedback import physicians
from tcm_rlaif.study.schema import Params

FAILS, NOT_SHOWN = "fails", "not shown"
WORDS = {
    "audit_min_detection": ("detection of {defect}", "sees {defect} in {detected} of {n}"),
    "audit_min_kendall_tau": (
        "rank agreement with herb F1",
        "hardly ranks candidates as herb F1 with the gold prescription does",
    ),
    "audit_min_own_above_other": (
        "this patient's answer above another's",
        "hardly tells this patient's answer from another patient's",
    ),
    "audit_max_flip_rate": ("verdicts of {judge} by order", "({judge}) says otherwise in the other order"),
    "audit_max_length_correlation": ("score by length", "follows the length of the answer"),
}
"""Threshold -> what it is about, and what is said of a judge that fails it."""


def checks(audit: dict[str, Any], P: Params) -> list[dict[str, Any]]:
    """Every threshold of the parameters beside what an audit says of it.

    A threshold fails only where the whole interval lies beyond it. Where the interval straddles it, neither is shown:
    that closes nothing, and more audited cases would tell. What could not be measured (no pregnant patient, no gold
    answer, no order in pointwise mode) fails nothing.

    Args:
        audit: `detection`, `kendall_tau`, `physicians`, `order_flip_rate` and `length_correlation` of an audit.

    Returns:
        Rows ``{"threshold", "about", "value", "low", "high", "limit", "verdict", "reason"}``; the verdict is empty
        where the limit is kept, the value None where it was not measured.
    """
    tau, other = audit["kendall_tau"], _own_above_other(audit["physicians"]["rows"])
    found = [("audit_min_detection", P.audit_min_detection, r | {"value": r["rate"]}) for r in audit["detection"]]
    found.append(("audit_min_kendall_tau", P.audit_min_kendall_tau, tau))
    found.append(("audit_min_own_above_other", P.audit_min_own_above_other, other))
    for judge, rate in audit["order_flip_rate"].items():
        found.append(("audit_max_flip_rate", P.audit_max_flip_rate, rate | {"judge": judge}))
    length = _absolute(audit["length_correlation"])
    found.append(("audit_max_length_correlation", P.audit_max_length_correlation, length))
    return [_row(*check) for check in found]


def gate(audit: dict[str, Any], P: Params) -> list[dict[str, Any]]:
    """Those `checks` that an audit does not show to be met, failures first."""
    rows = [row for row in checks(audit, P) if row["verdict"]]
    return sorted(rows, key=lambda row: row["verdict"] != FAILS)


def failures(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those rows of the gate that close it."""
    return [row for row in rows if row["verdict"] == FAILS]


def _row(threshold: str, limit: float, found: dict[str, Any]) -> dict[str, Any]:
    """What an interval says of a threshold; the verdict is empty where the limit is kept or nothing was measured."""
    value, low, high = (found.get(name) for name in ("value", "low", "high"))
    subject, failing = (words.format(**found) for words in WORDS[threshold])
    row = {"threshold": threshold, "about": subject, "value": value, "low": low, "high": high, "limit": limit}
    if value is None:
        return row | {"verdict": "", "reason": f"{subject}: not measured"}
    beyond, inside = (high < limit, low >= limit) if "_min_" in threshold else (low > limit, high <= limit)
    reason = f"the judge {failing}" if beyond else f"{subject}: the interval holds the limit, more cases would tell"
    return row | {"verdict": FAILS if beyond else "" if inside else NOT_SHOWN, "reason": reason}


def _own_above_other(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The figure of the jury, or of the one judge."""
    judges = [row["judge"] for row in rows if row["judge"] != "popularity"]
    who = "jury" if "jury" in judges else next(iter(judges), "")
    return physicians.figure(rows, who, "own_above_other") or {"value": None}


def _absolute(found: dict[str, Any]) -> dict[str, Any]:
    """A correlation without its sign; an interval that holds 0 begins there."""
    value, low, high = (found[key] for key in ("value", "low", "high"))
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
