"""Two published studies side by side, a study run again against what was published, blind marks against scores.

All from files that a report leaves: `results.json`, and the marks that the case browser saves.
"""

import base64
import json
from html import escape
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd

from tcm.cases import CaseError
from tcm.files import write_text
from tcm.metrics.intervals import ranged, wilson
from tcm_rlaif.report import comparison_plots, first_screen, plots
from tcm_rlaif.report.page import page_of
from tcm_rlaif.report.show import figure_png, table_html
from tcm_rlaif.study.params import ROOT

BESIDE = ("params", "seeds", "machine", "data", "base", "side_by_side")  # what may explain a difference
MARK = ["case", "by", "mark", "named", "score", "herb_f1"]


def read_results(where: str) -> dict[str, Any]:
    """The results of a study by its name, the folder of its report, or the file itself.

    Raises:
        CaseError: where there are none, or the file is damaged.
    """
    places = (ROOT / "reports" / where / "results.json", Path(where) / "results.json", Path(where))
    path = next((p for p in places if p.is_file()), None)
    if path is None:
        raise CaseError(
            f"{where}: no results there; give a study of reports/, the folder of a report or a results.json"
        )
    try:
        found = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise CaseError(f"{path}: damaged ({error}); write it again with ./study report") from None
    if not isinstance(found, dict) or not {"study", "arms"} <= found.keys():
        raise CaseError(f"{path}: these are no results of a study")
    return found


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    """Nested values as `a.b.c` -> value; lists stay whole."""
    if not isinstance(value, dict):
        return {name: value}
    return {k: v for key, part in value.items() for k, v in _flat(part, f"{name}.{key}" if name else key).items()}


def what_differs(a: dict[str, Any], b: dict[str, Any]) -> pd.DataFrame:
    """Parameters, data, model, machine and cost that are not the same, as `what`, and a column for each study."""
    one, other = (_flat({name: results.get(name) for name in BESIDE}) for results in (a, b))
    rows = [(what, one.get(what), other.get(what)) for what in dict.fromkeys((*one, *other))]
    return pd.DataFrame(
        [[what, *(json.dumps(v, ensure_ascii=False) for v in pair)] for what, *pair in rows if pair[0] != pair[1]],
        columns=["what", *_titles(a, b)],
    )


