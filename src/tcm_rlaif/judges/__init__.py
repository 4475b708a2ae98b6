"""AI feedback: judges that score candidate answers, the cache of their judgements, and the audit they must pass.

report = judge_items(make_judges(P), items, mode=P.judge_mode, cache=Path("judgements.jsonl"))
"""

from typing import TYPE_CHECKING

from tcm_rlaif.judges.base import Item, Judge, JudgeError, Question, Reply, Verdict
from tcm_rlaif.judges.cache import Cache
from tcm_rlaif.judges.labelling import JudgeReport, JudgeRun, judge_items

if TYPE_CHECKING:
    from tcm_rlaif.schema import Params

__all__ = [
    "Cache",
    "Item",
    "Judge",
    "JudgeError",
    "JudgeReport",
    "JudgeRun",
    "Question",
    "Reply",
    "Verdict",
    "judge_items",
    "make_judges",
]


def make_judges(P: "Params") -> list[Judge]:
    """The judges that the parameters name, in that order; more than one is a jury.

    Args:
        P: keys ``judge`` and ``judge_*``. The API key is no parameter: `judge_key_variable` says where it is.
    """
    return [_BUILD[name](P) for name in P.judge]


def _rubric(P: "Params") -> Judge:
    from tcm_rlaif.judges.rubric import RubricJudge

    return RubricJudge()


def _openai(P: "Params") -> Judge:
    from tcm_rlaif.judges.openai_judge import OpenAIJudge
    from tcm_rlaif.prompts import case_text

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
    from tcm_rlaif.judges.local import LocalJudge
    from tcm_rlaif.models import load_base
    from tcm_rlaif.prompts import case_text

    model, tokenizer = load_base(P.judge_model, P)
    return LocalJudge(model.eval(), tokenizer, case_text, model_name=P.judge_model, sees_gold=P.judge_sees_gold)


_BUILD = {"rubric": _rubric, "openai": _openai, "transformers": _transformers}
