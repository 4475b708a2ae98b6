"""The judge's audit as one table: every threshold, its value with interval, and whether it is met, failed or open."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from tcm_rlaif.feedback import gate, physicians
from tcm_rlaif.study.schema import Params

PASS, OPEN, FAIL, UNKNOWN = "pass", "not shown", "fail", "not measured"
FEW, LONG = 6, 15  # names that a sentence holds, rows that a table may have before a part of it is folded
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
    """Which thresholds failed and which are open: by name, or where they are many, how many of each judge."""
    if not found:
        return "No judge was audited in this study, or before audits had intervals."
    said = []
    for line, verdict in zip(
        counts(found), [v for v in (FAIL, OPEN) if any(r["verdict"] == v for r in found)], strict=True
    ):
        rows = [row for row in found if row["verdict"] == verdict]
        names = [f"{row['about']} ({row['judge of']})" for row in rows]
        if len(names) > FEW:
            names = [f"{judge} {n}" for judge, n in Counter(row["judge of"] for row in rows).most_common()]
        said.append(f"{line}: {', '.join(names)}.")
    return " ".join(said) or "Every threshold of the judge's audit that could be measured is met."


def shown(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows as a reader's table, failures first; the judge is named where there are several."""
    order = (FAIL, OPEN, PASS, UNKNOWN)
    several = len({row["judge of"] for row in found}) > 1
    return [
        {"threshold": row["about"]} | ({"judge of": row["judge of"]} if several else {})
        | {"verdict": row["verdict"], "value": _value(row), "limit": _limit(row), "seeds": row["seeds"]}
        for row in sorted(found, key=lambda row: order.index(row["verdict"]))
    ]  # fmt: skip


def parts(found: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The table by caption; of a long one what is met or could not be measured stands apart, to be folded."""
    rows = shown(found)
    if len(rows) <= LONG:
        return {"The judge's audit against its thresholds": rows}
    open_ = [row for row in rows if row["verdict"] in (FAIL, OPEN)]
    return {
        "Thresholds of the judge's audit that failed or are not shown to be met": open_,
        "Thresholds that are met, or could not be measured": [row for row in rows if row not in open_],
    }


def warned(labels: Mapping[str, dict[str, Any]], run: str) -> str:
    """What warned before a training, and of how many seeds of the arm: a run is one of them.

    Args:
        labels: run folder of `03_rlaif_labels` -> what it found.
        run: one of them, "ARM/seedN".
    """
    seeds = [found for name, found in labels.items() if name.split("/")[0] == run.split("/")[0]]
    warnings = [found["preflight"]["warning"] for found in seeds if found["preflight"]["warning"]]
    return f"In {len(warnings)} of {len(seeds)} seeds: {warnings[0]}" if warnings else ""


def _limit(row: dict[str, Any]) -> str:
    return f"{'at least' if '_min_' in row['threshold'] else 'at most'} {row['limit']:g}"


def _value(row: dict[str, Any]) -> str:
    return "–" if row["value"] is None else physicians.said(row)
