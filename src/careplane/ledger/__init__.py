"""The audit ledger: append-only JSON lines in segments, a hash chain and a Merkle tree over them, a sealed head.

::

    <home>/ledger/000001.jsonl ...        one canonical JSON object per line, appended, never rewritten
    <home>/ledger/000001.jsonl.gz         a closed segment that was compressed
    <home>/ledger/000001.tree.json        signed summary of a closed segment, and its leaf hashes (.leaves)
    <home>/ledger/HEAD                    number and hash of the last record, sealed with an HMAC
    <home>/ledger/*.torn                  what a crash left half-written; kept aside, and recorded in the chain
    <home>/secrets/ledger.key             the key of the head and of the pseudonyms (mode 600)
    <home>/secrets/ledger-signing.key     the Ed25519 key that signs tree heads (mode 600), made on first use

A record is durable when :meth:`Ledger.append` returns, or when the future of :meth:`Ledger.append_async` is done.
:func:`verify` walks the chain and says where it breaks. No identifier of a person belongs here: pass references through
:meth:`Ledger.pseudonym`, and see :mod:`careplane.ledger.facts` for what a fact may be.
"""

from careplane.ledger.chain import Head, LedgerRecord, Prepared, prepare
from careplane.ledger.facts import CheckedFacts, FreeText, trusted
from careplane.ledger.journal import Ledger, open_ledger
from careplane.ledger.search import Query
from careplane.ledger.segments import torn_files
from careplane.ledger.verification import verify

__all__ = [
    "CheckedFacts",
    "FreeText",
    "Head",
    "Ledger",
    "LedgerRecord",
    "Prepared",
    "Query",
    "open_ledger",
    "prepare",
    "torn_files",
    "trusted",
    "verify",
]
