"""The figure of a study with a data-size axis: score against the number of training answers, and what it took."""

from tcm_rlaif.evaluation.data_size import PLAIN
from tcm_rlaif.report.plots import COLOURS, MARKERS, subplots
from tcm_rlaif.study.types import DataFrame, Figure

STYLES = ("-", "--", "-.")


def figure(table: DataFrame, floors: DataFrame, key: str) -> Figure:
    """One line an idea: its mean by number of answers on the left, its minutes of training on the right.

    Args:
        table: as `evaluation.data_size.rows`.
        floors: as `evaluation.curve.measure`: what needs no model with as many answers, drawn as dotted lines.
        key: the metric.
    """
    drawn, (left, right) = subplots(1, 2, figsize=(11, 5.2), width_ratios=(2, 1))
    sizes = sorted(table["answers"].unique())
    for number, (idea, part) in enumerate(table.groupby("idea", sort=False)):
        part = part.sort_values("answers")
        style = {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)],
                 "ls": STYLES[number // len(COLOURS) % len(STYLES)], "lw": 1.4 if number else 2.8}  # fmt: skip
        left.plot(part["answers"], part["mean"], label=idea, **style)
        right.plot(part["answers"], part["minutes"], **style)
    first = table[table["idea"] == (PLAIN if PLAIN in set(table["idea"]) else table["idea"].iloc[0])]
    first = first.sort_values("answers")
    left.fill_between(first["answers"].astype(float), first["low"], first["high"], color=COLOURS[0], alpha=0.12, lw=0)
    for number, (name, line) in enumerate(floors[floors["metric"] == key].groupby("answers by")):
        line = line[line["answers"] <= max(sizes)]
        left.plot(line["answers"], line["mean"], ls=":", color=("#000000", "#555555", "#999999")[number % 3], lw=1.8,
                  label=f"{name} (no model)")  # fmt: skip
    for axes, label in ((left, key), (right, "minutes of SFT")):
        axes.set_xscale("log")
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
        axes.set(xlabel="training answers", ylabel=label)
    drawn.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize="x-small")
    drawn.suptitle(f"{key} by number of training answers; band: interval of {first['idea'].iloc[0]} over seeds, cases")
    return drawn
