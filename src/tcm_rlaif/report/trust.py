"""What the study promises about damage, leaks and speed, against its aims: `reports/trust.json` as a table."""

from typing import Any


def table(found: dict[str, list[dict[str, Any]]]) -> str:
    """Every row of every part (`tests/benchmarks/measure_trust.py`); what is not reached is said to be."""
    lines = ["| promise | aim | measured |", "|---|---|---|"]
    for rows in found.values():
        for row in rows:
            measured = row["measured"] if row["reached"] else f"**not reached:** {row['measured']}"
            lines.append(f"| {row['promise']} | {row['aim']} | {measured} |")
    return "\n".join(lines)
