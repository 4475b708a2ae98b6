"""Cleaning: repetitions are dropped, cases without an answer set apart, all of it counted.

Identifiers are masked before, by `tcm.identifiers`.
"""

import re
from collections import Counter
from collections.abc import Sequence

from tcm.cases.types import Case
from tcm.files import in_one_go

NO_ANSWER = "without an answer: a prompt for AI feedback alone (unlabelled)"


@in_one_go
def clean(cases: Sequence[Case], limit: int = 0) -> tuple[list[Case], list[dict], list[Case]]:
    """Set cases without an answer apart, drop repetitions; count all of it.

    Args:
        limit: use only the first so many records; 0 = all.

    Returns:
        The kept cases; the funnel as rows `{"step", "cases"}` whose first is the sum of the others; the cases without
        an answer to learn from or compare with, prompts that a judge can still teach.
    """
    kept, unlabelled, drops, seen = [], [], Counter(), set()
    for case in cases[: limit or None]:
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
    return kept, [*rows, {"step": "cases kept", "cases": len(kept)}], unlabelled


def letters_of(text: str) -> str:
    """A text without punctuation and white space, for comparing what was said."""
    return re.sub(r"[\W_]+", "", text)
