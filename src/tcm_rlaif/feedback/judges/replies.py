"""Reading what a language model wrote when asked to judge: a validated judgement or a named failure, never a guess."""

import json
import re
from string import ascii_uppercase
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from tcm.cases import explain
from tcm_rlaif.feedback.judges.base import Question
from tcm_rlaif.feedback.judges.prompt_text import criteria_for

MAX_SCORE = 10
_REFUSAL = re.compile(r"抱歉|对不起|(?:无法|不能)(?:提供|评|回答|完成)|I(?:'m| am) sorry|I can(?:no|')t", re.I)
_RANGE_ERRORS = {"greater_than_equal", "less_than_equal", "literal_error"}


class BadReply(ValueError):
    """A reply that is no judgement.

    Args:
        category: one of `base.FAILURES`.
    """

    def __init__(self, category: str, note: str) -> None:
        super().__init__(note)
        self.category = category


class _Reply(BaseModel):
    model_config = ConfigDict(extra="forbid")
    reason: str


def reply_model(question: Question) -> type[BaseModel]:
    """The pydantic model that a reply to this question must fit; its JSON schema goes to the server."""
    if question.mode == "pointwise":
        fields: dict[str, Any] = {n: (int, Field(ge=0, le=MAX_SCORE)) for n in criteria_for(question.case)}
        return create_model("Scores", __base__=_Reply, **fields)
    if question.mode == "pairwise":
        return create_model("Choice", __base__=_Reply, better=(Literal["A", "B", "tie"], ...))
    labels = Literal[tuple(ascii_uppercase[: len(question.texts)])]
    return create_model("Ranking", __base__=_Reply, ranking=(list[labels], ...))


def response_format(question: Question) -> dict:
    """The ``response_format`` of a chat completion that asks for this reply (structured output)."""
    model = reply_model(question)
    schema = {"name": model.__name__.lower(), "strict": True, "schema": model.model_json_schema()}
    return {"type": "json_schema", "json_schema": schema}


def completion_text(completion: Any) -> str:
    """The text of a chat completion, if it is a whole one.

    Raises:
        BadReply: ``malformed`` without choices, ``refused``, or ``truncated`` at the limit of new tokens.
    """
    if not getattr(completion, "choices", None) or completion.choices[0].message is None:
        raise BadReply("malformed", "a completion without choices")
    choice = completion.choices[0]
    if choice.finish_reason == "content_filter" or getattr(choice.message, "refusal", None):
        raise BadReply("refused", f"{choice.finish_reason}: {choice.message.refusal or ''}")
    if choice.finish_reason == "length":
        raise BadReply("truncated", "the reply hit the limit of new tokens")
    return choice.message.content or ""


def json_object(text: str) -> dict:
    """The JSON object in a reply; thoughts before it, code fences and text around it are passed over.

    Raises:
        BadReply: ``refused`` where the text reads like a refusal, else ``malformed``.
    """
    text = text.rsplit("</think>", 1)[-1]
    decoder = json.JSONDecoder()
    for match in re.finditer(r"\{", text):
        try:
            return decoder.raw_decode(text, match.start())[0]
        except json.JSONDecodeError:
            continue
    category = "refused" if _REFUSAL.search(text) else "malformed"
    raise BadReply(category, f"no JSON object in {text[:80]!r}")


def read_reply(text: str, question: Question) -> tuple[tuple[float, ...], dict[str, float], str]:
    """Turn a reply into values, criteria and the reason, as `base.Reply` wants them.

    Raises:
        BadReply: with the category of what is wrong.
    """
    try:
        reply = reply_model(question).model_validate(json_object(text), strict=True)
    except ValidationError as error:
        kinds = {e["type"] for e in error.errors()}
        raise BadReply("out_of_range" if kinds <= _RANGE_ERRORS else "wrong_schema", explain(error)) from None
    if question.mode == "pointwise":
        scores = {name: getattr(reply, name) / MAX_SCORE for name in criteria_for(question.case)}
        return (sum(scores.values()) / len(scores),), scores, reply.reason
    if question.mode == "pairwise":
        return ({"A": 1.0, "tie": 0.5, "B": 0.0}[reply.better],), {}, reply.reason
    return _places(reply.ranking, len(question.texts)), {}, reply.reason


def _places(ranking: list[str], n: int) -> tuple[float, ...]:
    if sorted(ranking) != list(ascii_uppercase[:n]):
        raise BadReply("out_of_range", f"ranking {ranking} is no order of {n} answers")
    return tuple((n - 1 - ranking.index(label)) / (n - 1) for label in ascii_uppercase[:n])
