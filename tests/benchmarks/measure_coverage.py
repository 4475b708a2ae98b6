"""Measures how often 95 % intervals of a difference over seeds and cases hold the truth, for several ways to make them.

The differences are made up: a seed's effect, a case's effect, a rest; the true difference is 0, so the share of
intervals without 0 is the rate of false findings. `zeros` = three quarters of the cases do not differ at all.
No test: run it by hand with ``python tests/benchmarks/measure_coverage.py`` (some minutes).
"""

import argparse
from collections.abc import Callable
from itertools import product

import numpy as np
import pandas as pd

from tcm_rlaif.evaluation import stats

CASE_SD, REST_SD, SEED_SDS = 0.2, 0.1, (0.0, 0.02, 0.04)
SEEDS, CASES = (2, 3, 5, 10), (60, 150)
RESAMPLES = 1000
Interval = Callable[[np.ndarray, np.random.Generator], tuple[float, float]]


def draw(rng: np.random.Generator, seeds: int, cases: int, seed_sd: float, zeros: bool) -> np.ndarray:
    """Differences as seeds x cases, of mean 0 and the stated variances."""
    of_case, rest = rng.normal(0, CASE_SD, cases), rng.normal(0, REST_SD, (seeds, cases))
    if zeros:
        of_case, rest = (2 * x * (rng.random(x.shape) < 0.25) for x in (of_case, rest))
    return rng.normal(0, seed_sd, (seeds, 1)) + of_case + rest


def cases_alone(d: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """What leaves the training's randomness out: cases averaged over seeds."""
    return stats.estimate(pd.DataFrame(d.mean(axis=0, keepdims=True))).interval(0.95)


def bootstrap(d: np.ndarray, rng: np.random.Generator, widen: float = 1.0) -> tuple[float, float]:
    """Crossed two-level bootstrap: seeds and cases drawn independently, percentiles."""
    d = d + (widen - 1) * (d.mean(axis=1, keepdims=True) - d.mean())
    drawn = [rng.multinomial(n, [1 / n] * n, RESAMPLES) / n for n in d.shape]
    low, high = np.quantile(((drawn[0] @ d) * drawn[1]).sum(axis=1), (0.025, 0.975))
    return float(low), float(high)


def widened(d: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """The same with the seeds' deviations widened to their unbiased variance."""
    return bootstrap(d, rng, np.sqrt(len(d) / (len(d) - 1)))


def satterthwaite(d: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """The study's own: `stats.estimate`."""
    return stats.estimate(pd.DataFrame(d)).interval(0.95)


METHODS: dict[str, Interval] = {f.__name__: f for f in (cases_alone, bootstrap, widened, satterthwaite)}


def main() -> None:
    """Print coverage and mean width, one line a setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000, help="made-up studies for each setting")
    draws = parser.parse_args().draws
    rng = np.random.default_rng(0)
    print("zeros  cases  seeds  seed_sd  " + "  ".join(f"{name:>16}" for name in METHODS))
    for zeros, cases, seed_sd, seeds in product((False, True), CASES, SEED_SDS, SEEDS):
        found = {name: np.zeros(2) for name in METHODS}
        for _ in range(draws):
            d = draw(rng, seeds, cases, seed_sd, zeros)
            for name, method in METHODS.items():
                low, high = method(d, rng)
                found[name] += (low <= 0 <= high, high - low)
        told = "  ".join(f"{hit / draws:.3f} (w {width / draws:.3f})".rjust(16) for hit, width in found.values())
        print(f"{zeros!s:5}  {cases:5}  {seeds:5}  {seed_sd:7.2f}  {told}", flush=True)


if __name__ == "__main__":
    main()
