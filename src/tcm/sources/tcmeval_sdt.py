"""TCMEval-SDT: 200 clinical records with syndrome and without prescription."""

import re
from pathlib import Path

from tcm.cases import Case, CaseError
from tcm.sources.reading import json_list, public_case


def read_tcmeval_sdt(path: Path) -> list[Case]:
    """TCMEval-SDT: real clinical records with their syndrome (证型) and no prescription.

    Source:
        TCMEval-SDT, Scientific Data 2025; its licence is not settled, so records are read where the user keeps them.
    """
    cases: dict[str, Case] = {}
    for number, row in enumerate(json_list(path), 1):
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
        cases[name] = public_case(name, "tcmeval_sdt", patient, {"history": text}, answer, where)
    return list(cases.values())