def _titles(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    return [a["study"], b["study"] if a["study"] != b["study"] else f"{b['study']} (2)"]


def _shared(a: dict[str, Any], b: dict[str, Any]) -> list[tuple[str, str, dict, dict]]:
    """Arm, metric and both cells, for what both studies have."""
    return [
        (arm, key, cell, b["arms"][arm][key])
        for arm, cells in a["arms"].items()
        for key, cell in cells.items()
        if key in b["arms"].get(arm, {})
    ]


def side_by_side(a: dict[str, Any], b: dict[str, Any]) -> pd.DataFrame:
    """The arms that both have on the metrics that both have: means with intervals, and whether the intervals meet."""
    rows = []
    for arm, key, one, other in _shared(a, b):
        apart = one["high"] < other["low"] or other["high"] < one["low"]
        rows.append([arm, key, ranged(one), ranged(other), other["mean"] - one["mean"], "apart" if apart else "meet"])
    return pd.DataFrame(rows, columns=["arm", "metric", *_titles(a, b), "difference", "intervals"])


def reproduced(published: dict[str, Any], again: dict[str, Any]) -> pd.DataFrame:
    """Number by number, whether a study that was run again lies within what was published.

    Returns:
        Arms on each metric and every declared difference: `what`, `metric`, `published`, `low`, `high`, `again`,
        `within`. A number that is missing this time is not within.
    """
    rows = [
        [arm, key, cell["mean"], cell["low"], cell["high"], again["arms"].get(arm, {}).get(key, {}).get("mean")]
        for arm, cells in published["arms"].items()
        for key, cell in cells.items()
    ]
    second = {(row["arms"], row["metric"]): row["difference"] for row in again["comparisons"]}
    declared = ("arms", "metric", "difference", "low", "high")
    asked = [row for row in published["comparisons"] if row["declared"]]
    rows += [[*map(row.get, declared), second.get((row["arms"], row["metric"]))] for row in asked]
    table = pd.DataFrame(rows, columns=["what", "metric", "published", "low", "high", "again"])
    table["within"] = (table["again"] >= table["low"] - 1e-9) & (table["again"] <= table["high"] + 1e-9)
    return table


def read_marks(path: Path) -> dict[str, Any]:
    """The file of marks that the case browser saves in blind mode.

    Raises:
        CaseError: if it is none.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
        assert {"study", "judge", "marks"} <= found.keys()
        assert all(set(MARK) <= row.keys() for row in found["marks"])
    except (OSError, ValueError, AttributeError, AssertionError):
        raise CaseError(f"{path}: no marks; save them in the blind mode of a cases.html") from None
    return found


def marked(found: dict[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """What blind marks say: the mean mark of each arm, and whether judge and herb F1 order answers as the marks do.

    Returns:
        Means by who answered (`by`, `n`, `mean`); for the judge and for herb F1 the share of pairs of answers to one
        case that they order as the marks do (a tie counts half) with its Wilson interval; and how many marks were left
        out, because they were given after the names were shown.
    """
    rows = pd.DataFrame([row for row in found["marks"] if not row["named"]], columns=MARK)
    who = [list(dict.fromkeys(arm for arm, _ in by)) for by in rows["by"]]
    means = rows.assign(by=who).explode("by").groupby("by")["mark"].agg(n="size", mean="mean").reset_index()
    agreement = []
    for name, key in ((f"judge {found['judge']}", "score"), ("herb F1", "herb_f1")):
        pairs = [
            (a["mark"] - b["mark"], a[key] - b[key])
            for _, part in rows.dropna(subset=[key]).groupby("case")
            for a, b in combinations(part.to_dict("records"), 2)
            if a["mark"] != b["mark"]
        ]
        alike = sum(0.5 if not by else float((mark > 0) == (by > 0)) for mark, by in pairs)
        row = {"with": name, "pairs": len(pairs), "same order": None, "low": None, "high": None}
        if pairs:
            low, high = wilson(round(alike), len(pairs))
            row |= {"same order": alike / len(pairs), "low": low, "high": high}
        agreement.append(row)
    return means, pd.DataFrame(agreement), len(found["marks"]) - len(rows)


def page(a: dict[str, Any], b: dict[str, Any], path: Path) -> Path:
    """Write the comparison of two studies as a page like a report: what each found, a figure, what differs."""
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

    names = _titles(a, b)
    cells = [new_markdown_cell(f"# {escape(' and '.join(names))}")]
    for name, results in zip(names, (a, b), strict=True):
        cells.append(new_markdown_cell(f"## What {escape(name)} found\n\n{first_screen.said(results)}"))
    if shared := _shared(a, b):
        plots.style()
        png, width = figure_png(comparison_plots.two_studies(shared, names))
        alt = f"Means with intervals of the arms that both studies have: {names[0]} filled, {names[1]} open"
        picture = {"data": {"image/png": base64.b64encode(png).decode()}}
        picture["metadata"] = {"image/png": {"alt": alt, "width": width}}
        cells += [
            new_markdown_cell("## Arms that both have\n\nFilled: the first study, open: the second. Intervals that do "
                              "not meet lie apart by more than chance in seeds and cases makes likely."),
            new_code_cell("", outputs=[new_output("display_data", **picture)]),
        ]  # fmt: skip
    cells.append(new_markdown_cell("## In numbers"))
    tables = {"Arms that both have": side_by_side(a, b), "What differs in the making": what_differs(a, b)}
    for caption, table in tables.items():
        html = table_html(table, caption, rows=len(table))
        cells.append(new_code_cell("", outputs=[new_output("display_data", {"text/html": html})]))
    write_text(path, page_of(new_notebook(cells=cells), str(path), " and ".join(names)))
    return path
