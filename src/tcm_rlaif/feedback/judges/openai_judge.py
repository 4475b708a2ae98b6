"""A judge behind any OpenAI-compatible endpoint: hosted, vLLM, Ollama, `transformers serve`.

Retries are ours, not the client's, since only we know that a reply with a score of 11 is as much a failure as a dropped
connection, and only we can keep the budget across both. Each question ends judged or in a named category. What the
endpoint does not take (a response format, a parameter) is learned once, from what it says, and told in the report.
"""

import asyncio
import logging
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, takewhile
from typing import Any

from tcm.cases import Case
from tcm_rlaif.feedback.judges import prompt_text
from tcm_rlaif.feedback.judges.base import JUDGED, Mode, Question, Record, Reply
from tcm_rlaif.feedback.judges.endpoint import FORMAT_WORDS, Endpoint, Failure
from tcm_rlaif.feedback.judges.pacing import Budget, Pacer, backoff, most_tokens
from tcm_rlaif.feedback.judges.replies import BadReply, completion_text, read_reply, response_format
from tcm_rlaif.study.schema import Params

log = logging.getLogger(__name__)

FINAL = {"rejected", "budget"}  # asking again cannot help
UNREADABLE = ("malformed", "wrong_schema", "out_of_range", "ambiguous", "refused")
OPTIONAL = ("max_tokens", "temperature")  # parameters that some servers do not take
FORMATS = ("json_schema", "json_object", "")  # how a reply is asked for, best first; the prompt asks for JSON anyway
_TOO_LONG = re.compile(r"too (?:large|long)|context|exceed", re.I)  # of a prompt, which no other parameter mends
REPEAT_TEMPERATURE = 0.7  # repeats measure how stable a judge is: at temperature 0 they would only repeat


def from_params(P: Params, training_cases: Sequence[Case]) -> "OpenAIJudge":
    """The judge that the parameters describe."""
    return OpenAIJudge(P)


