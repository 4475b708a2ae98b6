"""`score`: answers of any model against the physicians' answers; no model needed.

``./study score --gold GOLD.jsonl --pred PRED.jsonl [--json OUT]``: rows ``{"id", "text"}`` or ``{"id", "herbs": […]}``,
with ``pregnant``, ``age`` (years) and ``sex`` of the patient in a gold row where they are known.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tcm.answers import ParsedAnswer
from tcm.cases import Answer
from tcm.commands.rows import ScoreRow, items_of, read_rows, save
from tcm.files import in_one_go
from tcm.metrics.batch import Entry, read_text, sections
from tcm.metrics.text import ROUGE_CONVENTION, bleu_convention


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `score`."""
    command.add_argument("--gold", type=Path, required=True, help='JSON lines {"id", "text"} or {"id", "herbs": […]}')
    command.add_argument("--pred", type=Path, required=True, help="likewise; `finished` (true/false) may be given")
    command.add_argument("--json", type=Path, help="write all numbers to this file")


def main(args: argparse.Namespace) -> int:
    """Run `score`: print the table, write the JSON where asked.

    Raises:
        RowError: where a file cannot be used.
    """
    result = score_rows(read_rows(args.gold, ScoreRow), read_rows(args.pred, ScoreRow))
    save(args.json, result, args.gold, args.pred)
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
    beside = f"gold {_number(safety['usable_gold'])}"
    lines.append(("safety", "usable", _number(safety["usable"]), str(safety["usable_n"]), beside))
    pred, gold, more = safety["pred"], safety["gold"], safety["excess"]
    for kind in (k for k in pred if k not in ("n", "dosed_n")):
        n = pred["dosed_n" if kind in ("overdose", "underdose") else "n"]
        excess = "" if more[kind] is None else f", excess {more[kind]:+.4f}"
        lines.append(("safety", kind, _number(pred[kind]), str(n), f"gold {_number(gold[kind])}{excess}"))
    return lines


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def entry_of(row: ScoreRow) -> Entry:
    """A row as the scorers see it."""
    if row.text is not None:
        return Entry(*read_text(row.text), row.text, row.finished, row.patient)
    answer = Answer(prescription=items_of(row.herbs))
    return Entry(ParsedAnswer(answer, ()), answer.herbs, None, row.finished, row.patient)


@in_one_go
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
