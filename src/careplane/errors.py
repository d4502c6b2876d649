"""The one error tree of Careplane.

::

    CareplaneError
    ├── InputError          what a person or a file gave is wrong; says where and the way out
    │   ├── SettingsError   careplane.toml or the environment
    │   ├── TooLarge        a body is longer than may be sent
    │   ├── ManifestError   an app folder (file, line, field)
    │   └── DataError       a data file (file, line)
    │       └── MessageError  an HL7 v2 message (line, segment, field; a code of HL7 table 0357)
    ├── TokenError          a signed token (JWT) does not hold; says which rule, never what was in it
    ├── NotFound            a named thing does not exist; names the nearest ones
    ├── Refused             a rule said no; carries the reasons and the way out
    │   └── LimitReached    a rate, concurrency or budget limit; says when to try again
    ├── Conflict            the thing changed meanwhile, or is locked
    │   └── Superseded      another worker took this over, so it must have no effect here
    ├── MissingExtra        an optional component is not installed; names the command
    ├── UpstreamError       a model provider, an EHR or another outside system failed
    │   ├── UpstreamTimeout   it did not answer in time
    │   ├── UpstreamBusy      it asks for patience (rate limit, overload); may say for how long
    │   ├── UpstreamRejected  it does not accept this request (asking again will not help)
    │   └── UpstreamLacks     it did not send what is needed, and it cannot be fetched
    ├── StoreError          the database did not answer: unreachable, locked, full or damaged
    ├── ShieldError         the PHI shield could not answer; nothing left (fail closed)
    │   └── ChartError        the chart that came with a request is not FHIR, so whom to protect is unknown
    └── LedgerError         the audit record could not be made durable or does not verify
        └── LedgerBroken    verification failed; says at which record

Every message is one or two sentences for the person who sees it: what happened, where, and the way out.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar


class CareplaneError(Exception):
    """Base of every error that Careplane raises on purpose.

    ``exit_code`` is what the command line ends with, ``status`` is the HTTP status.
    """

    exit_code: ClassVar[int] = 1
    status: ClassVar[int] = 500


class InputError(CareplaneError):
    """What was given is wrong. ``where`` names file, line or field."""

    exit_code = 2
    status = 400

    def __init__(
        self,
        message: str,
        *,
        file: Path | str | None = None,
        line: int | None = None,
        field: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.file = str(file) if file is not None else None
        self.line = line
        self.field = field

    @property
    def where(self) -> str:
        """``file:line: field``, as much of it as is known."""
        place = self.file or ""
        if self.line is not None:
            place = f"{place}:{self.line}" if place else f"line {self.line}"
        return ": ".join(part for part in (place, self.field) if part)

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class SettingsError(InputError):
    """A key or value of ``careplane.toml`` or the environment is wrong."""


class TooLarge(InputError):
    """A body is longer than may be sent."""

    status = 413


class ManifestError(InputError):
    """An app folder does not meet the published schema or its own promises."""


class DataError(InputError):
    """A data file could not be read; nothing of the bad part was written."""


class MessageError(DataError):
    """An HL7 v2 message could not be read. The text never quotes the message, which may name a patient.

    ``code`` is of HL7 table 0357; ``segment``, ``sequence`` (which of its name, from 1) and ``number`` (the field) say
    where, as far as it is known.
    """

    def __init__(
        self,
        message: str,
        code: int,
        *,
        line: int | None = None,
        segment: str = "",
        sequence: int = 1,
        number: int | None = None,
        file: Path | str | None = None,
    ) -> None:
        field = f"{segment}-{number}" if segment and number is not None else segment or None
        super().__init__(message, file=file, line=line, field=field)
        self.code = code
        self.segment = segment
        self.sequence = sequence
        self.number = number


class TokenError(CareplaneError):
    """A signed token (JWT) does not hold. ``code`` is a word of ours for why: ``malformed``, ``algorithm``, ``type``,
    ``key``, ``signature``, ``claim``, ``issuer``, ``audience``, ``expired``, ``early``, ``age``, ``nonce``,
    ``replayed``, ``untrusted``.
    """

    exit_code = 2
    status = 401

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class NotFound(CareplaneError):
    """A named thing does not exist; the message names the nearest ones."""

    exit_code = 2
    status = 404


class Refused(CareplaneError):
    """A rule said no. ``reasons`` are sentences, ``way_out`` is what would change the answer."""

    status = 403

    def __init__(self, reasons: Sequence[str], way_out: str) -> None:
        self.reasons = tuple(reasons)
        self.way_out = way_out
        super().__init__(" ".join((*self.reasons, way_out)))


class LimitReached(Refused):
    """A limit of rate, concurrency or money is reached. ``code`` is what clients of the API know it by
    (``rate_limit_exceeded``, ``insufficient_quota``); ``retry_after`` is in seconds, ``None`` when waiting is no use.
    """

    status = 429

    def __init__(
        self, reason: str, way_out: str, *, retry_after: float | None = None, code: str = "rate_limit_exceeded"
    ) -> None:
        super().__init__([reason], way_out)
        self.retry_after = retry_after
        self.code = code


class Conflict(CareplaneError):
    """The thing changed meanwhile or is locked; reload and try again."""

    status = 409


class Superseded(Conflict):
    """Another worker took over what this one had under way (it stood still for longer than its lease)."""


class ChartChanged(Conflict):
    """The chart is not what a text rests on any more. ``changes`` are records that say what differs; who signs again
    with ``fingerprint`` says that they were seen."""

    def __init__(self, message: str, changes: Sequence[object], fingerprint: str) -> None:
        super().__init__(message)
        self.changes = tuple(changes)
        self.fingerprint = fingerprint


class MissingExtra(CareplaneError):
    """An optional component is not installed."""

    exit_code = 3
    status = 501

    def __init__(self, what: str, extra: str) -> None:
        self.extra = extra
        super().__init__(f"{what} is not installed. Install it with: uv sync --extra {extra}")


class UpstreamError(CareplaneError):
    """An outside system (model provider, EHR, ERP) failed or answered badly."""

    exit_code = 4
    status = 502


class UpstreamTimeout(UpstreamError):
    """An outside system did not answer in time."""

    status = 504


class UpstreamBusy(UpstreamError):
    """An outside system is overloaded or limits our rate. ``retry_after`` is in seconds, where it said so."""

    status = 503

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UpstreamAway(UpstreamError):
    """An outside system cannot be reached, or answers nothing but failures: waiting helps, asking otherwise does not.
    ``dependency`` is what is away (``ehr``, ``model``), where it is known."""

    status = 503

    def __init__(self, message: str, dependency: str = "") -> None:
        super().__init__(message)
        self.dependency = dependency


class UpstreamRejected(UpstreamError):
    """An outside system does not accept the request as it is. ``code`` is a word of ours for why
    (``invalid_request``, ``context_length_exceeded``, ``content_filter``, ``authentication``, ``not_found``)."""

    def __init__(self, message: str, code: str = "invalid_request") -> None:
        super().__init__(message)
        self.code = code


class UpstreamLacks(UpstreamError):
    """An outside system did not send what is needed, and it cannot be fetched from it. ``what`` are resource types."""

    status = 412

    def __init__(self, message: str, what: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.what = tuple(what)


class StoreError(CareplaneError):
    """The operational database did not answer: unreachable, locked, full, read-only or damaged."""

    status = 503


class ShieldError(CareplaneError):
    """The shield could not protect a text, so the text did not leave."""

    status = 503


class ChartError(ShieldError):
    """The chart that came with a request is not FHIR, so the shield does not know whose identifiers to look for."""

    exit_code = 2
    status = 400


class LedgerError(CareplaneError):
    """The audit record could not be made durable, so the reply did not leave."""

    status = 503


class LedgerBroken(LedgerError):
    """The ledger does not verify. ``seq`` is the first record that does not hold; ``file`` and ``line`` say where."""

    def __init__(
        self, message: str, seq: int | None = None, *, file: Path | None = None, line: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.seq = seq
        self.file = str(file) if file is not None else None
        self.line = line

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        return f"{place}: {self.message}" if place else self.message
