"""How fast and how much may be asked: backoff, the server's own rate limits, and a budget that is never overrun."""

import asyncio
import random
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

LONGEST_WAIT_S = 120.0
TEMPLATE_TOKENS = 64  # what a chat template adds to one message, at most
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def backoff(attempt: int, rng: random.Random, first_s: float = 0.5) -> float:
    """Seconds to wait before a retry: exponential with full jitter, so that clients do not come back in step.

    Args:
        attempt: 0 after the first failure.

    Source: M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015
    """
    return rng.uniform(0, min(LONGEST_WAIT_S, first_s * 2**attempt))


def server_wait(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds that a server asks to wait, from its headers; None where it does not ask.

    Reads ``retry-after-ms``, ``retry-after`` (seconds or an HTTP date), and, where nothing is left of a limit,
    ``x-ratelimit-reset-requests`` / ``-tokens`` (such as ``6m0s`` or ``20ms``).
    """
    waits = []
    if headers.get("retry-after-ms", "").strip().isdigit():
        waits.append(int(headers["retry-after-ms"]) / 1000)
    elif (after := headers.get("retry-after", "").strip()) != "":
        waits.append(_retry_after(after, time.time() if now is None else now))
    for what in ("requests", "tokens"):
        if headers.get(f"x-ratelimit-remaining-{what}", "").strip() == "0":
            waits.append(_duration(headers.get(f"x-ratelimit-reset-{what}", "")))
    known = [w for w in waits if w is not None]
    return max(known) if known else None


def _retry_after(text: str, now: float) -> float | None:
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except ValueError:
        return None


def _duration(text: str) -> float | None:
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text)
    return sum(float(number) * _UNITS[unit] for number, unit in parts) if parts else None


def most_tokens(request: Mapping[str, Any]) -> int:
    """Upper bound of what a chat request costs: a byte-level tokenizer makes at most one token of a byte.

    Without a limit of new tokens in the request there is no bound; then only the prompt counts.
    """
    prompt = sum(len(m["content"].encode()) + TEMPLATE_TOKENS for m in request["messages"])
    return prompt + request.get("max_tokens", request.get("max_completion_tokens", 0))


class Pacer:
    """One clock for all workers: when the server asks one of them to wait, all wait."""

    def __init__(self) -> None:
        self._not_before = 0.0

    def pause(self, seconds: float) -> None:
        """Let nobody ask before so many seconds have passed."""
        self._not_before = max(self._not_before, time.monotonic() + seconds)

    async def wait(self) -> None:
        """Return when asking is allowed."""
        while (rest := self._not_before - time.monotonic()) > 0:
            await asyncio.sleep(rest)


class Budget:
    """Requests and tokens that may be spent; strict, because what a request may cost at most is set aside first.

    Args:
        max_requests: requests, retries included.
        max_tokens: prompt and completion tokens together.
        spent: requests and tokens that were spent before, e.g. by an earlier run that was killed.
    """

    def __init__(self, max_requests: int, max_tokens: int, spent: tuple[int, int] = (0, 0)) -> None:
        self.requests_left = max_requests - spent[0]
        self.tokens_left = max_tokens - spent[1]
        self._set_aside = 0
        self._freed = asyncio.Condition()

    async def take(self, most_tokens: int) -> bool:
        """Set one request and its most tokens aside; False when the budget does not hold them.

        Waits while requests in flight may still give back what they do not use.
        """
        async with self._freed:
            while most_tokens > self.tokens_left - self._set_aside and self._set_aside and self.requests_left > 0:
                await self._freed.wait()
            if self.requests_left < 1 or most_tokens > self.tokens_left - self._set_aside:
                return False
            self.requests_left -= 1
            self._set_aside += most_tokens
            return True

    async def settle(self, most_tokens: int, tokens: int) -> None:
        """Give back what was set aside and charge what was used."""
        async with self._freed:
            self._set_aside -= most_tokens
            self.tokens_left -= tokens
            self._freed.notify_all()
