"""Exact-match cache of replies: opt-in per app and per request, and never across patients.

The key is a keyed BLAKE2b over everything that may change the answer or who may see it: app and its version, policy
version, route and model, the patient (or that there is none) and the whole body as it came, before the shield. Replies
are kept in memory only, each process its own, until they are too old or the bound of bytes is reached (least recently
used go first); nothing is written to disk, and the key of the hash dies with the process.
"""

import secrets
import threading
import time
from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple

import orjson
from cachetools import TTLCache

from careplane.records import JSON, Record
from careplane.records.model import ModelReply

LARGEST_SHARE = 8
"""A reply larger than this part of the bound is not kept: one reply must not push all others out."""


class Asked(NamedTuple):
    """What a request is, for the cache: two requests share a reply only when all of it is the same."""

    app: str
    app_version: str
    policy_version: str
    route: str
    model: str
    patient: str | None
    body: JSON


class CacheStatus(Record, frozen=True):
    """For metrics and pages."""

    replies: int
    size_bytes: int
    most_bytes: int
    hits: int
    misses: int


def why_not(
    body: JSON,
    *,
    app_opted_in: bool,
    request_opted_in: bool,
    stream: bool,
    patient: str | None,
    identifiers: int,
) -> str | None:
    """Why a request may not be answered from the cache, nor its reply be kept; ``None`` when it may.

    Args:
        identifiers: how many identifiers the shield found in it.
    """
    if not app_opted_in:
        return "the app has not opted in"
    if not request_opted_in and body.get("temperature") != 0:
        return "its temperature is not 0 and the request has not opted in"
    if stream and body.get("tools"):
        return "it streams and offers tools"
    if body.get("n") not in (None, 1):
        return "it asks for several replies"
    if patient is None and identifiers:
        return "it holds identifiers of a patient who is not named"
    return None


class ReplyCache:
    """Replies by key; safe to share between threads. ``clock`` is monotonic, in seconds."""

    def __init__(
        self,
        most_bytes: int = 64 * 1024 * 1024,
        ttl_seconds: float = 3600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._secret = secrets.token_bytes(64)
        self._most = most_bytes
        self._kept: TTLCache[bytes, tuple[ModelReply, int]] = TTLCache(
            most_bytes, ttl_seconds, timer=clock, getsizeof=lambda kept: kept[1]
        )
        self._lock = threading.Lock()
        self._hits = 0
        self._misses = 0

    def key(self, asked: Asked) -> bytes:
        """32 bytes that say nothing to anybody without this process's secret."""
        told = orjson.dumps(tuple(asked), option=orjson.OPT_SORT_KEYS)
        return blake2b(told, key=self._secret, digest_size=32).digest()

    def get(self, key: bytes) -> ModelReply | None:
        """The reply that is kept, or ``None``."""
        with self._lock:
            found = self._kept.get(key)
            self._hits += found is not None
            self._misses += found is None
        return None if found is None else found[0]

    def put(self, key: bytes, reply: ModelReply) -> bool:
        """Keep a whole reply; says whether it was kept. One that was cut, filtered or is too large is not."""
        size = len(key) + 256 + _size(reply)
        if reply.finish_reason not in ("stop", "tool_calls") or size > self._most // LARGEST_SHARE:
            return False
        with self._lock:
            self._kept[key] = (reply, size)
        return True

    def clear(self) -> None:
        """Forget everything: a policy, a route or an app's version changed, or an app was stopped."""
        with self._lock:
            self._kept.clear()

    @property
    def status(self) -> CacheStatus:
        """What is kept now, and how often it was of use."""
        with self._lock:
            self._kept.expire()
            return CacheStatus(
                replies=len(self._kept),
                size_bytes=int(self._kept.currsize),
                most_bytes=self._most,
                hits=self._hits,
                misses=self._misses,
            )


def _size(reply: ModelReply) -> int:
    """Bytes in memory, at most: Python holds text in up to four bytes a character."""
    texts = [reply.text, reply.reasoning, reply.refusal]
    texts += [part for call in reply.tool_calls for part in (call.id, call.name, call.arguments)]
    return sum(len(text) for text in texts) * 4
