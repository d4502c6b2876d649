"""Bytes to a message: character set, separators, segments, fields and what they are made of.

HL7 v2 section 2.5 (message construction rules). What cannot be read is refused with line, segment and field and a code
of table 0357; what is merely odd is read and noted. Segments end with CR, as the standard says; files with CR LF or LF
are read too. A line feed inside a message whose segments end with CR belongs to the field around it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from careplane.codecs.hl7v2.charsets import DEFAULT, Charset, find_charset, without_mark
from careplane.codecs.hl7v2.encoding import Encoding, is_well_escaped
from careplane.codecs.hl7v2.message import Field, Message, Note, Repetition, Segment
from careplane.errors import MessageError

MAX_BYTES = 16 * 1024 * 1024
MAX_SEGMENTS = 50_000
MAX_FIELDS = 1_000
MAX_LEAVES = 500_000

_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")
_BREAK = re.compile(r"\r\n|\r|\n")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]")
_HEADERS = ("MSH", "FHS", "BHS")


def parse(data: bytes, *, charset: str | None = None, default: str = DEFAULT) -> Message:
    """Read one message.

    Args:
        data: its bytes, with or without a byte-order mark.
        charset: a name of table 0211 that a person gives, to be used whatever MSH-18 says.
        default: what a message means that names no character set.

    Raises:
        MessageError: it cannot be read; says why and where.
    """
    if len(data) > MAX_BYTES:
        raise MessageError(f"is longer than {MAX_BYTES // 1024 // 1024} MiB", 207, line=1)
    text, chosen, notes = _decoded(data, charset, default)
    encoding = separators(text.lstrip("\r\n \t"), chosen.codec)
    segments: list[Segment] = []
    odd: list[Note] = []
    for line, content in _lines(text, encoding.field):
        segments.append(_segment(content, line, encoding, segments))
        odd += _notes(content, segments)
    message = Message(tuple(segments), encoding, chosen.name, (*notes, *odd))
    _check_header(message.header)
    return message


def separators(text: str, codec: str = "utf-8") -> Encoding:
    """The separators that a header segment declares in its first characters.

    Raises:
        MessageError: it is no header, or they cannot be told apart.
    """
    name, mark = text[:3], text[3:4]
    if name not in _HEADERS:
        raise MessageError("the message must begin with MSH", 100, line=1)
    end = next((at for at in range(4, 14) if text[at : at + 1] in (mark, "\r", "\n", "")), 14)
    whole = text[3:end]
    if len(whole) not in (5, 6) or len(set(whole)) != len(whole) or any(one.isalnum() for one in whole):
        raise MessageError(
            "must name four or five different separators after the field separator, such as ^~\\&",
            102,
            line=1,
            segment=name,
            number=2,
        )
    return Encoding(mark, whole[1], whole[2], whole[3], whole[4], whole[5:], codec)


def header_of(data: bytes) -> Segment | None:
    """MSH of a message that may not be readable otherwise, to answer it; ``None`` when there is none.

    Read as Latin-1, in which every byte is a character: the ids that an answer echoes are ASCII in practice.
    """
    text = without_mark(data[:8192])[0].decode("latin-1").lstrip("\r\n \t")
    try:
        encoding = separators(text, "latin-1")
        return _segment(_BREAK.split(text, maxsplit=1)[0], 1, encoding, ()) if text.startswith("MSH") else None
    except MessageError:
        return None


def _decoded(data: bytes, charset: str | None, default: str) -> tuple[str, Charset, list[Note]]:
    body, marked = without_mark(data)
    notes = []
    if marked:
        chosen = Charset(marked, "UNICODE UTF-8" if marked == "utf-8" else "UNICODE UTF-16")
        told = f"a byte-order mark is before the message; it is read as {chosen.name}"
        notes.append(Note(told, 102, 1, "MSH", 1, 18))
    else:
        chosen = find_charset(charset, "~", default) if charset else _declared(body, default)
    try:
        return body.decode(chosen.codec), chosen, notes
    except UnicodeDecodeError as error:
        raise _undecodable(body, error, chosen) from None


def _declared(body: bytes, default: str) -> Charset:
    header = header_of(body)
    if header is None:
        return find_charset("", "~", default)
    repetition = header.encoding.repetition
    names = repetition.join(part.text(1) for part in header.repetitions(18))
    return find_charset(names, repetition, default)


def _undecodable(body: bytes, error: UnicodeDecodeError, chosen: Charset) -> MessageError:
    """Where the first byte stands that is not of the character set; the byte itself is told, no text."""
    before = body[: error.start].decode("latin-1")
    lines = _BREAK.split(before)
    name = lines[-1][:3] if _NAME.fullmatch(lines[-1][:3]) else ""
    mark = before.lstrip("\r\n \t")[3:4] or "|"
    number = lines[-1].count(mark) + (1 if name in _HEADERS else 0)
    return MessageError(
        f"byte 0x{body[error.start]:02x} is not of the character set {chosen.name}; "
        "the sender must declare the right one in MSH-18",
        102,
        line=len(lines),
        segment=name,
        sequence=sum(1 for line in lines if line[:3] == name),
        number=number if name and number else None,
    )


def _lines(text: str, mark: str) -> Iterator[tuple[int, str]]:
    """Segments as written, each with its line; blank lines count and are left out."""
    if "\n" not in text:
        yield from ((line, content) for line, content in enumerate(text.split("\r"), 1) if content.strip())
        return
    breaks = rf"\r\n?|\n(?=[A-Z][A-Z0-9]{{2}}{re.escape(mark)}|\s*$)" if "\r" in text else r"\n"
    line = 1
    for content, end in _pieces(text, re.compile(breaks)):
        if content.strip():
            yield line, content.lstrip("\n") if line > 1 else content.lstrip("\n \t")
        line += content.count("\n") + bool(end)


def _pieces(text: str, breaks: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    start = 0
    for match in breaks.finditer(text):
        yield text[start : match.start()], match[0]
        start = match.end()
    yield text[start:], ""


def _segment(content: str, line: int, encoding: Encoding, before: Sequence[Segment]) -> Segment:
    name = content[:3]
    if not _NAME.fullmatch(name) or content[3:4] not in ("", encoding.field):
        raise MessageError(
            "is not a segment: it must begin with three capitals or digits and the field separator; "
            "a line break inside a text is written as an escape sequence (.br)",
            100,
            line=line,
        )
    if before and name in _HEADERS:
        raise MessageError("a second header: send each message in a block of its own", 100, line=line, segment=name)
    if len(before) >= MAX_SEGMENTS:
        raise MessageError(f"more than {MAX_SEGMENTS} segments", 207, line=line)
    if len(content) > MAX_FIELDS:
        _check_size(content, name, line, encoding)
    if name in _HEADERS:
        rest = content[4 + len(encoding.characters) :]
        own: tuple[Field, ...] = (_single(encoding.field), _single(encoding.characters))
        return Segment(name, line, own + _fields(rest[1:], encoding) if rest else own, encoding)
    return Segment(name, line, _fields(content[4:], encoding), encoding)


def _check_size(content: str, name: str, line: int, encoding: Encoding) -> None:
    marks = (encoding.component, encoding.subcomponent, encoding.repetition)
    if content.count(encoding.field) > MAX_FIELDS:
        raise MessageError(f"more than {MAX_FIELDS} fields", 207, line=line, segment=name)
    if sum(content.count(mark) for mark in marks) > MAX_LEAVES:
        raise MessageError(f"more than {MAX_LEAVES} components", 207, line=line, segment=name)


def _single(text: str) -> Field:
    return (((text,),),)


def _fields(rest: str, encoding: Encoding) -> tuple[Field, ...]:
    """The fields of a segment; most hold one leaf or nothing, which is told by looking for separators first."""
    component, repetition, subcomponent = encoding.component, encoding.repetition, encoding.subcomponent
    found: list[Field] = []
    for text in rest.split(encoding.field):
        if not text:
            found.append(())
        elif subcomponent in text:
            found.append(tuple([_repetition(one, component, subcomponent) for one in text.split(repetition)]))
        elif component in text or repetition in text:
            # zip makes a tuple of one leaf of each component
            found.append(tuple([tuple(zip(one.split(component), strict=True)) for one in text.split(repetition)]))
        else:
            found.append((((text,),),))
    return tuple(found)


def _repetition(text: str, component: str, subcomponent: str) -> Repetition:
    return tuple([tuple(part.split(subcomponent)) for part in text.split(component)])


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a message a note belongs."""

    line: int
    segment: str
    sequence: int


