"""What the readers of several sources share: JSON lines, and one public record as a case."""

import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from tcm.cases import Case, CaseError, explain, read_utf8


def json_lines(path: Path) -> Iterator[tuple[int, dict]]:
    """Line number and object of each non-empty line.

    Raises:
        CaseError: for a missing or empty file or a line that is no JSON object.
    """
    if not path.is_file():
        raise CaseError(f"{path}: no such file; correct data_path")
    found = False
    for number, line in enumerate(read_utf8(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise CaseError(
                f"{path}:{number}: no valid JSON ({error.msg}, column {error.colno}); one object per line"
            ) from None
        if not isinstance(row, dict):
            raise CaseError(f"{path}:{number}: must be an object {{…}}, not a {type(row).__name__}")
        found = True
        yield number, row
    if not found:
        raise CaseError(f"{path}: empty; give at least one record")


def public_case(name: str, source: str, patient: dict, visit: dict, answer: dict, where: str) -> Case:
    """A record of a public source as a case of its own patient; `where` (file and line) begins an error message."""
    record = {"id": name, "source": source, "patient_id": name, "patient": patient, "visit": visit, "answer": answer}
    try:
        return Case.model_validate(record)
    except ValidationError as error:
        raise CaseError(f"{where}: {explain(error)}") from None
