"""`import`: look at own records, say all that was found, and write the params file that runs a study on them.

``./study import FILE --out params/mine.yaml``, then ``./study run params/mine.yaml``. Without ``--out`` nothing is
written. The exit code is 0 where the records can be used, else 2.
"""

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tcm import answers
from tcm.answers import wording
from tcm.cases import Case, CaseError, cleaning
from tcm.commands import params_file
from tcm.identifiers import Account, mask_text
from tcm.knowledge import resolve_herb
from tcm.sources.columns import FIELDS, Proposal, as_tuple, propose
from tcm.sources.own import read_all
from tcm.sources.records import Records
from tcm.sources.tables import read_table

SHOWN = 3  # examples of a kind


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `import`."""
    command.add_argument("file", type=Path, help=".xlsx, .csv, .tsv, .jsonl or .json; one visit a row")
    command.add_argument("--out", type=Path, help="params file to write, e.g. params/mine.yaml")
    command.add_argument("--force", action="store_true", help="write over --out where it is there")
    command.add_argument("--model", help="train this model, not the tiny one: hub id, folder or .gguf file")
    command.add_argument(
        "--like",
        type=Path,
        metavar="PARAMS",
        help="take arms and settings from this params file; otherwise from that of the public case records, "
        "params/best4sdt.yaml, with --model params/qwen-small.yaml",
    )
    command.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="FIELD=COLUMN",
        help="e.g. history=现病史+既往史; may be repeated",
    )
    command.add_argument("--fill-merged", action="store_true", help="fill cells that were merged downwards")
    command.add_argument(
        "--leave-out", action="store_true", help="leave out patients with a record that cannot be used"
    )
    command.add_argument("--max-unread", type=float, metavar="SHARE", help="of doses and herbs that may be lost (0.05)")
    command.add_argument("--allow-few", action="store_true", help="go on with fewer than 9 test or 5 training cases")


def main(args: argparse.Namespace) -> int:
    """Run `import`: print what was found, write the params file where asked and where the records can be used.

    Raises:
        CaseError: where the file cannot be read as a table, `--like` not as a params file, or `--out` is there already.
    """
    if args.out and args.out.exists() and not args.force:
        raise CaseError(f"{args.out}: is there already; give --out another file, or --force to write over it")
    if args.out and args.out.resolve() == args.file.resolve():
        raise CaseError(f"{args.out}: is the file that is read; give --out another file")
    if args.max_unread is not None and not 0 <= args.max_unread <= 1:
        raise CaseError(f"--max-unread {args.max_unread:g}: is no share; give a number from 0 to 1")
    params_file.settings(args.like, args.model)  # what it cannot read stops before the records are looked at
    table = read_table(args.file)
    found = propose(table, _given(args.column))
    said = [f"{args.file}: {table.said}; {len(table.rows)} records", *_columns(found)]
    _print(said)
    records = read_all(table, found.columns, args.fill_merged).without_identifiers()
    kept, funnel, _ = cleaning.clean(records.cases)
    _print(["", "Up to five cases as the model would read them, identifiers masked", *_shown(kept)])
    facts = [*_counts(records, kept), *_prescriptions(records, kept)]
    facts.append(f"masked: {records.masked.said()}")
    _print(["", *_masked(records.masked)])
    _print(
        ["", *_problems(records), *facts, "", *(f"{r['cases']:6} {r['step']}" for r in records.funnel(funnel, kept))]
    )
    against, few = _against(records, kept, args)
    if against:
        _print(["", *(f"not usable: {reason}" for reason in against)], sys.stderr)
        return 2
    said_few = [f"few: {few}"] if few else []
    _print(["", *said_few])
    if args.out:
        left_out = [f"left out: {number} records ({why})" for why, number in sorted(records.left_out.items())]
        params_file.write(args, found.columns, kept, [said[0], *_notes(found), *left_out, *facts, *said_few])
        print(f"{args.out} written; next: ./study run {args.out}")
    else:
        print("usable; --out params/NAME.yaml writes the params file")
    return 0


def _print(lines: Iterable[str], stream: Any = None) -> None:
    print("\n".join(lines), file=stream)


def _given(pairs: list[str]) -> dict[str, str | tuple[str, ...]]:
    """`--column` as a column map."""
    given: dict[str, str | tuple[str, ...]] = {}
    for pair in pairs:
        field, _, names = pair.partition("=")
        if field not in FIELDS or not names:
            raise CaseError(f"--column {pair}: write FIELD=COLUMN or FIELD=COLUMN+COLUMN; fields: {', '.join(FIELDS)}")
        if field in given:
            raise CaseError(f"--column {pair}: {field} is given twice; write {field}=COLUMN+COLUMN")
        columns = tuple(name.strip() for name in names.split("+"))
        given[field] = columns if len(columns) > 1 else columns[0]
    return given


def _columns(found: Proposal) -> list[str]:
    lines = [f"  {field:20} {' + '.join(as_tuple(column))}" for field, column in found.columns.items()]
    return ["", "Columns", *lines, *(f"  {note}" for note in _notes(found))]


def _notes(found: Proposal) -> list[str]:
    notes = [f"unsure: {sentence} (--column FIELD=COLUMN decides)" for sentence in found.unsure]
    if "patient_id" not in found.columns:
        notes.append("no column of patients: every record is taken for a patient of its own, no visit follows another")
    if "id" not in found.columns:
        notes.append("no column of record ids: rows are counted")
    return notes + ([f"not used: {', '.join(found.unused)}"] if found.unused else [])


def _shown(kept: list[Case]) -> list[str]:
    follow_ups = [c for c in kept if c.earlier_visits][:2]
    chosen = [*[c for c in kept if not c.earlier_visits][: 5 - len(follow_ups)], *follow_ups]
    return [f"\n{wording.case_text(case)}\n→ {answers.write(case.answer)}" for case in chosen]


def _masked(account: Account) -> list[str]:
    """What was masked and what was left, in context."""
    lines = [f"masked: {account.counts.total()}; the first of each kind, in context"]
    lines += [f"  {row['kind']:16} {row['field']:16} …{row['text']}…" for row in account.shown]
    lines += [f"suspicious, but left: {account.left_count or 'nothing'}"]
    return lines + [f"  {row['record']:18} {row['field']:16} …{row['text']}…" for row in account.left]


def _problems(records: Records) -> list[str]:
    """All problems by kind, with counts and the first of each."""
    kinds = defaultdict(list)
    for problem in records.problems:
        kinds[f"{problem.field}: {problem.kind}"].append(problem.said)
    lines = [f"problems: {len(records.problems) or 'none'}"]
    for kind, said in sorted(kinds.items(), key=lambda item: -len(item[1])):
        lines += [f"  {len(said)} × {kind}", *(f"      {sentence}" for sentence in said[:SHOWN])]
    return lines


def _counts(records: Records, kept: list[Case]) -> list[str]:
    patients, tasks = len({c.patient_id for c in records.cases}), Counter(c.task for c in records.cases)
    visits = f"{tasks['first_visit']} first and {tasks['follow_up_visit']} follow-up visits"
    return [f"{len(records.cases)} cases of {patients} patients: {visits}; {len(kept)} with an answer to learn from"]


def _prescriptions(records: Records, kept: list[Case]) -> list[str]:
    """How much of the prescriptions was read, what was not, and which herbs the tables do not know."""
    read, share = records.pieces - records.lost, 1 - records.unread_share
    lines = [
        f"prescriptions: {len(records.prescriptions)}; {read} of {records.pieces} doses and herb names read "
        f"({share:.1%}); {len(records.not_whole)} not read whole"
    ]
    for cell in records.not_whole[:SHOWN]:
        lost, text = mask_text("、".join(cell.lost or cell.unread)), mask_text(cell.text)
        lines.append(f"  line {cell.line}: not read: {lost[:60]!r} in {text[:60]!r}")
    mentions = Counter(herb for case in kept for herb in case.answer.herbs)
    unknown = Counter({herb: n for herb, n in mentions.items() if resolve_herb(herb) is None})
    known = 1 - unknown.total() / max(1, mentions.total())
    names = ", ".join(f"{name} {number}" for name, number in unknown.most_common(8))
    more = f"; not known: {names}" if unknown else ""
    return [*lines, f"herb names: {known:.1%} of {mentions.total()} are in the tables{more}"]


def _against(records: Records, kept: list[Case], args: argparse.Namespace) -> tuple[list[str], str]:
    """What speaks against a study on these records, and what its few cases are too few for where that is allowed."""
    from tcm.cases import splits  # scipy: not for every start of the command line

    against = []
    if problems := records.against(args.leave_out):
        hint = "fill them by --fill-merged" if args.leave_out else "or leave these patients out by --leave-out"
        against.append(f"{len(problems)} problems (above); correct them, {hint}")
    try:
        records.refuse_loss(0.05 if args.max_unread is None else args.max_unread)
        place = Counter(splits.split(kept, splits.groups(kept)))
    except CaseError as error:
        return [*against, str(error).replace("data_max_unread", "--max-unread")], ""
    few = splits.too_few(place["train"], place["test"])
    if few and not args.allow_few:
        against.append(f"too few: {few}; give more records, or --allow-few for a trial run")
    return against, few
