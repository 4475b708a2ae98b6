"""Figures of 07_probes: accuracy by layer, the Pareto front, and score against feature density."""

from tcm_rlaif.evaluation.feature_density import FEATURES
from tcm_rlaif.evaluation.pareto import front
from tcm_rlaif.report.plots import COLOURS, GREY, MARKERS, panels
from tcm_rlaif.study.types import DataFrame, Figure, Series

STYLES = {"last": "-", "mean": "--"}


def layers(table: DataFrame, majority: Series) -> Figure:
    """Probe accuracy by layer, one panel a label; the controls in grey.

    Args:
        table: as `probes.by_layer`.
        majority: label -> share of its largest class.
    """
    figure, drawn = panels(list(dict.fromkeys(table["label"])), 3.9, 3.1)
    for label, axes in drawn.items():
        part = table[table["label"] == label]
        for number, (arm, of_arm) in enumerate(part.groupby("arm", sort=False)):
            for state, line in of_arm.groupby("state", sort=False):
                error = [line["accuracy"] - line["low"], line["high"] - line["accuracy"]]
                axes.errorbar(
                    line["layer"], line["accuracy"], yerr=error,
                    ls=STYLES[state], marker=MARKERS[number % len(MARKERS)], ms=5, lw=1.4, elinewidth=0.7,
                    color=COLOURS[number % len(COLOURS)], label=f"{arm}, {state}",
                )  # fmt: skip
        control = part.groupby("layer")["shuffled"].mean()
        axes.plot(control.index, control, ls=":", color=GREY, label="shuffled labels")
        axes.axhline(majority[label], ls="-.", lw=1.2, color=GREY, label="largest class")
        axes.set(title=label, xlabel="layer (0 = embeddings)", ylabel="accuracy", ylim=(0, 1.02))
    _legend(figure, drawn)
    return figure


def pareto(table: DataFrame, metric: str) -> Figure:
    """What is encoded against what is answered, with intervals; one panel a label, a line along the Pareto front.

    Args:
        table: as `probes.against_score`, of one reading.
    """
    figure, drawn = panels(list(dict.fromkeys(table["label"])), 3.9, 3.1)
    for label, axes in drawn.items():
        part = table[table["label"] == label]
        best = part[front(part[["encoded", "score"]].to_numpy())].sort_values("encoded")
        x = [part["encoded"].min(), *best["encoded"], best["encoded"].iloc[-1]]
        y = [best["score"].iloc[0], *best["score"], part["score"].min()]
        axes.step(x, y, where="pre", color=GREY, lw=1.2, ls="--", label="Pareto front")
        for number, row in enumerate(part.to_dict("records")):
            error = {
                axis: [[row[key] - row[f"{key} low"]], [row[f"{key} high"] - row[key]]]
                for axis, key in (("xerr", "encoded"), ("yerr", "score"))
            }
            axes.errorbar(row["encoded"], row["score"], **error, ls="", marker=MARKERS[number % len(MARKERS)], ms=8,
                          elinewidth=0.8, color=COLOURS[number % len(COLOURS)], label=row["arm"])  # fmt: skip
        axes.set(title=label, xlabel="accuracy of the probe", ylabel=metric)
        axes.margins(0.15)
        axes.locator_params(nbins=5)
    _legend(figure, drawn)
    return figure


def density(points: DataFrame, metric: str) -> Figure:
    """Score against the feature density of the training answers, one panel a kind of feature, one line a curve."""
    figure, drawn = panels(FEATURES, 3.9, 3.1)
    for kind, axes in drawn.items():
        for number, (curve, part) in enumerate(points.groupby("curve", sort=False)):
            line = ("-", "--", "-.")[number // len(COLOURS) % 3]
            axes.errorbar(part[kind], part["score"], yerr=part["half"], marker=MARKERS[number % len(MARKERS)], ls=line,
                          color=COLOURS[number % len(COLOURS)], capsize=3, label=curve)  # fmt: skip
            for row in part.to_dict("records") if number == 0 else ():  # curves of a study share their subsets
                axes.annotate(str(row["answers"]), (row[kind], row["score"]), fontsize="x-small", xytext=(4, 4),
                              textcoords="offset points")  # fmt: skip
        axes.set(title=kind, xlabel="distinct / all", ylabel=metric)
    _legend(figure, drawn)
    return figure


def _legend(figure: Figure, drawn: dict) -> None:
    handles, labels = next(iter(drawn.values())).get_legend_handles_labels()
    figure.legend(handles, labels, fontsize="x-small", loc="outside right upper")
