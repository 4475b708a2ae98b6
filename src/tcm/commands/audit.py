"""`audit`: prescriptions against the safety rules, and what a pharmacist would ask; no model needed.

``./study audit ROWS.jsonl [--json OUT]``: rows ``{"id", "prescription"}``, a text or a list of ``{"herb", "dose_g"}``,
with ``pregnant``, ``age`` (years) and ``sex`` of the patient where they are known, ``history``, the text of the record
(drugs, allergies, breast-feeding, pregnancy), and ``previous``, the prescription that a change (上方加…) refers to.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tcm.answers import REQUIRED, parse
from tcm.commands.rows import AuditRow, items_of, read_rows, save
from tcm.prescriptions.notation import ReadPrescription, read_prescriptions
from tcm.prescriptions.review import review
from tcm.prescriptions.safety import Finding, audit
from tcm.prescriptions.unchecked import not_checked


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `audit`."""
    command.add_argument("rows", type=Path, help='JSON lines {"id", "prescription", "pregnant", "age"}')
    command.add_argument("--json", type=Path, help="write the findings to this file")


def audit_rows(rows: Mapping[str, AuditRow]) -> list[dict[str, Any]]:
    """Audit every row; several prescriptions of one text (内服, 外洗) are audited apart.

    Returns:
        One result a prescription: ``id``, ``use``, ``findings``, ``review`` (see `review.review`), ``not_checked``
        (see `unchecked.not_checked`), ``herbs`` as they were read, ``unread``, the text that was not, ``guessed``,
        herbs that had to be guessed at, and ``relative``: whether it changes a prescription that was not given, so
        that herbs are missing.
    """
    results = []
    for row in rows.values():
        for read in _prescriptions(row):
            usage = read.usage or ("外用" if read.use == "external" else "")
            findings = audit(read.items, row.patient, read.packets, usage)
            guessed = [f"{item.herb}: {guess}" for item, guess in zip(read.items, read.guesses, strict=True) if guess]
            results.append(
                {
                    "id": row.id,
                    "use": read.use,
                    "findings": [f.model_dump() for f in findings],
                    "review": [f.model_dump() for f in review(read.items, row.history, usage, row.patient)],
                    "not_checked": not_checked(read.items, usage),
                    "herbs": [item.herb for item in read.items],
                    "unread": list(read.unread),
                    "guessed": guessed,
                    "relative": read.relative,
                }
            )
    return results


def _prescriptions(row: AuditRow) -> tuple[ReadPrescription, ...]:
    """The row's prescriptions; a text with other fields than 处方 is read as an answer."""
    if not isinstance(row.prescription, str):
        items = items_of(row.prescription)
        return (ReadPrescription(items, None, "", (), ("",) * len(items)),)
    answer, unread = (parsed := parse(row.prescription)).answer, parsed.unread
    if answer.prescription and any(getattr(answer, field) for field in REQUIRED[:4]):
        items = answer.prescription
        return (ReadPrescription(items, answer.packets, answer.usage, unread, ("",) * len(items)),)
    return read_prescriptions(row.prescription, row.previous)


def main(args: argparse.Namespace) -> int:
    """Run `audit`: print every finding, write the JSON (a list, one entry a prescription) where asked.

    Findings are results, not errors: the exit code is 0 with or without them.

    Raises:
        RowError: where the file cannot be used.
    """
    results = audit_rows(read_rows(args.rows, AuditRow))
    save(args.json, results, args.rows)
    for result in results:
        findings, asked = ([Finding.model_validate(f) for f in result[kind]] for kind in ("findings", "review"))
        use = " (external)" if result["use"] == "external" else ""
        print(f"{result['id']}{use}: {len(result['herbs'])} herbs, {len(findings)} findings, {len(asked)} questions"
              f"{_reserve(result)}")  # fmt: skip
        for mark, f in [(" ", f) for f in findings] + [("?", f) for f in asked]:
            print(f" {mark}{f.severity:6}  {f.kind:15}  {' '.join(f.herbs)}  {f.detail}  [{f.rule}; {f.source}]")
        for kind in ("not_checked", "guessed", "unread"):
            for piece in result[kind]:
                print(f"  {kind.replace('_', ' ')}  {piece}")
    print("Rule breaks are not errors as such: physicians break some on purpose. Research only, not medical advice.")
    return 0


def _reserve(result: Mapping[str, Any]) -> str:
    """What the audit could not see, said beside its result, so that nobody takes it for an all-clear."""
    parts = ["doses not checked (see below)"] * bool(result["not_checked"])
    parts += [f"{len(result[kind])} {kind}" for kind in ("guessed", "unread") if result[kind]]
    parts += ["a change of a prescription that was not given: its herbs were not audited"] * result["relative"]
    return f"; {', '.join(parts)}" if parts else ""
