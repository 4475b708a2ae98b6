"""MTCMB: 200 textbook cases (first visits, no doses), two files joined by id."""

import re
from pathlib import Path
from typing import Any

from tcm.cases import Case, CaseError
from tcm.sources.reading import json_lines, public_case


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
        cases.append(public_case(f"mtcmb-{name}", "mtcmb", {}, _signs(row["question"]), answer, where))
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


def _signs(findings: str) -> dict[str, str]:
    """Sort a comma-separated list of findings into history, tongue and pulse by the first character of each."""
    parts = [p for p in re.split(r"[，。,]", findings) if p.strip()]
    kind = {"舌": "tongue", "苔": "tongue", "脉": "pulse"}
    sorted_parts: dict[str, list[str]] = {"history": [], "tongue": [], "pulse": []}
    for part in parts:
        sorted_parts[kind.get(part.strip()[0], "history")].append(part.strip())
    return {field: "，".join(values) for field, values in sorted_parts.items()}