def _notes(content: str, segments: Sequence[Segment]) -> list[Note]:
    """What is odd about the last segment: escape sequences, control characters, line feeds in a field."""
    segment = segments[-1]
    rest = content[8:] if segment.id in _HEADERS else content
    if is_well_escaped(rest, segment.encoding) and not _CONTROL.search(content) and "\n" not in content:
        return []
    sequence = sum(1 for one in segments if one.id == segment.id)
    place = _Place(segment.line, segment.id, sequence)
    first = 3 if segment.id in _HEADERS else 1
    return [note for number in range(first, len(segment.fields) + 1) for note in _of_field(segment, number, place)]


def _of_field(segment: Segment, number: int, place: _Place) -> Iterator[Note]:
    leaves = [leaf for one in segment.field(number) for part in one for leaf in part]
    told = []
    if not all(is_well_escaped(leaf, segment.encoding) for leaf in leaves):
        told.append("an escape sequence is unknown or not ended; it is kept as it is written")
    if any(_CONTROL.search(leaf) for leaf in leaves):
        told.append("a control character is in the text; it is kept here and left out of what is mapped")
    if any("\n" in leaf for leaf in leaves):
        told.append("a line feed is in the text; it is kept as part of it")
    for text in told:
        yield Note(text, 102, place.line, place.segment, place.sequence, number)


def _check_header(header: Segment) -> None:
    if header.id != "MSH":
        told = "a batch: split it, and send its messages one by one"
        raise MessageError(told, 200, line=header.line, segment=header.id)
    for number, what in ((9, "message type"), (10, "control id"), (12, "version")):
        if not header.text(number):
            raise MessageError(f"the {what} is missing", 101, line=header.line, segment="MSH", number=number)
    if not re.fullmatch(r"[A-Z][A-Z0-9]{2}", header.text(9)):
        raise MessageError("the message type must be three capitals", 200, line=header.line, segment="MSH", number=9)
    if not re.fullmatch(r"2(\.\d+){0,3}", header.text(12)):
        raise MessageError("only versions 2.x can be read", 203, line=header.line, segment="MSH", number=12)
