"""Own records: one visit per row of any table, with the user's own column names, become cases.

Every record is read to its end before anything is refused, so that all that is wrong can be said at once.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tcm.cases import Answer, Case, CaseError, explain
from tcm.files import in_one_go
from tcm.sources import cells
from tcm.sources.border import PrescriptionCell, read_cell
from tcm.sources.cells import CellError, VisitMark
from tcm.sources.columns import FIELDS, NAMES, as_tuple, misspelt
from tcm.sources.records import Problem, Records
from tcm.sources.tables import Row, Table, read_table
from tcm.sources.visits import episodes, fill_merged

ANSWER_FIELDS = ("disease", "syndrome", "treatment_principle", "formula")
VISIT_FIELDS = ("chief_complaint", "history", "tongue", "pulse")
OF_PATIENT = ("sex", "age", "pregnant")

Columns = Mapping[str, str | tuple[str, ...]]


def read_own(path: Path, columns: Columns, fill: bool = False, leave_out: bool = False) -> Records:
    """Own records, one visit per row, in any file that `read_table` takes.

    Args:
        columns: our field -> your column, or several that make it together; a field that is not named is looked for
            under its own name.
        fill: fill cells that were merged (`visits.fill_merged`).
        leave_out: leave out patients with a record that cannot be used, instead of refusing the file.

    Raises:
        CaseError: names file, line, field and the fix of the first record that cannot be used.
    """
    records = read_all(read_table(path), columns, fill)
    if against := records.against(leave_out):
        first, others = against[0], len(against) - 1
        more = f" (and {others} more: ./study import {path} lists all)" if others else ""
        raise CaseError(first.said + more)
    if not records.cases:
        raise CaseError(f"{path}: no record is left; ./study import {path} lists what is wrong")
    return records


@in_one_go
def read_all(table: Table, columns: Columns, fill: bool = False) -> Records:
    """Read every record of a table and collect what cannot be used.

    Raises:
        CaseError: where the columns are not there.
    """
    column = _checked(table, columns)
    patient = next(iter(column.get("patient_id", ())), None)
    problems = []
    if fill:
        table = fill_merged(table, patient, [c for field in OF_PATIENT for c in column.get(field, ())])
    else:
        problems += _merged(table, column)
    mistaken = misspelt(table, column)
    drafts: dict[str, list[_Draft]] = {}
    lines: dict[str, int] = {}
    left_out: Counter[str] = Counter()
    seen = set()
    for row in table.rows:
        written = blake2b(repr(row.cells).encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if patient and written in seen:  # an export that holds a row twice, not a visit that was made twice
            left_out["the same row as an earlier one"] += 1
            continue
        seen.add(written)
        draft = _Draft.of(row, column)
        for name, (field, meant) in mistaken.items():
            if cells.written(row.cells.get(name)):
                said = f"{name!r} stands in the place of {meant!r}; name it so, or take it out of the file"
                draft.errors.append(CellError(field, "a misspelt name", said))
        if draft.id and lines.setdefault(draft.id, row.line) != row.line:
            said = f"{draft.id!r} stands already on line {lines[draft.id]}; ids are unique"
            hint = "" if patient else " (if it counts patients, it is the patient_id)"
            draft.errors.append(CellError("id", "an id twice", said + hint))
        drafts.setdefault(draft.patient_id or f"\0{row.line}", []).append(draft)
    cases, prescriptions = [], []
    for name, of_patient in drafts.items():
        found = [_problem(table, d.row.line, error) for d in of_patient for error in d.errors]
        if not found:
            try:
                made = _chain(of_patient, name)
                cases += [case for case, _ in made]
                prescriptions += [cell for _, cell in made if cell]
            except CellError as error:
                found = [_problem(table, error.line or of_patient[0].row.line, error)]
        if found:
            problems += found
            left_out[f"{found[0].field}: {found[0].kind}"] += len(of_patient)
    problems.sort(key=lambda problem: problem.line)
    return Records(cases, table.said, tuple(problems), left_out, tuple(prescriptions))


def _checked(table: Table, columns: Columns) -> dict[str, tuple[str, ...]]:
    """Our field -> the columns that the table has for it."""
    unknown = set(columns) - set(FIELDS)
    if unknown:
        raise CaseError(f"data_columns: no field {sorted(unknown)[0]!r}; fields: {', '.join(FIELDS)}")
    have = _listed(table.columns)
    named = {field: tuple(name.strip() for name in as_tuple(value)) for field, value in columns.items()}
    for field, names in named.items():
        for name in names:
            if name not in table.columns:
                raise CaseError(f"{table.path}: no column {name!r} for {field}; columns: {have}")
        if len(names) > 1 and field not in ("visit", *VISIT_FIELDS):
            raise CaseError(f"data_columns: {field}: {len(names)} columns; this field takes one")
    named = {field: (field,) for field in FIELDS if field in table.columns} | named
    if not {"chief_complaint", "history"} & set(named):
        raise CaseError(
            f"{table.path}: no column for chief_complaint (主诉) or history (现病史); name yours in data_columns; "
            f"columns: {have}"
        )
    return named


def _listed(columns: Iterable[str], most: int = 30, longest: int = 40) -> str:
    """Names of columns in a line that can be read, however many and long they are."""
    names = [name if len(name) <= longest else f"{name[:longest]}…" for name in sorted(columns)]
    return ", ".join(names[:most]) + f" and {len(names) - most} more" * (len(names) > most)


def _merged(table: Table, column: Mapping[str, tuple[str, ...]]) -> list[Problem]:
    """Merged cells in columns that are read: below the first, a spreadsheet holds nothing."""
    used = {name for names in column.values() for name in names}
    errors = [
        (first, CellError("file", "merged cells", f"rows {first} to {last} of {name!r} are merged; {FILL}"))
        for first, last, name in table.merged
        if name in used
    ]
    return [_problem(table, line, error) for line, error in errors]


FILL = "data_fill_merged: true (import: --fill-merged) fills them, or unmerge them in the file"


def _problem(table: Table, line: int, error: CellError) -> Problem:
    return Problem(line, error.field, error.kind, f"{table.place(line)}: {error.field}: {error.said}")


@dataclass
class _Draft:
    """One record while its patient's other records are not yet known."""

    row: Row
    id: str
    patient_id: str
    mark: VisitMark
    values: dict[str, Any]
    prescription: Any
    errors: list[CellError]

    @classmethod
    def of(cls, row: Row, column: Mapping[str, tuple[str, ...]]) -> "_Draft":
        """Read all fields of a record but the prescription, which may rest on the one before."""
        errors: list[CellError] = []

        def read(function, *arguments, default=""):
            try:
                return function(*arguments)
            except CellError as error:
                errors.append(error)
                return default

        def first(field: str) -> Any:
            return next((row.cells.get(name) for name in column.get(field, ())), None)

        id_ = read(cells.id_of, "id", first("id"))
        patient = read(cells.id_of, "patient_id", first("patient_id"))
        if "id" in column and not id_:
            errors.append(
                CellError("id", "empty", "missing; give each record an id, or leave the column out: rows count")
            )
        if "patient_id" in column and not patient:
            said = f"missing, so nobody knows whose visit this is; fill the cell; where it was merged, {FILL}"
            errors.append(CellError("patient_id", "empty", said))
        values = {
            "sex": read(cells.sex_of, first("sex")),
            "age": read(cells.age_of, first("age"), default=None),
            "pregnant": read(cells.pregnant_of, first("pregnant"), default=False),
        }
        for field in VISIT_FIELDS:
            values[field] = read(_findings, field, column.get(field, ()), row.cells)
        for field in ANSWER_FIELDS:
            values[field] = _one_line(read(cells.text_of, field, first(field)))
        mark = read(cells.visit_of, [row.cells.get(name) for name in column.get("visit", ())], default=VisitMark())
        id_ = id_ or f"row-{row.line}"
        whose = patient if "patient_id" in column else id_
        return cls(row, id_, whose, mark, values, first("prescription"), errors)

    def case(self, earlier: tuple, cell: PrescriptionCell | None) -> Case:
        """The case that this record is, after its earlier visits."""
        value = self.values
        record = {
            "id": self.id,
            "source": "own",
            "patient_id": self.patient_id,
            "patient": {field: value[field] for field in OF_PATIENT},
            "visit": {field: value[field] for field in VISIT_FIELDS},
            "earlier_visits": earlier,
            "answer": _answer(value, cell),
        }
        try:
            return Case.model_validate(record)
        except ValidationError as error:
            field, _, said = explain(error).partition(": ")
            raise CellError(field, said.split(":")[0].split(" (got")[0], said, self.row.line) from None


