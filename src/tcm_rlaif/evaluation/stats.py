"""Uncertainty of the ablation over both things that were sampled: seeds of the training, and cases of the test.

A reader wants to know what another seed, on another machine, would give on other patients. So seeds and cases are
crossed random effects (every seed answers every case), and the interval of a mean or of a difference covers both.

Which method: `tests/benchmarks/measure_coverage.py` measures how often 95 % intervals hold the truth (standard
deviation of cases 0.2, of seeds 0 to 0.04; 60 and 150 cases). Intervals over cases alone hold it in down to 0.79 with
three seeds. A crossed bootstrap is too narrow with few seeds (0.89), also with the seeds' deviations widened by
sqrt(S / (S - 1)) (0.91): it has no heavier tail for a variance that is known from few values. The t interval with
Satterthwaite's degrees of freedom holds it in 0.93 to 0.96 from three seeds on. With two it falls to 0.89 where seeds
weigh most, and what would hold there is too wide to say anything; so below `MIN_SEEDS` a verdict is exploratory.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

MIN_SEEDS = 3
"""Fewest seeds whose interval holds what it says; with fewer, verdicts are exploratory."""
POWER = 0.8
"""Power of the minimum detectable difference. Our choice, the custom of trials."""


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds and cases, or a difference of two, with what is known of its error.

    Args:
        mean: over all seeds and cases.
        se: standard error over seeds and cases; 0 where nothing varies or nothing can be estimated.
        df: Satterthwaite's degrees of freedom.
        by_seed: seed -> mean over cases.
        n: cases; patients: groups of cases that are resampled as wholes.
    """

    mean: float
    se: float
    df: float
    by_seed: dict[int, float]
    n: int
    patients: int

    def interval(self, confidence: float) -> tuple[float, float]:
        """Lower and upper end; both the mean where nothing varies."""
        half = stats.t.ppf((1 + confidence) / 2, self.df) * self.se if self.se else 0.0
        return self.mean - half, self.mean + half

    def row(self, name: str, confidence: float) -> dict[str, float]:
        """The mean under a name, and the ends of its interval as ``low`` and ``high``."""
        low, high = self.interval(confidence)
        return {name: self.mean, "low": low, "high": high}

    @property
    def p(self) -> float:
        """Two-sided p of a mean of 0, from the distribution of the interval.

        It never falls below 2 / 2**patients, what a sign-flip test could show: a few patients whose differences happen
        to be equal are no proof.
        """
        if self.patients < 2 or not self.mean:
            return 1.0
        tail = float(2 * stats.t.sf(abs(self.mean) / self.se, self.df)) if self.se else 0.0
        return max(tail, 2.0 ** (1 - self.patients))

    def detectable(self, confidence: float) -> float:
        """Smallest true difference that a test like this finds in `POWER` of studies, before Holm's adjustment.

        Source:
            Cohen 1988, t quantiles in place of the normal ones.
        """
        quantiles = stats.t.ppf((1 + confidence) / 2, self.df) + stats.t.ppf(POWER, self.df)
        return float(quantiles * self.se) if self.se else math.nan


ONE_SEED = "; those of an arm with one seed over cases alone"
"""What is to be said of intervals "over seeds and cases" where an arm has one seed."""


def seeds_in_words(number: int) -> str:
    """How many seeds stand behind something."""
    return "one seed" if number == 1 else f"{number} seeds"


def matrix(scores: pd.DataFrame, metric: str) -> pd.DataFrame:
    """A metric of one arm as seeds x cases; cases that it does not apply to, in any seed, are left out."""
    table = scores.pivot(index="seed", columns="case_id", values=metric)
    return table.astype(float).dropna(axis="columns")


def difference(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """a - b as seeds x cases, paired by seed and case; an arm with one seed stands beside every seed of the other.

    No seed changes an untrained model that answers greedily, or a floor; trained arms are first brought to the seeds
    that both have (`comparisons.compared`).
    """
    a, b = a.align(b, join="inner", axis="columns")
    if len(a) == 1 or len(b) == 1:
        longer = a if len(a) > 1 else b
        return pd.DataFrame(a.to_numpy() - b.to_numpy(), index=longer.index, columns=a.columns)
    a, b = a.align(b, join="inner", axis="index")
    return a - b


def estimate(values: pd.DataFrame, patient_of: Mapping[str, str] | None = None) -> Estimate:
    """The mean of seeds x cases and its error over both.

    Args:
        values: rows seeds, columns case ids, no value missing; at least one of each.
        patient_of: case id -> patient; cases of one patient are one unit. None: each case is a patient.

    Returns:
        With one seed, the error over patients alone.

    Source:
        Two crossed random effects without replication: variance of the grand mean (MS_seeds + MS_cases - MS_rest) /
        (S C), not below either's own share; degrees of freedom by Satterthwaite 1946. The patients of unequal size
        enter by their summed residuals (linearised ratio of sums), which changes nothing where each has one case.
    """
    d, mean = values.to_numpy(float), float(values.to_numpy(float).mean())
    by_seed = {int(seed): float(v) for seed, v in zip(values.index, d.mean(axis=1), strict=True)}
    d = mean + _by_patient(d - mean, [(patient_of or {}).get(c, c) for c in values.columns])
    seeds, patients = d.shape
    se, df = 0.0, math.inf
    if patients > 1:
        of_seed, of_patient = d.mean(axis=1, keepdims=True) - mean, d.mean(axis=0, keepdims=True) - mean
        ms_patient, df_patient = seeds * float((of_patient**2).sum()) / (patients - 1), patients - 1
        ms_seed = ms_rest = 0.0
        if seeds > 1:
            ms_seed = patients * float((of_seed**2).sum()) / (seeds - 1)
            rest = d - mean - of_seed - of_patient
            ms_rest = float((rest**2).sum()) / ((seeds - 1) * df_patient)
        total = max(ms_seed + ms_patient - ms_rest, ms_seed, ms_patient)
        if total > 1e-24:
            df_seed = max(seeds - 1, 1)
            df = total**2 / (ms_seed**2 / df_seed + ms_patient**2 / df_patient + ms_rest**2 / (df_seed * df_patient))
            se = math.sqrt(total / d.size)
    return Estimate(mean, se, df, by_seed, values.shape[1], patients)


def over_cases(values: Mapping[str, float], patient_of: Mapping[str, str]) -> Estimate:
    """The mean of one value a case and its error over patients.

    Args:
        values: case id -> value, at least one.
        patient_of: case id -> patient, as of `estimate`.
    """
    return estimate(pd.DataFrame([values]), patient_of)


def _by_patient(residuals: np.ndarray, patients: Sequence[str]) -> np.ndarray:
    """Residuals summed by patient, shape (seeds, patients), scaled so that their mean stays that of the cases."""
    names = {name: i for i, name in enumerate(dict.fromkeys(patients))}
    member = np.zeros((len(patients), len(names)))
    member[np.arange(len(patients)), [names[p] for p in patients]] = len(names) / len(patients)
    return residuals @ member


def holm(p: Mapping[object, float]) -> dict[object, float]:
    """Holm's step-down adjustment of p-values for a family of comparisons.

    Source:
        Holm 1979.
    """
    adjusted, running = {}, 0.0
    for rank, (name, value) in enumerate(sorted(p.items(), key=lambda item: item[1])):
        running = max(running, min(1.0, (len(p) - rank) * value))
        adjusted[name] = running
    return adjusted
