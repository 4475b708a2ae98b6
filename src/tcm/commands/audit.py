"""`audit`: prescriptions against the safety rules; no model needed.

``./study audit ROWS.jsonl [--json OUT]``: rows ``{"id", "prescription"}``, a text or a list of ``{"herb", "dose_g"}``,
with ``pregnant``, ``age`` (years) and ``sex`` of the patient where they are known.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tcm.cases import Answer
from tcm.commands.rows import AuditRow, items_of, read_rows, save
from tcm.prescriptions.answers import parse
from tcm.prescriptions.safety import Finding, audit


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `audit`."""
    command.add_argument("rows", type=Path, help='JSON lines {"id", "prescription", "pregnant", "age"}')
    command.add_argument("--json", type=Path, help="write the findings to this file")


def audit_rows(rows: Mapping[str, AuditRow]) -> list[dict[str, Any]]:
    """Audit every row.

    Returns:
        One result a row: ``id``, ``findings``, ``herbs`` as they were read, and ``unread``, the text that was not.
    """
    results = []
    for row in rows.values():
        answer, unread = _prescription(row)
        findings = audit(answer.prescription, row.patient, answer.packets, answer.usage)
        results.append(
            {
                "id": row.id,
                "findings": [f.model_dump() for f in findings],
                "herbs": list(answer.herbs),
                "unread": list(unread),
            }
        )
    return results


def _prescription(row: AuditRow) -> tuple[Answer, tuple[str, ...]]:
    """The row's prescription; a text without field labels is read as the content of 处方."""
    if not isinstance(row.prescription, str):
        return Answer(prescription=items_of(row.prescription)), ()
    parsed = parse(row.prescription)
    if not parsed.answer.prescription:
        parsed = parse(f"处方：{row.prescription}")
    return parsed.answer, parsed.unread


def main(args: argparse.Namespace) -> int:
    """Run `audit`: print every finding, write the JSON (a list, one entry a row) where asked.

    Findings are results, not errors: the exit code is 0 with or without them.

    Raises:
        RowError: where the file cannot be used.
    """
    results = audit_rows(read_rows(args.rows, AuditRow))
    save(args.json, results)
    for result in results:
        findings = [Finding.model_validate(f) for f in result["findings"]]
        print(f"{result['id']}: {len(result['herbs'])} herbs, {len(findings)} findings")
        for f in findings:
            print(f"  {f.severity:6}  {f.kind:15}  {' '.join(f.herbs)}  {f.detail}  [{f.rule}; {f.source}]")
        for piece in result["unread"]:
            print(f"  unread  {piece}")
    print("Rule breaks are not errors as such: physicians break some on purpose. Research only, not medical advice.")
    return 0
