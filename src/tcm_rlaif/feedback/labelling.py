"""Put judges to work on items: look up what is stored, ask the rest, write it down, count, and score."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tcm_rlaif.feedback.cache import Cache, question_key
from tcm_rlaif.feedback.judges.base import (
    JUDGED,
    Item,
    Judge,
    Mode,
    Question,
    Reply,
    Verdict,
    comparisons,
    questions_of,
    tally,
    verdict_of,
)
from tcm_rlaif.feedback.judges.jury import combine
from tcm_rlaif.study import lab


@dataclass(frozen=True)
class JudgeRun:
    """What one judge did.

    Args:
        name: of the judge.
        soft: whether its pairwise replies are probabilities.
        mode: how it was asked.
        verdicts: one per item.
        replies: every question with its reply, for the audit.
        cached: the questions that were answered from the cache.
        seconds: wall time.
        notes: e.g. request parameters that the endpoint does not take.
    """

    name: str
    soft: bool
    mode: Mode
    verdicts: list[Verdict]
    replies: dict[Question, Reply]
    cached: frozenset[Question]
    seconds: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class JudgeReport:
    """What came of labelling.

    Args:
        verdicts: one per item, of the jury where several judges sat.
        counts: a row per judge and unit (questions, comparisons, items): ``total`` is the sum of ``judged`` and the
            failure categories; ``from_cache`` tells how many of the total had been stored.
        cost: ``requests``, ``tokens`` (of this run alone), ``seconds`` (wall), ``latency_median_s``,
            ``latency_p95_s``, ``faults`` met on the way by category, ``notes``.
        runs: judge name -> what that judge did.
    """

    verdicts: list[Verdict]
    counts: list[dict[str, Any]]
    cost: dict[str, Any]
    runs: dict[str, JudgeRun]


def judge_items(
    judges: Sequence[Judge],
    items: Sequence[Item],
    *,
    mode: Mode,
    cache: Cache | Path | None = None,
    repeats: int = 1,
    progress: bool = True,
) -> JudgeReport:
    """Let judges score the candidates of items. Works in a notebook as well as in a script.

    Args:
        judges: more than one is a jury.
        mode: how to ask; a judge that computes (`rubric`) is asked the same way, so that its replies compare.
        cache: where judgements are kept; None keeps nothing, and a budget then covers this call alone.
        repeats: how often each question is asked.
        progress: show a bar.
    """
    cache = Cache(cache) if isinstance(cache, str | Path) else cache
    before = {judge.name: cache.spent(judge.name) if cache else (0, 0) for judge in judges}
    runs = {j.name: _run(j, items, mode, cache, repeats, progress, before[j.name]) for j in judges}
    verdicts = combine({name: run.verdicts for name, run in runs.items()})
    counts = [row for run in runs.values() for row in _counts(run, items, repeats)]
    return JudgeReport(verdicts, counts, _cost(runs.values()), runs)


def _run(
    judge: Judge, items: Sequence[Item], mode: Mode, cache: Cache | None, repeats: int, progress: bool, spent: tuple
) -> JudgeRun:
    started = time.monotonic()
    cache = cache if judge.stored else None
    questions = list(dict.fromkeys(q for item in items for q in questions_of(item, mode, repeats)))
    keys = {q: question_key(judge, q) for q in questions} if cache else {}
    replies = {q: r for q in questions if cache and (r := cache.get(keys[q], judge.replay_only)) is not None}
    cached, open_questions = frozenset(replies), [q for q in questions if q not in replies]
    with lab.bar(total=len(questions), initial=len(cached), desc=f"judge {judge.name}", disable=not progress) as bar:

        def record(question: Question, reply: Reply) -> None:
            replies[question] = reply
            if cache:
                cache.add(keys[question], judge, question, reply)
            bar.update()

        if judge.replay_only:
            replies |= {q: Reply("not_cached", note="replay only") for q in open_questions}
        elif open_questions:
            judge.spent = spent
            judge.ask(open_questions, record)
    verdicts = [verdict_of(item, mode, replies, judge.soft, repeats) for item in items]
    notes = tuple(f"endpoint does not take {p}" for p in getattr(judge, "dropped_parameters", ()))
    ordered = {q: replies[q] for q in questions}
    return JudgeRun(judge.name, judge.soft, mode, verdicts, ordered, cached, time.monotonic() - started, notes)


def _counts(run: JudgeRun, items: Sequence[Item], repeats: int) -> list[dict[str, Any]]:
    rows = [{"judge": run.name, "unit": "questions", "from_cache": len(run.cached)}]
    rows[0] |= tally([r.status for r in run.replies.values()])
    if run.mode == "pairwise":
        found = [c for i in items for row in comparisons(i, run.replies, run.soft, repeats).values() for c in row]
        rows.append({"judge": run.name, "unit": "comparisons"})
        rows[-1] |= tally([c if isinstance(c, str) else JUDGED for c in found])
    statuses = [v.status for v in run.verdicts]
    row = {"judge": run.name, "unit": "items", "total": len(statuses)}
    rows.append(row | {status: statuses.count(status) for status in dict.fromkeys([JUDGED, *statuses])})
    return rows


def _cost(runs: Sequence[JudgeRun]) -> dict[str, Any]:
    import numpy as np

    asked = [r for run in runs for q, r in run.replies.items() if q not in run.cached]
    faults: dict[str, int] = {}
    for reply in asked:
        for name, n in reply.faults.items():
            faults[name] = faults.get(name, 0) + n
    latencies = [r.seconds for r in asked if r.requests] or [0.0]
    return {
        "requests": sum(r.requests for r in asked),
        "tokens": sum(r.tokens for r in asked),
        "seconds": round(sum(run.seconds for run in runs), 3),
        "latency_median_s": float(np.median(latencies)),
        "latency_p95_s": float(np.quantile(latencies, 0.95)),
        "faults": faults,
        "notes": [note for run in runs for note in run.notes],
    }
