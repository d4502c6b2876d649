"""What a status other than 200 means. Words of an endpoint are recognised, never repeated: they may hold the prompt."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from careplane.errors import UpstreamBusy, UpstreamError, UpstreamRejected, UpstreamTimeout

LONGEST_WAIT = 3600.0
"""Seconds; an endpoint that asks for more patience than this is taken to ask for this much."""

_CODES = {
    "context_length_exceeded": "context_length_exceeded",
    "content_filter": "content_filter",
    "content_policy_violation": "content_filter",
    "responsibleaipolicyviolation": "content_filter",
    "model_not_found": "not_found",
    "not_found_error": "not_found",
    "deploymentnotfound": "not_found",
    "resourcenotfoundexception": "not_found",
    "invalid_api_key": "authentication",
    "authentication_error": "authentication",
    "permission_error": "authentication",
    "accessdeniedexception": "authentication",
    "unrecognizedclientexception": "authentication",
    "expiredtokenexception": "authentication",
    "invalidsignatureexception": "authentication",
}
"""Codes and types of errors of the providers, in lower case, and our word for them."""

_THROTTLED = frozenset({"throttlingexception", "toomanyrequestsexception", "throttling"})
_TOO_LONG = re.compile(
    r"maximum context length|prompt is too long|input is too long|too many input tokens|context window",
    re.IGNORECASE,
)
"""Anthropic, Bedrock and vLLM say it in a message only."""

_BY_STATUS = {401: "authentication", 403: "authentication", 404: "not_found"}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def refusal(status: int, headers: Mapping[str, str], body: bytes, now: datetime | None = None) -> UpstreamError:
    """The error that stands for a reply with this status; ``headers`` in lower case, ``body`` as far as it was read."""
    said = f"(HTTP {status})"
    if status in (408, 504):
        return UpstreamTimeout(f"The model endpoint timed out {said}.")
    if status in (409, 429, 503, 529) or (status == 400 and _throttled(headers, body)):
        return UpstreamBusy(f"The model endpoint asks for patience {said}.", retry_after(headers, now))
    if status in (400, 401, 403, 404, 405, 413, 415, 422):
        code = _code(status, headers, body)
        if code == "authentication":
            return UpstreamRejected(f"The model endpoint does not accept our credentials {said}.", code)
        return UpstreamRejected(f"The model endpoint does not accept this request {said}: {code}.", code)
    if 300 <= status < 400:
        return UpstreamError(f"The model endpoint redirects {said}, which is not followed.")
    return UpstreamError(f"The model endpoint failed {said}.")


def _code(status: int, headers: Mapping[str, str], body: bytes) -> str:
    if status == 401:
        return "authentication"
    error = _json(body)
    known = next((_CODES[kind] for kind in _kinds(headers, error) if kind in _CODES), None)
    if known is not None:
        return known
    if status in (400, 413, 422) and any(_TOO_LONG.search(text) for text in _words(error, ("message", "Message"))):
        return "context_length_exceeded"
    return _BY_STATUS.get(status, "invalid_request")


def _throttled(headers: Mapping[str, str], body: bytes) -> bool:
    """Some services of AWS say so with status 400."""
    return not _THROTTLED.isdisjoint(_kinds(headers, _json(body)))


def _kinds(headers: Mapping[str, str], error: Any) -> list[str]:
    """Codes and types of an error, inner ones first, in lower case and without namespaces."""
    named = [headers.get("x-amzn-errortype", "").partition(":")[0], *_words(error, ("code", "type", "__type"))]
    return [word.rpartition("#")[2].lower() for word in named]


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except ValueError:
        return None


def _words(error: Any, names: tuple[str, ...], depth: int = 0) -> Iterator[str]:
    """The texts under these names in an error body, inner ones first: ``{"error": {"innererror": {"code": ...}}}``."""
    if isinstance(error, list) and error:  # Gemini's door wraps its errors in a list
        error = error[0]
    if not isinstance(error, dict) or depth > 3:
        return
    for inside in ("error", "innererror"):
        yield from _words(error.get(inside), names, depth + 1)
    yield from (error[name] for name in names if isinstance(error.get(name), str))


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """For how many seconds the endpoint asks to be left alone; ``None`` when it does not say.

    Reads ``retry-after-ms``, ``retry-after`` (seconds or a date), else the resets of those rate limits of OpenAI
    (``6m0s``) and Anthropic (a time) of which nothing remains.
    """
    now = now or datetime.now(UTC)
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return _bounded(milliseconds / 1000)
    given = headers.get("retry-after")
    if given is not None:
        waits = [_number(given), _until(_date(given), now)]
    else:
        spent = [name for name, left in headers.items() if "ratelimit-" in name and "remaining" in name and left == "0"]
        waits = [_reset(headers.get(_reset_name(name)), now) for name in spent]
    known = [wait for wait in waits if wait is not None]
    return _bounded(max(known)) if known else None


def _reset_name(remaining: str) -> str:
    """``x-ratelimit-remaining-tokens`` (OpenAI) or ``anthropic-ratelimit-tokens-remaining``; the reset beside it."""
    return remaining.replace("remaining", "reset")


def _reset(given: str | None, now: datetime) -> float | None:
    if given is None:
        return None
    parts = _DURATION.findall(given)
    if parts and "".join(number + unit for number, unit in parts) == given:
        return sum(float(number) * _SECONDS[unit] for number, unit in parts)
    try:
        return _until(datetime.fromisoformat(given), now)
    except ValueError:
        return _number(given)


def _number(given: str | None) -> float | None:
    try:
        return float(given) if given is not None and given[:1].isdigit() else None
    except ValueError:
        return None


def _date(given: str) -> datetime | None:
    try:
        return parsedate_to_datetime(given)
    except ValueError:
        return None


def _until(moment: datetime | None, now: datetime) -> float | None:
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now.timestamp()


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST_WAIT)
