"""X12 interchanges as segments with their positions: envelopes checked by ``pyx12``, and every element as text.

ISA/GS/ST and their trailers are matched, counted and numbered (X12.5, X12.6). Each refusal names the segment (counted
from 1) and what it is about, never its content, which names patients.
"""

import io
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path

from pyx12.errors import EngineError, X12Error
from pyx12.segment import Segment as PyxSegment
from pyx12.x12file import X12Reader

from careplane.errors import DataError
from careplane.records import Record

MOST_BYTES = 64 * 1024 * 1024
MOST_DIGITS = 18
SHOWN = 20

_LEVELS = {"isa": "the interchange (ISA/IEA)", "gs": "the group (GS/GE)", "st": "the transaction (ST/SE)"}


class Segment(Record, frozen=True):
    """A segment: its name, position in the file, and elements; ``[n]`` is element n as the guides count, from 1."""

    name: str
    at: int
    elements: tuple[str, ...]
    part: str = ":"

    def __getitem__(self, n: int) -> str:
        return self.elements[n - 1] if 0 < n <= len(self.elements) else ""

    def parts(self, n: int) -> tuple[str, ...]:
        """The components of a composite element."""
        return tuple(self[n].split(self.part))


class Problem(Record, frozen=True):
    """What is wrong at a segment."""

    at: int
    name: str
    why: str


class Transaction(Record, frozen=True):
    """One ST to SE: its kind (``835``), the guide (``005010X221A1``), control number, and the segments between."""

    kind: str
    guide: str
    control: str
    test: bool
    segments: tuple[Segment, ...]


def read_interchange(content: bytes, file: Path | str) -> tuple[Transaction, ...]:
    """The transactions of a file.

    Raises:
        DataError: it is no X12, breaks off, or its envelopes do not match; lists the segments.
    """
    text = _decoded(content, file)
    segments, problems = _segments(text, file)
    refuse(file, problems)
    return tuple(_transactions(segments))


def refuse(file: Path | str, problems: Sequence[Problem]) -> None:
    """Refuse a file that has problems.

    Raises:
        DataError: lists the first twenty by segment.
    """
    if not problems:
        return
    shown = "\n".join(f"  {file}: segment {one.at} {one.name}: {one.why}" for one in problems[:SHOWN])
    more = f"\n  ... and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    raise DataError(f"{len(problems)} problem(s); nothing was taken.\n{shown}{more}", file=file)


def amount(text: str) -> Decimal:
    """An exact amount of X12's type R; empty is zero.

    Raises:
        ValueError: it is none.
    """
    if not text:
        return Decimal(0)
    digits = text.lstrip("-").replace(".", "", 1)
    if not (digits.isascii() and digits.isdigit()) or len(digits) > MOST_DIGITS or text.count("-") > 1:
        raise ValueError("is not an amount such as 1234.5")
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError("is not an amount such as 1234.5") from error


def _decoded(content: bytes, file: Path | str) -> str:
    if len(content) > MOST_BYTES:
        raise DataError(f"is larger than {MOST_BYTES // 1024**2} MB; split it by interchange", file=file)
    body = content.removeprefix(b"\xef\xbb\xbf")
    if not body.startswith(b"ISA"):
        told = "is UTF-16; save it as ASCII or UTF-8" if b"\x00" in body[:64] else "does not begin with ISA"
        raise DataError(f"is not an X12 interchange: it {told}", file=file, line=1)
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode("latin-1")  # X12's extended character set


def _segments(text: str, file: Path | str) -> tuple[list[Segment], list[Problem]]:
    segments: list[Segment] = []
    problems: list[Problem] = []
    try:
        reader = X12Reader(io.StringIO(text))
        terminator, _, part, _, _ = reader.get_term()
        for raw in reader:
            segments.append(_segment(raw, len(segments) + 1, part or ":"))
            problems += _problems(reader, segments)
        reader.cleanup()
        problems += _problems(reader, segments)
    except (X12Error, EngineError) as error:
        told = (
            "the ISA segment is not one of 106 characters, version 00401 or 00501" if not segments else "is no segment"
        )
        raise DataError(f"is not an X12 interchange: segment {len(segments) + 1}: {told}", file=file) from error
    except (ValueError, IndexError, TypeError, AttributeError, KeyError) as error:
        told = "the envelope cannot be read"
        raise DataError(f"is not an X12 interchange: segment {len(segments) + 1}: {told}", file=file) from error
    told_of = text.count(terminator or "~")
    rest = text.rpartition(terminator or "~")[2]
    if told_of != len(segments) or rest.strip():
        problems.append(Problem(at=len(segments) + 1, name="", why="the file goes on, but not with a segment"))
    return segments, problems


def _segment(raw: PyxSegment, at: int, part: str) -> Segment:
    name = raw.get_seg_id() or ""
    elements = tuple(element.format(part) for element in raw.elements)
    return Segment(name=name if name.isalnum() and len(name) <= 3 else "?", at=at, elements=elements, part=part)


def _problems(reader: X12Reader, segments: Sequence[Segment]) -> Iterator[Problem]:
    last = segments[-1] if segments else Segment(name="ISA", at=1, elements=())
    for level, code, *_ in reader.pop_errors():
        what = _LEVELS.get(level)
        why = f"{what} does not match its trailer, or its number or count is wrong" if what else "is no segment"
        yield Problem(at=last.at, name=last.name, why=f"{why} (code {code})")


def _transactions(segments: Sequence[Segment]) -> Iterator[Transaction]:
    guide, test, begun = "", False, None
    for index, segment in enumerate(segments):
        if segment.name == "ISA":
            test = segment[15] == "T"
        elif segment.name == "GS":
            guide = segment[8]
        elif segment.name == "ST":
            begun = index
        elif segment.name == "SE" and begun is not None:
            start = segments[begun]
            yield Transaction(
                kind=start[1],
                guide=start[3] or guide,
                control=start[2],
                test=test,
                segments=tuple(segments[begun + 1 : index]),
            )
            begun = None
