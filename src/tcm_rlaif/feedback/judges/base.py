"""What every judge shares: the questions it is asked, the replies it gives, and how replies become scores.

A *question* is the smallest thing that is asked, answered, paid for and stored: one text (pointwise), two texts in
one order (pairwise), or all texts of a prompt in one order (listwise). Pairwise and listwise questions are asked in
both orders, because a judge that merely prefers the first place must not be taken for one that has an opinion.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Literal, Protocol

from tcm.cases import Case

Mode = Literal["pointwise", "pairwise", "listwise"]
JUDGED = "judged"
FAILURES = (
    "malformed",  # no JSON object in the reply
    "wrong_schema",  # JSON, but not the fields that were asked for
    "out_of_range",  # the fields, with a value that cannot be
    "ambiguous",  # two valid judgements that differ, or one and another that breaks off
    "refused",  # the model or its content filter declined
    "truncated",  # the reply hit the limit of new tokens
    "timeout",
    "rate_limited",  # 429 until the last retry
    "server_error",  # 5xx until the last retry
    "connection",  # dropped or never made
    "rejected",  # the server says that this request is wrong (4xx)
    "budget",  # the request or token budget was spent
    "not_cached",  # replay only: nothing stored for this question
)


class JudgeError(RuntimeError):
    """Labelling cannot go on at all, e.g. a wrong key or an unknown model; what was judged is in the cache."""


@dataclass(frozen=True)
class Item:
    """One prompt with the texts sampled for it.

    Args:
        candidates: answer texts; equal texts are judged once.
        finished: whether each ended by itself; empty where none was generated, or all did. A judge reads texts alone;
            who learns or chooses by its word leaves out what the limit of tokens cut off, since as a text to learn it
            would end where it must not.
    """

    case: Case
    candidates: tuple[str, ...]
    finished: tuple[bool, ...] = ()


@dataclass(frozen=True)
class Question:
    """One thing to ask a judge.

    Args:
        texts: candidate texts in the order shown.
        repeat: 0, 1, ...: the same question asked again, to measure self-consistency.
    """

    mode: Mode
    case: Case
    texts: tuple[str, ...]
    repeat: int = 0

    def __hash__(self) -> int:
        """By the case's id rather than its content, which is long."""
        return hash((self.mode, self.case.id, self.texts, self.repeat))


@dataclass(frozen=True)
class Reply:
    """What came of a question.

    Args:
        status: ``judged`` or one of `FAILURES`.
        values: pointwise one score; pairwise the preference for the first text (1, 0.5 = tie, 0, or between for a
            judge with probabilities); listwise one score a text in the order shown. All in 0..1; empty on failure.
        criteria: pointwise scores by criterion, 0..1.
        requests: how often a server was asked, retries included.
        tokens: prompt and completion tokens together, of all requests.
        seconds: from the first request to the end.
        faults: what went wrong on the way, by category, the last failure included.
        note: the reason that the judge gave, or the error, in short.
    """

    status: str
    values: tuple[float, ...] = ()
    criteria: dict[str, float] = field(default_factory=dict)
    requests: int = 0
    tokens: int = 0
    seconds: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Verdict:
    """What a judge, or a jury, says about the candidates of one item.

    Args:
        scores: one per candidate, 0..1, higher is better; None where no valid judgement came.
        criteria: per candidate, by criterion, 0..1; empty where the mode gives none.
        status: ``judged``, ``partial`` (some candidates have no score), or the category of the first failure.
    """

    case_id: str
    scores: tuple[float | None, ...]
    criteria: tuple[dict[str, float], ...]
    status: str


Record = Callable[[Question, Reply], None]


class Judge(Protocol):
    """A judge answers questions; all else (order swapping, storing, counting, Borda) is done for it.

    Args:
        name: ``rubric``, ``evidence``, ``openai`` or ``transformers``.
        soft: its pairwise replies are probabilities (averaged over orders) rather than choices (must agree).
        stored: replies are worth storing; False where computing again is cheaper than reading.
        replay_only: it is never asked; a question that is not stored becomes ``not_cached``, and stored failures are
            given back, so that an offline run repeats what the paid run found.
        spent: requests and tokens that the cache records; set before asking, for judges with a budget.
    """

    name: str
    soft: bool
    stored: bool
    replay_only: bool
    spent: tuple[int, int]

    def identity(self, mode: Mode) -> dict[str, str]:
        """Everything that could change a reply: model, prompt version, settings. Part of the cache key."""

    def description(self, question: Question) -> list[str]:
        """What it goes by, in full, on the example of a question."""

    def ask(self, questions: Sequence[Question], record: Record) -> None:
        """Answer all questions; call ``record`` as soon as each is finished, in any order."""


def questions_of(item: Item, mode: Mode, repeats: int = 1) -> list[Question]:
    """All questions that an item takes; equal candidates are asked about once, and never against each other."""
    texts = tuple(dict.fromkeys(item.candidates))
    if mode == "pointwise":
        orders = [(t,) for t in texts]
    elif len(texts) < 2:
        return []
    elif mode == "pairwise":
        orders = [o for a, b in combinations(texts, 2) for o in ((a, b), (b, a))]
    else:
        orders = [texts, texts[::-1]]
    return [Question(mode, item.case, order, repeat) for repeat in range(repeats) for order in orders]


