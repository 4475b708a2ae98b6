"""Figures that compare arms: arms, intervals, seeds, floors and differences are all drawn, in the arm's own mark."""

import matplotlib
import pandas as pd
import pytest

from tcm_rlaif.report import comparison_plots, plots
from tcm_rlaif.report.marks import mark_of

matplotlib.use("agg")
ARMS = pd.DataFrame({
    "arm": ["base", "sft", "sft_dpo"], "mean": [0.1, 0.4, 0.5], "low": [0.05, 0.3, 0.45], "high": [0.2, 0.5, 0.6],
    "seeds": [[0.1], [0.35, 0.45], [0.48, 0.52]],
})  # fmt: skip
FLOORS = {"herb_f1": {"best_per_task": 0.31, "expert": 0.62}, "usable": {"best_per_task": 1.0}}
DIFFERENCES = pd.DataFrame({
    "metric": ["herb_f1", "herb_f1", "usable"], "arms": ["sft - base", "sft_dpo - sft", "sft - base"],
    "difference": [0.4, 0.05, 0.3], "low": [0.3, -0.02, 0.2], "high": [0.5, 0.12, 0.4],
    "seeds": [[0.38, 0.42], [0.01, 0.09], [0.3]], "declared": [True, False, True],
})  # fmt: skip
EXCESS = pd.DataFrame({
    "arm": ["sft", "sft"], "finding": ["any finding", "overdose"], "excess": [0.2, -0.01], "low": [0.1, -0.02],
    "high": [0.3, 0.0], "seeds": [[0.2], [-0.01]],
})  # fmt: skip


@pytest.fixture(autouse=True)
def _style():
    """The reports' style; all figures are closed afterwards."""
    from matplotlib import pyplot as plt

    with matplotlib.rc_context():
        plots.style()
        yield
    plt.close("all")


def overview():
    return comparison_plots.overview({"herb_f1": ARMS, "usable": ARMS}, FLOORS)


def texts(figure) -> list[str]:
    from matplotlib.text import Text

    figure.canvas.draw()
    return [t.get_text() for t in figure.findobj(Text) if t.get_visible() and t.get_text()]


def marks(axes) -> list[tuple[str, str, list[float]]]:
    """Colour, mark and values of what is drawn for an arm."""
    ours = {mark_of(arm)[1] for arm in ARMS["arm"]}
    return [(line.get_color(), line.get_marker(), list(line.get_xdata())) for line in axes.lines
            if line.get_marker() in ours]  # fmt: skip


def test_the_overview_has_one_scale_from_0_to_1_and_every_arm_in_its_own_mark() -> None:
    figure = overview()
    assert all(axes.get_xlim() == (-0.02, 1.02) for axes in figure.axes)
    for axes in figure.axes:
        assert marks(axes) == [(*mark_of(arm), [mean]) for arm, mean in zip(ARMS["arm"], ARMS["mean"], strict=True)]
        ticks = [list(line.get_xdata()) for line in axes.lines if line.get_marker() == "|" and line.get_ydata()[0] % 1]
        assert ticks == ARMS["seeds"].tolist()


def test_floors_are_lines_with_their_names_and_no_two_names_overprint() -> None:
    figure = overview()
    assert {"best floor of each task 0.31", "expert 0.62", "best floor of each task 1.00"} <= set(texts(figure))
    close = comparison_plots.overview({"herb_f1": ARMS}, {"herb_f1": {"a_floor": 0.5, "another_floor": 0.51}})
    close.canvas.draw()
    boxes = [t.get_window_extent() for t in close.axes[0].texts]
    assert len(boxes) == 2 and not boxes[0].overlaps(boxes[1])


def test_every_paired_difference_is_drawn_and_only_declared_ones_are_filled() -> None:
    figure = comparison_plots.forest(DIFFERENCES)
    drawn = [mark for axes in figure.axes for mark in marks(axes)]
    assert sorted(mark[2][0] for mark in drawn) == sorted(DIFFERENCES["difference"])
    faces = [line.get_markerfacecolor() for axes in figure.axes for line in axes.lines if line.get_marker() in "sD"]
    assert faces.count("white") == 1
    assert {"sft - base", "sft_dpo - sft", "herb_f1", "usable"} <= set(texts(figure))
    assert comparison_plots.describe(DIFFERENCES).count("sft - base") == 2


def test_a_difference_that_dwarfs_the_others_is_an_arrow_and_theirs_can_be_read() -> None:
    small = {"difference": [0.013, 0.023, -0.009], "low": [0.004, 0.008, -0.024], "high": [0.022, 0.039, 0.005]}
    table = pd.DataFrame({
        "metric": "herb_f1", "arms": ["sft - base", "sft_dpo - sft", "best_of_n - sft", "random_choice - sft"],
        "seeds": [[]] * 4, "declared": True, **{key: [0.516, *values] for key, values in small.items()},
    })  # fmt: skip
    (axes,) = comparison_plots.forest(table).axes
    axes.figure.canvas.draw()
    low, high = axes.get_xlim()
    assert high - low < 0.1 and low < -0.024 and high > 0.039, "the small ones fill the panel"
    (arrow,) = [text for text in axes.texts if text.get_text()]
    assert arrow.get_text().startswith("+0.52 [") and arrow.get_text().endswith("→")
    box, panel = arrow.get_window_extent(), axes.get_window_extent()
    assert panel.x0 < box.x0 and box.x1 < panel.x1, "its numbers lie inside the panel"


def test_the_excess_stands_beside_zero_for_each_kind_of_finding() -> None:
    figure = comparison_plots.excess(EXCESS)
    assert {"any finding", "overdose", "sft"} <= set(texts(figure))
    assert [mark[2] for axes in figure.axes for mark in marks(axes)] == [[0.2], [-0.01]]


def test_a_metric_of_the_pattern_has_the_line_of_human_agreement_and_others_have_not() -> None:
    alone = comparison_plots.overview({"syndrome_f1": ARMS}, {})
    assert any("two practitioners" in text and "another measure" in text for text in texts(alone))
    assert not any("practitioners" in text for text in texts(overview()))
