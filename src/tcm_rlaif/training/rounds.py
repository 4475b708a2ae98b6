"""What a round of learning from feedback cost, and what became of the policy: collapse shows here first."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import fmean
from typing import Any

from tcm.answers import previous_items
from tcm_rlaif.feedback.judges.base import Item, Verdict
from tcm_rlaif.feedback.pairs import herb_names

COMMONEST = 10  # so many herbs; our choice
READ = ("judge_score", "herb_f1", "usable", "kl", "kl_per_token", "entropy")
"""Readings of the health panel that a round is told by, of the weights that it kept."""


def of_candidates(items: Sequence[Item], verdicts: Sequence[Verdict]) -> dict[str, float | None]:
    """What the candidates say of the policy that wrote them.

    Returns:
        ``mean_score`` and ``spread`` (best minus worst of a prompt) by the judge, ``distinct`` (different sets of base
        herbs as a share of all candidates with any herb) and ``commonest`` (share of all herbs written that the ten
        commonest take); None where there is nothing to tell from.
    """
    scores = [known for v in verdicts if (known := [s for s in v.scores if s is not None])]
    said = (herb_names(text, previous_items(item.case)) for item in items for text in item.candidates)
    herbs = [names for names in said if names]
    written = Counter(name for names in herbs for name in names)
    return {
        "mean_score": fmean(s for known in scores for s in known) if scores else None,
        "spread": fmean(max(known) - min(known) for known in scores) if scores else None,
        "distinct": len(set(herbs)) / len(herbs) if herbs else None,
        "commonest": sum(n for _, n in written.most_common(COMMONEST)) / written.total() if herbs else None,
    }


def of_policy(reading: Mapping[str, Any]) -> dict[str, float | None]:
    """What the health panel's reading says of the policy on validation cases; KL is from the policy as it came in."""
    return {name: reading[name] for name in READ}


def tokens_trained(log: Sequence[Mapping[str, Any]]) -> int:
    """Tokens that went through a trainer, question and answer, as TRL counts them."""
    return int(max((row.get("num_tokens", 0) for row in log), default=0))


class Clock:
    """Wall time by what it was spent on."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def on(self, work: str) -> Iterator[None]:
        """Count the time within it under a name."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[work] = round(self.seconds.get(work, 0.0) + time.monotonic() - started, 3)