def reconcile(forward: float, backward: float, soft: bool) -> float:
    """Preference for the first text from both orders.

    Args:
        forward: preference for the text shown first, in the first order.
        backward: preference for the *same* text, in the other order.
        soft: average (arXiv 2309.00267); else the two must agree, disagreement is a tie.
    """
    return (forward + backward) / 2 if soft or forward == backward else 0.5


def said_of(item: Item, verdict: Verdict) -> list[tuple[str, float | None, bool]]:
    """Each candidate's text, its score, and whether it ended."""
    ended = item.finished or (True,) * len(item.candidates)
    return list(zip(item.candidates, verdict.scores, ended, strict=True))


def items_of(cases: Iterable[Case], rows: Iterable[Mapping[str, Any]]) -> list[Item]:
    """One item a case, in the order of the cases.

    Args:
        rows: the fields ``case_id``, ``text`` and ``finished`` of each answer, those of a case in the order sampled.
    """
    said: dict[str, list[tuple[str, bool]]] = {}
    for row in rows:
        said.setdefault(row["case_id"], []).append((row["text"], row["finished"]))
    return [Item(case, *zip(*said[case.id], strict=True)) for case in cases]


def rank_of(score: float, ended: bool) -> float:
    """What an answer is chosen by: its score, less 1 where it was cut off, so that any that ended comes before it."""
    return score - (not ended)


def borda(scores: Sequence[float | None]) -> tuple[float | None, ...]:
    """Share of the other scored candidates that a candidate beats; a tie is half a win. 0..1; None stays None.

    A lone scored candidate gets 0.5: there is nobody to beat or to lose against.
    """
    known = [s for s in scores if s is not None]
    if len(known) < 2:
        return tuple(None if s is None else 0.5 for s in scores)
    wins = {s: sum(o < s for o in known) + (known.count(s) - 1) / 2 for s in set(known)}
    return tuple(None if s is None else wins[s] / (len(known) - 1) for s in scores)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def comparisons(item: Item, replies: dict[Question, Reply], soft: bool, repeats: int) -> dict[tuple, list]:
    """Per unordered pair of texts, one preference for the first text per repeat; a failure category where none.

    Both orders must be judged: half a comparison would bring the position bias back.
    """
    texts = tuple(dict.fromkeys(item.candidates))
    found: dict[tuple, list] = {}
    for a, b in combinations(texts, 2):
        for repeat in range(repeats):
            forward = replies[Question("pairwise", item.case, (a, b), repeat)]
            backward = replies[Question("pairwise", item.case, (b, a), repeat)]
            failed = [r.status for r in (forward, backward) if r.status != JUDGED]
            value = failed[0] if failed else reconcile(forward.values[0], 1 - backward.values[0], soft)
            found.setdefault((a, b), []).append(value)
    return found


def verdict_of(item: Item, mode: Mode, replies: dict[Question, Reply], soft: bool = False, repeats: int = 1) -> Verdict:
    """Scores of an item's candidates from the replies to `questions_of` it.

    Pointwise: mean over repeats. Pairwise: Borda, the mean preference over all judged comparisons of a text.
    Listwise: mean over both orders of the Borda score of the place.
    """
    values: dict[str, list[float]] = {}
    criteria: dict[str, list[dict[str, float]]] = {}
    asked = [(q, replies[q]) for q in questions_of(item, mode, repeats)]
    failures = [r.status for _, r in asked if r.status != JUDGED]
    if mode == "pairwise":
        for (a, b), preferences in comparisons(item, replies, soft, repeats).items():
            for p in (p for p in preferences if not isinstance(p, str)):
                values.setdefault(a, []).append(p)
                values.setdefault(b, []).append(1 - p)
    else:
        for question, reply in asked if mode == "pointwise" else _in_both_orders(asked):
            for text, value in zip(question.texts, reply.values, strict=False):  # a failure has no values
                values.setdefault(text, []).append(value)
                criteria.setdefault(text, []).append(reply.criteria)
    if not asked:
        values = {t: [0.5] for t in item.candidates}
    scores = tuple(_mean(values[t]) if t in values else None for t in item.candidates)
    status = JUDGED if None not in scores else failures[0] if not values else "partial"
    return Verdict(item.case.id, scores, tuple(_mean_criteria(criteria.get(t, [])) for t in item.candidates), status)


def _in_both_orders(asked: Sequence[tuple[Question, Reply]]) -> list[tuple[Question, Reply]]:
    """Listwise replies, two orders one after the other: one without the other would bring the position bias back."""
    both = zip(asked[::2], asked[1::2], strict=True)
    return [one for pair in both if all(reply.status == JUDGED for _, reply in pair) for one in pair]


def _mean_criteria(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: _mean([row[name] for row in rows if name in row]) for name in (rows[0] if rows else {})}


def tally(statuses: Sequence[str]) -> dict[str, int]:
    """One row of counts that adds up: ``total`` is the sum of all other entries."""
    counts = Counter(statuses)
    return {"total": len(statuses), JUDGED: counts[JUDGED]} | {c: counts[c] for c in FAILURES if counts[c]}
