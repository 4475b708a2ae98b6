"""The figures that compare arms: their means beside floors, all paired differences, safety beside the physicians'."""

from collections.abc import Mapping, Sequence
from statistics import median_low

from tcm.metrics import human
from tcm.metrics.intervals import ranged
from tcm_rlaif.report.marks import COLOURS, mark_of
from tcm_rlaif.report.plots import GREY, panels, subplots
from tcm_rlaif.study.types import Axes, DataFrame, Figure

FAR = 5.0  # a difference that reaches so many times as far as the middle one is told by an arrow; our choice
SAID = {"best_per_task": "best floor of each task"}


def overview(means: Mapping[str, DataFrame], floors: Mapping[str, Mapping[str, float]]) -> Figure:
    """Arms on several metrics, all on one scale from 0 to 1: mean, interval, one small tick per seed, floors as lines.

    Args:
        means: metric -> rows with `arm`, `mean`, `low`, `high` and `seeds` (list of means, one per seed).
        floors: metric -> name -> value of answers that need no model; each line bears its name.
    """
    arms = list(next(iter(means.values()))["arm"])
    size = (1.6 + 2.9 * len(means), 1.25 + 0.36 * len(arms))
    figure, drawn = subplots(1, len(means), figsize=size, sharey=True, squeeze=False)
    for axes, (metric, table) in zip(drawn[0], means.items(), strict=True):
        for y, row in enumerate(table.to_dict("records")):
            _estimate(axes, y, row["mean"], row, row["arm"])
        _named_lines(axes, floors.get(metric, {}))
        if metric in human.LINES:
            label = f"two practitioners, whole pattern {human.LINES[metric]:.2f} (another measure)"
            axes.axvline(human.LINES[metric], ls=(0, (6, 2)), color=COLOURS[3], lw=1.6, label=label)
            axes.legend(fontsize="x-small", loc="lower center", bbox_to_anchor=(0.5, -0.55))
        axes.set(xlim=(-0.02, 1.02), xlabel=metric)
        axes.set_xticks((0, 0.25, 0.5, 0.75, 1), ("0", "", "0.5", "", "1"))  # so that panels' ends do not run together
    _rows(drawn[0][0], arms)
    return figure


def _rows(axes: Axes, names: Sequence[str]) -> None:
    """Names of rows from top to bottom, with room for marks and ticks at both ends."""
    axes.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.45, -0.55))


def _estimate(axes: Axes, y: float, value: float, row: Mapping, arm: str, filled: bool = True) -> None:
    """A value with its interval and one small tick below it for each seed, in the colour and mark of an arm."""
    colour, marker = mark_of(arm)
    error = [[max(0, value - row["low"])], [max(0, row["high"] - value)]]
    axes.errorbar(value, y, xerr=error, marker=marker, color=colour, ms=7, capsize=3, ls="none",
                  mfc=colour if filled else "white")  # fmt: skip
    axes.plot(row["seeds"], [y + 0.3] * len(row["seeds"]), "|", ms=6, color=colour)


def _named_lines(axes: Axes, lines: Mapping[str, float]) -> None:
    """Vertical lines with their names above the axes, each on a line of its own so that no two overprint."""
    for number, (name, value) in enumerate(sorted(lines.items(), key=lambda line: line[1])):
        axes.axvline(value, ls=("--", ":", "-.")[number % 3], color=GREY, lw=1.4)
        side = "right" if value > 0.6 else "left" if value < 0.3 else "center"
        above = {"xytext": (0, 3 + 12 * number), "textcoords": "offset points", "fontsize": "x-small", "color": GREY}
        place = (value, 1), axes.get_xaxis_transform()
        axes.annotate(f"{SAID.get(name, name)} {value:.2f}", place[0], xycoords=place[1], ha=side, **above)


