"""What the readers of several sources share: encodings, JSON lines, and one public record as a case."""

import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from tcm.cases import Case, CaseError, explain, read_utf8
from tcm.files import parse_json


def decode(content: bytes, path: Path) -> tuple[str, str]:
    """The text of a file and its encoding: UTF-8, UTF-16 (with or without mark), Big5, else GB18030.

    Source:
        Our choice: Chinese Windows saves text as one of these. UTF-8 and UTF-16 prove themselves; what is neither is
        Big5 where its characters are the common ones of Big5, else GB18030 where it decodes without error.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        names = ["utf-16"]
    elif 0 < content.count(0) < len(content) // 4 and _is_utf8(content):
        line = content[: content.index(0)].count(b"\n") + 1
        raise CaseError(f"{path}:{line}: holds a NUL byte, so the file is damaged; export it again")
    elif b"\0" in content:  # of a comma, a digit or a line break in UTF-16; no other text holds one
        names = ["utf-16-le" if content[1::2].count(0) > content[::2].count(0) else "utf-16-be"]
    else:
        names = ["utf-8-sig", "cp950", "gb18030"] if _is_big5(content) else ["utf-8-sig", "gb18030"]
    for name in names:
        try:
            text = content.decode(name)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text, {"utf-8-sig": "UTF-8", "cp950": "Big5", "gb18030": "GB18030"}.get(name, "UTF-16")
    known = "UTF-8, UTF-16, GB18030 or Big5"
    raise CaseError(f"{path}: is no text in {known}; save it as UTF-8 (in a spreadsheet: CSV UTF-8)")


def _is_big5(content: bytes) -> bool:
    """Whether a text reads well as Big5, as Taiwan and Hong Kong save it.

    Source:
        Our choice: Big5 puts its 5,401 common characters first (lead byte up to 0xC6). Of 60 invented cases in
        traditional script, whole and cut to 40 characters, 92 % to all are such; cases in GB18030, in either script,
        read wrongly as Big5, show at most 68 %.
    """
    try:
        han = [char for char in content.decode("cp950") if "\u4e00" <= char <= "\u9fff"]
    except UnicodeDecodeError:
        return False
    return sum(char.encode("cp950")[0] <= 0xC6 for char in han) > 0.8 * len(han)


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def json_lines(path: Path) -> Iterator[tuple[int, dict]]:
    """Line number and object of each non-empty line of a file in UTF-8.

    Raises:
        CaseError: for a missing or empty file or a line that is no JSON object.
    """
    if not path.is_file():
        raise CaseError(f"{path}: no such file; correct data_path")
    return json_rows(path, read_utf8(path))


def json_list(path: Path) -> list:
    """The records of a file in UTF-8 that is one JSON list.

    Raises:
        CaseError: for a missing file, or one that is no list of at least one record.
    """
    if not path.is_file():
        raise CaseError(f"{path}: no such file; correct data_path")
    try:
        records = json.loads(read_utf8(path))
    except json.JSONDecodeError as error:
        raise CaseError(f"{path}:{error.lineno}: no valid JSON ({error.msg})") from None
    if not isinstance(records, list) or not records:
        raise CaseError(f"{path}: must be a list of at least one record")
    return records


def json_rows(path: Path, text: str) -> Iterator[tuple[int, dict]]:
    """Line number and object of each non-empty line of a text.

    Raises:
        CaseError: for an empty text or a line that is no JSON object.
    """
    found = False
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = parse_json(line)
        except json.JSONDecodeError as error:
            raise CaseError(
                f"{path}:{number}: no valid JSON ({error.msg}, column {error.colno}); one object per line"
            ) from None
        except ValueError as error:
            raise CaseError(f"{path}:{number}: no record ({str(error)[:90]}); one object per line") from None
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
