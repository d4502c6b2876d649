"""Taking messages of HL7 v2: read, kept on disk, and only then acknowledged."""

import itertools
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from careplane.codecs.hl7v2 import (
    Block,
    Message,
    Note,
    Outcome,
    Segment,
    answers,
    as_json,
    header_of,
    outcome_of,
    parse,
    told,
)
from careplane.codecs.hl7v2.charsets import DEFAULT
from careplane.codecs.hl7v2.fhir import check_subject
from careplane.errors import MessageError, StoreError
from careplane.store.hl7v2_inbox import CONFLICT, Arrival, Hl7v2Inbox


class Intake:
    """What a listener answers with.

    Args:
        inbox: where messages are kept.
        clock: the time, aware.
        charset: what a message means that names no character set (HL7 table 0211).
        arrived: called when a new message waits to be worked on.
    """

    def __init__(
        self,
        inbox: Hl7v2Inbox,
        clock: Callable[[], datetime],
        charset: str = DEFAULT,
        arrived: Callable[[], None] = lambda: None,
    ) -> None:
        self._inbox = inbox
        self._clock = clock
        self._charset = charset
        self._arrived = arrived
        self._idents = map(f"{secrets.token_hex(4)}{{:x}}".format, itertools.count())

    async def answer(self, block: Block, peer: str) -> Sequence[bytes]:
        """The acknowledgements of a block. AA and CA say that the message is on disk, and nothing more.

        An acknowledgement is not acknowledged, nor kept: two systems would answer each other for ever.
        """
        at = self._clock()
        try:
            message = self._read(block)
        except MessageError as error:
            header = header_of(block.data)
            if _is_answer(header):
                return []
            outcome, problems = await self._refused(block, error, header, peer, at)
        else:
            header = message.header
            if _is_answer(header):
                return []
            outcome, problems = await self._kept(block.data, message, peer, at)
        return answers(header, outcome, problems, at=at, ident=next(self._idents))

    def _read(self, block: Block) -> Message:
        if block.broken:
            code = 100 if block.whole else 207
            raise MessageError(f"broken framing: {block.broken}", code)
        return read(block.data, None, self._charset)

    async def _kept(
        self, raw: bytes, message: Message, peer: str, at: datetime
    ) -> tuple[Outcome, Sequence[MessageError | Note]]:
        arrival = Arrival(raw, encoded(message), message.kind, message.sender, message.control, peer, at)
        try:
            kept = await self._inbox.keep(arrival)
        except StoreError:
            return "R", [_not_kept()]
        if kept.outcome == "new":
            self._arrived()
        if kept.outcome == "conflict":
            return "E", [MessageError(CONFLICT, 205, line=1, segment="MSH", number=10)]
        return "A", [note for note in message.notes if note.number != 18]

    async def _refused(
        self, block: Block, error: MessageError, header: Segment | None, peer: str, at: datetime
    ) -> tuple[Outcome, Sequence[MessageError | Note]]:
        """Keep what cannot be read; a block that was cut for its length is its sender's to keep."""
        kind, sender, control = "", "", ""
        if header is not None:
            kind = "^".join(filter(None, (header.text(9, 1), header.text(9, 2))))[:40]
            sender, control = f"{header.text(3)}|{header.text(4)}"[:200], header.text(10)[:200]
        if block.whole:
            arrival = Arrival(block.data, b"", kind, sender, control, peer, at, reason=told(error))
            try:
                await self._inbox.keep(arrival)
            except StoreError:
                return "R", [_not_kept()]
        return outcome_of(error), [error]


def _is_answer(header: Segment | None) -> bool:
    return header is not None and header.text(9) == "ACK"


def read(raw: bytes, charset: str | None, default: str) -> Message:
    """A message that can be worked on.

    Raises:
        MessageError: it cannot be read, or does not say about whom it is.
    """
    message = parse(raw, charset=charset, default=default)
    check_subject(message)
    return message


def encoded(message: Message) -> bytes:
    """The parsed message as it is kept."""
    return msgspec.json.encode(as_json(message))


def _not_kept() -> MessageError:
    return MessageError("it could not be kept; send it again later", 207)
