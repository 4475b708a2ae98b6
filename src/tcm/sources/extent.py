"""How far the sheets of a spreadsheet reach, found before a library lays out a grid that no memory holds."""

import re
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path

from tcm.cases import CaseError

CELLS = 50_000_000
"""Cells from the first to the last that a sheet may span; our choice: more than 200,000 records of 200 columns."""
UNPACKED = 4 * 2**30
"""Bytes that a file may hold when it is unpacked; our choice."""

_CELL = re.compile(rb"""\sr=["']([A-Z]{1,3})([0-9]{1,7})["']""")
_CHUNK, _OVERLAP = 2**20, 24  # bytes; what names a cell is shorter than the overlap


def refuse_what_fits_nowhere(path: Path) -> None:
    """Refuse an .xlsx whose sheet spans too many cells, such as by one in its last corner, or that unpacks without end.

    Other files, and damaged ones, are left to whoever reads them.

    Raises:
        CaseError: names file, cell and the fix.
    """
    from openpyxl.utils import column_index_from_string

    with suppress(zipfile.BadZipFile, zlib.error, RuntimeError, EOFError), zipfile.ZipFile(path) as file:
        if (size := sum(part.file_size for part in file.infolist())) > UNPACKED:
            raise CaseError(f"{path}: unpacks to {size / 2**30:.0f} GiB; save the records alone as .csv")
        for sheet in (part.filename for part in file.infolist() if "/worksheets/" in part.filename):
            column, row = _last_cell(file, sheet)
            if column_index_from_string(column) * row > CELLS:
                far = f"a sheet reaches to cell {column}{row}"
                raise CaseError(f"{path}: {far}; delete the rows and columns beyond the records and save it again")


def _last_cell(file: zipfile.ZipFile, sheet: str) -> tuple[str, int]:
    """The last column and the last row in which a sheet has a cell."""
    column, row, rest = b"A", 0, b""
    with file.open(sheet) as part:
        while chunk := part.read(_CHUNK):
            for letters, digits in _CELL.findall(rest + chunk):
                column = max(column, letters, key=lambda name: (len(name), name))
                row = max(row, int(digits))
            rest = chunk[-_OVERLAP:]
    return column.decode(), row
