"""Can this judge teach this model at all? Told before any training, from candidates whose prompt has a known answer.

Training on the judge's choice cannot bring more than the choice itself holds above the mean candidate, and an oracle
that reads the physician's answer shows how much there would have been to choose.
"""

from collections.abc import Callable, Sequence
from math import comb
from statistics import fmean
from typing import Any

from tcm.answers import read_for
from tcm.metrics.intervals import interval
from tcm.metrics.sets import herb_f1
from tcm.metrics.usable import usable
from tcm_rlaif.feedback.judges.base import Item, Verdict, rank_of, said_of

NUMBERS = (2, 4, 8)
"""So many candidates of a prompt are chosen from, as far as they go."""
COLUMNS = ("candidates", "prompts", "mean", "choice", "oracle", "gain", "low", "high", "possible", "usable_mean",
           "usable_choice")  # fmt: skip


def preflight(items: Sequence[Item], verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Herb F1 of the judge's choice, of the mean candidate and of the oracle's choice.

    The choice from n of N candidates is averaged over all draws of n, and over candidates that score alike: exact, no
    dice. The oracle chooses by herb F1 with the physician's answer (base level).

    Args:
        items: with their candidates; prompts without a known prescription are passed over.
        verdicts: one per item; candidates without a score are left out.

    Returns:
        Plain values for JSON. ``rows``, one for each of `NUMBERS`: number of ``candidates``, ``prompts``, herb F1 of
        ``mean``, ``choice``, ``oracle``, the ``gain`` of choice over mean with its interval ``low`` and ``high`` over
        prompts, ``possible`` (the oracle's gain), and the shares of answers that are `usable`: ``usable_mean`` and
        ``usable_choice``. ``alike``: share of prompts on which all candidates score alike, of ``prompts``.
        ``sentence``, and ``warning``, empty where the gain is shown.
    """
    known = [_scored(item, v) for item, v in zip(items, verdicts, strict=True)
             if item.case.answer and item.case.answer.prescription]  # fmt: skip
    known = [prompt for prompt in known if len(prompt) > 1]
    rows = [_row(n, prompts) for n in NUMBERS if (prompts := [p for p in known if len(p) >= n])]
    alike = fmean(len({score for score, _, _ in prompt}) == 1 for prompt in known) if known else None
    return {"rows": rows, "alike": alike, "prompts": len(known), **_said(rows)}


Candidate = tuple[float, float, float]
"""What it is chosen by (`rank_of`), herb F1, whether it is usable."""


def _scored(item: Item, verdict: Verdict) -> list[Candidate]:
    gold, found = item.case.answer, []
    for text, score, ended in said_of(item, verdict):
        if score is not None:
            read = read_for(item.case, text)
            fit, _ = usable(gold, read, item.case.patient, ended)
            found.append((rank_of(score, ended), herb_f1(gold.herbs, read.answer.herbs), fit))
    return found


def of_best(candidates: Sequence[Candidate], n: int, by: Callable, worth: Callable) -> float:
    """Mean worth of the best of n candidates, over all draws of n without replacement; equals share.

    Args:
        by: what is chosen by, of a candidate.
        worth: what is averaged, of a candidate.
    """
    found, below = 0.0, 0
    for rank in sorted({by(c) for c in candidates}):
        equals = [worth(c) for c in candidates if by(c) == rank]
        found += (comb(below + len(equals), n) - comb(below, n)) * fmean(equals)
        below += len(equals)
    return found / comb(below, n)


def _row(n: int, prompts: Sequence[Sequence[Candidate]]) -> dict[str, Any]:
    def over_prompts(by: Callable, worth: Callable) -> list[float]:
        return [of_best(candidates, n, by, worth) for candidates in prompts]

    def score(c: Candidate) -> float:
        return c[0]

    def f1(c: Candidate) -> float:
        return c[1]

    def fit(c: Candidate) -> float:
        return c[2]

    means, choices = [fmean(map(f1, p)) for p in prompts], over_prompts(score, f1)
    gains = [choice - mean for choice, mean in zip(choices, means, strict=True)]
    mean, choice, oracle = fmean(means), fmean(choices), fmean(over_prompts(f1, f1))
    usable_mean = fmean(fmean(map(fit, p)) for p in prompts)
    values = (n, len(prompts), mean, choice, oracle, fmean(gains), *interval(gains), oracle - mean, usable_mean,
              fmean(over_prompts(score, fit)))  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True))


def _said(rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    """The row with most candidates, as a sentence and a warning."""
    if not rows:
        return {"sentence": "no prompt with a known answer has two candidates with a score", "warning": ""}
    row = rows[-1]
    sentence = (
        f"Of {row['candidates']} candidates the judge's choice is better than chance by {row['gain']:.2f} herb F1 "
        f"[{row['low']:.2f}, {row['high']:.2f}] of the {row['possible']:.2f} that an oracle would gain, "
        f"on {row['prompts']} prompts whose answer is known."
    )
    if row["low"] > 0:
        return {"sentence": sentence, "warning": ""}
    if row["high"] < 0:
        return {"sentence": sentence, "warning": "Warning: the judge's choice is worse than chance; it misleads."}
    warning = "Warning: the interval contains 0; it is not shown that this judge can teach this model anything."
    return {"sentence": sentence, "warning": warning}
