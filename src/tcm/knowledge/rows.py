"""Read tab-separated tables so strictly that a wrong cell is named by file, line and column, with the fix."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import TypeVar

T = TypeVar("T")


class TableError(ValueError):
    """A table cell that cannot be used; the message names file, line, column and the fix."""


@dataclass(frozen=True)
class Row:
    """One line of a table: cells by column, and where it stands, so that every error can name the place."""

    file: str
    line: int
    cells: Mapping[str, str]

    def error(self, column: str, problem: str, fix: str) -> TableError:
        """An error that names file, line, column, what is wrong and the fix."""
        return TableError(f"{self.file}:{self.line}:{column}: {problem}; {fix}")

    def text(self, column: str, required: bool = False) -> str:
        """The cell, stripped."""
        value = self.cells[column].strip()
        if required and not value:
            raise self.error(column, "empty", "give a value")
        return value

    def items(self, column: str) -> tuple[str, ...]:
        """The parts of a ``|``-separated cell; an empty cell has none."""
        value = self.text(column)
        parts = tuple(part.strip() for part in value.split("|")) if value else ()
        if "" in parts:
            raise self.error(column, f"an empty entry in {value!r}", "take out the superfluous |")
        return parts

    def one_of(self, column: str, allowed: tuple[str, ...]) -> str:
        """The cell, which must be one of the allowed values."""
        value = self.text(column)
        if value not in allowed:
            choices = ", ".join(a or "(empty)" for a in allowed)
            raise self.error(column, f"unknown value {value!r}", f"write one of {choices}")
        return value

    def positive(self, column: str, value: str | None = None) -> float | None:
        """The cell (or a part of it) as a number above 0; None where it is empty."""
        value = self.text(column) if value is None else value.strip()
        if not value:
            return None
        if not re.fullmatch(r"\d+(\.\d+)?", value) or float(value) <= 0:
            raise self.error(column, f"{value!r} is no amount", "write a number above 0, such as 9 or 0.5")
        return float(value)

    def dose_range(self) -> tuple[float | None, float | None]:
        """`dose_min_g` and `dose_max_g`: both or neither, in this order."""
        low, high = self.positive("dose_min_g"), self.positive("dose_max_g")
        if (low is None) != (high is None) or (low is not None and low > high):
            raise self.error("dose_max_g", f"no range from {low} to {high}", "give both ends, the smaller one first")
        return low, high


def read_rows(folder: Traversable, name: str, columns: tuple[str, ...]) -> Iterator[Row]:
    """Read a table whose header must have exactly these columns.

    Raises:
        TableError: on a missing, unknown or repeated column, or a row with too few or too many cells.
    """
    lines = csv.reader(io.StringIO((folder / name).read_text("utf-8")), delimiter="\t", quoting=csv.QUOTE_NONE)
    header = next(lines, [])
    for column in columns:
        if column not in header:
            raise TableError(f"{name}:1:{column}: column missing; the header must be {' '.join(columns)}")
    if len(header) != len(columns):
        raise TableError(f"{name}:1:{header}: unknown or repeated column; the header must be {' '.join(columns)}")
    for number, cells in enumerate(lines, 2):
        if not any(cells):
            continue
        if len(cells) != len(header):
            column = header[min(len(cells), len(header)) - 1]
            raise TableError(
                f"{name}:{number}:{column}: {len(cells)} cells where the header has {len(header)}; "
                "put one tab between any two cells, also around empty ones"
            )
        yield Row(name, number, dict(zip(header, cells, strict=True)))


def keyed(rows: Iterator[Row], column: str, build: Callable[[Row], T]) -> dict[str, T]:
    """Rows by the key in `column`; a key that occurs twice is an error."""
    found: dict[str, T] = {}
    lines: dict[str, int] = {}
    for row in rows:
        key = row.text(column, required=True)
        if key in found:
            raise row.error(column, f"{key!r} stands already on line {lines[key]}", "keep one of the two rows")
        found[key], lines[key] = build(row), row.line
    return found
