"""The audit ledger: append-only JSON lines in segments, a hash chain over them, and a keyed head that pins the tail.

::

    <home>/ledger/000001.jsonl ...   one canonical JSON object per line, appended, never rewritten
    <home>/ledger/HEAD               sequence number and hash of the last record, sealed with an HMAC
    <home>/ledger/*.torn             what a crash left half-written; kept aside, and recorded in the chain
    <home>/secrets/ledger.key        the key of the head and of the pseudonyms (mode 600)

A record is durable when :meth:`Ledger.append` returns. :func:`verify` walks the chain and says where it breaks.
No identifier of a person belongs here: pass references through :meth:`Ledger.pseudonym`.
"""

from careplane.ledger.chain import Head, LedgerRecord, Prepared, prepare
from careplane.ledger.facts import CheckedFacts, FreeText
from careplane.ledger.journal import Ledger, open_ledger
from careplane.ledger.segments import torn_files
from careplane.ledger.verification import verify

__all__ = [
    "CheckedFacts",
    "FreeText",
    "Head",
    "Ledger",
    "LedgerRecord",
    "Prepared",
    "open_ledger",
    "prepare",
    "torn_files",
    "verify",
]
