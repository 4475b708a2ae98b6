"""A control: a judge that sees the layout alone. What a policy learns from it, it did not learn about patients.

Where an arm taught by it gains as much as one taught by another judge, that gain is layout: answers that are complete,
end, and name no herb twice.
"""

from collections.abc import Sequence

from tcm.answers import read_for
from tcm.cases import Case
from tcm_rlaif.feedback.judges import rubric
from tcm_rlaif.feedback.judges.base import Question
from tcm_rlaif.study.schema import Params


def from_params(P: Params, training_cases: Sequence[Case]) -> "FormatJudge":
    """The judge; no parameter and no other patient concerns it."""
    return FormatJudge()


class FormatJudge(rubric.RubricJudge):
    """Mean of three criteria, each 0..1: `format` and `repetition` of the rubric, and `ended`."""

    name = "format"

    def description(self, question: Question) -> list[str]:
        """What it goes by."""
        return ["format: mean of layout, each herb once, a last sentence that ends; nothing about the patient"]

    def criteria(self, case: Case, text: str) -> dict[str, float]:
        """Layout and completeness, whether the last sentence ends, and the share of herbs that are no repeat."""
        parsed = read_for(case, text)
        return {
            "format": round(rubric.format_score(parsed.answer, text, parsed.unread, parsed.remarks), 6),
            "ended": float(text.rstrip().endswith(("。", "．", "."))),
            "repetition": round(rubric.repetition(parsed.answer, text), 6),
        }

    def parts(self, row: dict[str, float]) -> dict[str, float]:
        """Each criterion counts alike."""
        return {name: value / len(row) for name, value in row.items()}
