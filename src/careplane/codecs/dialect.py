"""What the data plane needs of an API that clients speak: a reader, a writer, a stream encoder, an error shape.

A dialect is pure: bytes in, values out, and back. :class:`Asked` carries the canonical form that
:mod:`careplane.records.model` describes. One instance per API::

    asked = dialect.read(body)                             # InputError names the field
    dialect.whole(ident, model, created, asked, reply)     # the JSON of a whole reply
    encoder = dialect.stream(ident, model, created, asked) # start, chunk ..., end | error; keepalive in between
    dialect.error(problem)                                 # the JSON of an error reply
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from careplane.records import JSON, Record
from careplane.records.model import Chunk, ModelReply, Usage


class Options(Record, frozen=True):
    """Careplane's own part of a request: ``{"careplane": {...}}`` in the body.

    ``context`` are the resources of a FHIR Bundle whose identifiers are known; ``patient`` and ``encounter`` are
    references (``Patient/123``); calls of one ``conversation`` share their surrogates; ``untrusted`` are positions in
    ``Asked.body["messages"]`` that hold text of others;
    ``cache`` allows an exact-match answer from the cache.
    """

    context: tuple[JSON, ...] = ()
    patient: str | None = None
    encounter: str | None = None
    purpose: str | None = None
    site: str | None = None
    conversation: str | None = None
    untrusted: tuple[int, ...] = ()
    cache: bool = False


class Asked(Record, frozen=True):
    """What a client asked for. ``body`` is canonical, ready for the shield: nothing in it shares meaning with
    ``model``, ``stream`` or ``options``. ``echo`` is what the dialect repeats in its reply; it never leaves for a
    provider."""

    model: str
    body: JSON
    stream: bool = False
    include_usage: bool = False
    options: Options = Options()
    echo: JSON | None = None


class EmbedAsked(Record, frozen=True):
    """Texts that a client wants as vectors, in the order of the reply; ``base64`` is how the client wants them."""

    model: str
    inputs: tuple[str, ...]
    dimensions: int | None = None
    base64: bool = False
    options: Options = Options()


class Problem(Record, frozen=True):
    """An error as a client is to see it: the HTTP ``status``, a ``code`` that programs branch on, a sentence for
    people, the field at fault, and in how many seconds to try again."""

    status: int
    code: str
    message: str
    param: str | None = None
    retry_after: float | None = None


class Encoder(Protocol):
    """Turns one reply, originals restored, into the events of a stream. Each call gives the bytes to send (maybe
    none): ``start`` first, ``chunk`` for every piece, then ``end`` or ``error`` once. ``keepalive`` may come between
    any two and changes nothing for the client. The finish reason and token counts inside chunks are not looked at."""

    def start(self) -> bytes: ...

    def chunk(self, chunk: Chunk) -> bytes: ...

    def end(self, finish_reason: str, usage: Usage) -> bytes: ...

    def error(self, problem: Problem) -> bytes: ...

    def keepalive(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """One API. ``prefix`` starts the identifiers of its replies."""

    name: str
    prefix: str
    read: Callable[[bytes], Asked]
    whole: Callable[[str, str, int, Asked, ModelReply], bytes]
    stream: Callable[[str, str, int, Asked], Encoder]
    error: Callable[[Problem], bytes]
