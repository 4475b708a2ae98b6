"""The rubric with one criterion more: `agreement`, the herb F1 that an answer may hope for with a physician's.

The rubric asks whether an answer fits the tables. A policy that climbs it ends at the rule of the tables, which no
physician of practice follows. `agreement` asks what physicians would have written, as far as patterns, similar training
cases and popularity can tell (`tcm.evidence`). A case's own answer, its group and its near-duplicates say nothing. With
a weight of w, each of the rubric's criteria, safety too, counts 1 / (1 + w) of what it does alone.
"""

from collections.abc import Iterable, Sequence

from tcm.answers import parse
from tcm.cases import Case
from tcm.evidence import CaseEvidence, Evidence
from tcm_rlaif.feedback.judges import rubric
from tcm_rlaif.feedback.judges.base import Question, Record
from tcm_rlaif.study.schema import Params


def from_params(P: Params, training_cases: Sequence[Case]) -> "EvidenceJudge":
    """The judge, with the answers that SFT may see (`sft_cases`) as its evidence."""
    seen = training_cases[: P.sft_cases or None]
    return EvidenceJudge(Evidence(seen, P.data_near_duplicate), P.judge_agreement_weight)


class EvidenceJudge(rubric.RubricJudge):
    """The rubric and the expected agreement with physicians, in any mode.

    Args:
        evidence: of the training answers.
        weight: of `agreement` beside the rubric's score, which counts 1; 0 is the rubric alone.
    """

    name = "evidence"

    def __init__(self, evidence: Evidence, weight: float) -> None:
        self.evidence, self.weight = evidence, weight
        self._about: dict[str, CaseEvidence] = {}

    def description(self, question: Question) -> list[str]:
        """What it goes by: the rubric, the weight of `agreement`, and what the evidence is made of."""
        answers = len(self.evidence.pool.train)
        return [
            *super().description(question),
            f"agreement (expected herb F1) {self.weight:g} beside the rubric's 1, from {answers} training answers, "
            f"weights fitted on them: {self.evidence.weights}",
        ]

    def ask(self, questions: Sequence[Question], record: Record) -> None:
        """Weigh the evidence for all cases at once, then score every text."""
        self._weigh(question.case for question in questions)
        super().ask(questions, record)

    def criteria(self, case: Case, text: str) -> dict[str, float]:
        """The rubric's criteria and `agreement`."""
        self._weigh([case])
        agreement = self._about[case.id].expected_f1(parse(text).answer.herbs)
        return {**rubric.criteria(case, text), "agreement": round(agreement, 6)}

    def parts(self, row: dict[str, float]) -> dict[str, float]:
        """What the rubric's criteria and `agreement` add to the weighted mean of the rubric's score and `agreement`."""
        rules = rubric.parts({name: value for name, value in row.items() if name != "agreement"})
        if "agreement" not in row:
            return rules
        both = rules | {"agreement": self.weight * row["agreement"]}
        return {name: value / (1 + self.weight) for name, value in both.items()}

    def _weigh(self, cases: Iterable[Case]) -> None:
        new = list({case.id: case for case in cases if case.id not in self._about}.values())
        self._about |= {about.case.id: about for about in self.evidence.about(new)}
