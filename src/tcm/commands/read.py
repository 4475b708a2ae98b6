"""`read`: how prescriptions are understood: herbs, doses, packets, usage, and what was not read; no model needed.

``./study read TEXT|FILE|- [--json] [--previous TEXT]``: a text, a file of one prescription a line (or JSON lines
``{"id", "prescription", "previous"}``), or standard input. With ``--json`` one object a line:
``{"id", "herbs": [{"name", "base", "dose_g", "dose", "note", "guess"}], "packets", "usage", "unread", "relative"}``, or
``{"id", "prescriptions": […]}``, each with its ``use``, where the text holds several.
"""

import argparse
import json
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tcm.cases import read_utf8
from tcm.commands.rows import Row, RowError, Text, read_rows
from tcm.knowledge import dose_in_g, resolve_herb
from tcm.prescriptions.notation import ReadPrescription, read_prescriptions
from tcm.prescriptions.writing import write_dose


class ReadRow(Row):
    """A row of `read`; `previous` is the prescription that this one may change."""

    prescription: Text
    previous: Text | None = None


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `read`."""
    command.add_argument("source", metavar="TEXT|FILE|-", help="a prescription, a file with one a line, or - for stdin")
    command.add_argument("--json", action="store_true", help="one JSON object a line instead of a table")
    command.add_argument("--previous", metavar="TEXT", help="the prescription that a change (上方加…) refers to")


def main(args: argparse.Namespace) -> int:
    """Run `read`: print every prescription as it was understood.

    Raises:
        RowError: where a file cannot be used.
    """
    for number, (name, text, previous) in enumerate(_texts(args.source)):
        found = read_prescriptions(text, previous or args.previous)
        if args.json:
            print(json.dumps(record(name, found), ensure_ascii=False))
        else:
            print(("\n" if number else "") + table(name, found))
    return 0


def _texts(source: str) -> Iterator[tuple[str | int, str, str | None]]:
    """Id, text and previous prescription of everything to read."""
    path = Path(source)
    if source != "-" and not _is_file(path):
        if not source.strip() or (path.suffix and source.isascii()):
            raise RowError(f"{source!r}: no such file, and no prescription; give a text, a file, or - for stdin")
        yield 1, source, None
    elif path.suffix == ".jsonl":
        yield from ((row.id, row.prescription, row.previous) for row in read_rows(path, ReadRow).values())
    else:
        lines = sys.stdin if source == "-" else read_utf8(path).splitlines()
        texts = [(number, line.strip(), None) for number, line in enumerate(lines, 1) if line.strip()]
        if not texts:
            raise RowError(f"{source}: no prescription in it; give one a line")
        yield from texts


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a long text is no path
        return False


def record(name: str | int, found: tuple[ReadPrescription, ...]) -> dict[str, Any]:
    """What was read as one JSON object."""
    if len(found) == 1:
        return {"id": name, **_fields(found[0])}
    return {"id": name, "prescriptions": [{"use": read.use, **_fields(read)} for read in found]}


def _fields(read: ReadPrescription) -> dict[str, Any]:
    herbs = []
    for item, guess in zip(read.items, read.guesses, strict=True):
        known = resolve_herb(item.herb)
        grams = dose_in_g(item)
        herbs.append(
            {
                "name": item.herb,
                "base": known.base if known else None,
                "dose_g": None if grams is None else round(grams, 6),
                "dose": write_dose(item) or None,
                "note": item.note,
                "guess": guess,
            }
        )
    return {
        "herbs": herbs,
        "packets": read.packets,
        "usage": read.usage,
        "unread": list(read.unread),
        "relative": read.relative,
    }


def table(name: str | int, found: tuple[ReadPrescription, ...]) -> str:
    """What was read as lines for people: a herb a line, then packets and usage, then all that needs a look."""
    lines = []
    for read in found:
        fields = _fields(read)
        use = f" ({read.use})" if len(found) > 1 or read.use == "external" else ""
        lines.append(f"{name}{use}: {len(read.items)} herbs, {read.packets or '-'} packets, usage: {read.usage or '-'}")
        for herb in fields["herbs"]:
            grams = "" if herb["dose_g"] is None else f"{herb['dose_g']:g} g"
            base = "not in the tables" if herb["base"] is None else herb["base"]
            cells = (_pad(herb["name"], 14), _pad(herb["dose"] or "-", 9), grams.rjust(8), _pad(base, 12), herb["note"])
            mark = f"  ? {herb['guess']}" if herb["guess"] else ""
            lines.append(("  " + "  ".join(cells)).rstrip() + mark)
        if read.relative:
            lines.append("  relative: changes a previous prescription, which was not given; name it with --previous")
        lines += [f"  not read: {piece}" for piece in read.unread]
    return "\n".join(lines)


def _pad(text: str, width: int) -> str:
    """A text filled with blanks to a width in columns; a Han character takes two."""
    return text + " " * (width - sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text))
