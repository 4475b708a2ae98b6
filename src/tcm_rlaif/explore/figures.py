"""Figures of the explore notebook, in the style of `report.plots`."""

from collections.abc import Mapping, Sequence
from typing import Any

from tcm_rlaif.report.plots import COLOURS, subplots
from tcm_rlaif.study.types import DataFrame, Figure

HATCHES = ("", "//", "..", "xx", "--", "\\\\", "++", "oo")  # criteria stay apart in grey


def judged(criteria: Mapping[str, float], likely: Sequence[Mapping[str, Any]], title: str) -> Figure:
    """The criteria of a judge beside the herbs that the evidence finds likeliest.

    Args:
        likely: rows `herb`, `p`, and `written`: whether the answer holds it.
    """
    figure, (left, right) = subplots(1, 2, figsize=(10, 0.9 + 0.26 * max(len(criteria), len(likely))))
    left.bar_label(left.barh(list(criteria), list(criteria.values()), color=COLOURS[0]), fmt="%.2f", padding=3)
    left.set(title=title, xlim=(0, 1.15), xlabel="criterion, 1 is best")
    herbs, chances = [row["herb"] for row in likely], [row["p"] for row in likely]
    for bar, row in zip(right.barh(herbs, chances, edgecolor=COLOURS[0], lw=1.2), likely, strict=True):
        bar.set_facecolor(COLOURS[0] if row["written"] else "white")
    right.set(title="herbs by the evidence; filled: in the answer", xlabel="p(herb | case)")
    for axes in (left, right):
        axes.invert_yaxis()
    return figure


def next_tokens(rows: DataFrame, title: str) -> Figure:
    """Probabilities of the likeliest next tokens.

    Args:
        rows: `next`, `probability`, as `asking.next_tokens`.
    """
    names = [name.replace("$", r"\$") for name in rows["next"]]  # matplotlib reads $…$ as mathematics
    figure, axes = subplots(figsize=(7.2, 0.9 + 0.28 * len(rows)))
    shown = ["< 0.001" if p < 0.001 else f"{p:.3f}" for p in rows["probability"]]
    axes.bar_label(axes.barh(range(len(rows)), rows["probability"], color=COLOURS[0]), shown, padding=3)
    axes.set(yticks=range(len(rows)), yticklabels=names, title=title.replace("$", r"\$"))
    axes.set(xlabel="probability of what stands before |; behind it, how the model would go on")
    axes.invert_yaxis()
    axes.margins(x=0.12)
    return figure


def ranking(rows: Sequence[Mapping[str, Any]], judge: str) -> Figure:
    """Draws in the judge's order: what each criterion adds to the score, and the herb F1 where it is known.

    Args:
        rows: as `views.rank`.
    """
    figure, axes = subplots(figsize=(8.6, 1.2 + 0.42 * len(rows)))
    places, starts = range(len(rows)), [0.0] * len(rows)
    for number, name in enumerate(dict.fromkeys(name for row in rows for name in row["parts"])):
        widths = [row["parts"].get(name, 0.0) for row in rows]
        axes.barh(places, widths, left=starts, label=name, color=COLOURS[number % len(COLOURS)], edgecolor="white",
                  hatch=HATCHES[number % len(HATCHES)])  # fmt: skip
        starts = [start + width for start, width in zip(starts, widths, strict=True)]
    if all(row["herb_f1"] is not None for row in rows):
        axes.plot([row["herb_f1"] for row in rows], places, "D", ms=9, color="white", mec="black", label="herb F1")
    axes.set(yticks=places, yticklabels=[f"draw {row['draw']}" for row in rows], xlabel=f"score by the judge “{judge}”")
    axes.invert_yaxis()
    axes.legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure
