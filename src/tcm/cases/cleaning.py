"""Cleaning: what cannot be used is dropped, and every drop is counted (identifiers are masked before, by
`tcm.identifiers`)."""

import re
from collections import Counter
from collections.abc import Sequence

from tcm.cases.types import Case


def clean(cases: Sequence[Case], limit: int = 0) -> tuple[list[Case], list[dict]]:
    """Drop what cannot be used, counting every drop.

    Args:
        limit: use only the first so many records; 0 = all.

    Returns:
        The kept cases; the funnel as rows `{"step", "cases"}` where read = kept + all drops.
    """
    kept, drops, seen = [], Counter(), set()
    for case in cases[: limit or None]:
        said = (letters_of(case.visit.findings), *(letters_of(v.findings) for v in case.earlier_visits))
        if case.answer is None or not (case.answer.prescription or case.answer.syndrome or case.answer.disease):
            drops["dropped: no answer to learn from or compare with"] += 1
        elif (said, case.answer) in seen:
            drops["dropped: the same findings and answer as an earlier record"] += 1
        else:
            seen.add((said, case.answer))
            kept.append(case)
    if 0 < limit < len(cases):
        drops[f"left out: beyond the first {limit} (data_limit)"] = len(cases) - limit
    rows = [{"step": "records read", "cases": len(cases)}]
    rows += [{"step": reason, "cases": number} for reason, number in sorted(drops.items())]
    return kept, [*rows, {"step": "cases kept", "cases": len(kept)}]


def letters_of(text: str) -> str:
    """A text without punctuation and white space, for comparing what was said."""
    return re.sub(r"[\W_]+", "", text)
