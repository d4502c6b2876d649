"""A parsed message: segments, fields, repetitions, components, subcomponents, as they are stored.

Numbers count from 1 as in the standard, and MSH-1 is the field separator itself. Z segments are segments like any
other. A leaf is kept as it was written; :meth:`Segment.text` gives what it means.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from careplane.codecs.hl7v2.encoding import Encoding, unescape
from careplane.records import JSON

Component = tuple[str, ...]
Repetition = tuple[Component, ...]
Field = tuple[Repetition, ...]

NULL = '""'
"""A field that says: delete what you have (HL7 v2 section 2.5.3.2)."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment. ``line`` is its line in the message or file, from 1; an empty field is ``()``."""

    id: str
    line: int
    fields: tuple[Field, ...]
    encoding: Encoding

    def field(self, number: int) -> Field:
        """All repetitions of a field; ``()`` when it is empty or absent."""
        return self.fields[number - 1] if 0 < number <= len(self.fields) else ()

    def stored(self, number: int, component: int = 1, subcomponent: int = 1, repetition: int = 1) -> str:
        """One leaf as it was written, ``""`` when it is absent."""
        found = self.field(number)
        return leaf(found[repetition - 1], component, subcomponent) if repetition <= len(found) else ""

    def text(self, number: int, component: int = 1, subcomponent: int = 1, repetition: int = 1) -> str:
        """What a leaf means: escape sequences resolved, outer blanks gone, a delete (``""``) as nothing."""
        return meaning(self.stored(number, component, subcomponent, repetition), self.encoding)

    def repetitions(self, number: int) -> Iterator["Part"]:
        """The repetitions of a field that hold something, to read components from."""
        return (Part(one, self.encoding) for one in self.field(number))

    def part(self, number: int) -> "Part":
        """The first repetition of a field; one without components when it is empty."""
        return next(self.repetitions(number), Part((), self.encoding))


@dataclass(frozen=True, slots=True)
class Part:
    """One repetition of a field."""

    components: Repetition
    encoding: Encoding

    def text(self, component: int, subcomponent: int = 1) -> str:
        """What a leaf of it means."""
        return meaning(leaf(self.components, component, subcomponent), self.encoding)

    def whole(self, component: int) -> "Part":
        """A component whose subcomponents are the components of a data type of their own (an HD in a CX)."""
        found = self.components[component - 1] if component <= len(self.components) else ()
        return Part(tuple((one,) for one in found), self.encoding)


def leaf(components: Repetition, component: int, subcomponent: int) -> str:
    """One leaf of a repetition as it was written, ``""`` when it is absent."""
    if component > len(components):
        return ""
    found = components[component - 1]
    return found[subcomponent - 1] if subcomponent <= len(found) else ""


def meaning(stored: str, encoding: Encoding) -> str:
    """What a leaf says."""
    return "" if stored == NULL else unescape(stored, encoding).strip()


@dataclass(frozen=True, slots=True)
class Note:
    """Something about a message that was read all the same: ``code`` of table 0357, ``number`` the field."""

    text: str
    code: int
    line: int
    segment: str
    sequence: int = 1
    number: int | None = None

    @property
    def where(self) -> str:
        """``PID-5``, or the segment alone."""
        return self.segment if self.number is None else f"{self.segment}-{self.number}"


@dataclass(frozen=True, slots=True)
class Message:
    """One message. ``charset`` is a name of HL7 table 0211, ``notes`` what was odd about it."""

    segments: tuple[Segment, ...]
    encoding: Encoding
    charset: str
    notes: tuple[Note, ...] = ()

    @property
    def header(self) -> Segment:
        """MSH."""
        return self.segments[0]

    @property
    def kind(self) -> str:
        """``ADT^A03``: message code and trigger event."""
        code, event = self.header.text(9, 1), self.header.text(9, 2)
        return f"{code}^{event}" if event else code

    @property
    def control(self) -> str:
        """MSH-10."""
        return self.header.text(10)

    @property
    def sender(self) -> str:
        """Sending application and facility (MSH-3, MSH-4) as they are written, each with its universal id."""
        return f"{_named(self.header.field(3))}|{_named(self.header.field(4))}"

    def all(self, name: str) -> tuple[Segment, ...]:
        """Every segment of a name."""
        return tuple(segment for segment in self.segments if segment.id == name)

    def first(self, name: str) -> Segment | None:
        """The first segment of a name, or ``None``."""
        return next((segment for segment in self.segments if segment.id == name), None)


def _named(field: Field) -> str:
    return "^".join([part[0] for part in field[0][:3]]).rstrip("^") if field else ""


def as_json(message: Message) -> JSON:
    """The message as JSON: every leaf as it is stored, four levels of lists under each field.

    ``fields[0]`` is field 1; a field is a list of repetitions, these of components, these of subcomponents.
    """
    return {
        "type": message.kind,
        "control_id": message.control,
        "version": message.header.text(12),
        "character_set": message.charset,
        "separators": message.encoding.field + message.encoding.characters,
        "segments": [{"id": one.id, "line": one.line, "fields": one.fields} for one in message.segments],
        "notes": [{"line": note.line, "where": note.where, "text": note.text} for note in message.notes],
    }
