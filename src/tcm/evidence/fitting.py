"""The weights of the evidence, fitted to the training answers by leave-one-out: never to the cases to answer."""

from dataclasses import replace
from itertools import product

import numpy as np

from tcm.evidence.agreement import f1_of_best_sets
from tcm.evidence.mixture import Pool, Weights

PATTERNS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
POPULAR = (0.125, 0.25, 0.5, 1.0)
RULES = (0.0, 0.5, 1.0)
PREVIOUS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
SHARPNESS = (4.0, 8.0, 16.0)
"""The grid, with similar cases at 1. Coarse on purpose: tens of answers cannot tell finer steps apart."""
FEWEST = 8
"""Below so many training answers nothing is fitted, and `Weights()` stands."""


def fit_weights(pool: Pool) -> Weights:
    """The weights under which the minimum-Bayes-risk prescription agrees best with the training answers.

    Each training case is answered from the others (its own group silenced, as for every case), and its herb F1 at base
    level counts. First the parts that every visit has, then the previous prescription, on follow-up visits alone.

    Returns:
        `Weights()` where there are fewer than `FEWEST` training prescriptions.

    Source:
        Our choice: a grid over four ratios and one power; ties go to the smaller weight.
    """
    cases = [case for case in pool.train if case.answer.prescription]
    if len(cases) < FEWEST:
        return Weights()
    heard = pool.testimony(cases)
    gold = pool.herbs[pool.of_train].toarray()[[bool(case.answer.prescription) for case in pool.train]]
    gold = np.pad(gold, ((0, 0), (0, len(heard.columns) - gold.shape[1])))
    similar, popular = heard.herbs_of("similar", 1.0), heard.herbs_of("popular", 1.0)
    best, weights, mixed = -1.0, Weights(), similar
    for sharpness in SHARPNESS:
        by_pattern, by_rule = heard.herbs_of("patterns", sharpness), heard.herbs_of("rules", sharpness)
        for a, r, c in product(PATTERNS, RULES, POPULAR):
            p = (a * (by_pattern + r * by_rule) + similar + c * popular) / (a + 1 + c)
            found = float(f1_of_best_sets(p, gold, heard.mean_sizes).mean())
            if found > best:
                best, weights, mixed = found, Weights(a, 1.0, c, sharpness=sharpness, rules=r), p
    return _with_previous(weights, mixed, heard.previous, gold, heard.mean_sizes)


def _with_previous(
    weights: Weights, mixed: np.ndarray, previous: np.ndarray, gold: np.ndarray, mean_sizes: np.ndarray
) -> Weights:
    """The same weights with that of the previous prescription, where enough follow-up visits tell it."""
    rows = previous.any(axis=1)
    if rows.sum() < FEWEST:
        return weights
    rest = weights.patterns + weights.similar + weights.popular
    scores = {
        d: f1_of_best_sets((rest * mixed[rows] + d * previous[rows]) / (rest + d), gold[rows], mean_sizes[rows]).mean()
        for d in PREVIOUS
    }
    return replace(weights, previous=max(scores, key=scores.get))