def _chain(drafts: list[_Draft], patient: str) -> list[tuple[Case, PrescriptionCell | None]]:
    """The records of one patient as cases, each with the visits before it."""
    sexes = {d.values["sex"]: d.row.line for d in reversed(drafts) if d.values["sex"]}
    if len(sexes) > 1:
        said = " and ".join(f"{sex} on line {line}" for sex, line in sexes.items())
        raise CellError("sex", "two sexes of one patient", f"patient {patient!r} is {said}; one number, one patient")
    made = []
    for course in episodes([(d.mark, d.row.line) for d in drafts], patient):
        _refuse_falling_age([drafts[i] for i in course if drafts[i].values["age"] is not None], patient)
        earlier, previous = (), ()
        for draft in (drafts[i] for i in course):
            try:
                cell = read_cell(draft.row.line, draft.id, draft.prescription, previous)
            except CellError as error:
                error.line = draft.row.line
                raise
            case = draft.case(earlier, cell)
            made.append((case, cell))
            earlier += (case.visit.model_copy(update={"answer": case.answer}),)
            previous = case.answer.prescription if case.answer and case.answer.prescription else previous
    return made


def _refuse_falling_age(course: list[_Draft], patient: str) -> None:
    for one, other in pairwise(course):
        if int(other.values["age"]) < int(one.values["age"]):  # 3岁4个月 and later 3岁 is no fall
            ages = f"{one.values['age']:g} on line {one.row.line} and {other.values['age']:g} at a later visit"
            raise CellError("age", "an age that falls", f"patient {patient!r} is {ages}; correct one", other.row.line)


