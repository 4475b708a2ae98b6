"""What notebooks show is escaped and readable: tables with row headers, a model's words, figures with a description."""

import re

import pandas as pd
import pytest

from tcm_rlaif.report.safe_html import POLICY, clean, problems
from tcm_rlaif.report.show import LEFT, show_figure, show_table, show_text, table_html, with_n


def page_around(body: str) -> str:
    meta = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    return f'<!DOCTYPE html><html lang="en"><head>{meta}<title>t</title></head><body><main>{body}</main></body></html>'


def test_a_table_has_caption_row_headers_aligned_numbers_and_escaped_text() -> None:
    columns = {"herb <F1>": [0.123456, None], "n": [3, 40], "answer": ["a\nb", "<b>大枣5枚</b>"]}
    html = table_html(pd.DataFrame(columns, index=["sft", "dpo"]), "Main & only")
    assert "<caption>Main &amp; only</caption>" in html and 'aria-label="Main &amp; only"' in html
    assert '<th scope="col" class="num">herb &lt;F1&gt;</th>' in html
    assert f'<th scope="row" class="short"{LEFT}>sft</th>' in html
    assert f'<td class="num">0.123</td><td class="num">3</td><td{LEFT}>a<br>b</td>' in html
    assert f'<td class="num">–</td><td class="num">40</td><td{LEFT}>&lt;b&gt;大枣5枚&lt;/b&gt;</td>' in html
    assert problems(page_around(html)) == [] and clean(html) == html


def test_a_default_index_is_no_column_and_a_long_table_says_what_it_leaves_out() -> None:
    html = table_html(pd.DataFrame({"x": range(1000)}), "Long", rows=10)
    assert html.count("<tr>") == 11 and "The first 10 of 1000 rows." in html
    assert html.startswith('<div class="wide"') and '<th scope="row">' not in html


def test_small_numbers_are_not_rounded_to_nothing() -> None:
    html = table_html(pd.DataFrame({"rate": [5e-6, 0.0, 0.25]}), "Rates")
    assert re.findall(r'<td class="num">(.*?)</td>', html) == ["5.0e-06", "0.000", "0.250"]


def test_a_sum_that_ought_to_be_zero_shows_as_zero() -> None:
    html = table_html(pd.DataFrame({"difference": [-6.5e-18, -0.0, -0.25]}), "caption")
    assert re.findall(r'<td class="num">(.*?)</td>', html) == ["0.000", "0.000", "-0.250"]


@pytest.mark.parametrize("rows, folded", [(40, False), (41, True)])
def test_a_table_longer_than_a_screen_is_folded(rows, folded, monkeypatch) -> None:
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **_: shown.append(data["text/html"]))
    show_table(pd.DataFrame({"x": range(rows)}), "Layers & labels")
    assert ("<summary>Layers &amp; labels</summary>" in shown[0]) == folded


def test_numbers_in_a_list_are_rounded_like_others() -> None:
    html = table_html(
        pd.DataFrame({"seeds": [[0.97720977, 1 / 3], [1, None]], "what": [["sigmoid", "sft"], []]}), "By seed"
    )
    assert re.findall(r"<td.*?>(.*?)</td>", html) == ["[0.977, 0.333]", "[sigmoid, sft]", "[1, –]", "[]"]


def test_a_column_of_written_numbers_stands_like_one_of_numbers() -> None:
    table = pd.DataFrame({"F1": ["0.912 (58)", "–", "-0.05"], "of": ["5 of 5", "1 of 5", "–"]})
    html = table_html(table, "Means")
    assert re.findall(r'<td class="num">(.*?)</td>', html) == ["0.912 (58)", "–", "-0.05"]
    assert f'<td class="short"{LEFT}>5 of 5</td>' in html


def test_named_and_several_index_levels_become_row_headers() -> None:
    index = pd.MultiIndex.from_tuples([("sft", 0), ("sft", 1)], names=["arm", "seed"])
    html = table_html(pd.DataFrame({("F1", "mean"): [0.5, 0.6]}, index=index), "Two levels")
    assert re.findall(r'<th scope="col".*?>(.*?)</th>', html) == ["arm", "seed", "F1 mean"]
    first = f'<th scope="row" class="short"{LEFT}>sft</th><th scope="row" class="num">0</th><td class="num">0.500</td>'
    assert f"<tr>{first}</tr>" in html


