"""Cases as files: JSON lines that a stage writes and later stages read, and which of them belong to a split."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from tcm.cases.types import Case, CaseError, explain
from tcm.files import read_json, write_text


def read_cases(path: Path) -> list[Case]:
    """Read cases that `write_cases` wrote.

    Raises:
        CaseError: on a missing or empty file, a line that is no JSON or no case, or an id that occurs twice.
    """
    if not path.exists():
        raise CaseError(f"{path}: no such file; run notebooks/01_data_prep.ipynb first")
    cases, line_of = [], {}
    for number, line in enumerate(read_utf8(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            case = Case.model_validate_json(line)
        except ValidationError as error:
            raise CaseError(f"{path}:{number}: {explain(error)}") from None
        if case.id in line_of:
            raise CaseError(f"{path}:{number}: id: {case.id!r} stands already on line {line_of[case.id]}")
        line_of[case.id] = number
        cases.append(case)
    if not cases:
        raise CaseError(f"{path}: no case in it; give at least one row")
    return cases


def read_utf8(path: Path) -> str:
    """The text of a file that people may have saved in another encoding.

    Raises:
        CaseError: if it is not UTF-8 (spreadsheets on Chinese Windows save CSV as GB 18030).
    """
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise CaseError(f"{path}: is not UTF-8; save it as UTF-8 (in a spreadsheet: CSV UTF-8)") from None


def write_cases(path: Path, cases: Iterable[Case]) -> None:
    """Write cases as JSON lines, leaving out empty fields; complete or not at all."""
    write_text(path, "".join(c.model_dump_json(exclude_defaults=True) + "\n" for c in cases))


def read_split(folder: Path, name: str) -> list[Case]:
    """The cases of one split, as 01_data_prep wrote them. `test` is opened by 05_evaluate alone.

    Args:
        folder: of the run of 01_data_prep.
        name: train, validation, test, or unlabelled (cases without an answer, which RLAIF alone may use).
    """
    place = read_json(folder / "splits.json")
    return [case for case in read_cases(folder / "cases.jsonl") if place[case.id] == name]
