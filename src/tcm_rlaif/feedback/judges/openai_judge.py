"""A judge behind any OpenAI-compatible endpoint: hosted, vLLM, Ollama, `transformers serve`.

The official client does the transport; retries are ours, since only we know that a reply with a score of 11 is as
much a failure as a dropped connection, and only we can keep the budget across both. Each question ends judged or in
a named category. The key is read from the environment at the moment of asking and is kept nowhere.
"""

import asyncio
import logging
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from typing import Any

from tcm_rlaif.feedback.judges import prompt_text
from tcm_rlaif.feedback.judges.base import JUDGED, JudgeError, Mode, Question, Record, Reply
from tcm_rlaif.feedback.judges.pacing import LONGEST_WAIT_S, Budget, Pacer, backoff, most_tokens, server_wait
from tcm_rlaif.feedback.judges.replies import BadReply, completion_text, read_reply, response_format

log = logging.getLogger(__name__)

FINAL = {"rejected", "budget"}  # asking again cannot help
OPTIONAL = ("response_format", "max_tokens", "temperature")  # parameters that some servers do not take
REPEAT_TEMPERATURE = 0.7  # repeats measure how stable a judge is: at temperature 0 they would only repeat


class _Failure(Exception):
    """One failed request: its category, what to log, how long the server asks to wait, what it has used."""

    def __init__(self, category: str, note: str, wait: float | None = None, tokens: int | None = 0) -> None:
        super().__init__(note)
        self.category, self.note, self.wait, self.tokens = category, note, wait, tokens


