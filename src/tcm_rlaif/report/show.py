"""How notebooks show tables, figures and what a model wrote: safe in JupyterLab and in the HTML report alike.

In a live JupyterLab, HTML made from a model's words could run with the reader's rights. So nothing else in this
project builds HTML for display, and everything here escapes.
"""

import io
import math
import re
from html import escape
from numbers import Integral, Real

from tcm.unseen import visible
from tcm_rlaif.study.types import DataFrame, Figure

NUMBERS, SHORT, WORDS, PROSE = ' class="num"', ' class="short"', "", ' class="prose"'  # how a column is set
ROOM = 100  # letters side by side that fit a page; a Han character is two
WIDE = 7  # columns that fit a printed page beside the names of the rows
LONG = 40  # rows above which a table is folded
COLOURS = 96  # of a picture's palette
DOTS = 110  # to the inch, as a page shows a figure
NUMBER = re.compile(r"–|[+-]?\d+(\.\d+)?( \(\d+\))?")  # a written number, with its n behind it or not
SHARP = 2  # pixels of a figure for each that a page gives it


def show_table(table: DataFrame, caption: str, digits: int = 3, rows: int = 200, folded: bool = False) -> None:
    """Show a table with its caption.

    Args:
        table: a named or non-default index becomes the first column.
        caption: what the reader sees in it.
        digits: decimals of floating-point numbers; a missing value shows as a dash.
        rows: how many to show at most; a note says how many there are.
        folded: whether the reader opens it; for what a figure beside it shows already. A table of more than `LONG`
            rows is folded in any case: what stands below it would be out of sight.
    """
    html = table_html(table, caption, digits, rows)
    if folded or len(table) > LONG:
        html = f'<details class="folded"><summary>{escape(caption)}</summary>{html}</details>'
    _display({"text/html": html, "text/plain": f"{caption}\n{table}"})


def with_n(table: DataFrame) -> DataFrame:
    """A table of means with its columns `n METRIC` put into the others: in the header what most rows have."""
    merged = table.copy()
    for name in [column for column in table.columns if f"n {column}" in table.columns]:
        counts = merged.pop(f"n {name}")
        rows = counts.value_counts()
        most = rows.index[0] if 2 * rows.iloc[0] > len(counts) else None
        if len(rows) > 1:
            other = [f" ({n:g})" if n != most else "" for n in counts]
            merged[name] = [
                "–" if mean != mean else f"{mean:.3f}{n}" for mean, n in zip(table[name], other, strict=True)
            ]
        if most is not None:
            merged = merged.rename(columns={name: f"{name} (n = {most:g})"})
    return merged


