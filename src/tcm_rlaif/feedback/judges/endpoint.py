"""One request to an OpenAI-compatible endpoint: what its errors mean, and what of them may be shown, never a secret.

The official client does the transport. The key is read from the environment at the moment of asking and kept nowhere.
"""

import logging
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import groupby
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from tcm_rlaif.feedback.judges.base import JudgeError
from tcm_rlaif.feedback.judges.pacing import LONGEST_WAIT_S, most_tokens, server_wait
from tcm_rlaif.study.params import shown

NOTE_LENGTH = 300  # characters of an error or a reason that are kept
SHORTEST_KEY = 8  # characters; local servers take "x" or "none" as key, which are no secrets but parts of any message
SHORTEST_PART = 12  # characters of a key in a row, of which a server may show a part
FORMAT_WORDS = re.compile(r"response_format|json_schema|json_object|structured.?output|guided|grammar", re.I)
_SECRET_NAME = re.compile(r"key|token|secret|password|pwd|code|sig|auth", re.I)
_NO_CREDIT = re.compile(
    r"insufficient_(?:user_)?quota|exceeded_current_quota|billing_(?:hard_limit|not_active)|arrear|欠费|余额不足"
    r"|insufficient.{0,10}balance|balance.{0,20}insufficient",
    re.I,
)
_NO_KEY = re.compile(
    r"invalid_api_key|api.?key.{0,20}(?:not valid|invalid|incorrect)|(?:invalid|incorrect) api.?key", re.I
)
_NO_MODEL = re.compile(r"model_not_found|model\b.{0,120}?\b(?:not (?:exist|found)|not a valid)", re.I)


class Failure(Exception):
    """One failed request.

    Args:
        category: one of `base.FAILURES`.
        note: what to log, secrets included.
        wait: seconds that the server asks to wait; None where it does not ask.
        tokens: what was used; None where nobody knows.
    """

    def __init__(self, category: str, note: str, wait: float | None = None, tokens: int | None = 0) -> None:
        super().__init__(note)
        self.category, self.note, self.wait, self.tokens = category, note, wait, tokens


