"""Cases without identifiers: free text masked, numbers of patients and records as pseudonyms, ages over 89 as 90."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import chain

from tcm.cases import Case, PrescriptionItem, Record
from tcm.identifiers.pseudonyms import pseudonym
from tcm.identifiers.spans import MARKS, Span
from tcm.identifiers.text import in_context, known_names, masked, spans_of, suspicious

SHOWN = 4
"""Examples that are kept of each kind: enough to see what a rule does, few enough to read."""
SHOWN_LEFT = 20
SHORT = 6
"""Characters from which a text can hold something suspicious."""
OLDEST = 90
"""Source: HIPAA safe harbour, 45 CFR 164.514(b)(2)(i)(C): ages over 89 are one category."""


@dataclass
class Account:
    """What was masked, and what looks suspicious but was left.

    Args:
        counts: kind -> how many.
        shown: the first of each kind, with the masked text around them.
        left: the first places that no rule is sure of, as they stand in the cases now.
        left_count: how many such places there are.
        harmless: herbs in which nothing was found: the same few thousand stand in all prescriptions.
    """

    counts: Counter = field(default_factory=Counter)
    shown: list[dict[str, str]] = field(default_factory=list)
    left: list[dict[str, str]] = field(default_factory=list)
    left_count: int = 0
    harmless: set[PrescriptionItem] = field(default_factory=set)

    def said(self) -> str:
        """One sentence."""
        found = ", ".join(f"{kind} {self.counts[kind]}" for kind in MARKS if self.counts[kind])
        return f"{found or 'no names, numbers, places or dates found'} (a net, not a proof: look yourself)"

    def add(self, record: str, name: str, text: str, spans: list[Span]) -> str:
        """Mask a text and take note of it.

        Args:
            record: id of the record, as it is known from now on.
            name: of the field.
        """
        if not spans and len(text) < SHORT:  # most texts are names of herbs
            return text
        new, places = masked(text, spans)
        for span in places:
            self.counts[span.kind] += 1
            if self.counts[span.kind] <= SHOWN:
                self.shown.append({"kind": span.kind, "record": record, "field": name, "text": in_context(new, span)})
        for span in suspicious(new):
            self.left_count += 1
            if self.left_count <= SHOWN_LEFT:
                self.left.append({"record": record, "field": name, "text": in_context(new, span)})
        return new


def mask_case(case: Case, account: Account, key: bytes = b"") -> Case:
    """Mask every text of a case: findings and answers of all visits, herbs, usage and notes.

    A name that one place of a record shows to be a name (患者李小红，女) is masked wherever it stands in that record.

    Args:
        key: for pseudonyms of own records; without it ids stay (those of public sources are no patients' numbers).
    """
    known = known_names(chain.from_iterable(map(_texts, (case.visit, *case.earlier_visits))))
    ids = {}
    if key:
        ids["patient_id"] = pseudonym(case.patient_id, "patient", key)
        alone = case.id == case.patient_id  # no column of patients: each record is its own
        ids["id"] = ids["patient_id"] if alone else pseudonym(case.id, "record", key)
    name = ids.get("id", case.id)

    def herb(item: PrescriptionItem) -> PrescriptionItem:
        if not known and item in account.harmless:
            return item
        before = account.left_count
        if (new := clean(item)) is item and account.left_count == before:
            account.harmless.add(item)
        return new

    def clean(record: Record) -> Record:
        changed = {}
        for field_name, value in record:
            if isinstance(value, str):
                if len(value) < 2:
                    continue
                new = account.add(name, field_name, value, spans_of(value, known))
            elif isinstance(value, Record):
                new = clean(value)
            elif isinstance(value, tuple):
                new = tuple(herb(part) if isinstance(part, PrescriptionItem) else clean(part) for part in value)
            else:
                continue
            if new != value:
                changed[field_name] = new
        return record.model_copy(update=changed) if changed else record

    changed = {"visit": clean(case.visit), "earlier_visits": tuple(map(clean, case.earlier_visits))}
    if case.answer:
        changed["answer"] = clean(case.answer)
    if case.modifications:
        changed["modifications"] = account.add(
            name, "modifications", case.modifications, spans_of(case.modifications, known)
        )
    if (case.patient.age or 0) >= OLDEST:
        account.counts["age over 89"] += case.patient.age > OLDEST
        changed["patient"] = case.patient.model_copy(update={"age": float(OLDEST)})
    return case.model_copy(update=changed | ids)


def _texts(record: Record) -> list[str]:
    return [value for _, value in record if isinstance(value, str)]