def table_html(table: DataFrame, caption: str, digits: int = 3, rows: int = 200) -> str:
    """The HTML that `show_table` shows; a table that is too wide for a page in blocks of columns below each other."""
    levels = 0 if _plain(table) else table.index.nlevels
    if len(table.columns) > WIDE and levels:
        blocks = -(-len(table.columns) // WIDE)
        each = -(-len(table.columns) // blocks)
        parts = [table.iloc[:, start : start + each] for start in range(0, len(table.columns), each)]
        captions = [caption, *[f"{caption} (continued)"] * (blocks - 1)]
        return "".join(_one_table(part, said, digits, rows) for part, said in zip(parts, captions, strict=True))
    return _one_table(table, caption, digits, rows)


def _plain(table: DataFrame) -> bool:
    return table.index.name is None and table.index.equals(type(table)(index=range(len(table))).index)


def _one_table(table: DataFrame, caption: str, digits: int, rows: int) -> str:
    plain = _plain(table)
    levels = 0 if plain else table.index.nlevels
    shown = (table if plain else table.reset_index()).head(rows)
    columns = [" ".join(map(str, c)).strip() if isinstance(c, tuple) else str(c) for c in shown.columns]
    if levels == 1 and table.index.name is None:
        columns[0] = ""  # reset_index calls it "index"
    given = [list(shown.iloc[:, i]) for i in range(len(columns))]
    kinds, places = [_kind(values) for values in given], [0 if _counts(values) else digits for values in given]
    if sum(map(_width, given, kinds)) > ROOM:  # then short texts break too, before a column is out of sight
        kinds = [WORDS if kind == SHORT else kind for kind in kinds]
    aligned = [kind if kind == NUMBERS else LEFT for kind in kinds]
    head = "".join(f'<th scope="col"{a}>{_name(name)}</th>' for name, a in zip(columns, aligned, strict=True))
    body = "\n".join(_row(row, kinds, levels, places) for row in shown.itertuples(index=False, name=None))
    label = escape(caption)
    more = f'<p class="note">The first {rows} of {len(table)} rows.</p>' if len(table) > rows else ""
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{label}">'
        f"<table><caption>{label}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>{more}"
    )


LEFT = ' style="text-align: left;"'  # JupyterLab sets every cell to the right


def _row(values: tuple, kinds: list[str], levels: int, places: list[int]) -> str:
    cells = []
    for i, (value, kind, digits) in enumerate(zip(values, kinds, places, strict=True)):
        tag = 'th scope="row"' if i < levels else "td"
        text, aligned = _text(value, digits), kind if kind == NUMBERS else kind + LEFT
        cells.append(f"<{tag}{aligned}>{_lines(text) if i else _name(text)}</{tag[:2]}>")
    return f"<tr>{''.join(cells)}</tr>"


def _lines(text: str) -> str:
    """Escaped text whose line breaks are seen in JupyterLab, too."""
    return escape(text).replace("\n", "<br>")


def _name(text: str) -> str:
    """The name of a row or a column, which may break behind its underscores."""
    return _lines(text).replace("_", "_<wbr>")


def _width(values: list, kind: str) -> int:
    """Letters that a column takes: those of its longest text, or what numbers and running text are content with."""
    longest = max((sum(1 + (ord(c) >= 0x2E80) for c in str(value)) for value in values), default=0)
    return {NUMBERS: 8, PROSE: 32}.get(kind, longest)


def _kind(values: list) -> str:
    """How a column is set: numbers to the right, short texts in one line, running text with room."""
    if all(v is None or isinstance(v, Real) and not isinstance(v, bool) for v in values):
        return NUMBERS
    if all(isinstance(v, str) and NUMBER.fullmatch(v) for v in values):
        return NUMBERS
    longest = max((len(str(v)) for v in values), default=0)
    return PROSE if longest > 60 else SHORT if longest <= 24 and not any("\n" in str(v) for v in values) else WORDS


def _counts(values: list) -> bool:
    """Whether a column holds counts that a missing one made floating-point numbers."""
    numbers = [v for v in values if isinstance(v, Real) and math.isfinite(v)]
    return all(v == int(v) for v in numbers) and max(map(abs, numbers), default=0) > 1


def _text(value: object, digits: int) -> str:
    import pandas as pd

    if isinstance(value, list):
        return f"[{', '.join(_text(one, digits) for one in value)}]"
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return "–"
    if not isinstance(value, Real) or isinstance(value, Integral):
        return str(value)
    small = 1e-12 < abs(value) < 10**-digits  # below it stand sums that ought to be 0
    return f"{value:.1e}" if small else f"{value:z.{digits}f}"


def show_figure(figure: Figure, alt: str) -> None:
    """Show a figure once, with a description for readers who cannot see it.

    Args:
        figure: closed afterwards, so that Jupyter does not show it again.
        alt: what the figure shows and what to see in it, in a sentence or two.

    Raises:
        ValueError: without a description.
    """
    from IPython.display import Image, display

    if not alt.strip():
        raise ValueError("alt: describe in a sentence what the figure shows")
    png, width = figure_png(figure)
    display(Image(data=png, format="png", alt=alt.strip(), width=width))


def figure_png(figure: Figure) -> tuple[bytes, int]:
    """A figure as a small sharp PNG, and the width in pixels at which a page shows it; the figure is closed."""
    import PIL.Image
    from matplotlib import pyplot

    drawn, png = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=SHARP * DOTS, bbox_inches="tight")
    pyplot.close(figure)
    picture = PIL.Image.open(drawn).convert("RGB")
    picture.quantize(COLOURS).save(png, "png", optimize=True)  # a third of the bytes, and no difference to be seen
    return png.getvalue(), picture.width // SHARP


def show_text(text: str, label: str = "") -> None:
    """Show what a model or a case record says, exactly as it stands.

    Args:
        text: any text; it is escaped.
        label: whose words these are.
    """
    head = f'<p class="label">{escape(label)}</p>' if label else ""
    html = f'<blockquote class="said" lang="zh-Hans">{head}<p>{_lines(text)}</p></blockquote>'
    _display({"text/html": html, "text/plain": f"{label}\n{text}".strip()})


def _display(bundle: dict[str, str]) -> None:
    from IPython.display import display

    display({kind: visible(text) for kind, text in bundle.items()}, raw=True)
