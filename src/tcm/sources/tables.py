"""Any file that records come in -> rows with their place: spreadsheets, separated text, JSON lines, a JSON list.

What a file is, its encoding and its separator are found out, never asked for, and said. Names of columns lose blanks at
their ends; cells keep what they hold (numbers, dates, lists), for the readers of single fields to judge.
"""

import csv
import io
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tcm.cases import CaseError
from tcm.files import parse_json
from tcm.sources.extent import refuse_what_fits_nowhere
from tcm.sources.reading import decode, json_rows
from tcm.unseen import without

SPREADSHEET = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # a zip (.xlsx, .ods) or the older .xls
JSON_NAMES = (".json", ".jsonl", ".ndjson")
SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars"}


@dataclass(frozen=True)
class Row:
    """One record as it stands in the file.

    Args:
        line: of the file (a row of a sheet, a record of a JSON list), counted from 1.
        cells: column -> what it holds.
    """

    line: int
    cells: dict[str, Any]


@dataclass(frozen=True)
class Table:
    """The records of one file.

    Args:
        path: the file.
        said: what the file was taken for, e.g. ``text in GB18030, separated by semicolons``.
        unit: what `Row.line` counts: ``line``, ``row`` or ``record``.
        columns: names in their order.
        rows: those that hold anything.
        merged: (first line, last line, column) of cells that a spreadsheet merges downwards.
    """

    path: Path
    said: str
    unit: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    merged: tuple[tuple[int, int, str], ...] = ()

    def place(self, line: int) -> str:
        """File and line, as an error message begins."""
        return f"{self.path}:{line}" if self.unit != "record" else f"{self.path}: record {line}"


def read_table(path: Path) -> Table:
    """Read the records of a file.

    Raises:
        CaseError: names file, line and the fix.
    """
    if not path.is_file():
        raise CaseError(f"{path}: no such file; correct data_path")
    content = path.read_bytes()
    if content.startswith(SPREADSHEET):
        return _spreadsheet(path)
    text, encoding = decode(content, path)
    if text.lstrip()[:1] == "<":
        raise CaseError(f"{path}: is a web page, whatever its name says; open it in a spreadsheet and save it as .xlsx")
    begins = text.lstrip()[:1]
    if path.suffix.lower() in JSON_NAMES or begins == "{":
        if begins == "[" and _is_list(path, text):
            return _json_list(path, text, encoding)
        return _table_of(path, f"JSON lines in {encoding}", "line", list(json_rows(path, text)))
    return _separated(path, text, encoding)


# JSON


def _is_list(path: Path, text: str) -> bool:
    """Whether a text is one JSON list; a text of several lines that are each a value of their own is not."""
    try:
        _, end = json.JSONDecoder().raw_decode(text.lstrip())
    except json.JSONDecodeError as error:
        raise CaseError(f"{path}:{error.lineno}: no valid JSON ({error.msg}, column {error.colno})") from None
    except (ValueError, RecursionError) as error:
        raise CaseError(f"{path}: no records ({str(error)[:90]}); give a list of flat objects") from None
    return not text.lstrip()[end:].strip()


def _json_list(path: Path, text: str, encoding: str) -> Table:
    try:
        records = parse_json(text)
    except ValueError as error:
        raise CaseError(f"{path}: no records ({str(error)[:90]}); give a list of objects") from None
    for number, row in enumerate(records, 1):
        if not isinstance(row, dict):
            raise CaseError(f"{path}: record {number}: must be an object {{…}}, not a {type(row).__name__}")
    if not records:
        raise CaseError(f"{path}: empty; give at least one record")
    return _table_of(path, f"a JSON list in {encoding}", "record", list(enumerate(records, 1)))


def _table_of(path: Path, said: str, unit: str, rows: list[tuple[int, dict]]) -> Table:
    named = []
    for line, row in rows:
        cells = {without(str(name)).strip(): value for name, value in row.items()}
        if len(cells) < len(row):
            raise CaseError(f"{path}:{line}: two names are the same but for blanks; rename one")
        named.append(Row(line, cells))
    columns = dict.fromkeys(name for row in named for name in row.cells)
    return Table(path, said, unit, tuple(columns), tuple(named))


