"""Judges: who scores candidate answers. One module a judge, one line in `JUDGES`."""

from collections.abc import Sequence
from importlib import import_module

from tcm.cases import Case
from tcm_rlaif.feedback.judges.base import Judge
from tcm_rlaif.feedback.judges.impaired import impaired
from tcm_rlaif.feedback.judges.rubric import RubricJudge
from tcm_rlaif.study.schema import Params

JUDGES = {
    "rubric": "rubric",
    "evidence": "evidence_judge",
    "format": "format_judge",
    "openai": "openai_judge",
    "transformers": "local",
}
"""`judge` -> its module, which has `from_params(P, training_cases)`; imported when it is asked for."""
COMPUTED = ("evidence", "rubric", "format")
"""Judges that cost nothing to ask and have `score(case, text)`, the sum of their `parts(criteria(case, text))`."""


def make_judges(P: Params, training_cases: Sequence[Case]) -> list[Judge]:
    """The judges that the parameters name, in that order; more than one is a jury.

    Args:
        P: keys ``judge`` and ``judge_*``. The API key is no parameter: `judge_key_variable` says where it is.
        training_cases: all of them; a judge that learns from answers takes those that SFT sees (`sft_cases`).
    """
    judges = [import_module(f"{__name__}.{JUDGES[name]}").from_params(P, training_cases) for name in P.judge]
    return [impaired(judge, P) if judge.name in COMPUTED else judge for judge in judges]


def computed_judge(P: Params, training_cases: Sequence[Case]) -> RubricJudge:
    """What scores answers at no cost: the first judge that computes, or the rubric where a model judges alone.

    Args:
        training_cases: as for `make_judges`.
    """
    name = next((name for name in P.judge if name in COMPUTED), "rubric")
    return make_judges(P.model_copy(update={"judge": (name,)}), training_cases)[0]
