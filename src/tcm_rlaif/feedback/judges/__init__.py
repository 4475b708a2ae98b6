"""Judges: who scores candidate answers. One module a judge, one line in `JUDGES`."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tcm_rlaif.feedback.judges.base import Judge

if TYPE_CHECKING:
    from tcm_rlaif.study.schema import Params


def make_judges(P: "Params") -> list[Judge]:
    """The judges that the parameters name, in that order; more than one is a jury.

    Args:
        P: keys ``judge`` and ``judge_*``. The API key is no parameter: `judge_key_variable` says where it is.
    """
    return [JUDGES[name](P) for name in P.judge]


def _rubric(P: "Params") -> Judge:
    from tcm_rlaif.feedback.judges.rubric import RubricJudge

    return RubricJudge()


def _openai(P: "Params") -> Judge:
    from tcm.prescriptions.wording import case_text
    from tcm_rlaif.feedback.judges.openai_judge import OpenAIJudge

    return OpenAIJudge(
        P.judge_model,
        case_text,
        base_url=P.judge_base_url,
        key_variable=P.judge_key_variable,
        concurrency=P.judge_concurrency,
        timeout_s=P.judge_timeout_s,
        max_retries=P.judge_max_retries,
        max_requests=P.judge_max_requests,
        max_tokens=P.judge_max_tokens,
        sees_gold=P.judge_sees_gold,
    )


def _transformers(P: "Params") -> Judge:
    from tcm.prescriptions.wording import case_text
    from tcm_rlaif.feedback.judges.local import LocalJudge
    from tcm_rlaif.models.loading import load_base

    model, tokenizer = load_base(P.judge_model, P)
    return LocalJudge(model.eval(), tokenizer, case_text, model_name=P.judge_model, sees_gold=P.judge_sees_gold)


JUDGES: dict[str, Callable[["Params"], Judge]] = {"rubric": _rubric, "openai": _openai, "transformers": _transformers}
