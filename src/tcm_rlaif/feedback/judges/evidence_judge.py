"""The rubric with one criterion more: `agreement`, the herb F1 that an answer may hope for with a physician's.

The rubric asks whether an answer fits the tables. A policy that climbs it ends at the rule of the tables, which no
physician of practice follows. `agreement` asks what physicians would have written, as far as patterns, similar training
cases and popularity can tell (`tcm.evidence`). A case's own answer, its group and its near-duplicates say nothing. With
a weight of w, each of the rubric's criteria counts 1 / (1 + w) of what it does alone. For safety that would be too
little: what is likely and harmful must not win. So a severe finding takes its share of the whole score besides, and so
does what makes an answer unusable: a piece that cannot be read, one that is repeated, a herb that nobody knows.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from statistics import fmean

import numpy as np

from tcm.answers import read_for
from tcm.cases import Case
from tcm.evidence import CaseEvidence, Evidence
from tcm.knowledge import resolve_herb
from tcm_rlaif.feedback.judges import rubric
from tcm_rlaif.feedback.judges.base import Question
from tcm_rlaif.study.schema import Params


def from_params(P: Params, training_cases: Sequence[Case]) -> "EvidenceJudge":
    """The judge, with the answers that SFT may see (`sft_cases`) as its evidence."""
    seen = training_cases[: P.sft_cases or None][: P.judge_answers or None]
    evidence = Evidence(seen, P.data_near_duplicate, pattern_share=P.judge_pattern_share)
    return EvidenceJudge(evidence, P.judge_agreement_weight)


UNBRAKED = rubric.LEFT_AFTER["medium"]
"""Safety from which the whole score counts: a single finding that is not severe costs within the rubric alone.

Physicians' own answers have such findings in one of six cases (TCM-BEST4SDT), and severe ones in one of 200.
"""
LEFT = 0.5
"""What is left of the score where safety is 0.

Source:
    Our choice, measured on training parts of BEST4SDT as in `tests/benchmarks/measure_judge.py`: a planted incompatible
    pair costs more than `pair_margin` in all answers, a herb forbidden in pregnancy in 95 of 100 (without it: in none);
    this patient's answer is above another's in 0.766 (without: 0.767), the order agrees in 0.825 (0.826).
"""


LEFT_UNUSABLE = 0.8
"""What is left of the score of an answer that cannot be used as it stands, see `reads_whole`.

Source:
    Our choice: more than `pair_margin` at the scores of usual answers, so that a usable answer that is a little further
    from what physicians write is preferred. Without it, preference training on many prompts wrote more such answers
    than before: it cost next to nothing. A small model that learned from few answers invents names (当归甘油); where
    they cost within the rubric alone, chosen answers held them, and greedy answers after DPO more than before.
    Physicians write names that no table of ours holds, too (野党参): those of the training answers count as known.
"""


def left_by(safety: float | np.ndarray) -> float | np.ndarray:
    """What safety leaves of the score, `LEFT` to 1."""
    return LEFT + (1 - LEFT) * np.minimum(1.0, safety / UNBRAKED)


def known_herbs(herbs: Sequence[str], written: Collection[str] = ()) -> float:
    """Share of the prescribed names that a table or another knows; 0 where nothing is prescribed.

    Args:
        written: names that physicians write, known to a table or not.
    """
    return fmean(herb in written or resolve_herb(herb) is not None for herb in herbs) if herbs else 0.0


def reads_whole(row: dict[str, float]) -> bool:
    """Whether every piece of an answer was read, none repeats and every herb is known, as its criteria tell."""
    return row.get("format", 1.0) > 0 and row.get("repetition", 1.0) == 1 and row.get("known_herbs", 1.0) == 1


def left_of(row: dict[str, float]) -> float:
    """What safety and use leave of the score of an answer with these criteria, 0 to 1."""
    return left_by(row.get("safety", 1.0)) * (1.0 if reads_whole(row) else LEFT_UNUSABLE)


class EvidenceJudge(rubric.RubricJudge):
    """The rubric and the expected agreement with physicians, in any mode.

    Args:
        evidence: of the training answers.
        weight: of `agreement` beside the rubric's score, which counts 1.
    """

    name = "evidence"

    def __init__(self, evidence: Evidence, weight: float) -> None:
        self.evidence, self.weight = evidence, weight
        self._about: dict[str, CaseEvidence] = {}
        answers = {case.id: case.answer for case in evidence.pool.train if case.answer}
        self._own = {name: frozenset(answer.herbs) for name, answer in answers.items()}
        self._written = Counter(herb for herbs in self._own.values() for herb in herbs)

    def description(self, question: Question) -> list[str]:
        """What it goes by: the rubric, the weight of `agreement`, and what the evidence is made of."""
        answers = len(self.evidence.pool.train)
        return [
            *super().description(question),
            f"agreement (expected herb F1) {self.weight:g} beside the rubric's 1, from {answers} training answers and "
            f"{self.evidence.pool.heard_patterns.mean():.0%} of the patterns, weights: {self.evidence.weights}",
            f"the score is multiplied by {LEFT:g} (safety 0) to 1 (safety {UNBRAKED:g} or more)",
            f"and by {LEFT_UNUSABLE:g} where a piece cannot be read or is repeated, or nobody knows a herb",
        ]

    def criteria(self, case: Case, text: str) -> dict[str, float]:
        """The rubric's criteria, `known_herbs` and `agreement`."""
        self.prepare([case])
        herbs = read_for(case, text).answer.herbs
        own = self._own.get(case.id, ())
        written = {herb for herb in herbs if self._written[herb] > (herb in own)}
        more = {"known_herbs": known_herbs(herbs, written), "agreement": self._about[case.id].expected_f1(herbs)}
        return super().criteria(case, text) | {name: round(value, 6) for name, value in more.items()}

    def parts(self, row: dict[str, float]) -> dict[str, float]:
        """What each criterion adds to the score: of the weighted mean of rubric and `agreement`, what is left."""
        rules = super().parts({name: value for name, value in row.items() if name in rubric.WEIGHTS})
        if "agreement" not in row:  # a judge made worse on purpose, see `impaired`
            return rules
        both = {name: value / (1 + self.weight) for name, value in rules.items()}
        both["agreement"] = self.weight * row["agreement"] / (1 + self.weight)
        return {name: float(value * left_of(row)) for name, value in both.items()}

    def prepare(self, cases: Iterable[Case]) -> None:
        """Weigh the evidence for all cases at once."""
        new = list({case.id: case for case in cases if case.id not in self._about}.values())
        self._about |= {about.case.id: about for about in self.evidence.about(new)}
