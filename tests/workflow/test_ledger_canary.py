"""No value of a chart, a message or a draft stands in the ledger's folder after a run."""

import asyncio
from types import ModuleType

from careplane.ledger import verify
from careplane.workflow import Runtime, run_event

CANARIES = (
    b"Quill", b"Maria", b"1961-04-02", b"12 Elm", b"Mesa", b"Okafor", b"diabetes", b"SECRET", b"appointment",
    b"Patient/a0", b"Practitioner/p001", b"Communication/m0",
)  # fmt: skip


def test_no_canary_of_a_run_reaches_the_ledger(runtime: Runtime, installation: ModuleType) -> None:
    run = asyncio.run(run_event(runtime, installation.message_event()))
    assert run.draft is not None
    assert verify(runtime.ledger.folder).seq >= 2
    written = b"".join(path.read_bytes() for path in runtime.ledger.folder.iterdir() if path.is_file())
    assert [canary for canary in CANARIES if canary in written] == []
    assert runtime.ledger.pseudonym("Patient/a0").encode() in written
    assert all(sentence.encode() not in written for sentence in run.draft.sentences)
