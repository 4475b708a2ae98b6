"""What a source hands on: cases, and an account of everything in it that did not become one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tcm.cases import Case, CaseError
from tcm.files import in_one_go
from tcm.identifiers import Account, mask_case, mask_text, read_key
from tcm.sources.border import PrescriptionCell


@dataclass(frozen=True)
class Problem:
    """Something in a record that cannot be used.

    Args:
        line: of the record.
        field: our name of the field; ``file`` where it is not one record's.
        kind: what is wrong, equal for all problems of a kind.
        said: file, line, field, what is wrong with the value, and the fix.
    """

    line: int
    field: str
    kind: str
    said: str


@dataclass(frozen=True)
class Records:
    """The records of one source.

    Args:
        cases: what became of them.
        said: what the file was taken for.
        problems: records that cannot be used; their patients are not among the cases.
        left_out: reason -> records that are not among the cases.
        prescriptions: every prescription of own records against its text.
        masked: what was masked in them; None before `without_identifiers`.
    """

    cases: list[Case]
    said: str = ""
    problems: tuple[Problem, ...] = ()
    left_out: Counter = field(default_factory=Counter)
    prescriptions: tuple[PrescriptionCell, ...] = ()
    masked: Account | None = None

    @in_one_go
    def without_identifiers(self) -> "Records":
        """The same records with all free text masked, and own patients' and records' numbers as pseudonyms.

        What the problems say stays as it is: it names the lines that have to be corrected.
        """
        account, names, cases = Account(), {}, []
        key = read_key() if any(case.source == "own" for case in self.cases) else b""
        for case in self.cases:
            cases.append(mask_case(case, account, key if case.source == "own" else b""))
            names[case.id] = cases[-1].id
        account.shown.sort(key=lambda row: row["kind"])
        cells = tuple(replace(cell, id=names.get(cell.id, cell.id)) for cell in self.prescriptions)
        return replace(self, cases=cases, prescriptions=cells, masked=account)

    def against(self, leave_out: bool) -> list[Problem]:
        """The problems that speak against the records: all, or those of the whole file where patients are left out."""
        return [problem for problem in self.problems if not leave_out or problem.field == "file"]

    @property
    def not_whole(self) -> list[PrescriptionCell]:
        """Prescriptions that were not read whole, the worst first."""
        cells = [cell for cell in self.prescriptions if not cell.whole]
        return sorted(cells, key=lambda cell: (-len(cell.lost), -sum(map(len, cell.unread)), cell.line))

    @property
    def pieces(self) -> int:
        """Doses and known herb names in all prescriptions."""
        return sum(cell.pieces for cell in self.prescriptions)

    @property
    def lost(self) -> int:
        """Those of `pieces` that were not read."""
        return sum(len(cell.lost) for cell in self.prescriptions)

    @property
    def unread_share(self) -> float:
        """Share of doses and herb names that were not read."""
        return self.lost / self.pieces if self.pieces else 0.0

    def table(self) -> list[dict[str, Any]]:
        """One row for each prescription that was not read whole: the text beside what was lost of it."""
        return [
            {
                "line": cell.line,
                "as written": mask_text(cell.text),
                "herbs read": "、".join(cell.answer.herbs) or "none",
                "not read": mask_text("；".join(cell.unread)) or "-",
                "doses and herbs lost": mask_text("、".join(cell.lost)) or "-",
            }
            for cell in self.not_whole
        ]

    def refuse_loss(self, limit: float) -> None:
        """Stop where too much of the prescriptions was not read.

        Args:
            limit: highest share of doses and herb names that may be lost.

        Raises:
            CaseError: with the worst examples.
        """
        if self.unread_share > limit:
            worst = "; ".join(
                f"line {c.line}: {'、'.join(c.lost[:4])} in {mask_text(c.text)[:50]!r}" for c in self.not_whole[:3]
            )
            lost = f"{self.unread_share:.1%} of the doses and herbs ({self.lost} of {self.pieces}) in the prescriptions"
            raise CaseError(
                f"{lost} were not read, more than data_max_unread ({limit:.1%}): {worst}; write these as "
                "柴胡10g，黄芩12g, or allow more"
            )

    def funnel(self, rows: Sequence[dict[str, Any]], kept: Sequence[Case]) -> list[dict[str, Any]]:
        """The funnel of `cleaning.clean` with what a source left out before, and what it kept but did not read whole.

        Args:
            rows: `{"step", "cases"}`, the first the sum of the others.
            kept: the cases of its last row.

        Returns:
            Rows whose first is the sum of the others again.
        """
        first, *drops, last = rows
        partly = {cell.id for cell in self.not_whole}
        number = sum(case.id in partly for case in kept)
        before = [{"step": f"left out: {why}", "cases": n} for why, n in sorted(self.left_out.items())]
        split = [{"step": "cases kept, prescription not read whole", "cases": number}] if number else []
        read = {**first, "cases": first["cases"] + self.left_out.total()}
        return [read, *before, *drops, *split, {**last, "cases": last["cases"] - number}]
