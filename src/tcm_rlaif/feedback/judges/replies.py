"""Reading what a language model wrote when asked to judge: a validated judgement or a named failure, never a guess.

What decides is validity, not position. All JSON objects outside the model's thoughts are read; the valid verdicts among
them must agree, else the reply is `ambiguous`. Harmless variants of a verdict are read (numbers as text, full-width
characters, letters in any case, more keys than asked for, one wrapping object or list), since each costs money to ask
for again.
"""

import json
import re
import unicodedata
from collections.abc import Iterator
from string import ascii_uppercase
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model

from tcm.answers import thoughts
from tcm_rlaif.feedback.judges.base import Question
from tcm_rlaif.feedback.judges.prompt_text import criteria_for

MAX_SCORE = 10
MOST_WASTED = 10_000_000  # characters that broken JSON may cost before a reply is given up
_REFUSAL = re.compile(r"抱歉|对不起|(?:无法|不能)(?:提供|评|回答|完成)|I(?:'m| am) sorry|I can(?:no|')t", re.I)
_RANGE_ERRORS = {"greater_than_equal", "less_than_equal", "literal_error"}
_MARK = re.compile(rf'(?P<close>{thoughts.CLOSE})|(?P<open>{thoughts.OPEN})|\{{(?=\s*")', re.I)
_DEEP = re.compile(r'(?:[\[{]\s*(?:"[^"]{0,99}"\s*:\s*)?){50}')  # no verdict is; decoders give up at different depths
_TIES = {"tie", "draw", "equal", "平", "平局", "平手"}
_WHOLE = re.compile(r"([+-]?[0-9]{1,9})(?:\.0+)?\s*(?:分|/\s*10)?")
_TWICE = object()  # a key that an object holds twice, with different values

Read = tuple[tuple[float, ...], dict[str, float], str]


class BadReply(ValueError):
    """A reply that is no judgement.

    Args:
        category: one of `base.FAILURES`.
        note: what is wrong, uncut: whoever shows it takes secrets out first.
    """

    def __init__(self, category: str, note: str) -> None:
        super().__init__(note)
        self.category = category


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().casefold()


def _whole(value: Any) -> Any:
    """A whole number, also where it is written as 8.0, "8", "８分" or "8/10"; anything else as it is."""
    if isinstance(value, str) and (match := _WHOLE.fullmatch(_plain(value))):
        return int(match[1])
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _letter(value: Any) -> Any:
    """``A``, ``B``, … or ``tie``, in any case and width, also as 答案A; anything else as it is."""
    if not isinstance(value, str):
        return value
    text = _plain(value).removeprefix("答案").removeprefix("answer").strip()
    return "tie" if text in _TIES else text.upper() if len(text) == 1 else value


def _order(value: Any) -> Any:
    """A ranking as a list, also where it is written as ``C > A > B``."""
    return re.split(r"\s*[>,、]\s*", _plain(value)) if isinstance(value, str) else value


class _Reply(BaseModel):
    model_config = ConfigDict(extra="forbid")
    reason: str


def reply_model(question: Question) -> type[BaseModel]:
    """The pydantic model that a reply to this question must fit; its JSON schema goes to the server."""
    if question.mode == "pointwise":
        score = Annotated[int, Field(ge=0, le=MAX_SCORE), BeforeValidator(_whole)]
        fields: dict[str, Any] = dict.fromkeys(criteria_for(question.case), (score, ...))
        return create_model("Scores", __base__=_Reply, **fields)
    if question.mode == "pairwise":
        better = Annotated[Literal["A", "B", "tie"], BeforeValidator(_letter)]
        return create_model("Choice", __base__=_Reply, better=(better, ...))
    label = Annotated[Literal[tuple(ascii_uppercase[: len(question.texts)])], BeforeValidator(_letter)]
    return create_model("Ranking", __base__=_Reply, ranking=(Annotated[list[label], BeforeValidator(_order)], ...))


def response_format(question: Question) -> dict:
    """The ``response_format`` of a chat completion that asks for this reply (structured output)."""
    model = reply_model(question)
    schema = {"name": model.__name__.lower(), "strict": True, "schema": model.model_json_schema()}
    return {"type": "json_schema", "json_schema": schema}


