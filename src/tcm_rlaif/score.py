"""Commands `score` and `audit`: score answers against gold answers, audit prescriptions; no model needed.

``./study score --gold GOLD.jsonl --pred PRED.jsonl [--json OUT]``: rows ``{"id", "text"}`` or ``{"id", "herbs": […]}``.
``./study audit ROWS.jsonl [--json OUT]``: rows ``{"id", "prescription"}``, a text or a list of ``{"herb", "dose_g"}``.
Both take ``pregnant``, ``age`` (years) and ``sex`` of the patient in a row; for `score`, those of the gold row count.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tcm_rlaif.answers import parse
from tcm_rlaif.cases import Answer, write_json
from tcm_rlaif.metrics.batch import Entry, read_text, sections
from tcm_rlaif.metrics.rows import AuditRow, RowError, ScoreRow, items_of, read_rows
from tcm_rlaif.metrics.text import ROUGE_CONVENTION, bleu_convention
from tcm_rlaif.safety import Finding, audit


def entry_of(row: ScoreRow) -> Entry:
    """A row as the scorers see it."""
    if row.text is not None:
        answer, names = read_text(row.text)
        return Entry(answer, names, row.text, row.finished, row.patient)
    answer = Answer(prescription=items_of(row.herbs))
    return Entry(answer, answer.herbs, None, row.finished, row.patient)


def score_rows(gold: Mapping[str, ScoreRow], pred: Mapping[str, ScoreRow]) -> dict[str, Any]:
    """Everything that `score` reports, as it is written to JSON.

    Returns:
        ``ids`` (counts of both files and of ids that one of them lacks), the sections of `batch.sections`, and
        ``conventions`` of BLEU and ROUGE.
    """
    entries = {
        i: (entry_of(gold[i]) if i in gold else None, entry_of(pred[i]) if i in pred else None)
        for i in dict.fromkeys([*gold, *pred])
    }
    ids = {
        "n": len(entries),
        "gold": len(gold),
        "pred": len(pred),
        "missing_in_pred": len(gold.keys() - pred.keys()),
        "missing_in_gold": len(pred.keys() - gold.keys()),
    }
    conventions = {"bleu4": bleu_convention(), "rouge_l": ROUGE_CONVENTION}
    return {"ids": ids, **sections(entries), "conventions": conventions}


def _save(path: Path | None, value: Any) -> None:
    """Write JSON where a path was given."""
    try:
        if path:
            write_json(path, value)
    except OSError as error:
        raise RowError(f"{path}: cannot be written ({error.strerror}); give --json another file") from None


def score_main(args: argparse.Namespace) -> int:
    """Run `score`: print the table, write the JSON where asked.

    Raises:
        RowError: where a file cannot be used.
    """
    result = score_rows(read_rows(args.gold, ScoreRow), read_rows(args.pred, ScoreRow))
    _save(args.json, result)
    print(score_table(result))
    return 0


def score_table(result: dict[str, Any]) -> str:
    """The result as aligned text: value, n, and what it is to be read against (a floor, or the gold rate)."""
    lines = [("section", "metric", "value", "n", "beside it")]
    for section in ("mtcmb_pr", "tbosd", "strict", "dose", "text"):
        numbers = result[section]
        floor = numbers.get("floor") or {}
        for name, value in numbers.items():
            if name in ("n", "floor") or name.endswith("_n"):
                continue
            n = numbers.get(f"{name}_n", numbers["n"])
            beside = f"popularity {_number(floor[name])}" if floor.get(name) is not None else ""
            lines.append((section, name, _number(value), str(n), beside))
    lines += _safety_lines(result["safety"])
    widths = [max(len(line[i]) for line in lines) for i in range(4)]
    table = [
        "  ".join([a.ljust(widths[0]), b.ljust(widths[1]), c.rjust(widths[2]), d.rjust(widths[3]), e]).rstrip()
        for a, b, c, d, e in lines
    ]
    ids = result["ids"]
    notes = [
        f"{ids['n']} ids: {ids['gold']} gold, {ids['pred']} predicted; {ids['missing_in_pred']} without prediction and "
        f"{ids['missing_in_gold']} without gold answer, all counted with score 0",
        "popularity: the most frequent herbs of the other gold answers, the same for every patient",
        *result["conventions"].values(),
    ]
    if any(result[section]["floor"] is None for section in ("mtcmb_pr", "strict")):
        notes.append("no floor: fewer than two gold answers have herbs, so nothing stands beside these numbers")
    return "\n".join([*table, "", *notes])


def _safety_lines(safety: dict[str, Any]) -> list[tuple[str, ...]]:
    beside = f"gold {_number(safety['clean_gold'])}"
    lines = [("safety", "clean", _number(safety["clean"]), str(safety["n"]), beside)]
    pred, gold, more = safety["pred"], safety["gold"], safety["excess"]
    for kind in (k for k in pred if k not in ("n", "dosed_n")):
        n = pred["dosed_n" if kind in ("overdose", "underdose") else "n"]
        excess = "" if more[kind] is None else f", excess {more[kind]:+.4f}"
        lines.append(("safety", kind, _number(pred[kind]), str(n), f"gold {_number(gold[kind])}{excess}"))
    return lines


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


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


def audit_main(args: argparse.Namespace) -> int:
    """Run `audit`: print every finding, write the JSON (a list, one entry a row) where asked.

    Findings are results, not errors: the exit code is 0 with or without them.

    Raises:
        RowError: where the file cannot be used.
    """
    results = audit_rows(read_rows(args.rows, AuditRow))
    _save(args.json, results)
    for result in results:
        findings = [Finding.model_validate(f) for f in result["findings"]]
        print(f"{result['id']}: {len(result['herbs'])} herbs, {len(findings)} findings")
        for f in findings:
            print(f"  {f.severity:6}  {f.kind:15}  {' '.join(f.herbs)}  {f.detail}  [{f.rule}; {f.source}]")
        for piece in result["unread"]:
            print(f"  unread  {piece}")
    print("Rule breaks are not errors as such: physicians break some on purpose. Research only, not medical advice.")
    return 0


def add_arguments(subparsers: Any) -> None:
    """Add the commands `score` and `audit` to argparse subparsers; each sets ``function``."""
    score = subparsers.add_parser("score", help="score answers against gold answers", description=score_main.__doc__)
    score.add_argument("--gold", type=Path, required=True, help='JSON lines {"id", "text"} or {"id", "herbs": […]}')
    score.add_argument("--pred", type=Path, required=True, help="likewise; `finished` (true/false) may be given")
    score.add_argument("--json", type=Path, help="write all numbers to this file")
    score.set_defaults(function=score_main)
    check = subparsers.add_parser("audit", help="audit prescriptions for safety", description=audit_main.__doc__)
    check.add_argument("rows", type=Path, help='JSON lines {"id", "prescription", "pregnant", "age"}')
    check.add_argument("--json", type=Path, help="write the findings to this file")
    check.set_defaults(function=audit_main)


def main(arguments: list[str] | None = None) -> int:
    """`python -m tcm_rlaif.score`; exit code 2 where a file cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m tcm_rlaif.score", description=__doc__)
    add_arguments(parser.add_subparsers(required=True, metavar="COMMAND"))
    args = parser.parse_args(arguments)
    try:
        return args.function(args)
    except RowError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
