"""Records of any origin -> cases: own JSONL or CSV through a column map, MTCMB, TCMEval-SDT.

Every reader names file, line and field of a record that it cannot use. Nothing is guessed silently: what a source
does not have stays empty.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tcm_rlaif import answers
from tcm_rlaif.cases import Answer, Case, CaseError, explain, read_utf8

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


def read_mtcmb(folder: Path) -> list[Case]:
    """MTCMB's TCM-FRD (治法, 方剂, 药物组成) joined by id with TCM-Diagnosis (疾病名称, 证名); no doses.

    Source:
        https://github.com/Wayyuanyuan/MTCMB (Apache-2.0): textbook cases, first visits only.
    """
    treatment = _by_id(folder / "TCM-FRD.jsonl", ("治法", "方剂", "药物组成"))
    cases = []
    for name, (where, row) in _by_id(folder / "TCM-Diagnosis.jsonl", ("疾病名称", "证名")).items():
        if name not in treatment:
            raise CaseError(f"{where}: id: {name!r} is not in TCM-FRD.jsonl; the files must be of one release")
        other = treatment[name][1]
        if other["question"] != row["question"]:
            raise CaseError(f"{where}: question: differs from that of TCM-FRD.jsonl; the files must be of one release")
        herbs = [{"herb": h} for h in re.split(r"[、，,；;。\s]+", other["answer"]["药物组成"]) if h]
        answer = {
            "disease": row["answer"]["疾病名称"],
            "syndrome": row["answer"]["证名"],
            "treatment_principle": other["answer"]["治法"],
            "formula": other["answer"]["方剂"],
            "prescription": herbs,
        }
        cases.append(_public_case(f"mtcmb-{name}", "mtcmb", {}, _signs(row["question"]), answer, where))
    return cases


def _by_id(path: Path, fields: tuple[str, ...]) -> dict[Any, tuple[str, dict]]:
    """Rows of one MTCMB file by id, with their place; all fields checked."""
    rows: dict[Any, tuple[str, dict]] = {}
    for number, row in json_lines(path):
        where = f"{path}:{number}"
        for field in ("id", "question", "answer"):
            if field not in row:
                raise CaseError(f"{where}: {field}: missing; the file must be as MTCMB publishes it")
        missing = [field for field in fields if field not in row["answer"]]
        if missing:
            raise CaseError(f"{where}: answer.{missing[0]}: missing; the file must be as MTCMB publishes it")
        if row["id"] in rows:
            raise CaseError(f"{where}: id: {row['id']!r} stands already at {rows[row['id']][0]}; ids are unique")
        rows[row["id"]] = (where, row)
    return rows


def _public_case(name: str, source: str, patient: dict, visit: dict, answer: dict, where: str) -> Case:
    record = {"id": name, "source": source, "patient_id": name, "patient": patient, "visit": visit, "answer": answer}
    try:
        return Case.model_validate(record)
    except ValidationError as error:
        raise CaseError(f"{where}: {explain(error)}") from None


def _signs(findings: str) -> dict[str, str]:
    """Sort a comma-separated list of findings into history, tongue and pulse by the first character of each."""
    parts = [p for p in re.split(r"[，。,]", findings) if p.strip()]
    kind = {"舌": "tongue", "苔": "tongue", "脉": "pulse"}
    sorted_parts: dict[str, list[str]] = {"history": [], "tongue": [], "pulse": []}
    for part in parts:
        sorted_parts[kind.get(part.strip()[0], "history")].append(part.strip())
    return {field: "，".join(values) for field, values in sorted_parts.items()}


def read_tcmeval_sdt(path: Path) -> list[Case]:
    """TCMEval-SDT: real clinical records with their syndrome (证型) and no prescription.

    Source:
        TCMEval-SDT, Scientific Data 2025; its licence is not settled, so records are read where the user keeps them.
    """
    if not path.is_file():
        raise CaseError(f"{path}: no such file; correct data_path")
    try:
        records = json.loads(read_utf8(path))
    except json.JSONDecodeError as error:
        raise CaseError(f"{path}:{error.lineno}: no valid JSON ({error.msg})") from None
    if not isinstance(records, list) or not records:
        raise CaseError(f"{path}: must be a list of at least one record")
    cases: dict[str, Case] = {}
    for number, row in enumerate(records, 1):
        where = f"{path}: record {number}"
        missing = {"Medical Record ID", "Clinical Data", "TCM Syndrome"} - set(row)
        if missing:
            raise CaseError(f"{where}: {sorted(missing)[0]}: missing")
        text = row["Clinical Data"]
        age = re.search(r"(\d{1,3})\s*岁", text[:20])
        sex = re.match(r"\s*([男女])", text)
        patient = {"sex": sex[1] if sex else "", "age": float(age[1]) if age else None}
        name = f"tcmeval-{row['Medical Record ID']}"
        if name in cases:
            raise CaseError(f"{where}: Medical Record ID: {row['Medical Record ID']!r} occurs twice; ids are unique")
        answer = {"syndrome": "，".join(part for part in row["TCM Syndrome"].split(";") if part)}
        cases[name] = _public_case(name, "tcmeval_sdt", patient, {"history": text}, answer, where)
    return list(cases.values())


def read_records(source: str, path: Path, columns: Mapping[str, str]) -> list[Case]:
    """Read the records of a source that `data_source` names.

    Args:
        source: ``mtcmb``, ``tcmeval_sdt`` or ``own``.
        path: file or folder. columns: for own records, see `read_own`.
    """
    readers: dict[str, Callable[[], list[Case]]] = {
        "mtcmb": lambda: read_mtcmb(path),
        "tcmeval_sdt": lambda: read_tcmeval_sdt(path),
        "own": lambda: read_own(path, columns),
    }
    return readers[source]()
