"""Acknowledgements: what a receiver answers, and what a sender reads in an answer.

HL7 v2 section 2.9 (message processing rules). In original mode the answer is AA, AE (what is in the message is wrong)
or AR (its type, version or processing id cannot be served, or the receiver could not take it; send it again later). A
message with MSH-15 or MSH-16 asks for enhanced mode: CA, CE or CR once it is safe here, on the conditions of MSH-15,
and then AA, AE or AR on those of MSH-16.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from careplane.codecs.hl7v2.charsets import CODECS
from careplane.codecs.hl7v2.encoding import Encoding, escape
from careplane.codecs.hl7v2.message import Note, Segment
from careplane.codecs.hl7v2.parsing import parse
from careplane.errors import MessageError

Outcome = Literal["A", "E", "R"]
"""Accepted; wrong in itself; rejected for another reason."""

_REJECTED = (200, 201, 202, 203, 207)
"""Codes of table 0357 for which HL7 answers AR rather than AE."""

TEXTS = {
    100: "Segment sequence error",
    101: "Required field missing",
    102: "Data type error",
    103: "Table value not found",
    200: "Unsupported message type",
    201: "Unsupported event code",
    202: "Unsupported processing id",
    203: "Unsupported version id",
    204: "Unknown key identifier",
    205: "Duplicate key identifier",
    206: "Application record locked",
    207: "Application internal error",
}


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """An answer as its receiver reads it."""

    code: str
    control: str
    text: str = ""

    @property
    def accepted(self) -> bool:
        """AA or CA."""
        return self.code in ("AA", "CA")


def outcome_of(error: MessageError) -> Outcome:
    """Whether a message that cannot be read is wrong in itself, or of a kind that is not served here."""
    return "R" if error.code in _REJECTED else "E"


def answers(
    header: Segment | None,
    outcome: Outcome,
    problems: Sequence[MessageError | Note],
    *,
    at: datetime,
    ident: str,
) -> list[bytes]:
    """The messages to answer with, in order: none, one, or (enhanced mode) an accept and an application answer.

    Args:
        header: MSH of the message; ``None`` when it has none that can be read.
        outcome: what became of it.
        problems: an error for an outcome other than ``A``, notes for an accepted message.
        at: the time, aware.
        ident: the control id of the answer; a second one gets ``-2``.
    """
    if header is None:
        return [_answer(None, f"A{outcome}", problems, at, ident)]
    accept, application = header.text(15), header.text(16)
    if not accept and not application:
        return [_answer(header, f"A{outcome}", problems, at, ident)]
    kinds = [kind for kind, wish in (("C", accept), ("A", application)) if _wanted(wish, outcome)]
    return [
        _answer(header, f"{kind}{outcome}", problems, at, ident if number == 0 else f"{ident}-2")
        for number, kind in enumerate(kinds)
    ]


def read_answer(data: bytes) -> Acknowledgement:
    """What an answer says.

    Raises:
        MessageError: it is not a message, or has no MSA.
    """
    message = parse(data)
    found = message.first("MSA")
    if found is None or not found.text(1):
        raise MessageError("the answer has no MSA segment", 100, line=1, segment="MSA")
    error = message.first("ERR")
    texts = [found.text(3), *((error.text(8), error.text(7), error.text(3, 2)) if error else ())]
    return Acknowledgement(found.text(1), found.text(2), next(filter(None, texts), ""))


def _wanted(wish: str, outcome: Outcome) -> bool:
    """Table 0155: always, never, on success, on error."""
    return {"AL": True, "SU": outcome == "A", "ER": outcome != "A"}.get(wish, False)


def _answer(
    header: Segment | None, code: str, problems: Sequence[MessageError | Note], at: datetime, ident: str
) -> bytes:
    encoding = header.encoding if header else Encoding()
    version = _version(header)
    segments = [_header(header, encoding, version, at, ident), _msa(header, encoding, version, code, problems)]
    segments += [_err(problem, encoding, version, code) for problem in problems[:10]]
    return ("\r".join(segments) + "\r").encode(_codec(header), "replace")


def _version(header: Segment | None) -> str:
    """That of the message; our own where it is none that we speak."""
    told = header.text(12) if header else ""
    return told if told.startswith("2.") else "2.5.1"


def _codec(header: Segment | None) -> str:
    """The set that the message declared, so that the sender can read its own ids; ASCII stands in all of them."""
    declared = header.text(18) if header else ""
    codec = CODECS.get(declared, "latin-1" if header and header.encoding.codec == "latin-1" else "utf-8")
    return "utf-8" if codec.startswith(("utf-16", "utf-32")) else codec


def _header(header: Segment | None, encoding: Encoding, version: str, at: datetime, ident: str) -> str:
    mark = encoding.field
    kind = "ACK"
    if header and header.text(9, 2) and _number(version) >= (2, 2):
        kind = encoding.component.join(("ACK", header.text(9, 2)))
        kind += f"{encoding.component}ACK" if _number(version) >= (2, 4) else ""
    stamp = at.strftime("%Y%m%d%H%M%S%z")
    parties = (_raw(header, 5), _raw(header, 6), _raw(header, 3), _raw(header, 4))
    fields = [*parties, stamp, "", kind, ident, _raw(header, 11) or "P", version, "", "", "", "", "", _raw(header, 18)]
    return f"MSH{mark}{encoding.characters}{mark}{mark.join(fields)}".rstrip(mark)


def _raw(segment: Segment | None, number: int) -> str:
    """A field as it was written."""
    if segment is None:
        return ""
    encoding = segment.encoding
    return encoding.repetition.join(
        encoding.component.join(encoding.subcomponent.join(part) for part in one) for one in segment.field(number)
    )


def _msa(
    header: Segment | None, encoding: Encoding, version: str, code: str, problems: Sequence[MessageError | Note]
) -> str:
    """MSA-3 was withdrawn in version 2.7; many senders show nothing else."""
    fields = ["MSA", code, _raw(header, 10)]
    if problems and not code.endswith("A") and _number(version) < (2, 7):
        fields.append(escape(told(problems[0])[:80], encoding))
    return encoding.field.join(fields)


def _err(problem: MessageError | Note, encoding: Encoding, version: str, code: str) -> str:
    component = encoding.component
    place = [problem.segment, str(problem.sequence), "" if problem.number is None else str(problem.number)]
    located = component.join(place).rstrip(component) if problem.segment else ""
    coded = [str(problem.code), escape(TEXTS.get(problem.code, ""), encoding), "HL70357"]
    if _number(version) < (2, 5):
        old = component.join([*place, encoding.subcomponent.join(coded)])
        return f"ERR{encoding.field}{old}"
    severity = "W" if code.endswith("A") else "E"
    fields = ["ERR", "", located, component.join(coded), severity, "", "", "", escape(told(problem)[:250], encoding)]
    return encoding.field.join(fields)


def told(problem: MessageError | Note) -> str:
    """A problem in one line, with its place: ``line 3, PID-7: …``; it quotes nothing of the message."""
    if isinstance(problem, Note):
        return problem.text
    where = [f"line {problem.line}" if problem.line else "", problem.field or ""]
    return ": ".join([", ".join(filter(None, where)), problem.message]).removeprefix(": ")


def _number(version: str) -> tuple[int, ...]:
    digits = [part for part in version.split(".") if part.isdigit()]
    return tuple(int(part) for part in digits[:2]) or (2, 5)
