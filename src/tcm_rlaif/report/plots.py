"""Figures of the notebooks, in one style: readable without colour, arms by mark and label, Han glyphs shipped along.

Every function draws into axes of its own and returns the figure; `show.show_figure` displays it with its alt text.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tcm_rlaif.report.marks import COLOURS, MARKERS, mark_of
from tcm_rlaif.study.types import Axes, DataFrame, Figure

GREY = "#666666"  # what is no arm
COLUMNS = 3  # panels side by side


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


def subplots(*shape: int, **how: Any) -> tuple[Figure, Any]:
    """As of pyplot, which is loaded when the first figure is drawn."""
    from matplotlib import pyplot

    return pyplot.subplots(*shape, **how)


def panels(
    names: Sequence[str], width: float, height: float, margin: float = 0, **how: Any
) -> tuple[Figure, dict[str, Axes]]:
    """A figure with one panel a name, three in a row.

    Args:
        width, height: of a panel; margin: beside all of them. In inches.
    """
    columns = min(COLUMNS, len(names))
    rows = -(-len(names) // columns)
    size = (margin + width * columns, height * rows)
    figure, grid = subplots(rows, columns, figsize=size, squeeze=False, **how)
    for spare in grid.flat[len(names) :]:
        spare.set_axis_off()
    return figure, dict(zip(names, grid.flat, strict=False))


def loss_curve(history: Sequence[Mapping[str, float]], title: str, series: Mapping[str, str]) -> Figure:
    """Training curves from log rows.

    Args:
        history: rows with `step` and logged values.
        series: log key -> label.
    """
    figure, axes = subplots(figsize=(6.4, 3.2))
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


def funnel(rows: Sequence[Mapping[str, Any]], label: str, count: str, title: str) -> Figure:
    """Horizontal bars of a funnel, first row on top, each with its number."""
    figure, axes = subplots(figsize=(7.2, 0.5 + 0.4 * len(rows)))
    labels, values = [str(row[label]) for row in rows], [row[count] for row in rows]
    bars = axes.barh(range(len(rows)), values, color=COLOURS[0])
    axes.bar_label(bars, padding=3)
    axes.set(yticks=range(len(rows)), yticklabels=labels, title=title)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    return figure


def bars(values: Mapping[str, float], title: str, limit: float | None = None, xlabel: str = "") -> Figure:
    """Horizontal bars of named values, with a line where a limit is."""
    figure, axes = subplots(figsize=(7.2, 0.7 + 0.36 * len(values)))
    drawn = axes.barh(list(values), list(values.values()), color=COLOURS[0])
    axes.bar_label(drawn, fmt="%.2f", padding=3)
    if limit is not None:
        axes.axvline(limit, color=COLOURS[1], ls="--", label=f"limit {limit:g}")
        axes.legend(loc="lower right")
    axes.set(title=title, xlabel=xlabel)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    return figure


def health(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """The health panel: six small figures over steps."""
    readings = {
        "log-probability per token": {"chosen_logp_per_token": "chosen", "rejected_logp_per_token": "rejected"},
        "margin of implicit rewards": {"margin": "chosen - rejected"},
        "share": {"accuracy": "margin > 0", "format_valid": "format valid", "finished": "ended by EOS"},
        "judge's score of fresh answers": {"judge_score": "mean"},
        "KL(policy || reference) per token": {"kl_per_token": "estimate"},
        "length of answers": {"length": "characters"},
    }
    figure, grid = subplots(2, 3, figsize=(10, 5.4))
    for axes, (title, series) in zip(grid.flat, readings.items(), strict=True):
        _readings(axes, rows, series)
        axes.set_title(title)
        if len(series) > 1:
            axes.legend(fontsize="x-small", loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=len(series))
    for axes in grid[1]:
        axes.set_xlabel("step")
    return figure


def _readings(axes: Axes, rows: Sequence[Mapping[str, Any]], series: Mapping[str, str]) -> None:
    for number, (name, label) in enumerate(series.items()):
        axes.plot([r["step"] for r in rows], [r.get(name) for r in rows], marker=MARKERS[number], label=label,
                  ls=("-", "--", ":")[number % 3])  # fmt: skip


def ill(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Small multiples of the health panel: one row a run, four readings side by side.

    Args:
        runs: name of the run -> its readings.
    """
    readings = {
        "log-probability per token": {"chosen_logp_per_token": "chosen", "rejected_logp_per_token": "rejected"},
        "judge and herb F1": {"judge_score": "judge", "herb_f1": "herb F1"},
        "shares": {"format_valid": "format valid", "finished": "ended", "usable": "usable"},
        "KL per token": {"kl_per_token": "KL"},
    }
    size = (10, 0.9 + 1.5 * len(runs))
    figure, grid = subplots(len(runs), len(readings), figsize=size, squeeze=False, layout="constrained")
    figure.get_layout_engine().set(wspace=0.08)
    for line, (name, rows) in zip(grid, runs.items(), strict=True):
        for axes, series in zip(line, readings.values(), strict=True):
            _readings(axes, rows, series)
        line[0].set_ylabel(name.replace("/", "\n"), fontsize="small")
    for axes, title in zip(grid[0], readings, strict=True):
        axes.set_title(title, fontsize="small")
    for axes in grid[-1]:
        axes.set_xlabel("step", fontsize="small")
        axes.legend(fontsize="x-small", loc="upper center", bbox_to_anchor=(0.5, -0.42))
    return figure


