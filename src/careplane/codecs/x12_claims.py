"""Claims in X12: what a payer answered (835, 005010X221A1) and what was asked (837P 005010X222A1, 837I 005010X223A2).

The balances of the 835 guide (section 1.10.2.1) are checked exactly: each service and claim (charge less adjustments is
payment), and the whole (payments less provider adjustments, PLB, is what BPR says). One that does not balance is
refused whole: it is not known which number is wrong.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

from careplane.codecs.x12 import Problem, Segment, Transaction, amount, refuse
from careplane.records import Record
from careplane.records.erp import Adjustment, Claim

ZERO = Decimal(0)
_CAS_STEPS = range(2, 20, 3)
_PLB_STEPS = range(4, 15, 2)


class Remittance(Record, frozen=True):
    """One 835: who paid, when, how much by which payment, the claims, and what was taken off beside them (PLB)."""

    payer: str
    payee: str
    trace: str
    paid_on: date
    paid: Decimal
    claims: tuple[Claim, ...]
    provider_adjustments: Decimal = ZERO


class _Reading:
    """One transaction while it is read: what is wrong is noted, and reading goes on."""

    def __init__(self, file: Path | str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def note(self, segment: Segment, why: str) -> None:
        self.problems.append(Problem(at=segment.at, name=segment.name, why=why))

    def amount(self, segment: Segment, n: int) -> Decimal:
        try:
            return amount(segment[n])
        except ValueError as error:
            self.note(segment, f"{segment.name}{n:02d} {error}")
            return ZERO

    def day(self, segment: Segment, n: int) -> date | None:
        text = segment[n][:8]
        try:
            return date.fromisoformat(f"{text[:4]}-{text[4:6]}-{text[6:]}")
        except ValueError:
            self.note(segment, f"{segment.name}{n:02d} is not a date such as 20260131")
            return None

    def balance(self, segment: Segment, left: Decimal, right: Decimal, what: str) -> None:
        if left != right:
            self.note(segment, f"does not balance: {what} is {left}, stated is {right}")


def read_remittance(transaction: Transaction, file: Path | str) -> Remittance:
    """An 835 as claims that a payer answered.

    Raises:
        DataError: an element is missing or wrong, or it does not balance; lists the segments.
    """
    reading = _Reading(file)
    segments = transaction.segments
    payment = _first(reading, segments, "BPR")
    trace = _first(reading, segments, "TRN")
    payer = _named(segments, "PR")
    groups = list(_from(segments, "CLP"))
    on = (reading.day(payment, 16) if payment[16] else None) or _dated(reading, segments) or date.min
    claims = [_answered(reading, group, payer, on) for group in groups]
    taken = sum((_provider(reading, one) for one in segments if one.name == "PLB"), ZERO)
    total = sum((claim.paid or ZERO for claim in claims), ZERO) - taken
    reading.balance(payment, total, reading.amount(payment, 2), "the sum of CLP04 less PLB")
    if on == date.min:
        reading.note(payment, "BPR16 is not a date such as 20260131")
    refuse(file, reading.problems)
    return Remittance(
        payer=payer,
        payee=_named(segments, "PE"),
        trace=trace[2],
        paid_on=on,
        paid=reading.amount(payment, 2),
        claims=tuple(claims),
        provider_adjustments=taken,
    )


def read_claims(transaction: Transaction, file: Path | str) -> tuple[Claim, ...]:
    """An 837 as claims that were made; nothing is paid yet.

    Raises:
        DataError: an element is missing or wrong, or a claim is not the sum of its lines; lists the segments.
    """
    reading = _Reading(file)
    segments = transaction.segments
    header = _first(reading, segments, "BHT")
    on = reading.day(header, 4) or date.min
    claims, payer = [], ""
    for segment in segments:
        if segment.name == "NM1" and segment[1] == "PR":
            payer = segment[3]
        if segment.name == "CLM":
            claims.append(_asked(reading, segment, _lines(segments, segment), payer, on))
    if not claims:
        reading.note(header, "the transaction has no claim (CLM)")
    refuse(file, reading.problems)
    return tuple(claims)


def _answered(reading: _Reading, group: Sequence[Segment], payer: str, on: date) -> Claim:
    head = group[0]
    if not head[1] or not head[2]:
        reading.note(head, "CLP01 (claim) and CLP02 (status) are needed")
    charged, paid = reading.amount(head, 3), reading.amount(head, 4)
    adjustments = [one for segment in group if segment.name == "CAS" for one in _adjustments(reading, segment)]
    off = sum((one.amount for one in adjustments), ZERO)
    reading.balance(head, charged - off, paid, "the charge less adjustments")
    for service in _from(group, "SVC"):
        line = service[0]
        taken = sum((one.amount for s in service if s.name == "CAS" for one in _adjustments(reading, s)), ZERO)
        left = reading.amount(line, 2) - taken
        reading.balance(line, left, reading.amount(line, 3), "the charge of the service less adjustments")
    return Claim(
        claim=head[1],
        charged=charged,
        paid=paid,
        patient_owes=reading.amount(head, 5),
        status=head[2],
        payer_control=head[7],
        payer=payer,
        on=on,
        adjustments=tuple(adjustments),
        source=f"{reading.file}: segment {head.at}",
    )


def _asked(reading: _Reading, head: Segment, lines: Sequence[Segment], payer: str, on: date) -> Claim:
    charged = reading.amount(head, 2)
    if not head[1]:
        reading.note(head, "CLM01 (claim) is needed")
    total = sum((reading.amount(one, 3 if one.name == "SV2" else 2) for one in lines), ZERO)
    reading.balance(head, total, charged, "the sum of the service lines")
    return Claim(claim=head[1], charged=charged, payer=payer, on=on, source=f"{reading.file}: segment {head.at}")


def _adjustments(reading: _Reading, segment: Segment) -> Iterator[Adjustment]:
    for n in _CAS_STEPS:
        if segment[n]:
            yield Adjustment(group=segment[1], reason=segment[n], amount=reading.amount(segment, n + 1))


def _provider(reading: _Reading, segment: Segment) -> Decimal:
    return sum((reading.amount(segment, n) for n in _PLB_STEPS if segment[n]), ZERO)


def _lines(segments: Sequence[Segment], head: Segment) -> list[Segment]:
    """The service lines between a claim and the next one (or the next level)."""
    found: list[Segment] = []
    for segment in segments:
        if segment.at <= head.at:
            continue
        if segment.name in ("CLM", "HL"):
            break
        if segment.name in ("SV1", "SV2", "SV3"):
            found.append(segment)
    return found


def _from(segments: Sequence[Segment], name: str) -> Iterator[list[Segment]]:
    """Groups that begin with a segment of a name; a header level or PLB ends the last one."""
    group: list[Segment] = []
    for segment in segments:
        if segment.name == name or segment.name in ("LX", "PLB"):
            if group:
                yield group
            group = [segment] if segment.name == name else []
        elif group:
            group.append(segment)
    if group:
        yield group


def _first(reading: _Reading, segments: Sequence[Segment], name: str) -> Segment:
    found = next((one for one in segments if one.name == name), None)
    if found is None:
        start = segments[0] if segments else Segment(name="ST", at=1, elements=())
        reading.note(start, f"the transaction has no {name}")
        return Segment(name=name, at=start.at, elements=())
    return found


def _named(segments: Sequence[Segment], role: str) -> str:
    return next((one[2] for one in segments if one.name == "N1" and one[1] == role), "")


def _dated(reading: _Reading, segments: Sequence[Segment]) -> date | None:
    found = next((one for one in segments if one.name == "DTM" and one[1] == "405"), None)
    return reading.day(found, 2) if found else None