class OpenAIJudge:
    """Asks a chat model through the official `openai` client.

    Args:
        P: `judge_model` and the keys `judge_…` of a model judge; both budgets are over the life of the cache.
        max_reply_tokens: longest reply; doubled on a retry after a truncated one.
        first_backoff_s: scale of the waits between retries, in seconds.
    """

    name = "openai"
    soft = False
    stored = True

    def __init__(self, P: Params, *, max_reply_tokens: int = 1024, first_backoff_s: float = 0.5) -> None:
        self.P, self.max_reply_tokens, self.first_backoff_s = P, max_reply_tokens, first_backoff_s
        self._endpoint = Endpoint(P.judge_base_url, P.judge_key_variable, P.judge_model, P.judge_timeout_s)
        self.spent, self.replay_only = (0, 0), P.judge_replay_only
        self.format = FORMATS[0]
        self.dropped_parameters: list[str] = []  # what the endpoint turned out not to take, for the report

    def identity(self, mode: Mode) -> dict[str, str]:
        """What could change a reply. The address is no part: the same model may move."""
        seen = "yes" if self.P.judge_sees_gold else "no"
        return {"model": self.P.judge_model, "prompt": prompt_text.VERSION, "sees_gold": seen}

    def description(self, question: Question) -> list[str]:
        """What it goes by: the prompt that puts a question."""
        asked = prompt_text.messages(question, self.P.judge_sees_gold)
        return [f"{self.name}, {m['role']}:\n{m['content']}" for m in asked]

    def ask(self, questions: Sequence[Question], record: Record) -> None:
        """Ask all questions, `judge_concurrency` at a time.

        The event loop runs in a thread of its own, since a notebook's main thread has one running already. On an
        interrupt the requests in flight are finished and recorded, and no further one is sent.

        Raises:
            JudgeError: on a wrong key, an empty account, an unknown model or address: no later question could fare
                better. What is in flight beside it is dropped.
        """
        stop = threading.Event()
        going = takewhile(lambda _: not stop.is_set(), questions)
        with ThreadPoolExecutor(1, "judge") as pool:
            run = pool.submit(asyncio.run, self._ask_all(going, record))
            try:
                run.result()
            except BaseExceptionGroup as group:
                raise group.exceptions[0] from None
            finally:
                stop.set()

    async def _ask_all(self, questions: Iterator[Question], record: Record) -> None:
        self._budget = Budget(self.P.judge_max_requests, self.P.judge_max_tokens, self.spent)
        self._pacer = Pacer()
        async with self._endpoint.client() as client:
            # one question alone first: a wrong key or a format not taken then costs one request, not one a worker
            await self._work(client, islice(questions, 1), record)
            async with asyncio.TaskGroup() as group:
                for _ in range(self.P.judge_concurrency):
                    group.create_task(self._work(client, questions, record))

    async def _work(self, client: Any, questions: Iterator[Question], record: Record) -> None:
        for question in questions:
            reply = await self._settle(client, question)
            record(question, reply)
            log.info("%s %s: %s, %d requests, %d tokens, %.2f s", question.case.id, question.mode, reply.status,
                     reply.requests, reply.tokens, reply.seconds)  # fmt: skip

    async def _settle(self, client: Any, question: Question) -> Reply:
        """Ask until judged, out of retries, or out of budget."""
        started, faults, tokens, requests = time.monotonic(), Counter(), 0, 0
        rng = random.Random(f"{question.case.id}{question.texts}{question.repeat}")
        status, note, attempt = "", "", 0
        while attempt <= self.P.judge_max_retries:
            request = self._request(question, faults)
            most = most_tokens(request)
            await self._pacer.wait()
            if not await self._budget.take(most):
                status, note = "budget", f"the budget was spent; last failure: {status or 'none'}"
                break
            requests, used = requests + 1, most
            try:
                completion, used, wait = await self._endpoint.send(client, request)
                self._pacer.pause(wait)
                values, criteria, note = read_reply(completion_text(completion), question)
                spent = requests, tokens + used, _since(started), dict(faults)
                return Reply(JUDGED, values, criteria, *spent, self._endpoint.scrub(note))
            except BadReply as bad:
                failure = Failure(bad.category, str(bad))
            except Failure as failed:
                failure, used = failed, most if failed.tokens is None else failed.tokens
            finally:
                await self._budget.settle(most, used)
                tokens += used
            status, note = failure.category, self._endpoint.scrub(failure.note)
            if status == "rejected" and self._learned(failure.note, request):
                continue
            faults[status] += 1
            if status in FINAL:
                break
            await self._pause(failure, attempt, rng)
            attempt += 1
        return Reply(status, (), {}, requests, tokens, _since(started), dict(faults), note)

    async def _pause(self, failure: Failure, attempt: int, rng: random.Random) -> None:
        if attempt == self.P.judge_max_retries:
            return
        if failure.wait is not None:
            self._pacer.pause(failure.wait)
        await asyncio.sleep(backoff(attempt, rng, self.first_backoff_s))

    def _request(self, question: Question, faults: Counter) -> dict[str, Any]:
        """The parameters of one request; a deterministic model must not repeat an unreadable reply for ever."""
        unreadable = sum(faults[category] for category in UNREADABLE)
        request = {
            "model": self.P.judge_model,
            "messages": prompt_text.messages(question, self.P.judge_sees_gold),
            "temperature": REPEAT_TEMPERATURE if question.repeat or unreadable else 0.0,
            "max_tokens": self.max_reply_tokens * (2 if faults["truncated"] else 1),
        }
        if self.format:
            strict = self.format == FORMATS[0]
            request["response_format"] = response_format(question) if strict else {"type": self.format}
        if "max_tokens" in self.dropped_parameters:
            request["max_completion_tokens"] = request["max_tokens"]
        return {name: value for name, value in request.items() if name not in self.dropped_parameters}

    def _learned(self, said: str, request: dict[str, Any]) -> bool:
        """Learn from a server that names what it does not take; True where it is worth asking again without.

        Several requests may be in flight with what one of them has just shown to be refused; it is learned once.
        """
        asked = request.get("response_format", {}).get("type", "")
        if asked and FORMAT_WORDS.search(said):
            if asked == self.format:
                self.format = FORMATS[FORMATS.index(asked) + 1]
                self._drop(f"response_format {asked}, so it was asked for {self.format or 'JSON by the prompt alone'}")
            return True
        for name in (name for name in OPTIONAL if name in request and name in said and not _TOO_LONG.search(said)):
            if name not in self.dropped_parameters:
                self._drop(name)
            return True
        return False

    def _drop(self, what: str) -> None:
        self.dropped_parameters.append(what)
        log.warning("the endpoint does not take %s", what)


def _since(started: float) -> float:
    return round(time.monotonic() - started, 4)