class Endpoint:
    """Where to ask, and how to speak of it.

    Args:
        base_url: address; empty = the client's default. User and password go as basic authentication.
        key_variable: environment variable that holds the key; a local server may need none.
        model: name that the endpoint knows.
        timeout_s: longest wait for one reply, in seconds.
    """

    def __init__(self, base_url: str, key_variable: str, model: str, timeout_s: float) -> None:
        self.base_url, self.key_variable, self.model, self.timeout_s = base_url, key_variable, model, timeout_s

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Any]:
        """The official client; while it is open, what its transport logs (each whole address) is scrubbed.

        Raises:
            JudgeError: no key, no key's characters, or no address.
        """
        from openai import AsyncOpenAI

        key = self._key()
        if not key and not self.base_url:
            raise JudgeError(f"judge_key_variable: set the environment variable {self.key_variable} to your key")
        if not (key.isascii() and key.isprintable()):
            raise JudgeError(f"judge_key_variable: {self.key_variable} holds characters that no key has; copy it again")
        settings = {"api_key": key or "none", "timeout": self.timeout_s, "max_retries": 0}
        try:
            parts = urlsplit(self.base_url)  # the client loses a query that stands in the address
            url, query = parts._replace(query="", fragment="").geturl(), dict(parse_qsl(parts.query))
            client = AsyncOpenAI(base_url=url or None, default_query=query or None, **settings)
        except Exception:  # whatever is wrong, it quotes the address, where a password may stand
            hint = "http(s)://host:port/v1, a / or @ in a password as %2F or %40"
            raise JudgeError(f"judge_base_url is no address: {hint}") from None
        transport = logging.getLogger("httpx2")
        transport.addFilter(self._scrub_record)
        try:
            async with client:
                yield client
        finally:
            transport.removeFilter(self._scrub_record)

    async def send(self, client: Any, request: dict[str, Any]) -> tuple[Any, int, float]:
        """One request.

        Returns:
            The completion, the tokens used (their upper bound where the server does not tell), and the seconds that
            the server asks to wait before the next request.

        Raises:
            Failure: whatever went wrong, by category.
            JudgeError: where no request can succeed.
        """
        import openai

        try:
            raw = await client.chat.completions.with_raw_response.create(**request)
            wait, completion = server_wait(raw.headers) or 0.0, raw.parse()
            used = getattr(getattr(completion, "usage", None), "total_tokens", None)
            used = used if isinstance(used, int) and used > 0 else most_tokens(request)
            return completion, used, min(wait, LONGEST_WAIT_S)
        except openai.APITimeoutError:
            raise Failure("timeout", f"no reply within {self.timeout_s:g} s", tokens=None) from None
        except openai.APIStatusError as error:
            raise self._status_failure(error, "response_format" in request) from None
        except openai.APIConnectionError as error:
            raise Failure("connection", f"{error} {error.__cause__ or ''}", tokens=None) from None
        except (openai.OpenAIError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise Failure("malformed", f"no chat completion: {error}", tokens=None) from None

    def _status_failure(self, error: Any, with_format: bool) -> Exception:
        code, said = error.status_code, words(error)
        wait = server_wait(error.response.headers)
        wait = wait if wait is None else min(wait, LONGEST_WAIT_S)
        if with_format and code not in (401, 403, 429) and FORMAT_WORDS.search(said):
            return Failure("rejected", f"{code}: {said}")
        if advice := hopeless(code, said, self.key_variable, self.model):
            quoted = f" (it says: {self.scrub(said)})" if code != 401 else ""  # where servers repeat a part of the key
            where = shown(self.base_url) or "the default endpoint"
            return JudgeError(f"{where} answers {code}: {advice}; what was judged is kept{quoted}")
        if code == 429:
            return Failure("rate_limited", f"{code}: {said}", wait)
        if code >= 500 or code in (408, 409):
            return Failure("server_error", f"{code}: {said}", wait)
        return Failure("rejected", f"{code}: {said}")

    def _key(self) -> str:
        return os.environ.get(self.key_variable, "").strip()

    def scrub(self, text: str) -> str:
        """A text that may be shown and stored: no secrets, then cut, and nothing that UTF-8 cannot hold."""
        text = " ".join(scrubbed(text, self._key(), self.base_url)[:NOTE_LENGTH].split())
        return text.encode("utf-8", "replace").decode()

    def _scrub_record(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self.scrub(record.getMessage()), ()
        return True


def scrubbed(text: str, key: str, base_url: str) -> str:
    """A text without the key, and without user, password and keys of the address.

    A key shorter than `SHORTEST_KEY` is none: taking it out would only make the text unreadable. Of a long one every
    part of `SHORTEST_PART` characters goes too. What stands in the address goes whatever its length, where it is short
    only as a whole word.
    """
    parts = urlsplit(base_url)
    of_address = [part for part in (parts.username, parts.password) if part]
    query = [pair.partition("=")[::2] for pair in parts.query.split("&")]
    of_address += [value for name, value in query if value and _SECRET_NAME.search(name)]
    secrets = {key} if len(key) >= SHORTEST_KEY else set()
    secrets |= {form for part in of_address for form in (part, unquote(part), quote(unquote(part), safe=""))}
    for secret in sorted(secrets, key=len, reverse=True):
        whole_word = rf"(?<![A-Za-z0-9_]){re.escape(secret)}(?![A-Za-z0-9_])"
        text = re.sub(whole_word if len(secret) < SHORTEST_KEY else re.escape(secret), "***", text)
    return _without_parts(text, key)


def _without_parts(text: str, key: str) -> str:
    """A text without what it shares with the key, from `SHORTEST_PART` characters in a row on."""
    parts = {key[at : at + SHORTEST_PART] for at in range(len(key) - SHORTEST_PART + 1)}
    hidden = [False] * len(text)
    for at in range(len(text) - SHORTEST_PART + 1):
        if text[at : at + SHORTEST_PART] in parts:
            hidden[at : at + SHORTEST_PART] = [True] * SHORTEST_PART
    runs = groupby(range(len(text)), key=hidden.__getitem__)
    return "".join("***" if secret else text[(found := list(run))[0] : found[-1] + 1] for secret, run in runs)


def words(error: Any) -> str:
    """What the server says in an error response, in its own words: code, type, parameter, message; else the body.

    Of a validation error (FastAPI's ``detail``) the place and the message, not the input, which is our request.
    """
    body = error.body[0] if isinstance(error.body, list) and error.body else error.body
    body = body.get("error", body) if isinstance(body, dict) else body
    if not isinstance(body, dict):
        return str(body or error.message)
    said = [body.get(name) for name in ("code", "type", "param", "message", "detail")]
    if isinstance(said[-1], list):
        said[-1] = "; ".join(f"{e.get('loc')}: {e.get('msg')}" for e in said[-1] if isinstance(e, dict))
    said = dict.fromkeys(str(part) for part in said if isinstance(part, str | int) and part != "")
    return " ".join(said) or error.response.text.strip()


def hopeless(status: int, said: str, key_variable: str, model: str) -> str:
    """What to do about an error that no later request could escape; empty where one could.

    Args:
        status: of the HTTP response. Its words decide where servers disagree: an empty account is a 402, 403 or 429.
    """
    if status == 402 or (400 <= status < 500 and _NO_CREDIT.search(said)):
        return (
            f"the account behind the key in {key_variable} has no credit or quota left: top it up or name another judge"
        )
    if status in (401, 403) or (status == 400 and _NO_KEY.search(said)):
        return f"it does not accept the key in the environment variable {key_variable}: set one that may use {model!r}"
    if status == 404 or (status in (400, 422) and _NO_MODEL.search(said)):
        return f"check judge_base_url (it often ends in /v1) and judge_model {model!r}"
    return ""
