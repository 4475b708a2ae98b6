"""Uncertainty of the ablation: resampling over cases, since cases are what a reader wants to generalise to.

Scores of one case are first averaged over seeds; a case, not an answer, is the unit that is resampled.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from tcm.metrics.intervals import interval


def case_means(scores: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Mean over seeds of a metric for each case and arm; rows are cases, columns arms (NaN where it does not apply)."""
    return scores.pivot_table(index="case_id", columns="arm", values=metric, aggfunc="mean", observed=True)


def paired(a: Sequence[float], b: Sequence[float], confidence: float, resamples: int) -> dict[str, float | int]:
    """Compare two arms on the same cases.

    Args:
        a, b: one number per case, in the same order; b is the arm that a is compared with.

    Returns:
        `difference` (mean of a - b), its interval `low`, `high`, two-sided `p` of a sign-flip permutation test, `n`.

    Source:
        `scipy.stats.permutation_test` with permutation_type="samples" (exchangeability within a case).
    """
    d = np.asarray(a, float) - np.asarray(b, float)
    low, high = interval(d, confidence, resamples)
    if len(d) < 2 or not d.any():
        p = 1.0
    else:
        test = stats.permutation_test(
            (d,),
            np.mean,
            permutation_type="samples",
            n_resamples=resamples,
            vectorized=True,
            rng=np.random.default_rng(0),
        )
        p = float(test.pvalue)
    return {"difference": float(d.mean()), "low": low, "high": high, "p": p, "n": len(d)}


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """Holm's step-down adjustment of p-values for a family of comparisons.

    Source:
        Holm 1979.
    """
    adjusted, running = {}, 0.0
    for rank, (name, value) in enumerate(sorted(p.items(), key=lambda item: item[1])):
        running = max(running, min(1.0, (len(p) - rank) * value))
        adjusted[name] = running
    return adjusted
