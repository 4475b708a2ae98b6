"""A judge made worse on purpose, to learn how good a judge must be: noise, a criterion it lacks, a bias it has.

Around any judge that computes. Everything else (audit, pre-flight, pairs, training) treats it as the judge that it is.
"""

import hashlib
from collections.abc import Iterable

from tcm.answers import read_for
from tcm.cases import Case
from tcm_rlaif.feedback.judges.base import Question
from tcm_rlaif.feedback.judges.rubric import RubricJudge
from tcm_rlaif.study.schema import Params

MANY_HERBS = 30  # a prescription of so many herbs pleases the biased judge fully; our choice: twice a usual one


def impaired(judge: RubricJudge, P: Params) -> RubricJudge:
    """The judge itself, or the judge as `judge_noise`, `judge_leave_out` and `judge_bias` make it."""
    return ImpairedJudge(judge, P) if P.judge_noise or P.judge_leave_out or P.judge_bias else judge


class ImpairedJudge(RubricJudge):
    """A judge that computes, made worse.

    Args:
        judge: the sound one.
        P: `judge_noise`, the share of prompts on which the scores are drawn by lot (a whole prompt, since among eight
            candidates one random score in ten would decide more than half of the choices); `judge_leave_out`, a
            criterion that it does not know; `judge_bias`, the weight of the number of herbs beside its own score, which
            counts 1.

    Source:
        Our choice; noise as a share of preferences drawn by lot as in arXiv 2404.09824 ("random").
    """

    def __init__(self, judge: RubricJudge, P: Params) -> None:
        self.judge, self.P, self.name = judge, P, judge.name

    def description(self, question: Question) -> list[str]:
        """What it goes by, and what was done to it."""
        done = {
            f"scores of {self.P.judge_noise:.0%} of the prompts drawn by lot": self.P.judge_noise,
            f"without the criterion {self.P.judge_leave_out}": self.P.judge_leave_out,
            f"likes long prescriptions, weight {self.P.judge_bias:g}": self.P.judge_bias,
        }
        said = "made worse on purpose: " + "; ".join(what for what, applies in done.items() if applies)
        return [*self.judge.description(question), said]

    def prepare(self, cases: Iterable[Case]) -> None:
        """As the sound one."""
        self.judge.prepare(cases)

    def criteria(self, case: Case, text: str) -> dict[str, float]:
        """The sound judge's criteria less the one left out, with `length` and `lot` where they count."""
        row = {n: v for n, v in self.judge.criteria(case, text).items() if n != self.P.judge_leave_out}
        if self.P.judge_bias:
            row["length"] = min(1.0, len(read_for(case, text).answer.herbs) / MANY_HERBS)
        if _lot(case.id) < self.P.judge_noise:
            row["lot"] = _lot(case.id, text)
        return row

    def parts(self, row: dict[str, float]) -> dict[str, float]:
        """What the sound judge's criteria and the bias add to the score, or the lot that was drawn."""
        if "lot" in row:
            return {"lot": row["lot"]}
        own = self.judge.parts({name: value for name, value in row.items() if name != "length"})
        bias = {"length": self.P.judge_bias * row["length"]} if "length" in row else {}
        return {name: value / (1 + self.P.judge_bias) for name, value in (own | bias).items()}


def _lot(*words: str) -> float:
    """A number in [0, 1) that depends on the words alone: the same prompt and text always draw the same."""
    digest = hashlib.sha256("\0".join(("lot", *words)).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