def curve(rows: DataFrame, points: DataFrame, metric: str) -> Figure:
    """What needs no model by the number of answers that it knows, as lines with intervals; trained arms as points.

    Args:
        rows: as `evaluation.curve.measure`.
        points: rows `arm`, `answers`, `mean`, `low` and `high`.
    """
    figure, axes = subplots(figsize=(7.2, 4.0))
    lines = rows[rows["metric"] == metric].groupby("answers by", sort=True)
    for number, (name, line) in enumerate(lines):
        axes.plot(line["answers"], line["mean"], ls=("-", "--", ":", "-.")[number % 4], color=GREY, label=name)
        axes.fill_between(line["answers"].astype(float), line["low"], line["high"], color=GREY, alpha=0.15, lw=0)
    for number, row in enumerate(points.itertuples()):
        colour, marker = mark_of(row.arm)
        axes.errorbar(row.answers * (1 + 0.03 * number), row.mean, yerr=[[row.mean - row.low], [row.high - row.mean]],
                      ms=7, marker=marker, color=colour, label=row.arm, capsize=4, ls="")  # fmt: skip
    axes.set(xscale="log", xlabel="training answers", ylabel=metric, ylim=(0, None))
    shown = sorted(set(rows["answers"]))
    axes.set_xticks(shown, [str(n) for n in shown])
    axes.minorticks_off()
    axes.set_title(f"{metric} on the test cases by the number of answers known")
    axes.legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1.01, 0.5), title="lines need no model")
    return figure


def judge_quality(table: DataFrame, figures: Sequence[str]) -> Figure:
    """Gain of learning from a judge against each of the audit's figures of that judge; one mark an arm.

    Args:
        table: rows with `arm`, `gain`, `low`, `high` and a column for each of `figures`.
    """
    figure, drawn = subplots(1, len(figures), figsize=(5 * len(figures), 3.8), sharey=True, squeeze=False)
    for axes, name in zip(drawn[0], figures, strict=True):
        for row in table.to_dict("records"):
            error, (colour, marker) = [[row["gain"] - row["low"]], [row["high"] - row["gain"]]], mark_of(row["arm"])
            axes.errorbar(row[name], row["gain"], yerr=error, marker=marker, capsize=3, ls="", color=colour,
                          label=row["arm"])  # fmt: skip
        axes.axhline(0, color=GREY, lw=1.3, ls="--")
        axes.set(xlabel=f"the judge: {name}")
    drawn[0][0].set_ylabel("gain in herb F1 over the start")
    drawn[0][-1].legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def frontier(table: DataFrame, dashed: str, floors: Mapping[str, Mapping[str, float]]) -> Figure:
    """Judge's score and herb F1 against the distance from the model before feedback.

    Args:
        table: rows with `answers by`, `step` (round, or n), `kl`, `judge_score`, `herb_f1`.
        dashed: the end of the names that are drawn dashed: the frontier.
        floors: name -> `judge_score`, `herb_f1` of answers that need no model, drawn as dotted lines.
    """
    figure, both = subplots(1, 2, figsize=(10, 3.6))
    for axes, key in zip(both, ("judge_score", "herb_f1"), strict=True):
        for name, part in table.groupby("answers by", sort=False):
            part, style = part.sort_values("step"), "--" if str(name).endswith(dashed) else "-"
            colour, marker = mark_of(str(name).split(",")[0])  # best of n bears the mark of the arm that it draws from
            axes.plot(part["kl"], part[key], ls=style, marker=marker, color=colour, label=name)
            for row in part.itertuples():
                axes.annotate(f"{row.step:g}", (row.kl, getattr(row, key)), fontsize="x-small", xytext=(3, 4),
                              textcoords="offset points")  # fmt: skip
        for number, (name, values) in enumerate(floors.items()):
            axes.axhline(values[key], ls=(":", "-.")[number % 2], color=GREY, lw=1.3, label=name)
        axes.set(ylabel=key)
    both[1].legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1.01, 0.5))
    figure.supxlabel("KL from the model before feedback, nats an answer", fontsize="small")
    figure.suptitle("numbers are rounds of feedback, or n of best of n", fontsize="medium")
    return figure


def lengths(samples: Mapping[str, Sequence[float]], title: str, xlabel: str) -> Figure:
    """Histograms of lengths, one outline per group."""
    figure, axes = subplots(figsize=(6.4, 3.0))
    for number, (name, values) in enumerate(samples.items()):
        axes.hist(
            values, bins=24, histtype="step", lw=1.8, ls=("-", "--", ":")[number % 3], label=f"{name} (n={len(values)})"
        )
    axes.set(title=title, xlabel=xlabel, ylabel="count")
    if len(samples) > 1:
        axes.legend()
    return figure
