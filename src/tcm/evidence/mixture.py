"""p(herb | case) as a mixture: patterns that fit, with their rules 加减, similar training cases, popularity, and the
last prescription as the rules revise it.

Every part weighs witnesses (`witnesses`, `revision`): the patterns' answers, what a rule adds, or the training answers.
So the same weights that give the probability of a herb also give its dose, and the disease, syndrome, principle and
formula.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tcm.cases import Answer, Case
from tcm.cases.splits import groups
from tcm.evidence.revision import called_for, revised, rules
from tcm.evidence.similarity import Similarity
from tcm.evidence.witnesses import base_herbs, columns_of, pattern_answers
from tcm.knowledge import patterns
from tcm.knowledge.fit_matrix import incidence, relative, sign_fits, wording_fits

PARTS = ("patterns", "rules", "similar", "popular", "previous")
NEIGHBOURS = 15
"""So many similar training cases testify; our choice, on BEST4SDT and MTCMB cases, where 10 to 25 do alike."""


@dataclass(frozen=True)
class Weights:
    """How much each part of the evidence counts, relative to the others.

    Args:
        patterns: patterns of the tables by how well they fit.
        similar: training cases by similarity.
        popular: all training cases alike.
        previous: the previous prescription as the rules 加减 change it (`revision`), on follow-up visits alone.
        sharpness: power to which fits are raised; the higher, the more the best-fitting pattern counts alone.
        rules: of the patterns' weight, what the rules get that a case calls for: 1 = physicians follow them as they
            follow the formula, 0 = not at all.
    """

    patterns: float = 1.0
    similar: float = 1.0
    popular: float = 0.25
    previous: float = 2.0
    sharpness: float = 8.0
    rules: float = 0.0

    def of(self, part: str) -> float:
        """The weight of one of `PARTS`."""
        return self.patterns * self.rules if part == "rules" else getattr(self, part)

    def __str__(self) -> str:
        shares = ", ".join(f"{part} {self.of(part):g}" for part in PARTS)
        return f"{shares}; fit to the power of {self.sharpness:g}"


class Pool:
    """All witnesses: pattern answers first, then what each rule adds, then the training cases that have an answer.

    Args:
        train: training cases; those without an answer say nothing.
        near_duplicate: Jaccard similarity of character trigrams from which two findings count as the same case
            (`cases.splits.groups`).
        pattern_share: share of the tables' patterns that may testify, drawn by lot; 1 = all.
    """

    def __init__(self, train: Sequence[Case], near_duplicate: float, pattern_share: float = 1.0) -> None:
        self.train = [case for case in train if case.answer]
        self.near_duplicate = near_duplicate
        known, self.pattern_numbers = pattern_answers()
        order = np.random.default_rng(0).permutation(len(patterns()))
        self.heard_patterns = order < round(pattern_share * len(order))
        first = np.searchsorted(self.pattern_numbers, self.pattern_numbers)  # answers of one pattern stand together
        parts = 1 / (1 + np.arange(len(first)) - first)  # the tables name the main formula first: 1, 1/2, 1/3
        self.formula_shares = parts / np.bincount(self.pattern_numbers, parts)[self.pattern_numbers]
        modifications, additions, self.rule_numbers = rules()
        self.answers: list[Answer] = [*known, *additions, *(case.answer for case in self.train)]
        self.names = [f"{a.disease} {a.syndrome}: {a.formula}" for a in known]
        self.names += [
            f"{patterns()[number].disease} {patterns()[number].syndrome}, {rule.symptom}: +{'、'.join(added.herbs)}"
            for rule, added, number in zip(modifications, additions, self.rule_numbers, strict=True)
        ]
        self.names += [case.id for case in self.train]
        herb_sets = [base_herbs(answer.herbs) for answer in self.answers]
        self.columns = columns_of(herb_sets)
        self.herbs = incidence(herb_sets, self.columns)
        self.sizes = np.array([len(herbs) for herbs in herb_sets])
        self.similarity = Similarity(self.train)
        ends = np.cumsum([len(known), len(additions), len(self.train)]).tolist()
        self.of_patterns, self.of_rules, self.of_train = map(slice, [0, *ends[:2]], ends)

    def testimony(self, cases: Sequence[Case]) -> "Testimony":
        """What the witnesses say about some cases, their own groups silenced."""
        return Testimony(self, cases)


class Testimony:
    """How much each witness counts for each of some cases, part by part.

    A training case of the same group as the case (one patient, or findings that are nearly the same) never testifies.
    Columns are those of the pool and what the cases were given before; `before` is the previous answer of each, as the
    rules revise it; `mean_sizes`, shape (cases, 1), is the mean number of herbs of the training prescriptions that
    testify.
    """

    def __init__(self, pool: Pool, cases: Sequence[Case]) -> None:
        self.pool = pool
        self.before = [revised(case) for case in cases]
        before = [base_herbs(answer.herbs) if answer else frozenset() for answer in self.before]
        new = sorted(frozenset().union(*before) - pool.columns.keys())
        self.columns = pool.columns | {herb: len(pool.columns) + place for place, herb in enumerate(new)}
        self.previous = incidence(before, self.columns).toarray()
        self.fits = relative((sign_fits(cases) + wording_fits(cases)) * pool.heard_patterns)
        group = np.array(groups([*pool.train, *cases], pool.near_duplicate), dtype=int)
        trained = len(pool.train)
        allowed = (group[trained:, None] != group[None, :trained]).astype(float)
        self.similar = _row_shares(_nearest(allowed * pool.similarity.to(cases)))
        self.popular = _row_shares(allowed)
        sizes = pool.sizes[pool.of_train]
        given, number = allowed @ sizes, allowed @ (sizes > 0)
        means = np.where(number > 0, given / np.maximum(number, 1), pool.sizes[pool.of_patterns].mean())
        self.mean_sizes = means[:, None]
        self.called = called_for(cases)

    def by_pattern(self, sharpness: float) -> np.ndarray:
        """Share of each pattern answer for each case; a pattern's first formula has the largest part of its share."""
        return self._shares(sharpness)[:, self.pool.pattern_numbers] * self.pool.formula_shares

    def by_rule(self, sharpness: float) -> np.ndarray:
        """How much each rule counts for each case: the share of its pattern where the case calls for it, else 0."""
        return self._shares(sharpness)[:, self.pool.rule_numbers] * self.called

    def _shares(self, sharpness: float) -> np.ndarray:
        known = np.isin(np.arange(len(patterns())), self.pool.pattern_numbers)
        return _row_shares(self.fits**sharpness * known)

    def herbs_of(self, part: str, sharpness: float) -> np.ndarray:
        """p(herb | case) by one part alone, shape (cases, herbs); a row of 0 where the part has nothing to say."""
        if part == "previous":
            return self.previous
        if part in ("patterns", "rules"):
            p = self.by_pattern(sharpness) @ self.pool.herbs[self.pool.of_patterns]
            if part == "rules":  # two rules that add one herb, or a formula that holds it, make it certain, not more
                p = np.minimum(self.by_rule(sharpness) @ self.pool.herbs[self.pool.of_rules], 1 - p)
        else:
            p = (self.similar if part == "similar" else self.popular) @ self.pool.herbs[self.pool.of_train]
        return np.pad(p, ((0, 0), (0, len(self.columns) - p.shape[1])))

    def mixed(self, weights: Weights) -> dict[str, np.ndarray]:
        """Each part's contribution to p(herb | case); their sum is p. A silent part leaves its weight to the others.

        Rules come on top of their pattern's formula, so they share its weight.
        """
        parts = {part: self.herbs_of(part, weights.sharpness) for part in PARTS}
        heard = {part: weights.of(part) * p.any(axis=1) for part, p in parts.items()}
        total = np.maximum(sum(heard.values()) - heard["rules"], 1e-12)
        return {part: p * (heard[part] / total)[:, None] for part, p in parts.items()}

    def votes(self, weights: Weights) -> np.ndarray:
        """How much each witness counts for each case, shape (cases, witnesses); the previous answer votes apart."""
        trained = weights.similar * self.similar + weights.popular * self.popular
        by_pattern, by_rule = self.by_pattern(weights.sharpness), self.by_rule(weights.sharpness)
        return np.hstack([weights.patterns * by_pattern, weights.of("rules") * by_rule, trained])


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
