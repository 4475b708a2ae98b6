"""p(herb | case) as a mixture: patterns that fit, similar training cases, popularity, the previous prescription.

Every part weighs witnesses (`witnesses`): the patterns' answers or the training answers. So the same weights that give
the probability of a herb also give its dose, and the disease, syndrome, principle and formula.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tcm.cases import Answer, Case
from tcm.cases.splits import groups
from tcm.evidence.similarity import Similarity
from tcm.evidence.witnesses import base_herbs, columns_of, pattern_answers
from tcm.knowledge import patterns
from tcm.knowledge.fit_matrix import incidence, relative, sign_fits, wording_fits

PARTS = ("patterns", "similar", "popular", "previous")
NEIGHBOURS = 15
"""So many similar training cases testify; our choice, on BEST4SDT and MTCMB cases, where 10 to 25 do alike."""


@dataclass(frozen=True)
class Weights:
    """How much each part of the evidence counts, relative to the others.

    Args:
        patterns: patterns of the tables by how well they fit.
        similar: training cases by similarity.
        popular: all training cases alike.
        previous: the previous prescription, on follow-up visits alone.
        sharpness: power to which fits are raised; the higher, the more the best-fitting pattern counts alone.
    """

    patterns: float = 1.0
    similar: float = 1.0
    popular: float = 0.25
    previous: float = 2.0
    sharpness: float = 8.0

    def of(self, part: str) -> float:
        """The weight of one of `PARTS`."""
        return getattr(self, part)

    def __str__(self) -> str:
        shares = ", ".join(f"{part} {self.of(part):g}" for part in PARTS)
        return f"{shares}; fit to the power of {self.sharpness:g}"


class Pool:
    """All witnesses: pattern answers first, then the training cases that have an answer.

    Args:
        train: training cases; those without an answer say nothing.
        near_duplicate: Jaccard similarity of character trigrams from which two findings count as the same case
            (`cases.splits.groups`).
    """

    def __init__(self, train: Sequence[Case], near_duplicate: float) -> None:
        self.train = [case for case in train if case.answer]
        self.near_duplicate = near_duplicate
        known, self.pattern_numbers = pattern_answers()
        first = np.searchsorted(self.pattern_numbers, self.pattern_numbers)  # answers of one pattern stand together
        parts = 1 / (1 + np.arange(len(first)) - first)  # the tables name the main formula first: 1, 1/2, 1/3
        self.formula_shares = parts / np.bincount(self.pattern_numbers, parts)[self.pattern_numbers]
        self.answers: list[Answer] = [*known, *(case.answer for case in self.train)]
        self.names = [f"{a.disease} {a.syndrome}: {a.formula}" for a in known] + [case.id for case in self.train]
        herb_sets = [base_herbs(answer.herbs) for answer in self.answers]
        self.columns = columns_of(herb_sets)
        self.herbs = incidence(herb_sets, self.columns)
        self.sizes = np.array([len(herbs) for herbs in herb_sets])
        self.similarity = Similarity(self.train)

    def testimony(self, cases: Sequence[Case]) -> "Testimony":
        """What the witnesses say about some cases, their own groups silenced."""
        return Testimony(self, cases)


class Testimony:
    """How much each witness counts for each of some cases, part by part.

    A training case of the same group as the case (one patient, or findings that are nearly the same) never testifies.
    Columns are those of the pool and what the cases were given before; `mean_sizes`, shape (cases, 1), is the mean
    number of herbs of the training prescriptions that testify.
    """

    def __init__(self, pool: Pool, cases: Sequence[Case]) -> None:
        self.pool = pool
        before = [base_herbs(c.previous_answer.herbs) if c.previous_answer else frozenset() for c in cases]
        new = sorted(frozenset().union(*before) - pool.columns.keys())
        self.columns = pool.columns | {herb: len(pool.columns) + place for place, herb in enumerate(new)}
        self.previous = incidence(before, self.columns).toarray()
        self.fits = relative(sign_fits(cases) + wording_fits(cases))
        group = np.array(groups([*pool.train, *cases], pool.near_duplicate), dtype=int)
        trained = len(pool.train)
        allowed = (group[trained:, None] != group[None, :trained]).astype(float)
        self.similar = _row_shares(_nearest(allowed * pool.similarity.to(cases)))
        self.popular = _row_shares(allowed)
        known, sizes = len(pool.pattern_numbers), pool.sizes
        given, number = allowed @ sizes[known:], allowed @ (sizes[known:] > 0)
        means = np.where(number > 0, given / np.maximum(number, 1), sizes[:known].mean())
        self.mean_sizes = means[:, None]

    def by_pattern(self, sharpness: float) -> np.ndarray:
        """Share of each pattern answer for each case; a pattern's first formula has the largest part of its share."""
        numbers = self.pool.pattern_numbers
        shares = _row_shares(self.fits**sharpness * np.isin(np.arange(len(patterns())), numbers))
        return shares[:, numbers] * self.pool.formula_shares

    def herbs_of(self, part: str, sharpness: float) -> np.ndarray:
        """p(herb | case) by one part alone, shape (cases, herbs); a row of 0 where the part has nothing to say."""
        if part == "previous":
            return self.previous
        known = len(self.pool.pattern_numbers)
        if part == "patterns":
            p = self.by_pattern(sharpness) @ self.pool.herbs[:known]
        else:
            p = (self.similar if part == "similar" else self.popular) @ self.pool.herbs[known:]
        return np.pad(p, ((0, 0), (0, len(self.columns) - p.shape[1])))

    def mixed(self, weights: Weights) -> dict[str, np.ndarray]:
        """Each part's contribution to p(herb | case); their sum is p. A silent part leaves its weight to the others."""
        parts = {part: self.herbs_of(part, weights.sharpness) for part in PARTS}
        heard = {part: weights.of(part) * p.any(axis=1) for part, p in parts.items()}
        total = np.maximum(sum(heard.values()), 1e-12)
        return {part: p * (heard[part] / total)[:, None] for part, p in parts.items()}

    def votes(self, weights: Weights) -> np.ndarray:
        """How much each witness counts for each case, shape (cases, witnesses); the previous answer votes apart."""
        trained = weights.similar * self.similar + weights.popular * self.popular
        return np.hstack([weights.patterns * self.by_pattern(weights.sharpness), trained])


def _row_shares(weights: np.ndarray) -> np.ndarray:
    total = weights.sum(axis=1, keepdims=True)
    return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)


def _nearest(similar: np.ndarray) -> np.ndarray:
    """Similarities with all but the `NEIGHBOURS` highest of each row set to 0; ties go to the earlier case."""
    if similar.shape[1] <= NEIGHBOURS:
        return similar
    kept = np.argsort(-similar, axis=1, kind="stable")[:, :NEIGHBOURS]
    nearest = np.zeros_like(similar)
    np.put_along_axis(nearest, kept, np.take_along_axis(similar, kept, axis=1), axis=1)
    return nearest
