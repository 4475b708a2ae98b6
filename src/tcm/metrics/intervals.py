"""How far a number may be off: intervals over the units that were sampled, cases above all."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

CONFIDENCE, RESAMPLES = 0.95, 2000


def interval(
    values: Sequence[float], confidence: float = CONFIDENCE, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Bootstrap interval of a mean (BCa; percentile where BCa is not defined).

    Args:
        values: one number per case.

    Returns:
        Lower and upper end; both the mean itself where all values are equal or there is only one.

    Source:
        Efron 1987 (BCa), as in `scipy.stats.bootstrap`.
    """
    values = np.asarray(values, float)
    if len(values) < 2 or np.ptp(values) < 1e-12:
        return (float(values.mean()),) * 2
    kwargs = {"n_resamples": resamples, "confidence_level": confidence, "vectorized": True}
    found = stats.bootstrap((values,), np.mean, method="BCa", rng=np.random.default_rng(seed), **kwargs)
    if not np.isfinite([found.confidence_interval.low, found.confidence_interval.high]).all():
        found = stats.bootstrap((values,), np.mean, method="percentile", rng=np.random.default_rng(seed), **kwargs)
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def ranged(row: Mapping[str, Any], of: str = "mean", form: str = ".3f") -> str:
    """A number with its interval in words, as ``0.312 [0.301, 0.330]``.

    Args:
        row: the number stands under `of`, the ends under ``low`` and ``high``.
        form: of each, as `format` takes it.
    """
    return f"{row[of]:{form}} [{row['low']:{form}}, {row['high']:{form}}]"


def wilson(hits: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Interval of a share; unlike a bootstrap it has a width where all or none of the few trials hit.

    Args:
        hits: of n trials, n at least 1.

    Source:
        Wilson 1927, as in `scipy.stats.binomtest`.
    """
    found = stats.binomtest(hits, n).proportion_ci(confidence, method="wilson")
    return float(found.low), float(found.high)


def of_shares(values: Sequence[float]) -> tuple[float, float]:
    """Interval of the mean of values in 0..1: `wilson` where each is 0 or 1, else `interval`."""
    if all(value in (0, 1) for value in values):
        return wilson(int(sum(values)), len(values))
    return interval(values)


def of_groups(groups: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Interval of the mean of all values, resampling groups as wholes: values of one case are not independent.

    Args:
        groups: the values of each case, all in 0..1. Where every value is 0, or every one 1, `wilson` over the cases;
            one case of both kinds tells nothing of others: the whole range.
    """
    sums, counts = (np.array(column, float) for column in zip(*((sum(g), len(g)) for g in groups), strict=True))
    if sums.sum() in (0, counts.sum()):
        return wilson(len(groups) if sums.any() else 0, len(groups))
    if len(groups) == 1:
        return 0.0, 1.0
    drawn = np.random.default_rng(0).integers(len(groups), size=(RESAMPLES, len(groups)))
    return _middle(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))


def resampled(statistic: Callable[[list], float], units: Sequence) -> tuple[float, float]:
    """Percentile bootstrap interval of any statistic over units that are kept whole, e.g. prompts with their answers.

    Args:
        statistic: of a list of units; NaN where it is not defined, and such a resample is left out.
    """
    rng = np.random.default_rng(0)
    found = [statistic([units[i] for i in rng.integers(len(units), size=len(units))]) for _ in range(500)]
    return _middle([value for value in found if not math.isnan(value)])


def _middle(found: Sequence[float]) -> tuple[float, float]:
    """The percentiles of resampled values; NaN where there are none."""
    tail = (1 - CONFIDENCE) / 2
    return tuple(float(x) for x in np.quantile(found, (tail, 1 - tail))) if len(found) else (math.nan, math.nan)