def forest(table: DataFrame) -> Figure:
    """Paired differences, one panel a metric: interval, one tick per seed; filled marks are the declared tests.

    What imitation adds to an untrained model may be fifty times what feedback adds. A difference so far off is an
    arrow with its numbers at the panel's edge, and the scale is that of the others: theirs are the ones to be read.

    Args:
        table: rows with `metric`, `arms` ("a - b", in the mark of a), `difference`, `low`, `high`, `seeds`, `declared`.
    """
    pairs, metrics = list(dict.fromkeys(table["arms"])), list(dict.fromkeys(table["metric"]))
    figure, drawn = panels(metrics, 2.7, 0.95 + 0.3 * len(pairs), margin=2.2, sharey=True)
    for metric, axes in drawn.items():
        shown = table[table["metric"] == metric].to_dict("records")
        reach = [max(abs(row["low"]), abs(row["high"])) for row in shown]
        for row, far in zip(shown, reach, strict=True):
            y = pairs.index(row["arms"])
            if far > FAR * median_low(reach):
                _arrow(axes, y, row)
            else:
                arm, declared = row["arms"].split(" - ")[0], bool(row["declared"])
                _estimate(axes, y, row["difference"], row, arm, filled=declared)
        axes.axvline(0, color=GREY, lw=1.3, ls="--")
        axes.locator_params(axis="x", nbins=4)  # labels of three decimals that do not touch
        axes.set_title(metric)
    _rows(drawn[metrics[0]], pairs)
    beyond = "; arrows: beyond the panel" if any(axes.texts for axes in drawn.values()) else ""
    figure.supxlabel(f"difference (right of 0: the first arm is higher){beyond}", fontsize="small")
    return figure


def _arrow(axes: Axes, y: float, row: Mapping) -> None:
    """A difference beyond its panel: an arrow towards it, with its numbers."""
    told, right = ranged(row, "difference", "+.2f"), row["difference"] > 0
    colour, _ = mark_of(row["arms"].split(" - ")[0])
    axes.annotate(
        f"{told} →" if right else f"← {told}", (0.98 if right else 0.02, y), xycoords=axes.get_yaxis_transform(),
        ha="right" if right else "left", va="center", fontsize="small", color=colour,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
    )  # fmt: skip


def describe(table: DataFrame) -> str:
    """The alt text of `forest`: the declared tests in full, since the table below it holds the rest."""
    shown = table[table["declared"].astype(bool)] if table["declared"].any() else table
    rows = (f"{r.arms}, {r.metric}: {r.difference:+.3f} ({r.low:+.3f} to {r.high:+.3f})" for r in shown.itertuples())
    return "Paired differences between arms, one panel a metric: " + "; ".join(rows)


def excess(table: DataFrame) -> Figure:
    """Safety findings beyond the physicians' own rate, one panel a kind of finding.

    Args:
        table: rows with `arm`, `finding`, `excess`, `low`, `high` and `seeds`.
    """
    arms, kinds = list(dict.fromkeys(table["arm"])), list(dict.fromkeys(table["finding"]))
    size = (1.6 + 2.9 * len(kinds), 0.95 + 0.34 * len(arms))
    figure, drawn = subplots(1, len(kinds), figsize=size, sharex=True, sharey=True, squeeze=False)
    for axes, kind in zip(drawn[0], kinds, strict=True):
        for row in table[table["finding"] == kind].to_dict("records"):
            _estimate(axes, arms.index(row["arm"]), row["excess"], row, row["arm"])
        axes.axvline(0, color=GREY, lw=1.3, ls="--")
        axes.set_title(kind)
    _rows(drawn[0][0], arms)
    figure.supxlabel("share of prescriptions with a finding, beyond that of the physicians' own", fontsize="small")
    return figure


def two_studies(shared: Sequence[tuple[str, str, Mapping, Mapping]], names: Sequence[str]) -> Figure:
    """Means with intervals of arms that two studies have, one panel a metric: the first filled, the second open.

    Args:
        shared: arm, metric, and the cell of each study with `mean`, `low` and `high`.
        names: of the studies.
    """
    arms, metrics = (list(dict.fromkeys(row[i] for row in shared)) for i in (0, 1))
    figure, drawn = panels(metrics, 2.9, 0.95 + 0.45 * len(arms), margin=1.6, sharey=True)
    for arm, metric, *cells in shared:
        for y, cell, filled in zip((-0.15, 0.15), cells, (True, False), strict=True):
            _estimate(drawn[metric], arms.index(arm) + y, cell["mean"], {**cell, "seeds": []}, arm, filled)
    for metric, axes in drawn.items():
        axes.set_title(metric)
    _rows(drawn[metrics[0]], arms)
    figure.supxlabel(f"filled: {names[0]}; open: {names[1]}", fontsize="small")
    return figure
