"""Files of messages: many in one file, with or without the batch protocol (FHS, BHS, BTS, FTS), with or without blocks.

HL7 v2 section 2.10.3 (HL7 batch protocol). The counts of BTS-1 and FTS-1 are checked, so that a cut file is noticed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from careplane.codecs.hl7v2.charsets import without_mark
from careplane.errors import MessageError

_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|$)")
_START = re.compile(rb"(?:\A|(?<=[\r\n\x1c]))\x0b")
_BLOCK = re.compile(rb"\x0b|\x1c\r?\n?")


@dataclass(frozen=True, slots=True)
class Piece:
    """One message of a file: its bytes, and the line of the file on which it begins, from 1."""

    line: int
    data: bytes


def split_file(data: bytes) -> list[Piece]:
    """The messages of a file, in order; a byte-order mark at its start is put before each.

    Raises:
        MessageError: something stands before the first message or between batches, or a count does not hold.
    """
    body, marked = without_mark(data)
    if marked in ("utf-16-le", "utf-16-be"):
        try:
            body, marked = body.decode(marked).encode(), "utf-8"
        except UnicodeDecodeError as error:
            raise MessageError("is not UTF-16 as its byte-order mark says", 102, line=1) from error
    if b"\x0b" in body:  # each line end of a block stays, so that lines are counted as in the file
        body = _BLOCK.sub(b"\r", _START.sub(b"", body))
    mark = b"\xef\xbb\xbf" if marked else b""
    return [Piece(line, mark + piece) for line, piece in _messages(body)]


def _messages(body: bytes) -> Iterator[tuple[int, bytes]]:
    held: list[bytes] = []
    start, done, batched = 0, 0, 0
    for number, line in enumerate((match[0] for match in _LINE.finditer(body) if match[0]), 1):
        name = line[:3]
        if name in (b"MSH", b"FHS", b"BHS", b"BTS", b"FTS"):
            if held:
                yield start, b"".join(held)
                done, batched, held = done + 1, batched + 1, []
            if name == b"MSH":
                start, held = number, [line]
            else:
                batched = _envelope(name, line, number, batched)
        elif held:
            held.append(line)
        elif line.strip():
            raise MessageError("stands before any message: a message begins with MSH", 100, line=number)
    if held:
        yield start, b"".join(held)
    elif not done:
        raise MessageError("holds no message: a message begins with MSH", 100, line=1)


def _envelope(name: bytes, line: bytes, number: int, batched: int) -> int:
    """Check a trailer; the number of messages of the batch that is open after this line."""
    fields = line.rstrip(b"\r\n").split(line[3:4] or b"|")
    told = fields[1].strip().decode("latin-1") if name == b"BTS" and len(fields) > 1 else ""
    if told.isascii() and told.isdigit() and int(told) != batched:
        raise MessageError(
            f"says {told} messages, but the batch holds {batched}: it was cut or changed",
            100,
            line=number,
            segment="BTS",
            number=1,
        )
    return 0


def wire(data: bytes) -> bytes:
    """A message as it travels: segments end with CR, and no byte-order mark is before it."""
    body, marked = without_mark(data)
    text = body if b"\r" in body else body.replace(b"\n", b"\r")
    text = text.replace(b"\r\n", b"\r").strip(b"\r\n")
    return (text if marked in (None, "utf-8") else data) + b"\r"
