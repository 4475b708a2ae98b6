"""Own records: one visit per row, JSONL or CSV, with the user's own column names."""

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tcm.cases import Answer, Case, CaseError, explain, read_utf8
from tcm.prescriptions import answers
from tcm.sources.reading import json_lines

# our field -> where it lies in a case; the keys of `data_columns`
OWN_FIELDS = {
    "id": "unique id of the record",
    "patient_id": "one per patient (default: the id)",
    "visit": "number of the visit, 1 = first; later visits of a patient become follow-up cases",
    "sex": "男 or 女",
    "age": "years",
    "pregnant": "true / false",
    "chief_complaint": "主诉",
    "history": "现病史",
    "tongue": "舌",
    "pulse": "脉",
    "disease": "中医诊断",
    "syndrome": "证型",
    "treatment_principle": "治法",
    "formula": "方剂",
    "prescription": "处方, e.g. 柴胡10g，黄芩12g，7剂，水煎服",
}
ANSWER_FIELDS = ("disease", "syndrome", "treatment_principle", "formula")
VISIT_FIELDS = ("chief_complaint", "history", "tongue", "pulse")


def _csv_rows(path: Path) -> Iterator[tuple[int, dict]]:
    if not path.is_file():
        raise CaseError(f"{path}: no such file; correct data_path")
    reader = csv.DictReader(io.StringIO(read_utf8(path), newline=""))
    header = reader.fieldnames or []
    twice = [name for name in header if header.count(name) > 1]
    if twice:
        raise CaseError(f"{path}:1: the column {twice[0]!r} stands twice; rename one")
    found = False
    for row in reader:
        if None in row or None in row.values():
            raise CaseError(f"{path}:{reader.line_num}: has other fields than the header; quote cells with commas")
        found = True
        yield reader.line_num, row
    if not found:
        raise CaseError(f"{path}: empty; give a header and at least one record")


def read_own(path: Path, columns: Mapping[str, str]) -> list[Case]:
    """Own records, one visit per row; `.csv` or `.jsonl`.

    Args:
        columns: our field -> your column; a field that is not named is looked for under its own name.

    Raises:
        CaseError: names file, line, field and the fix.
    """
    unknown = set(columns) - set(OWN_FIELDS)
    if unknown:
        raise CaseError(f"data_columns: no field {sorted(unknown)[0]!r}; fields: {', '.join(OWN_FIELDS)}")
    rows = list(_csv_rows(path) if path.suffix.lower() == ".csv" else json_lines(path))
    have = set().union(*(row.keys() for _, row in rows))
    for field, column in columns.items():
        if column not in have:
            raise CaseError(f"{path}: no column {column!r} for {field}; columns: {', '.join(sorted(have))}")
    column = {field: columns.get(field, field) for field in OWN_FIELDS}
    if not {column["chief_complaint"], column["history"]} & have:
        raise CaseError(
            f"{path}: no column for chief_complaint (主诉) or history (现病史); name yours in data_columns; "
            f"columns: {', '.join(sorted(have))}"
        )
    line_of, visits = {}, {}
    for line, row in rows:
        value = {field: row.get(name) for field, name in column.items()}
        where = f"{path}:{line}"
        case = _own_case(value, where)
        if case.id in line_of:
            raise CaseError(f"{where}: id: {case.id!r} stands already on line {line_of[case.id]}; ids are unique")
        line_of[case.id] = line
        visits.setdefault(case.patient_id, []).append((_visit_number(value["visit"], where), line, case))
    return [case for of_patient in visits.values() for case in _chain_visits(of_patient, path)]


def _own_case(value: Mapping[str, Any], where: str) -> Case:
    text = {k: str(v).strip() for k, v in value.items() if v is not None}
    if not text.get("id"):
        raise CaseError(f"{where}: id: missing; give each record an id, or name its column in data_columns")
    pregnant = text.get("pregnant", "").lower()
    if pregnant not in ("", "0", "1", "true", "false", "是", "否"):
        raise CaseError(f"{where}: pregnant: {pregnant!r}; write true or false")
    record = {
        "id": text["id"],
        "source": "own",
        "patient_id": text.get("patient_id") or text["id"],
        "patient": {
            "sex": text.get("sex", ""),
            "age": text.get("age") or None,
            "pregnant": pregnant in ("1", "true", "是"),
        },
        "visit": {field: text.get(field, "") for field in VISIT_FIELDS},
        "answer": _own_answer(text, where),
    }
    try:
        return Case.model_validate(record)
    except ValidationError as error:
        raise CaseError(f"{where}: {explain(error)}") from None


def _own_answer(text: Mapping[str, str], where: str) -> Answer | None:
    fields = {field: text.get(field, "") for field in ANSWER_FIELDS}
    read = answers.parse(f"处方：{text['prescription']}") if text.get("prescription") else None
    if read and not read.answer.prescription:
        raise CaseError(
            f"{where}: prescription: no herb could be read in {text['prescription'][:60]!r}; write 柴胡10g，黄芩12g"
        )
    if not read and not any(fields.values()):
        return None
    return (read.answer if read else Answer()).model_copy(update=fields)


def _visit_number(value: Any, where: str) -> int:
    if value in (None, ""):
        return 1
    if not str(value).isdecimal() or int(value) < 1:
        raise CaseError(f"{where}: visit: {value!r}; write 1 for the first visit, 2 for the second, …")
    return int(value)


def _chain_visits(visits: list[tuple[int, int, Case]], path: Path) -> list[Case]:
    visits.sort(key=lambda v: v[:2])
    number, line, case = visits[0]
    if number > 1:
        raise CaseError(
            f"{path}:{line}: visit: patient {case.patient_id!r} starts with visit {number}; add the earlier ones"
        )
    for (number, line, _), (again, line_2, case) in zip(visits, visits[1:], strict=False):
        if number == again:
            raise CaseError(
                f"{path}:{line_2}: visit: patient {case.patient_id!r} has visit {number} on line {line} already"
            )
    done: list[Case] = []
    earlier: tuple = ()
    for _, _, case in visits:
        done.append(case.model_copy(update={"earlier_visits": earlier}))
        earlier += (case.visit.model_copy(update={"answer": case.answer}),)
    return done
