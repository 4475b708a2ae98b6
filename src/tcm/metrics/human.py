"""How far physicians agree with each other: what a score of a diagnosis has to be read beside."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Agreement:
    """Agreement of two practitioners who examine the same patients, over the studies of a review.

    Args:
        mean: share of patients given the same pattern, mean over studies.
        median: the same, median over studies.
        kappa: Cohen's kappa, mean over studies.
    """

    mean: float
    median: float
    kappa: float
    source: str


PATTERN = Agreement(0.57, 0.65, 0.34, "systematic review PMC6864748")
"""Two practitioners on the pattern (证型)."""
COMPARED = "syndrome_exact"
"""The metric of ours that comes nearest. It is another measure: it wants the same words as one record's."""
LINES = {"syndrome_exact": PATTERN.mean, "syndrome_f1": PATTERN.mean}
"""Metric -> where the line of human agreement is drawn beside it."""


def sentence() -> str:
    """What the line means, and what it does not."""
    return (
        "Two practitioners who examine the same patient name the same pattern in "
        f"{PATTERN.mean:.0%} of cases on average (median {PATTERN.median:.0%}, kappa {PATTERN.kappa:.2f}; "
        f"{PATTERN.source}): a model at 60% is not at 60% of perfect. The comparison is rough. That figure is "
        "agreement on the whole pattern between two people who saw the patient; "
        f"`{COMPARED}`, which comes nearest, is agreement to the letter with one written record, and `syndrome_f1` "
        "gives credit for a part."
    )
