"""Accounting of disclosures (45 CFR 164.528): for each, the date, who received what, and for what purpose.

The source are the records of model calls. Whether one belongs in the account (treatment, payment and operations do not,
nor limited data sets) is for the privacy office to say; the column ``policy`` tells what the app let through.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from datetime import datetime

from careplane.ledger.audit_event import people_of
from careplane.ledger.chain import LedgerRecord
from careplane.records import Record

KINDS = ("model_call", "model.called", "model_error", "model_shadow")
BEGUN = "model_stream_started"
"""A stream that was let out; the call's own record follows, unless a crash came between."""


class Disclosure(Record, frozen=True):
    """One disclosure; ``patient`` is a pseudonym, ``seq`` its record in the ledger."""

    seq: int
    at: datetime
    patient: str | None
    recipient: str
    what: str
    policy: str
    purpose: str
    app: str | None
    run: str | None


def disclosures(records: Iterable[LedgerRecord], policies: frozenset[str] = frozenset()) -> Iterator[Disclosure]:
    """The disclosures among records, in their order; streams that a crash cut off come last. A reply from the cache is
    none.

    Args:
        records: in the order of the ledger, those of whole runs: the first record of a run names the patient.
        policies: only calls under these data policies; empty for all.
    """
    people: OrderedDict[str, tuple[str | None, str | None]] = OrderedDict()
    begun: dict[str, Disclosure] = {}
    for record in records:
        patient, _ = people_of(record, people)
        if record.kind not in (*KINDS, BEGUN) or record.facts.get("cached") is True:
            continue
        if policies and str(record.facts.get("policy") or "") not in policies:
            continue
        call = str(record.facts.get("call") or "")
        if record.kind == BEGUN:
            begun[call] = _disclosure(record, patient)
        else:
            begun.pop(call, None)
            yield _disclosure(record, patient)
    yield from begun.values()


def _disclosure(record: LedgerRecord, patient: str | None) -> Disclosure:
    return Disclosure(
        seq=record.seq,
        at=record.at,
        patient=patient,
        recipient=_recipient(record),
        what=_what(record),
        policy=str(record.facts.get("policy") or ""),
        purpose=str(record.facts.get("purpose") or f"use of {record.app or 'an unnamed app'}"),
        app=record.app,
        run=record.run,
    )


def _recipient(record: LedgerRecord) -> str:
    """Where the text went: the targets asked, ``provider/model@region``; what older records say instead."""
    asked = record.facts.get("tried") or record.facts.get("target")
    return str(asked) if asked else _joined(record, ("provider", "model", "route"), "/") or "unknown"


def _what(record: LedgerRecord) -> str:
    return f"text ({_count(record, 'input_tokens')} tokens, {_count(record, 'surrogates')} identifiers replaced)"


def _joined(record: LedgerRecord, names: tuple[str, ...], between: str) -> str:
    return between.join(str(record.facts[name]) for name in names if record.facts.get(name))


def _count(record: LedgerRecord, name: str) -> str:
    value = record.facts.get(name)
    return "an unknown number of" if value is None else str(value)
