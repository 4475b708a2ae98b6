"""Cleaning: what can name a person is masked, repetitions dropped, cases without an answer set apart; all counted."""

import re
from collections import Counter
from collections.abc import Sequence

from tcm.cases.types import Case

IDENTIFIERS = {
    "identity number": re.compile(r"(?<!\d)\d{17}[\dXx](?!\d)"),
    "telephone number": re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)"),
    "name": re.compile(r"(?<=姓名[：:])[\u4e00-\u9fff]{2,4}|(?<=患者)[\u4e00-\u9fff]某+"),
    "date": re.compile(r"(?:19|20)\d{2}\s*[年./-]\s*\d{1,2}\s*[月./-]\s*\d{1,2}\s*日?"),
    "record number": re.compile(r"(?<=(?:住院|门诊|病历|病案)号[：:])\s*[A-Za-z0-9-]{4,}"),
}


def mask_text(text: str, found: Counter | None = None) -> str:
    """Replace what can name a person by `＊`; how many of each kind is added to `found`."""
    for kind, pattern in IDENTIFIERS.items():
        text, number = pattern.subn("＊", text)
        if number and found is not None:
            found[kind] += number
    return text


def mask_identifiers(case: Case) -> tuple[Case, Counter]:
    """Replace what can name a person by `＊` in the findings of all visits (ids and answers stay as they are).

    Returns:
        The case, and how many of each kind were replaced.

    Source:
        Our choice of patterns: what Chinese records carry most often. It is a net, not a proof: look at your records.
    """
    found: Counter = Counter()

    def visit(v):
        texts = ("chief_complaint", "history", "tongue", "pulse")
        return v.model_copy(update={f: mask_text(getattr(v, f), found) for f in texts})

    earlier = tuple(visit(v) for v in case.earlier_visits)
    return case.model_copy(update={"visit": visit(case.visit), "earlier_visits": earlier}), found


NO_ANSWER = "without an answer: a prompt for AI feedback alone (unlabelled)"


def clean(cases: Sequence[Case], limit: int = 0) -> tuple[list[Case], list[dict], Counter, list[Case]]:
    """Mask identifiers, set cases without an answer apart, drop repetitions; count all of it.

    Args:
        limit: use only the first so many records; 0 = all.

    Returns:
        The kept cases; the funnel as rows `{"step", "cases"}` whose first is the sum of the others; identifiers masked;
        the cases without an answer to learn from or compare with, prompts that a judge can still teach.
    """
    kept, unlabelled, drops, masked, seen = [], [], Counter(), Counter(), set()
    for case in cases[: limit or None]:
        case, found = mask_identifiers(case)
        masked.update(found)
        said = (letters_of(case.visit.findings), *(letters_of(v.findings) for v in case.earlier_visits))
        answer = case.answer
        if answer and not (answer.prescription or answer.syndrome or answer.disease):
            answer = None
        if (said, answer) in seen:
            drops["dropped: the same findings and answer as an earlier record"] += 1
            continue
        seen.add((said, answer))
        if answer:
            kept.append(case)
        else:
            unlabelled.append(case.model_copy(update={"answer": None}))
            drops[NO_ANSWER] += 1
    if 0 < limit < len(cases):
        drops[f"left out: beyond the first {limit} (data_limit)"] = len(cases) - limit
    rows = [{"step": "records read", "cases": len(cases)}]
    rows += [{"step": reason, "cases": number} for reason, number in sorted(drops.items())]
    return kept, [*rows, {"step": "cases kept", "cases": len(kept)}], masked, unlabelled


def letters_of(text: str) -> str:
    """A text without punctuation and white space, for comparing what was said."""
    return re.sub(r"[\W_]+", "", text)
