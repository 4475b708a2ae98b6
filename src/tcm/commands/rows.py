"""Rows that the commands `score` and `audit` read: JSON lines, checked field by field before anything is scored."""

import difflib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictStr,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from tcm.cases import CaseError, Patient, PrescriptionItem
from tcm.files import parse_json, write_json

R = TypeVar("R", bound="Row")


class RowError(CaseError):
    """A row that cannot be scored; the message names file, line, field and the fix."""


def _no_truth(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a number is needed")
    return value


def _whole(value: Any) -> Any:
    """A text without halves of characters, which a model that is cut off leaves behind."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _line(value: Any) -> Any:
    """A name in one line: another line of it would be read as a result of its own."""
    if not isinstance(value, str):
        return value
    if len((value := _whole(value).strip()).splitlines()) > 1:
        raise ValueError("a name is one line of text")
    return value


Number = Annotated[float, BeforeValidator(_no_truth), Field(allow_inf_nan=False)]
Text = Annotated[StrictStr, BeforeValidator(_whole)]
Name = Annotated[StrictStr, BeforeValidator(_line)]


class HerbDose(BaseModel):
    """One herb of a list; a bare name is a herb without dose."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    herb: Name = Field(min_length=1)
    dose_g: Number | None = Field(default=None, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _bare_name(cls, value: Any) -> Any:
        return {"herb": value} if isinstance(value, str) else value


class Row(BaseModel):
    """What every row has; other fields of a row are left alone."""

    id: str | int
    pregnant: bool | None = None
    age: Number | None = Field(default=None, ge=0, le=120)
    sex: Literal["男", "女", ""] = ""

    @property
    def patient(self) -> Patient:
        """Age in years, sex and pregnancy, for the safety audit."""
        return Patient(sex=self.sex, age=self.age, pregnant=bool(self.pregnant))

    @field_validator("id", mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
            raise ValueError("an id is a text or a whole number")
        return _line(value)

    @model_validator(mode="after")
    def _possible(self):
        if self.pregnant and self.sex == "男":
            raise ValueError("pregnant: a male patient cannot be pregnant; correct sex or pregnant")
        return self


class ScoreRow(Row):
    """A row of `score`; `finished` says whether generation ended by itself."""

    text: Text | None = None
    herbs: tuple[HerbDose, ...] | None = None
    finished: bool | None = None

    @model_validator(mode="after")
    def _one_form(self):
        if (self.text is None) == (self.herbs is None):
            given = "neither" if self.text is None else "both"
            raise ValueError(f"text, herbs: {given} given; give one of them (an answer without words is an empty text)")
        return self


class AuditRow(Row):
    """A row of `audit`; `previous` is the prescription that this one may change, `history` what the record says."""

    prescription: str | tuple[HerbDose, ...]
    history: Text = ""
    previous: Text | None = None

    @field_validator("prescription", mode="plain")
    @classmethod
    def _text_or_list(cls, value: Any) -> Any:
        return _whole(value) if isinstance(value, str) else _HERB_LIST.validate_python(value)


_HERB_LIST = TypeAdapter(tuple[HerbDose, ...])


def items_of(herbs: tuple[HerbDose, ...]) -> tuple[PrescriptionItem, ...]:
    """A list of herbs as a prescription; doses are grams."""
    return tuple(PrescriptionItem(herb=h.herb, dose=h.dose_g) for h in herbs)


def read_rows(path: Path, kind: type[R]) -> dict[str, R]:
    """Rows of a JSON-lines file by id (1 and "1" are one id), in their order.

    Raises:
        RowError: on a file that is missing, empty or not utf-8, a line that is no row, or an id that occurs twice.
    """
    try:
        content = path.read_text("utf-8-sig")
    except OSError as error:
        raise RowError(f"{path}: cannot be read ({error.strerror}); give a file with one JSON object a line") from None
    except UnicodeDecodeError as error:
        raise RowError(f"{path}: not utf-8 (byte {error.start}); save the file as utf-8") from None
    rows: dict[str, R] = {}
    lines: dict[str, int] = {}
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        row = _row(line, kind, f"{path}:{number}")
        if str(row.id) in rows:
            first = lines[str(row.id)]
            raise RowError(f"{path}:{number}:id: {row.id!r} stands already on line {first}; give every row its own id")
        rows[str(row.id)], lines[str(row.id)] = row, number
    if not rows:
        raise RowError(f"{path}: no row in it; give one JSON object a line")
    return rows


def _row(line: str, kind: type[R], where: str) -> R:
    try:
        value = parse_json(line)
    except ValueError as error:
        raise RowError(f"{where}:line: no JSON ({error}); give one JSON object a line") from None
    if not isinstance(value, dict):
        raise RowError(f'{where}:line: a JSON {type(value).__name__}; give an object such as {{"id": 1, "text": "…"}}')
    for name in value.keys() - kind.model_fields.keys():
        if meant := difflib.get_close_matches(name.strip().lower(), kind.model_fields, 1, 0.85):
            raise RowError(f"{where}:{name}: no such field; did you mean {meant[0]!r}?")
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise RowError("; ".join(_explained(where, e) for e in error.errors()[:3])) from None


FIXES = {
    "id": "give a text or a whole number",
    "text": 'give a text, or "herbs"',
    "herbs": 'give a list of names or of {"herb", "dose_g"}',
    "prescription": 'give a text or a list of {"herb", "dose_g"}',
    "history": "give the text of the record, or leave it out",
    "previous": "give the text of the previous prescription, or leave it out",
    "age": "give years, 0 to 120",
    "sex": "write 男 or 女, or leave it out",
    "pregnant": "write true or false, or leave it out",
    "finished": "write true or false, or leave it out",
}


def _explained(where: str, error: Any) -> str:
    """One wrong field as file:line:field: problem; fix."""
    message = error["msg"].removeprefix("Value error, ").replace("valid tuple", "list")
    message = message.replace("a valid dictionary or instance of HerbDose", "a name or an object")
    if not error["loc"]:
        return f"{where}:{message}"
    field = ".".join(str(part) for part in error["loc"])
    got = "" if error["type"] == "missing" else f", not {json.dumps(error['input'], ensure_ascii=False)[:60]}"
    return f"{where}:{field}: {message}{got}; {FIXES[str(error['loc'][0])]}"


def save(path: Path | None, value: Any, *read: Path) -> None:
    """Write JSON where a path was given, but never over a file that was read."""
    if path and path.resolve() in [one.resolve() for one in read]:
        raise RowError(f"{path}: is the file that was read; give --json another file")
    try:
        if path:
            write_json(path, value)
    except OSError as error:
        raise RowError(f"{path}: cannot be written ({error.strerror}); give --json another file") from None