class OpenAIJudge:
    """Asks a chat model through the official `openai` client.

    Args:
        model: name that the endpoint knows.
        case_text: renders what was known before the answer.
        base_url: address of the endpoint; empty = the client's default.
        key_variable: environment variable that holds the key; a local server may need none.
        concurrency: requests in flight.
        timeout_s: longest wait for one reply, in seconds.
        max_retries: retries of one question, whatever went wrong.
        max_requests: budget of requests over the life of the cache, retries included.
        max_tokens: budget of tokens, prompt and reply, over the life of the cache.
        max_reply_tokens: longest reply; doubled on a retry after a truncated one.
        sees_gold: show the gold answer to the judge.
        first_backoff_s: scale of the waits between retries, in seconds.
    """

    name = "openai"
    soft = False
    stored = True

    def __init__(
        self,
        model: str,
        case_text: prompt_text.CaseText,
        *,
        base_url: str = "",
        key_variable: str = "OPENAI_API_KEY",
        concurrency: int = 8,
        timeout_s: float = 60.0,
        max_retries: int = 4,
        max_requests: int = 5000,
        max_tokens: int = 5_000_000,
        max_reply_tokens: int = 1024,
        sees_gold: bool = False,
        first_backoff_s: float = 0.5,
    ) -> None:
        self.model, self.case_text, self.base_url, self.key_variable = model, case_text, base_url, key_variable
        self.concurrency, self.timeout_s, self.max_retries = concurrency, timeout_s, max_retries
        self.max_requests, self.max_tokens, self.max_reply_tokens = max_requests, max_tokens, max_reply_tokens
        self.sees_gold, self.first_backoff_s = sees_gold, first_backoff_s
        self.spent = (0, 0)
        self.dropped_parameters: list[str] = []

    def identity(self, mode: Mode) -> dict[str, str]:
        """What could change a reply. The address is no part: the same model may move."""
        return {"model": self.model, "prompt": prompt_text.VERSION, "sees_gold": "yes" if self.sees_gold else "no"}

    def prompt(self, question: Question) -> list[dict[str, str]]:
        """The messages that put a question, for showing."""
        return prompt_text.messages(question, self.case_text, self.sees_gold)

    def ask(self, questions: Sequence[Question], record: Record) -> None:
        """Ask all questions, `concurrency` at a time.

        The event loop runs in a thread of its own, since a notebook's main thread has one running already. On an
        interrupt the requests in flight are finished and recorded, and no further one is sent.

        Raises:
            JudgeError: on a wrong key, an unknown model or address: no later question could fare better.
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
        self._budget = Budget(self.max_requests, self.max_tokens, self.spent)
        self._pacer = Pacer()
        async with self._client() as client, asyncio.TaskGroup() as group:
            for _ in range(self.concurrency):
                group.create_task(self._work(client, questions, record))

    async def _work(self, client: Any, questions: Iterator[Question], record: Record) -> None:
        for question in questions:
            reply = await self._settle(client, question)
            record(question, reply)
            log.info("%s %s: %s, %d requests, %d tokens, %.2f s", question.case.id, question.mode, reply.status,
                     reply.requests, reply.tokens, reply.seconds)  # fmt: skip

    def _client(self) -> Any:
        from openai import AsyncOpenAI

        key = os.environ.get(self.key_variable)
        if not key and not self.base_url:
            raise JudgeError(f"judge_key_variable: set the environment variable {self.key_variable} to your key")
        return AsyncOpenAI(api_key=key or "none", base_url=self.base_url or None, timeout=self.timeout_s, max_retries=0)

    async def _settle(self, client: Any, question: Question) -> Reply:
        """Ask until judged, out of retries, or out of budget."""
        started, faults, tokens, requests = time.monotonic(), Counter(), 0, 0
        rng = random.Random(f"{question.case.id}{question.texts}{question.repeat}")
        status, note, attempt = "", "", 0
        while attempt <= self.max_retries:
            request = self._request(question, faults)
            most = most_tokens(request)
            await self._pacer.wait()
            if not await self._budget.take(most):
                status, note = "budget", f"the budget was spent; last failure: {status or 'none'}"
                break
            requests, used = requests + 1, most
            try:
                completion, used = await self._send(client, request)
                values, criteria, note = read_reply(completion_text(completion), question)
                spent = requests, tokens + used, _since(started), dict(faults)
                return Reply(JUDGED, values, criteria, *spent, note[:300])
            except BadReply as bad:
                failure = _Failure(bad.category, str(bad))
            except _Failure as failed:
                failure, used = failed, most if failed.tokens is None else failed.tokens
            finally:
                await self._budget.settle(most, used)
                tokens += used
            status, note = failure.category, self._scrub(failure.note)[:300]
            if status == "rejected" and self._drop_parameter(note, request):
                continue
            faults[status] += 1
            if status in FINAL:
                break
            await self._pause(failure, attempt, rng)
            attempt += 1
        return Reply(status, (), {}, requests, tokens, _since(started), dict(faults), note)

    async def _pause(self, failure: _Failure, attempt: int, rng: random.Random) -> None:
        if attempt == self.max_retries:
            return
        if failure.wait is not None:
            self._pacer.pause(min(failure.wait, LONGEST_WAIT_S))
        await asyncio.sleep(backoff(attempt, rng, self.first_backoff_s))

    def _request(self, question: Question, faults: Counter) -> dict[str, Any]:
        """The parameters of one request; a deterministic model must not repeat an unreadable reply for ever."""
        unreadable = sum(faults[c] for c in ("malformed", "wrong_schema", "out_of_range", "refused"))
        request = {
            "model": self.model,
            "messages": self.prompt(question),
            "temperature": REPEAT_TEMPERATURE if question.repeat or unreadable else 0.0,
            "max_tokens": self.max_reply_tokens * (2 if faults["truncated"] else 1),
            "response_format": response_format(question),
        }
        if "max_tokens" in self.dropped_parameters:
            request["max_completion_tokens"] = request["max_tokens"]
        return {name: value for name, value in request.items() if name not in self.dropped_parameters}

    def _drop_parameter(self, note: str, request: dict[str, Any]) -> bool:
        """Learn from a server that names a parameter it does not take, and remember it for the report."""
        for name in OPTIONAL:
            if name in request and name in note:
                if name not in self.dropped_parameters:
                    self.dropped_parameters.append(name)
                    log.warning("the endpoint does not take %s; asking without it", name)
                return True
        return False

    async def _send(self, client: Any, request: dict[str, Any]) -> tuple[Any, int]:
        """One request. Returns the completion and the tokens used (their upper bound where the server does not tell).

        Raises:
            _Failure: whatever went wrong, by category.
            JudgeError: where no request can succeed.
        """
        import openai

        try:
            raw = await client.chat.completions.with_raw_response.create(**request)
            self._pacer.pause(min(server_wait(raw.headers) or 0.0, LONGEST_WAIT_S))
            completion = raw.parse()
            usage = getattr(completion, "usage", None)
            return completion, getattr(usage, "total_tokens", None) or most_tokens(request)
        except openai.APITimeoutError:
            raise _Failure("timeout", f"no reply within {self.timeout_s:g} s", tokens=None) from None
        except openai.APIStatusError as error:
            raise self._status_failure(error) from None
        except openai.APIConnectionError as error:
            raise _Failure("connection", f"{error} {error.__cause__ or ''}", tokens=None) from None
        except (openai.OpenAIError, ValueError) as error:
            raise _Failure("malformed", f"no chat completion: {error}", tokens=None) from None

    def _status_failure(self, error: Any) -> Exception:
        code, wait = error.status_code, server_wait(error.response.headers)
        where = f"{self.base_url or 'the default endpoint'} answers {code}"
        if code in (401, 403):
            return JudgeError(f"{where}: it does not accept the key in the environment variable {self.key_variable}")
        if code == 404:
            return JudgeError(f"{where}: check judge_base_url (it often ends in /v1) and judge_model {self.model!r}")
        if code == 429:
            return _Failure("rate_limited", f"{code}: {error.message}", wait)
        if code >= 500 or code in (408, 409):
            return _Failure("server_error", f"{code}: {error.message}", wait)
        return _Failure("rejected", f"{code}: {error.message}")

    def _scrub(self, note: str) -> str:
        key = os.environ.get(self.key_variable)
        return note.replace(key, "***") if key else note


def _since(started: float) -> float:
    return round(time.monotonic() - started, 4)