# separated text


def _separated(path: Path, text: str, encoding: str) -> Table:
    first = next((line for line in text.splitlines() if line.strip()), "")
    first = first[: csv.field_size_limit()]
    mark = max(SEPARATORS, key=lambda s: len(next(csv.reader([first], delimiter=s), [])))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    header, rows, start = None, [], 1
    while True:
        try:
            fields = next(reader, None)
        except csv.Error as error:
            if "field limit" in str(error):
                raise CaseError(f"{path}:{start}: a cell of more than {csv.field_size_limit()} characters") from None
            fix = 'write a quote inside a quoted cell twice (""), or remove it'
            raise CaseError(f'{path}:{start}: a stray quote (") in the record that begins here; {fix}') from None
        if fields is None:
            break
        if any(field.strip() for field in fields):
            if header is None:
                header = _header(path, start, fields)
            else:
                rows.append(_record(path, start, header, fields, mark))
        start = reader.line_num + 1
    if not rows:
        raise CaseError(f"{path}: empty; give a header and at least one record")
    return Table(path, f"text in {encoding}, separated by {SEPARATORS[mark]}", "line", header, tuple(rows))


def _record(path: Path, line: int, header: tuple[str, ...], fields: list[str], mark: str) -> Row:
    if len(fields) != len(header):
        raise CaseError(f"{path}:{line}: has other fields than the header; quote cells with commas")
    swallowed = max(4, len(header) - 1)
    if any(part.count(mark) >= swallowed for field in fields for part in field.split("\n")[1:]):
        raise CaseError(f'{path}:{line}: a stray quote (") in the record that begins here took in the next lines')
    return Row(line, dict(zip(header, fields, strict=True)))


def _header(path: Path, line: int, names: list) -> tuple[str, ...]:
    """Names of columns without blanks at their ends; none twice. One without name is called by its place."""
    header = [without(str(name)).strip() for name in names]
    twice = [name for name, number in Counter(header).items() if name and number > 1]
    if twice:
        raise CaseError(f"{path}:{line}: the column {twice[0]!r} stands twice; rename one")
    return tuple(name or f"(column {number})" for number, name in enumerate(header, 1))


# spreadsheets


def _spreadsheet(path: Path) -> Table:
    """The first sheet that holds a header and a record; its header is the first row with at least two filled cells."""
    from python_calamine import CalamineError, CalamineWorkbook

    refuse_what_fits_nowhere(path)
    try:
        book = CalamineWorkbook.from_path(path)
        sheets = {name: book.get_sheet_by_name(name) for name in book.sheet_names}
        grids = {name: sheet.to_python(skip_empty_area=False) for name, sheet in sheets.items()}
    except (CalamineError, OSError) as error:
        raise CaseError(f"{path}: is no spreadsheet that can be read ({error}); save it as .xlsx again") from None
    filled = {name: sum(any(_filled(c) for c in row) for row in grid) for name, grid in grids.items()}
    name = next((name for name, number in filled.items() if number > 1), None)
    grid = grids.get(name, [])
    top = next((i for i, row in enumerate(grid) if sum(map(_filled, row)) > 1), 0)
    if name is None or top + 1 >= len(grid):
        raise CaseError(f"{path}: empty; give a header and at least one record")
    header = _header(path, top + 1, grid[top])
    rows = [
        Row(i + 1, dict(zip(header, grid[i], strict=True)))
        for i in range(top + 1, len(grid))
        if any(map(_filled, grid[i]))
    ]
    ranges = getattr(sheets[name], "merged_cell_ranges", None) or ()
    merged = [
        (first + 1, last + 1, header[column])
        for (first, left), (last, right) in ranges
        for column in range(left, right + 1)
        if last > first > top and column < len(header)
    ]
    others = [f"{other!r} ({number} rows)" for other, number in filled.items() if other != name and number]
    said = f"a spreadsheet, sheet {name!r}, header in row {top + 1}"
    return Table(
        path, said + (f"; not read: {', '.join(others)}" if others else ""), "row", header, tuple(rows), tuple(merged)
    )


def _filled(cell: Any) -> bool:
    return cell is not None and str(cell).strip() != ""