def _answer(value: Mapping[str, str], cell: PrescriptionCell | None) -> Answer | None:
    """The physician's answer: what the columns say, and what the prescription's own text says of the rest."""
    said = {field: value[field] for field in ANSWER_FIELDS if value[field]}
    read = cell.answer if cell else Answer()
    answer = read.model_copy(update=said)
    return answer if answer != Answer() else None


def _findings(field: str, names: Iterable[str], row: Mapping[str, Any]) -> str:
    """The text of a finding, from one column or several; of a column for a part (舌苔) the part is named."""
    parts = []
    for name in names:
        text = re.sub(_LABEL[field], "", cells.text_of(field, row.get(name)))
        part = "苔" if "苔" in name and "舌质" not in name else "舌" if "舌质" in name and "苔" not in name else ""
        if text:
            parts.append(text if not part or part in text or (part == "舌" and "质" in text) else part + text)
    joint = "，" if field in ("tongue", "pulse") else "。"
    return joint.join([*(part.rstrip("。，；, ") for part in parts[:-1]), *parts[-1:]])


_LABEL = {field: rf"^(?:{'|'.join(NAMES[field].split())})[:：]\s*" for field in VISIT_FIELDS}
"""A cell that repeats its column's name before the text."""


def _one_line(text: str) -> str:
    """A field of the answer as the layout takes it: no full stop or line break inside, none at the end."""
    return re.sub(r"\s*[\n。]+\s*", "；", text.strip(" \n\t。，；、,;."))
