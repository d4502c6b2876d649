"""The binary event stream of AWS (``application/vnd.amazon.eventstream``). Pure functions and one push parser.

A frame is: total length (4 bytes), length of the headers (4), CRC-32 of these eight bytes (4), headers, payload, CRC-32
of everything before it (4); numbers are big-endian. A header is: length of its name (1), name, type (1), value.

Source: https://smithy.io/2.0/aws/amazon-eventstream.html (checked against botocore's reader in the tests).
"""

import struct
import zlib
from collections.abc import Mapping

from careplane.records import Record

LARGEST = 16 * 1024 * 1024
"""Bytes of one frame; the specification allows 24 MiB, a piece of a reply has some hundred bytes."""

_PRELUDE = struct.Struct(">III")
_FIXED = {2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Header types of a fixed size: byte, short, integer, long, timestamp, UUID."""

_TEXT, _BYTES, _TRUE, _FALSE = 7, 6, 0, 1


class Frame(Record, frozen=True):
    """One event: text and boolean headers by name (other types are skipped), and the payload."""

    headers: dict[str, str]
    payload: bytes


class Frames:
    """Takes a stream in pieces of any size, gives whole frames."""

    def __init__(self) -> None:
        self._left = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are whole now.

        Raises:
            ValueError: a length or a checksum does not hold; the stream cannot be read on.
        """
        self._left += data
        found: list[Frame] = []
        start = 0
        while (size := self._size(start)) and len(self._left) - start >= size:
            found.append(_frame(bytes(self._left[start : start + size])))
            start += size
        del self._left[:start]
        return found

    def _size(self, start: int) -> int:
        """How long the frame at ``start`` is; 0 while that is not known."""
        if len(self._left) - start < _PRELUDE.size:
            return 0
        total, headers, checksum = _PRELUDE.unpack_from(self._left, start)
        if zlib.crc32(self._left[start : start + 8]) != checksum:
            raise ValueError("the checksum of a prelude does not hold")
        if not _PRELUDE.size + 4 + headers <= total <= LARGEST:
            raise ValueError("a frame has an impossible length")
        return int(total)

    @property
    def empty(self) -> bool:
        """Whether nothing of an unfinished frame is held."""
        return not self._left


def encode(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One frame with text headers."""
    written = b"".join(
        bytes([len(name.encode())]) + name.encode() + struct.pack(">BH", _TEXT, len(value.encode())) + value.encode()
        for name, value in headers.items()
    )
    lengths = struct.pack(">II", _PRELUDE.size + len(written) + len(payload) + 4, len(written))
    frame = lengths + struct.pack(">I", zlib.crc32(lengths)) + written + payload
    return frame + struct.pack(">I", zlib.crc32(frame))


def _frame(data: bytes) -> Frame:
    if zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "big"):
        raise ValueError("the checksum of a frame does not hold")
    end = _PRELUDE.size + int.from_bytes(data[4:8], "big")
    return Frame(headers=_headers(data[_PRELUDE.size : end]), payload=data[end:-4])


def _headers(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    try:
        while at < len(data):
            named = at + 1 + data[at]
            name, kind = data[at + 1 : named].decode(), data[named]
            at, end = _value(data, named + 1, kind)
            if end > len(data):
                raise ValueError("a header is longer than the headers")
            if kind == _TEXT:
                found[name] = data[at:end].decode()
            elif kind in (_TRUE, _FALSE):
                found[name] = "true" if kind == _TRUE else "false"
            at = end
    except IndexError as error:
        raise ValueError("a header is cut") from error
    return found


def _value(data: bytes, at: int, kind: int) -> tuple[int, int]:
    """Where the value of a header starts and ends."""
    if kind in (_TRUE, _FALSE):
        return at, at
    if kind in (_TEXT, _BYTES):
        return at + 2, at + 2 + int.from_bytes(data[at : at + 2], "big")
    if kind in _FIXED:
        return at, at + _FIXED[kind]
    raise ValueError("a header has an unknown type")