def completion_text(completion: Any) -> str:
    """The text of a chat completion, if it is a whole one; of content in parts, the parts that are text, no thoughts.

    Raises:
        BadReply: ``malformed`` without a message, ``refused``, or ``truncated`` at the limit of new tokens.
    """
    try:
        choice = completion.choices[0]
        content, reason = choice.message.content, getattr(choice, "finish_reason", None)
    except (AttributeError, IndexError, KeyError, TypeError):
        raise BadReply("malformed", "a completion without a message") from None
    parts = [p if isinstance(p, dict) else {"text": p} for p in (content if isinstance(content, list) else [content])]
    refusal = getattr(choice.message, "refusal", None) or next((p["refusal"] for p in parts if p.get("refusal")), "")
    if reason == "content_filter" or refusal:
        raise BadReply("refused", f"{reason}: {refusal}")
    if reason == "length":
        raise BadReply("truncated", "the reply hit the limit of new tokens")
    texts = [p.get("text") for p in parts if p.get("type", "text") in ("text", "output_text")]
    return "".join(text for text in texts if isinstance(text, str))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in ((_plain(key), value) for key, value in pairs):
        found[name] = _TWICE if name in found and found[name] != value else value
    return found


# whole numbers as floats, too: int() refuses thousands of digits
_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=float, strict=False)


def json_objects(text: str) -> tuple[list[dict[str, Any]], str]:
    """The JSON objects in a reply, outside its thoughts; code fences, lists and text around them are passed over.

    A closing tag without an opening one ends thoughts whose opening tag stood in the prompt.

    Returns:
        The outermost objects in their order, keys in lower case, and the text after the last object or thought.

    Raises:
        BadReply: ``malformed`` where the reply ends inside its thoughts, or nests deeper than any verdict.
    """
    found: list[dict[str, Any]] = []
    at, rest, wasted, thinking = 0, 0, 0, False
    while match := _MARK.search(text, at):
        at = match.end()
        if match["close"]:
            if not thinking:
                found.clear()
            thinking, rest = False, at
        elif match["open"]:
            thinking = True
        elif not thinking:
            try:
                if wasted > MOST_WASTED or _DEEP.match(text, match.start()):
                    raise RecursionError
                value, at = _DECODER.raw_decode(text, match.start())
            except json.JSONDecodeError as error:
                wasted += error.pos  # it counts the lines from the beginning
            except RecursionError:
                raise BadReply("malformed", f"braces nested too deeply in {text!r}") from None
            else:
                found.append(value)
                rest = at
    if thinking:
        raise BadReply("malformed", f"the reply ends inside its thoughts: {text!r}")
    return found, text[rest:]


def _attempts(found: list[dict[str, Any]], fields: set[str]) -> Iterator[dict[str, Any]]:
    """The objects that hold a field of the verdict: as they are, or wrapped once, alone or in a list."""
    for outer in found:
        if fields & outer.keys():
            yield outer
            continue
        for value in outer.values():
            for inner in value if isinstance(value, list) else [value]:
                if isinstance(inner, dict) and fields & inner.keys():
                    yield outer | inner


def read_reply(text: str, question: Question) -> Read:
    """Turn a reply into values, criteria and the reason, as `base.Reply` wants them.

    The last valid verdict outside thoughts counts. A verdict that breaks off after it may have been another one.

    Raises:
        BadReply: with the category of what is wrong; ``ambiguous`` where valid verdicts differ.
    """
    found, rest = json_objects(text)
    model = reply_model(question)
    fields = model.model_fields.keys() - {"reason"}
    verdicts: list[Read] = []
    bad = BadReply("wrong_schema", f"JSON without the fields asked for: {text!r}")
    for attempt in _attempts(found, fields):
        try:
            verdicts.append(_verdict(attempt, model, question))
        except BadReply as error:
            bad = error if not verdicts else bad
            if error.category == "ambiguous":
                raise
    cut = "{" in rest and any(f'"{name}"' in rest for name in fields)
    if cut or not found:
        category = "ambiguous" if verdicts else "refused" if _REFUSAL.search(rest) else "malformed"
        raise BadReply(category, f"no whole JSON object in {rest!r}")
    if not verdicts:
        raise bad
    if any(verdict[:2] != verdicts[-1][:2] for verdict in verdicts):
        raise BadReply("ambiguous", f"{len(verdicts)} verdicts that differ: {text!r}")
    return verdicts[-1]


def _verdict(attempt: dict[str, Any], model: type[BaseModel], question: Question) -> Read:
    known = {name: attempt[name] for name in model.model_fields if name in attempt}
    if _TWICE in known.values():
        raise BadReply("ambiguous", f"a key twice, with different values: {', '.join(known)}")
    try:
        reply = model.model_validate(known, strict=True)
    except ValidationError as error:
        wrong = [(".".join(map(str, e["loc"])), e["msg"], e["input"]) for e in error.errors()]
        category = "out_of_range" if {e["type"] for e in error.errors()} <= _RANGE_ERRORS else "wrong_schema"
        phrases = (f"{field}: {what}" + (f" (got {got!r})" if isinstance(got, str | int | float) else "")
                   for field, what, got in wrong)  # fmt: skip
        raise BadReply(category, "; ".join(phrases)) from None
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
