"""Figures: every one has its labels and legend, Han glyphs are drawn, and arms are told apart without colour."""

import warnings

import pandas as pd
import pytest

from tcm import knowledge
from tcm_rlaif.report import plots

HISTORY = [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0, "eval_loss": 1.5}, {"step": 3, "loss": 0.5}]
READINGS = [
    {
        "step": step, "chosen_logp_per_token": -1.0, "rejected_logp_per_token": -2.0, "margin": 0.1, "accuracy": 0.5,
        "format_valid": 1.0, "finished": 1.0, "judge_score": 0.4, "kl_per_token": 0.01, "length": 90.0,
    }
    for step in (0, 10)
]  # fmt: skip
ARMS = pd.DataFrame({
    "arm": ["base", "sft", "sft_dpo"], "mean": [0.1, 0.4, 0.5], "low": [0.05, 0.3, 0.45], "high": [0.2, 0.5, 0.6],
    "seeds": [[0.1], [0.35, 0.45], [0.48, 0.52]],
})  # fmt: skip
LINE = pd.DataFrame(
    [
        ("herb_f1", name, size, 0.2 + 0.001 * size, 0.1, 0.5)
        for name in ("expert", "popularity")
        for size in (10, 20, 40)
    ],
    columns=["metric", "answers by", "answers", "mean", "low", "high"],
)
GAINED = pd.DataFrame({
    "answers by": ["sft_dpo"] * 2 + ["sft, best of n"] * 2, "step": [1, 2, 1, 8], "kl": [0.5, 1.1, 0.0, 1.2],
    "judge_score": [0.85, 0.87, 0.83, 0.9], "herb_f1": [0.55, 0.59, 0.53, 0.6],
})  # fmt: skip
QUALITY = pd.DataFrame({"arm": ["a", "b"], "gain": [0.05, 0.0], "low": [0.01, -0.03], "high": [0.09, 0.03],
                        "order": [0.8, 0.5]})  # fmt: skip
FIGURES = {
    "judge_quality": lambda: plots.judge_quality(QUALITY, ["order"]),
    "curve": lambda: plots.curve(LINE, ARMS[1:].assign(answers=40), "herb_f1"),
    "frontier": lambda: plots.frontier(GAINED, "best of n", {"expert": {"judge_score": 0.95, "herb_f1": 0.88}}),
    "loss_curve": lambda: plots.loss_curve(HISTORY, "损失 SFT", {"loss": "训练", "eval_loss": "验证"}),
    "funnel": lambda: plots.funnel([{"步骤": "读入", "n": 200}, {"步骤": "去重", "n": 180}], "步骤", "n", "病例漏斗"),
    "bars": lambda: plots.bars({"十八反": 0.95, "剂量×5": 0.7}, "检出率", limit=0.8, xlabel="检出率"),
    "health": lambda: plots.health(READINGS),
    "lengths": lambda: plots.lengths({"金标准": [50, 60, 70], "sft": [40, 80]}, "长度", "字数"),
}


@pytest.fixture(autouse=True)
def _style():
    """The figures' style, on a screen that is none; all figures are closed afterwards."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    with matplotlib.rc_context():
        plots.style()
        yield
    plt.close("all")


def texts(figure) -> list[str]:
    """Every text that a reader sees."""
    from matplotlib.text import Text

    figure.canvas.draw()
    return [t.get_text() for t in figure.findobj(Text) if t.get_visible() and t.get_text()]


def drawn(figure) -> list[str]:
    """The warnings of drawing a figure."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figure.canvas.draw()
    return [str(w.message) for w in caught]


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn_without_a_warning(name):
    assert drawn(FIGURES[name]()) == []


@pytest.mark.parametrize(
    ("name", "labels"),
    {
        "loss_curve": ["损失 SFT", "step", "训练", "验证"],
        "frontier": ["judge_score", "herb_f1", "sft_dpo", "sft, best of n", "8", "expert"],
        "funnel": ["病例漏斗", "读入", "200", "去重", "180"],
        "bars": ["检出率", "十八反", "剂量×5", "0.95", "0.70", "limit 0.8"],
        "health": ["margin of implicit rewards", "chosen", "rejected", "ended by EOS", "step"],
        "lengths": ["长度", "字数", "count", "金标准 (n=3)", "sft (n=2)"],
    }.items(),
)  # fmt: skip
def test_every_figure_says_what_it_shows(name, labels):
    seen = texts(FIGURES[name]())
    assert [label for label in labels if label not in seen] == []


def test_a_han_label_would_warn_without_the_style():
    import matplotlib

    with matplotlib.rc_context({"font.family": ["DejaVu Sans"]}):
        assert any("missing from font" in message for message in drawn(FIGURES["bars"]()))


def test_every_character_of_the_knowledge_tables_can_be_drawn():
    from matplotlib import pyplot as plt

    words = [*knowledge.herbs(), *knowledge.forms(), *knowledge.formulas()]
    for p in knowledge.patterns():
        words += [p.disease, p.syndrome, p.treatment_principle, *p.key_symptoms, *p.tongue, *p.pulse]
    characters = sorted(set("".join(words)))
    assert len(characters) > 1000
    figure = plt.figure()
    figure.text(0, 0, "\n".join("".join(characters[i : i + 60]) for i in range(0, len(characters), 60)))
    assert drawn(figure) == []


def test_a_curve_is_drawn_only_where_it_was_logged():
    axes = plots.loss_curve(HISTORY, "", {"loss": "train", "eval_loss": "validation", "absent": "absent"}).axes[0]
    assert [(line.get_label(), line.get_xdata().tolist()) for line in axes.lines] == [
        ("train", [1, 2, 3]),
        ("validation", [2]),
    ]


def test_the_first_row_of_a_funnel_is_on_top():
    axes = FIGURES["funnel"]().axes[0]
    heights = {t.get_text(): axes.transData.transform((0, y))[1] for y, t in enumerate(axes.get_yticklabels())}
    assert heights["读入"] > heights["去重"]


def test_the_frontier_is_dashed_and_the_rounds_are_not():
    for axes in FIGURES["frontier"]().axes:
        styles = {line.get_label(): line.get_linestyle() for line in axes.lines}
        assert styles == {"sft_dpo": "-", "sft, best of n": "--", "expert": ":"}


def test_series_are_told_apart_without_colour():
    marks = [line.get_marker() for line in FIGURES["frontier"]().axes[0].lines if line.get_marker() != "None"]
    styles = [patch.get_linestyle() for patch in FIGURES["lengths"]().axes[0].patches]
    assert marks == [plots.mark_of("sft_dpo")[1], plots.mark_of("sft")[1]] and len(set(styles)) == 2


def test_no_legend_of_the_health_panel_lies_over_its_data():
    figure = plots.health(READINGS)
    figure.canvas.draw()
    for axes in figure.axes:
        if legend := axes.get_legend():
            assert not legend.get_window_extent().overlaps(axes.get_window_extent())


def test_the_health_panel_is_six_figures_over_the_steps_of_its_readings():
    figure = plots.health(READINGS)
    assert len(figure.axes) == 6
    assert all(list(line.get_xdata()) == [0, 10] for axes in figure.axes for line in axes.lines)
    assert sum(len(axes.lines) for axes in figure.axes) == 9


def test_the_curve_names_its_lines_its_points_and_every_size() -> None:
    assert {"expert", "popularity", "sft", "sft_dpo", "10", "20", "40"} <= set(texts(FIGURES["curve"]()))
