"""A spreadsheet that no memory holds is refused by its last cell before it is laid out; others are read."""

from pathlib import Path

import pytest
from openpyxl import Workbook

from tcm.cases import CaseError
from tcm.commands import main
from tcm.sources import extent
from tcm.sources.extent import refuse_what_fits_nowhere
from tcm.sources.tables import read_table


def book(path: Path, **cells: str) -> Path:
    """A spreadsheet with two records, and further cells."""
    file = Workbook()
    for record in (("id", "主诉", "处方"), (1, "失眠", "柴胡10g"), (2, "头痛", "黄芩10g")):
        file.active.append(record)
    for place, text in cells.items():
        file.active[place] = text
    file.save(path)
    return path


def test_one_cell_in_the_last_corner_is_named_and_nothing_is_laid_out(tmp_path: Path, capfd) -> None:
    path = book(tmp_path / "mine.xlsx", XFD1048576="x")
    assert main(["import", str(path)]) == 2
    said = capfd.readouterr().err
    assert (
        said.startswith(f"error: {path}: a sheet reaches to cell XFD1048576; delete the rows") and said.count("\n") == 1
    )


def test_a_cell_far_below_is_no_reason_to_refuse(tmp_path: Path) -> None:
    table = read_table(book(tmp_path / "mine.xlsx", B90000="x"))
    assert [row.line for row in table.rows] == [2, 3, 90000]


def test_a_file_that_unpacks_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = book(tmp_path / "mine.xlsx")
    monkeypatch.setattr(extent, "UNPACKED", 1000)
    with pytest.raises(CaseError, match=r"mine.xlsx: unpacks to 0 GiB; save the records alone as .csv"):
        refuse_what_fits_nowhere(path)


def test_a_cell_is_found_wherever_a_piece_of_the_sheet_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = book(tmp_path / "mine.xlsx", XFD1048576="x")
    for piece in range(25, 60):
        monkeypatch.setattr(extent, "_CHUNK", piece)
        with pytest.raises(CaseError, match="XFD1048576"):
            refuse_what_fits_nowhere(path)


def test_a_file_that_is_no_zip_or_a_damaged_one_is_left_to_its_reader(tmp_path: Path) -> None:
    path = book(tmp_path / "mine.xlsx")
    content = path.read_bytes()
    for damaged in (b"", content[:200], content[: len(content) // 2], b"PK\x03\x04" + bytes(100)):
        path.write_bytes(damaged)
        refuse_what_fits_nowhere(path)
