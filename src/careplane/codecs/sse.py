"""Server-sent events, read from bytes as they arrive, whatever their pieces.

Follows the HTML standard, section 9.2.6 (https://html.spec.whatwg.org/multipage/server-sent-events.html): lines end
with CR, LF or CRLF; one byte order mark at the start is skipped; comments and unknown fields are skipped; data of
several lines is joined with a line feed; an event without data is none, and an unfinished one at the end is dropped.
``id`` and ``retry`` mean nothing here. Where the standard replaces invalid UTF-8, this refuses it: a model's text that
was damaged on the way must not pass for what it said.
"""

from typing import NamedTuple

MAX_LINE = 8 * 1024 * 1024
MAX_EVENT = 16 * 1024 * 1024
_LINE_COST = 64
"""What a line counts for an event's size beside its bytes: empty lines fill the memory too."""
_BOM = b"\xef\xbb\xbf"


def one_line(data: bytes) -> bytes:
    """JSON for an event, with the characters escaped at which careless readers of lines break text: U+0085, U+2028
    and U+2029 are no ends of lines in an event stream, but ``str.splitlines`` and its kind take them for such."""
    if data.isascii():
        return data
    return (
        data.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029").replace(b"\xc2\x85", b"\\u0085")
    )


class BrokenStream(ValueError):
    """The stream cannot be read as events; the message says why and holds nothing of its content."""


class Event(NamedTuple):
    """One event; ``name`` is ``message`` where the stream gives none."""

    name: str
    data: str


class EventParser:
    """Reads one stream. ``feed`` takes the next bytes and gives the events that they complete.

    Every byte is looked at a bounded number of times, also when a long line comes in many small pieces.
    """

    __slots__ = (
        "_data",
        "_event_size",
        "_max_event",
        "_max_line",
        "_name",
        "_rest",
        "_skip_lf",
        "_small",
        "_started",
    )

    def __init__(self, max_line: int = MAX_LINE, max_event: int = MAX_EVENT) -> None:
        self._max_line = max_line
        self._max_event = max_event
        self._small = min(max_line, max_event - _LINE_COST)
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._event_size = 0
        self._name = b""
        self._skip_lf = False
        self._started = False

    def feed(self, piece: bytes) -> list[Event]:
        """The events that ``piece`` completes.

        Raises:
            BrokenStream: a line or an event is too long, or an event is not UTF-8.
        """
        if self._skip_lf and piece:
            self._skip_lf = False
            if piece.startswith(b"\n"):
                piece = piece[1:]
        if not piece:
            return []
        if b"\r" in piece:
            # A CR at the end may be half of a CRLF; the LF is then the first byte of the next piece.
            self._skip_lf = piece.endswith(b"\r")
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        elif self._may_be_whole(piece):
            return self._whole(piece)
        if b"\n" not in piece:
            self._keep(piece)
            return []
        head, *lines = piece.split(b"\n")
        self._keep(head)
        first, rest = self._unmarked(bytes(self._rest)), lines.pop()
        self._rest.clear()
        events: list[Event] = []
        for line in (first, *lines):
            self._line(line, events)
        self._keep(rest)
        return events

    def _may_be_whole(self, piece: bytes) -> bool:
        """Whether a piece begins and ends with an event, as most do; then nothing needs to be kept."""
        open_event = self._rest or self._data or self._name
        return self._started and not open_event and piece.endswith(b"\n\n") and len(piece) < self._small

    def _whole(self, piece: bytes) -> list[Event]:
        events: list[Event] = []
        for block in piece[:-2].split(b"\n\n"):
            if block.startswith(b"data: ") and b"\n" not in block:
                events.append(Event("message", _decoded(block[6:])))
            else:
                for line in block.split(b"\n"):
                    self._line(line, events)
                self._dispatch(events)
        return events

    def _keep(self, piece: bytes) -> None:
        if len(self._rest) + len(piece) > self._max_line:
            raise self._too_long()
        self._rest += piece

    def _too_long(self) -> BrokenStream:
        return BrokenStream(f"a line of the event stream is longer than {self._max_line} bytes")

    def _unmarked(self, line: bytes) -> bytes:
        if self._started:
            return line
        self._started = True
        return line.removeprefix(_BOM)

    def _line(self, line: bytes, events: list[Event]) -> None:
        if len(line) > self._max_line:
            raise self._too_long()
        if not line:
            self._dispatch(events)
        elif line.startswith(b"data:"):
            self._add(line[6:] if line.startswith(b"data: ") else line[5:])
        elif line.startswith(b"event:"):
            self._name = line[7:] if line.startswith(b"event: ") else line[6:]
        elif line == b"data":
            self._add(b"")
        elif line == b"event":
            self._name = b""

    def _add(self, data: bytes) -> None:
        self._event_size += len(data) + _LINE_COST
        if self._event_size > self._max_event:
            raise BrokenStream(f"an event of the stream is longer than {self._max_event} bytes")
        self._data.append(data)

    def _dispatch(self, events: list[Event]) -> None:
        data, name = self._data, self._name
        if data:
            self._data, self._event_size = [], 0
            events.append(Event(_decoded(name) or "message", _decoded(b"\n".join(data))))
        self._name = b""


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise BrokenStream("an event of the stream is not valid UTF-8") from error