def test_what_a_model_wrote_is_shown_letter_by_letter(capsys, monkeypatch) -> None:
    bundles = []
    monkeypatch.setattr("IPython.display.display", lambda data, **options: bundles.append((data, options)))
    show_text("治法：<script>x</script>\n  处方", label="sft_dpo & seed 1")
    (data, options) = bundles[0]
    assert options == {"raw": True}
    assert "<p>治法：&lt;script&gt;x&lt;/script&gt;<br>  处方</p>" in data["text/html"]
    assert data["text/plain"] == "sft_dpo & seed 1\n治法：<script>x</script>\n  处方"
    assert clean(data["text/html"]) == data["text/html"]


def test_a_figure_carries_its_description_and_is_closed(monkeypatch) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    shown_images = []
    monkeypatch.setattr("IPython.display.display", shown_images.append)
    figure, axes = pyplot.subplots()
    axes.plot([1, 2])
    with pytest.raises(ValueError, match="alt: describe"):
        show_figure(figure, " ")
    show_figure(figure, "A line that rises.")
    data, metadata = shown_images[0]._repr_mimebundle_()
    assert list(data) == ["image/png"] and metadata["image/png"]["alt"] == "A line that rises."
    assert not pyplot.fignum_exists(figure.number)


def test_a_folded_table_is_opened_by_its_caption(monkeypatch) -> None:
    bundles = []
    monkeypatch.setattr("IPython.display.display", lambda data, **options: bundles.append(data))
    show_table(pd.DataFrame({"x": [1]}), "a < b", folded=True)
    html = bundles[0]["text/html"]
    assert html.startswith('<details class="folded"><summary>a &lt; b</summary><div class="wide"')
    assert problems(page_around(html)) == [] and clean(html) == html


def test_a_table_that_is_too_wide_stands_in_blocks_that_hold_every_column_once() -> None:
    columns = [f"metric {n}" for n in range(17)]
    table = pd.DataFrame([range(17)], columns=columns, index=pd.Index(["sft"], name="arm"))
    html = table_html(table, "Wide")
    assert html.count("<table>") == 3 == html.count(">sft</th>")
    assert re.findall(r">(metric \d+)<", html) == columns and html.count("Wide (continued)</caption>") == 2
    assert max(len(re.findall(r"metric", part)) for part in html.split("<table>")) <= 7


def test_counts_go_into_the_header_where_they_are_one_and_into_the_cells_where_not() -> None:
    table = pd.DataFrame({"f1": [0.5, 0.25], "n f1": [9, 9], "gain": [0.1, None], "n gain": [4, 0]}, index=["a", "b"])
    merged = with_n(table)
    assert list(merged) == ["f1 (n = 9)", "gain"] and merged["gain"].tolist() == ["0.100 (4)", "–"]


def test_only_rows_with_another_count_than_most_bear_it_in_the_cell() -> None:
    merged = with_n(pd.DataFrame({"f1": [0.5, 0.25, 0.75], "n f1": [150, 150, 58]}, index=["sft", "dpo", "copy"]))
    assert merged["f1 (n = 150)"].tolist() == ["0.500", "0.250", "0.750 (58)"] and list(merged) == ["f1 (n = 150)"]


def test_counts_stay_whole_where_one_is_missing_and_means_keep_their_decimals() -> None:
    html = table_html(pd.DataFrame({"n": [150.0, None], "f1": [1.0, 0.0], "loss": [2.0, 0.5]}), "Counts")
    assert re.findall(r">([\d.–]+)</td>", html) == ["150", "1.000", "2.000", "–", "0.000", "0.500"]


def test_long_names_break_behind_underscores_and_a_crowded_table_wraps_its_short_texts() -> None:
    names = [f"metric_number_{n}" for n in range(6)]
    narrow = table_html(pd.DataFrame([["补中益气"] * 2], columns=names[:2], index=pd.Index(["a_b"], name="arm")), "N")
    crowded = table_html(pd.DataFrame([["补中益气，升阳举陷"] * 6], columns=names), "C")
    assert ">metric_<wbr>number_<wbr>0<" in narrow and ">a_<wbr>b<" in narrow
    assert 'class="short"' in narrow and 'class="short"' not in crowded
    assert problems(page_around(narrow)) == [] and clean(narrow) == narrow
