"""Evidence for a case: what the tables and the training answers lead to expect of a physician's answer to it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from tcm.cases import Answer, Case, PrescriptionItem
from tcm.evidence.agreement import best_sets, hoped_f1
from tcm.evidence.answer import Writer
from tcm.evidence.fitting import fit_weights
from tcm.evidence.mixture import PARTS, Pool, Weights
from tcm.evidence.witnesses import base_herbs, first_answers


@dataclass(eq=False)
class CaseEvidence:
    """What is to be expected of the answer to one case.

    Args:
        columns: base herb -> place in `parts`.
        parts: each of `PARTS` -> its contribution to p(herb | case); their sum is p.
        mean_size: mean number of herbs of the training answers.
        votes: how much each witness counts, shape (witnesses,).
        witnesses: name of each: disease, syndrome and formula of a pattern, or the id of a training case.
        before: the previous answer of a follow-up visit as the rules revise it, None at a first visit.
        weight_before: how much it counts beside the witnesses.
        fits: how well each pattern of the tables fits, relative to the best, shape (patterns,).
        similar: share of each training case among those that are similar, shape (train,); 0 for its own group.
    """

    case: Case
    columns: dict[str, int] = field(repr=False)
    parts: dict[str, np.ndarray] = field(repr=False)
    mean_size: float
    votes: np.ndarray = field(repr=False)
    witnesses: list[str] = field(repr=False)
    before: Answer | None = field(repr=False)
    weight_before: float
    writer: Writer = field(repr=False)
    fits: np.ndarray = field(repr=False)
    similar: np.ndarray = field(repr=False)
    train: Sequence[Case] = field(repr=False)

    @cached_property
    def p(self) -> np.ndarray:
        """p(herb | case), one value a column."""
        return sum(self.parts.values())

    @cached_property
    def answer(self) -> Answer:
        """The minimum-Bayes-risk answer: the prescription with the highest expected F1, with doses and labels."""
        order, sizes = best_sets(self.p[None, :], self.mean_size)
        names = list(self.columns)
        herbs = [names[place] for place in order[0, : sizes[0]]]
        return self.writer.write(herbs, self.votes, self.before, self.weight_before)

    def best_patterns(self, number: int) -> list[Answer]:
        """The patterns of the tables that fit best, each with its first formula, best first; fewer where fewer fit."""
        answers = first_answers()
        return [answers[i] for i in _highest(self.fits, len(self.fits)) if i in answers][:number]

    def similar_cases(self, number: int) -> list[Case]:
        """The most similar training cases with their answers, most similar first; at most `mixture.NEIGHBOURS`."""
        return [self.train[i] for i in _highest(self.similar, number)]

    def likely_herbs(self, number: int) -> tuple[PrescriptionItem, ...]:
        """The most probable herbs, most probable first, in the form and dose that the witnesses give them."""
        names = list(self.columns)
        herbs = [names[i] for i in _highest(self.p, number)]
        return self.writer.write(herbs, self.votes, self.before, self.weight_before).prescription

    def expected_f1(self, herbs: Iterable[str]) -> float:
        """Expected herb F1 (base level) of a prescription with a physician's, 0 to 1.

        Args:
            herbs: names as written, e.g. `Answer.herbs`; a herb that no witness gave counts as never given.
        """
        given = base_herbs(herbs)
        p = self.p
        hoped = sum(p[self.columns[herb]] for herb in given if herb in self.columns)
        return float(hoped_f1(hoped, len(given), self.mean_size)) if given else 0.0

    def rows(self, number: int = 20) -> list[dict[str, float | str]]:
        """The most probable herbs with each part's share, for a table: ``herb``, ``p`` and one key for each part."""
        p = self.p
        names = list(self.columns)
        return [
            {"herb": names[i], "p": float(p[i]), **{part: float(self.parts[part][i]) for part in PARTS}}
            for i in _highest(p, number)
        ]

    def heard(self, number: int = 10) -> list[dict[str, float | str]]:
        """The patterns and training cases that count most, for a table: ``witness`` and its ``share`` of all votes."""
        best = _highest(self.votes, number)
        return [{"witness": self.witnesses[i], "share": float(self.votes[i] / self.votes.sum())} for i in best]


def _highest(values: np.ndarray, number: int) -> list[int]:
    """Places of the highest values above 0, highest first; ties go to the earlier place."""
    return [int(i) for i in np.argsort(-values, kind="stable")[:number] if values[i] > 0]


class Evidence:
    """Patterns by fit, similar training cases, popularity and the previous prescription, weighed together.

    >>> evidence = Evidence(train)
    >>> print(evidence.weights)
    >>> evidence.about([case])[0].expected_f1(["柴胡", "黄芩"])

    Args:
        train: training cases with their answers; without any the tables testify alone.
        near_duplicate: as `data_near_duplicate`: a training case whose findings share this much of their character
            trigrams with a case says nothing about it, and neither does one of the same patient.
        weights: given weights; fitted by leave-one-out on `train` where None.
        pattern_share: share of the tables' patterns that may testify; less than 1 only to see what the others bring.

    Source:
        Our choice. A mixture as in kernel-weighted and case-based prediction; decided by minimum Bayes risk.
    """

    def __init__(
        self,
        train: Sequence[Case],
        near_duplicate: float = 0.8,
        weights: Weights | None = None,
        pattern_share: float = 1.0,
    ) -> None:
        self.pool = Pool(train, near_duplicate, pattern_share)
        self.weights = weights or fit_weights(self.pool)
        self._writer = Writer(self.pool.answers, len(self.pool.train))

    def about(self, cases: Sequence[Case]) -> list[CaseEvidence]:
        """The evidence for each case; gold answers of these cases are never read."""
        if not cases:
            return []
        heard = self.pool.testimony(cases)
        parts, votes = heard.mixed(self.weights), heard.votes(self.weights)
        return [
            CaseEvidence(
                case=case,
                columns=heard.columns,
                parts={part: p[i] for part, p in parts.items()},
                mean_size=float(heard.mean_sizes[i, 0]),
                votes=votes[i],
                witnesses=self.pool.names,
                before=heard.before[i],
                weight_before=self.weights.previous,
                writer=self._writer,
                fits=heard.fits[i],
                similar=heard.similar[i],
                train=self.pool.train,
            )
            for i, case in enumerate(cases)
        ]
