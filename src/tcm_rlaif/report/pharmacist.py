"""What stands behind the audit, for docs/data.md: how far the tables were looked up, how often its rules speak."""

from typing import Any

from tcm.knowledge import forms, formulas, herb_info, herbs, incompatibilities
from tcm.knowledge.checks import MARKS, counts
from tcm.knowledge.tables import review_rules

RARE = 0.01
"""Rules of the tables that fewer prescriptions of every source break are not listed; our choice."""


def checked_rows() -> dict[str, dict[str, int]]:
    """Rows of each table by mark, and of the base herbs that a formula of ours uses."""
    used = {herb_info(name).base for formula in formulas().values() for name, _ in formula.composition}
    tables = {
        "herbs": herbs().values(),
        "of these in our formulas": [herbs()[name] for name in used],
        "processed forms, with what they inherit": forms().values(),
        "incompatibilities": incompatibilities(),
        "review rules": review_rules(),
    }
    return {name: counts(row.checked for row in rows) for name, rows in tables.items()}


def marks() -> str:
    """`checked_rows` as a table, and what share of the places where formulas write a herb was looked up twice."""
    lines = [f"| table | {' | '.join(MARKS)} |", "|---" * (len(MARKS) + 1) + "|"]
    lines += [f"| {name} | {' | '.join(str(n) for n in row.values())} |" for name, row in checked_rows().items()]
    written = [herb_info(name).base for formula in formulas().values() for name, _ in formula.composition]
    twice = counts(herbs()[base].checked for base in written)["twice"] / len(written)
    said = f"Of the herbs that formulas write, each time counted, {twice:.0%} are looked up twice."
    return "\n".join([*lines, "", said])


def rates(found: dict[str, Any]) -> str:
    """How often physicians' answers break each rule, from `reports/review.json`."""
    names = list(found)
    kinds = sorted({kind for row in found.values() for kind in row["kinds"]})
    heads = [f"{name} ({row['prescriptions']})" for name, row in found.items()]
    lines = [f"| share with | {' | '.join(heads)} |", "|---" * (len(names) + 1) + "|"]
    lines += [f"| {kind} | {' | '.join(_share(found[n]['kinds'].get(kind, 0)) for n in names)} |" for kind in kinds]
    for rule, row in sorted({rule: at for n in names for rule, at in found[n]["rules"].items()}.items()):
        cells = [found[n]["rules"].get(rule, {"rate": 0})["rate"] for n in names]
        if row["about"] and max(cells) >= RARE:
            lines.append(f"| `{rule}` {row['about']} | {' | '.join(map(_share, cells))} |")
    return "\n".join([*lines, "", f"Every other rule of the tables speaks in less than {RARE:.0%} of each."])


def _share(value: float) -> str:
    return f"{value:.1%}" if value else "–"
