"""A judge behind any OpenAI-compatible endpoint: hosted, vLLM, Ollama, `transformers serve`.

The official client does the transport; retries are ours, since only we know that a reply with a score of 11 is as
much a failure as a dropped connection, and only we can keep the budget across both. Each question ends judged or in
a named category. The key is read from the environment at the moment of asking and is kept nowhere.
"""

import asyncio
import logging
import os
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, takewhile
from typing import Any

from tcm_rlaif.feedback.judges import prompt_text
from tcm_rlaif.feedback.judges.base import JUDGED, JudgeError, Mode, Question, Record, Reply
from tcm_rlaif.feedback.judges.endpoint import address, hopeless, scrubbed, shown, words
from tcm_rlaif.feedback.judges.pacing import LONGEST_WAIT_S, Budget, Pacer, backoff, most_tokens, server_wait
from tcm_rlaif.feedback.judges.replies import BadReply, completion_text, read_reply, response_format

log = logging.getLogger(__name__)

FINAL = {"rejected", "budget"}  # asking again cannot help
UNREADABLE = ("malformed", "wrong_schema", "out_of_range", "ambiguous", "refused")
OPTIONAL = ("max_tokens", "temperature")  # parameters that some servers do not take
FORMATS = ("json_schema", "json_object", "")  # how a reply is asked for, best first; the prompt asks for JSON anyway
_FORMAT = re.compile(r"response_format|json_schema|json_object|structured.?output|guided|grammar", re.I)
NOTE_LENGTH = 300  # characters of an error or a reason that are kept
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
        self.format = FORMATS[0]
        self.dropped_parameters: list[str] = []  # what the endpoint turned out not to take, for the report

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
        transport = logging.getLogger("httpx2")  # logs each request with its whole address
        transport.addFilter(self._scrub_record)
        try:
            async with self._client() as client:
                # one question alone first: a wrong key or a format not taken then costs one request, not one a worker
                await self._work(client, islice(questions, 1), record)
                async with asyncio.TaskGroup() as group:
                    for _ in range(self.concurrency):
                        group.create_task(self._work(client, questions, record))
        finally:
            transport.removeFilter(self._scrub_record)

    async def _work(self, client: Any, questions: Iterator[Question], record: Record) -> None:
        for question in questions:
            reply = await self._settle(client, question)
            record(question, reply)
            log.info("%s %s: %s, %d requests, %d tokens, %.2f s", question.case.id, question.mode, reply.status,
                     reply.requests, reply.tokens, reply.seconds)  # fmt: skip

    def _client(self) -> Any:
        from openai import AsyncOpenAI

        key = self._key()
        if not key and not self.base_url:
            raise JudgeError(f"judge_key_variable: set the environment variable {self.key_variable} to your key")
        if not (key.isascii() and key.isprintable()):
            raise JudgeError(f"judge_key_variable: {self.key_variable} holds characters that no key has; copy it again")
        try:
            url, query = address(self.base_url)
            return AsyncOpenAI(api_key=key or "none", base_url=url or None, default_query=query or None,
                               timeout=self.timeout_s, max_retries=0)  # fmt: skip
        except Exception:  # whatever is wrong with an address; the error would show it, and a password may stand in it
            raise JudgeError(
                "judge_base_url is no address: http(s)://host:port/v1, / and @ in a password as %2F and %40"
            ) from None

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
                return Reply(JUDGED, values, criteria, *spent, self._scrub(note))
            except BadReply as bad:
                failure = _Failure(bad.category, str(bad))
            except _Failure as failed:
                failure, used = failed, most if failed.tokens is None else failed.tokens
            finally:
                await self._budget.settle(most, used)
                tokens += used
            status, note = failure.category, self._scrub(failure.note)
            if status == "rejected" and self._learned(failure.note, request):
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
        unreadable = sum(faults[category] for category in UNREADABLE)
        request = {
            "model": self.model,
            "messages": self.prompt(question),
            "temperature": REPEAT_TEMPERATURE if question.repeat or unreadable else 0.0,
            "max_tokens": self.max_reply_tokens * (2 if faults["truncated"] else 1),
        }
        if self.format:
            request["response_format"] = (
                response_format(question) if self.format == FORMATS[0] else {"type": self.format}
            )
        if "max_tokens" in self.dropped_parameters:
            request["max_completion_tokens"] = request["max_tokens"]
        return {name: value for name, value in request.items() if name not in self.dropped_parameters}

    def _learned(self, said: str, request: dict[str, Any]) -> bool:
        """Learn from a server that names what it does not take; True where it is worth asking again without.

        Several requests may be in flight with what one of them has just shown to be refused; it is learned once.
        """
        asked = request.get("response_format", {}).get("type", "")
        if asked and _FORMAT.search(said):
            if asked == self.format:
                self.format = FORMATS[FORMATS.index(asked) + 1]
                self._drop(f"response_format {asked}, so it was asked for {self.format or 'JSON by the prompt alone'}")
            return True
        for name in (name for name in OPTIONAL if name in request and name in said):
            if name not in self.dropped_parameters:
                self._drop(name)
            return True
        return False

    def _drop(self, what: str) -> None:
        self.dropped_parameters.append(what)
        log.warning("the endpoint does not take %s", what)

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
            used = getattr(getattr(completion, "usage", None), "total_tokens", None)
            return completion, used if isinstance(used, int) and used > 0 else most_tokens(request)
        except openai.APITimeoutError:
            raise _Failure("timeout", f"no reply within {self.timeout_s:g} s", tokens=None) from None
        except openai.APIStatusError as error:
            raise self._status_failure(error) from None
        except openai.APIConnectionError as error:
            raise _Failure("connection", f"{error} {error.__cause__ or ''}", tokens=None) from None
        except (openai.OpenAIError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise _Failure("malformed", f"no chat completion: {error}", tokens=None) from None

    def _status_failure(self, error: Any) -> Exception:
        code, said, wait = error.status_code, words(error), server_wait(error.response.headers)
        if self.format and code not in (401, 403, 429) and _FORMAT.search(said):
            return _Failure("rejected", f"{code}: {said}")
        if advice := hopeless(code, said, self.key_variable, self.model):
            quoted = f" (it says: {self._scrub(said)})" if code != 401 else ""  # where servers repeat a part of the key
            where = shown(self.base_url) or "the default endpoint"
            return JudgeError(f"{where} answers {code}: {advice}; what was judged is kept{quoted}")
        if code == 429:
            return _Failure("rate_limited", f"{code}: {said}", wait)
        if code >= 500 or code in (408, 409):
            return _Failure("server_error", f"{code}: {said}", wait)
        return _Failure("rejected", f"{code}: {said}")

    def _key(self) -> str:
        return os.environ.get(self.key_variable, "").strip()

    def _scrub(self, text: str) -> str:
        """A text that may be shown and stored: no secrets, then cut, and nothing that UTF-8 cannot hold."""
        text = scrubbed(text, self._key(), self.base_url)[:NOTE_LENGTH]
        return text.encode("utf-8", "replace").decode()

    def _scrub_record(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self._scrub(record.getMessage()), ()
        return True


def _since(started: float) -> float:
    return round(time.monotonic() - started, 4)
