"""Figures of the notebooks, in one style: readable without colour, arms by marker and label, Han glyphs shipped along.

Every function draws into axes of its own and returns the figure; `show.show_figure` displays it with its alt text.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
)  # Okabe & Ito: told apart by all
MARKERS = ("o", "s", "D", "^", "v", "P", "X")


def style() -> None:
    """Set matplotlib up: sizes, colours, and a Han font from the environment for Chinese labels."""
    import matplotlib as mpl
    import seaborn as sns
    from matplotlib import font_manager

    sns.set_theme(style="whitegrid", context="notebook", palette=list(COLOURS))
    have = set(font_manager.get_font_names())
    shipped = _shipped_font()
    if shipped and not {"Noto Sans SC"} & have:
        font_manager.fontManager.addfont(shipped)
        have = set(font_manager.get_font_names())
    han = [
        f
        for f in ("Noto Sans SC", "Noto Sans CJK SC", "WenQuanYi Micro Hei", "PingFang SC", "Microsoft YaHei")
        if f in have
    ]
    mpl.rcParams.update({
        "font.family": ["DejaVu Sans", *han],  # a list here falls back glyph by glyph
        "figure.dpi": 110, "savefig.dpi": 110, "figure.constrained_layout.use": True, "axes.titlesize": "medium",
    })  # fmt: skip


def _shipped_font() -> str | None:
    from importlib.resources import files

    folder = files("pylopdf_fonts_zh_cn")
    fonts = sorted(str(f) for f in folder.rglob("*") if f.name.endswith((".ttf", ".otf", ".ttc")) and "Sans" in f.name)
    return fonts[0] if fonts else None


def loss_curve(history: Sequence[Mapping[str, float]], title: str, series: Mapping[str, str]) -> "Figure":
    """Training curves from log rows.

    Args:
        history: rows with `step` and logged values.
        series: log key -> label.
    """
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6.4, 3.2))
    for number, (name, label) in enumerate(series.items()):
        points = [(row["step"], float(row[name])) for row in history if name in row]
        if points:
            axes.plot(
                *zip(*points, strict=True), label=label, marker=MARKERS[number % len(MARKERS)], markevery=0.1, ms=5
            )
    axes.set(xlabel="step", title=title)
    if axes.lines:
        axes.legend()
    return figure


def funnel(rows: Sequence[Mapping[str, Any]], label: str, count: str, title: str) -> "Figure":
    """Horizontal bars of a funnel, first row on top, each with its number."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7.2, 0.5 + 0.4 * len(rows)))
    labels, values = [str(row[label]) for row in rows], [row[count] for row in rows]
    bars = axes.barh(range(len(rows)), values, color=COLOURS[0])
    axes.bar_label(bars, padding=3)
    axes.set(yticks=range(len(rows)), yticklabels=labels, title=title)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    return figure


def bars(values: Mapping[str, float], title: str, limit: float | None = None, xlabel: str = "") -> "Figure":
    """Horizontal bars of named values, with a line where a limit is."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7.2, 0.7 + 0.36 * len(values)))
    drawn = axes.barh(list(values), list(values.values()), color=COLOURS[0])
    axes.bar_label(drawn, fmt="%.2f", padding=3)
    if limit is not None:
        axes.axvline(limit, color=COLOURS[1], ls="--", label=f"limit {limit:g}")
        axes.legend(loc="lower right")
    axes.set(title=title, xlabel=xlabel)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    return figure


def health(rows: Sequence[Mapping[str, Any]]) -> "Figure":
    """The health panel: six small figures over steps."""
    from matplotlib import pyplot as plt

    panels = {
        "log-probability per token": {"chosen_logp_per_token": "chosen", "rejected_logp_per_token": "rejected"},
        "margin of implicit rewards": {"margin": "chosen - rejected"},
        "share": {"accuracy": "margin > 0", "format_valid": "format valid", "finished": "ended by EOS"},
        "judge's score of fresh answers": {"judge_score": "mean"},
        "KL(policy || reference) per token": {"kl_per_token": "estimate"},
        "length of answers": {"length": "characters"},
    }
    figure, grid = plt.subplots(2, 3, figsize=(10, 5))
    for axes, (title, series) in zip(grid.flat, panels.items(), strict=True):
        for number, (name, label) in enumerate(series.items()):
            axes.plot([r["step"] for r in rows], [r[name] for r in rows], marker=MARKERS[number], label=label)
        axes.set_title(title)
        axes.legend(fontsize="x-small")
    for axes in grid[1]:
        axes.set_xlabel("step")
    return figure


def arms(table: "pd.DataFrame", metric: str, floors: Mapping[str, float]) -> "Figure":
    """One metric by arm: mean with interval, one small point per seed, floors as dashed lines.

    Args:
        table: rows with `arm`, `mean`, `low`, `high` and `seeds` (list of means, one per seed).
        floors: name -> value of the answers that need no model.
    """
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7.2, 0.9 + 0.5 * len(table)))
    for y, row in enumerate(table.itertuples()):
        axes.errorbar(
            row.mean, y, xerr=[[row.mean - row.low], [row.high - row.mean]], marker=MARKERS[y % len(MARKERS)], ms=8,
            color=COLOURS[y % len(COLOURS)], capsize=4,
        )  # fmt: skip
        axes.plot(row.seeds, [y + 0.22] * len(row.seeds), "|", ms=8, color=COLOURS[y % len(COLOURS)])
    for number, (name, value) in enumerate(floors.items()):
        axes.axvline(
            value, ls=("--", ":", "-.", (0, (1, 3)))[number % 4], color="#666666", lw=1.3, label=f"{name} {value:.2f}"
        )
    axes.set(yticks=range(len(table)), yticklabels=table["arm"], xlabel=metric)
    axes.set_title(f"{metric}: mean over cases with interval; ticks are seeds, lines are floors")
    axes.invert_yaxis()
    axes.legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1.01, 0.5), title="floors")
    return figure


def lengths(samples: Mapping[str, Sequence[float]], title: str, xlabel: str) -> "Figure":
    """Histograms of lengths, one outline per group."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6.4, 3.0))
    for number, (name, values) in enumerate(samples.items()):
        axes.hist(
            values, bins=24, histtype="step", lw=1.8, ls=("-", "--", ":")[number % 3], label=f"{name} (n={len(values)})"
        )
    axes.set(title=title, xlabel=xlabel, ylabel="count")
    axes.legend()
    return figure
