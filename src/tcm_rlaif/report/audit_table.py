"""The judge's audit as one table: every threshold, its value with interval, and whether it is met, failed or open."""

from collections import Counter
from typing import Any

from tcm_rlaif.feedback import gate, physicians
from tcm_rlaif.study.schema import Params

PASS, OPEN, FAIL, UNKNOWN = "pass", "not shown", "fail", "not measured"
WORDS = {"": PASS, gate.NOT_SHOWN: OPEN, gate.FAILS: FAIL}


def rows(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row for each judge and threshold, from the audits in `results.json`.

    Seeds audit the same judge on other candidates: value and interval are those of the first, and the verdict says of
    how many it holds. Results of studies that were published before audits had intervals give no rows.

    Returns:
        `judge of` (the arm whose candidates it labels), `about`, `threshold`, `value`, `low`, `high`, `limit`,
        `verdict` (of the worst seed) and `seeds` (how many have it).
    """
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for run, audit in results.get("judge", {}).items():
        for row in _checks(audit, results, run.split("/")[0]):
            found.setdefault((run.split("/")[0], row["about"]), []).append(row)
    return [_over_seeds(arm, seeds) for (arm, _), seeds in found.items()]


def _checks(audit: dict[str, Any], results: dict[str, Any], arm: str) -> list[dict[str, Any]]:
    readings = {(row["reading"], row["judge"]): row for row in audit["readings"]}
    whole = "all_params" in results and "physicians" in audit
    if not whole or not audit["detection"] or any("low" not in row for row in audit["detection"]):
        return []
    missing = {"value": None}
    measured = {
        "detection": audit["detection"],
        "physicians": audit["physicians"],
        "order_flip_rate": {who: row for (name, who), row in readings.items() if name == "order_flip_rate"},
        "kendall_tau": readings.get(("kendall_tau", "all"), missing),
        "length_correlation": readings.get(("length_correlation", "all"), missing | {"low": None, "high": None}),
    }
    ran_with = {**results["all_params"], **results["all_params"]["arms"].get(arm, {})}
    limits = {name: value for name, value in ran_with.items() if name.startswith("audit_")}
    return gate.checks(measured, Params().model_copy(update=limits))  # not validated: other keys may have been renamed


def _over_seeds(arm: str, seeds: list[dict[str, Any]]) -> dict[str, Any]:
    verdicts = Counter(UNKNOWN if row["value"] is None else WORDS[row["verdict"]] for row in seeds)
    worst = next(verdict for verdict in (FAIL, OPEN, PASS, UNKNOWN) if verdicts[verdict])
    first = {name: seeds[0][name] for name in ("about", "threshold", "value", "low", "high", "limit")}
    return {"judge of": arm, **first, "verdict": worst, "seeds": f"{verdicts[worst]} of {len(seeds)}"}


def counts(found: list[dict[str, Any]]) -> list[str]:
    """How many thresholds failed and how many are open; nothing where every one that was measured is met."""
    words = {FAIL: "failed", OPEN: "are not shown to be met"}
    numbers = Counter(row["verdict"] for row in found)
    return [
        f"{numbers[verdict]} of {len(found)} thresholds of the judge's audit {said}"
        for verdict, said in words.items()
        if numbers[verdict]
    ]


def sentence(found: list[dict[str, Any]]) -> str:
    """Which thresholds failed and which are open, by name."""
    if not found:
        return "No judge was audited in this study, or before audits had intervals."
    said = []
    for line, verdict in zip(
        counts(found), [v for v in (FAIL, OPEN) if any(r["verdict"] == v for r in found)], strict=True
    ):
        names = ", ".join(f"{row['about']} ({row['judge of']})" for row in found if row["verdict"] == verdict)
        said.append(f"{line}: {names}.")
    return " ".join(said) or "Every threshold of the judge's audit that could be measured is met."


def shown(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows as a reader's table, failures first."""
    order = (FAIL, OPEN, PASS, UNKNOWN)
    return [
        {"judge of": row["judge of"], "threshold": row["about"], "limit": _limit(row), "value": _value(row)}
        | {"verdict": row["verdict"], "seeds": row["seeds"]}
        for row in sorted(found, key=lambda row: order.index(row["verdict"]))
    ]


def _limit(row: dict[str, Any]) -> str:
    return f"{'at least' if '_min_' in row['threshold'] else 'at most'} {row['limit']:g}"


def _value(row: dict[str, Any]) -> str:
    return "–" if row["value"] is None else physicians.said(row)
