"""What an endpoint is called, what its errors mean, and what of both may be shown: never a key or a password."""

import re
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

SHORTEST_KEY = 8  # characters; local servers take "x" or "none" as key, which are no secrets but parts of any message
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


def address(base_url: str) -> tuple[str, dict[str, str]]:
    """An address without its query, which the client takes by itself, and the query.

    Raises:
        ValueError: it is no address.
    """
    parts = urlsplit(base_url)
    return parts._replace(query="", fragment="").geturl(), dict(parse_qsl(parts.query))


def shown(base_url: str) -> str:
    """An address without user, password and query, where a key may stand."""
    parts = urlsplit(base_url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def scrubbed(text: str, key: str, base_url: str) -> str:
    """A text without the key, and without user, password and keys of the address.

    A key shorter than `SHORTEST_KEY` is none: taking it out would only make the text unreadable. What stands in the
    address goes whatever its length, where it is short only as a whole word.
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
    return text


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
    return " ".join(str(s) for s in said if isinstance(s, str | int) and s != "") or error.response.text.strip()


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
