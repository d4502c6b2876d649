"""Appending: durable, ordered, refused when it cannot be, and safe between threads and processes."""

import json
import os
import signal
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from careplane.errors import LedgerBroken, LedgerError
from careplane.ledger import FreeText, Head, Ledger, open_ledger, verify
from careplane.ledger.chain import GENESIS, follow, line_of, prepare, seal, sealed_record

AT = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)

APPEND_FOREVER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from careplane.ledger import open_ledger
ledger = open_ledger(Path(sys.argv[1]), segment_bytes=4000)
for number in range(int(sys.argv[2])):
    record = ledger.append("test.written", at=datetime(2026, 1, 1, tzinfo=UTC), facts={"n": number})
    print(record.seq, flush=True)
"""


def test_records_come_back_in_order_and_filtered(ledger: Ledger) -> None:
    ledger.append("run.started", at=AT, run="r1", app="portal_reply", facts={"n": 1, "x": 0.1, "ok": True, "no": None})
    ledger.append("model.called", at=AT, run="r1", actor="p001", facts={"text": 'a "quote" — 患者'})
    ledger.append("run.started", at=AT, run="r2")
    assert [record.seq for record in ledger.records()] == [1, 2, 3]
    assert [record.kind for record in ledger.records(run="r1")] == ["run.started", "model.called"]
    assert [record.run for record in ledger.records(kind="run.started")] == ["r1", "r2"]
    assert next(ledger.records()).facts == {"n": 1, "x": 0.1, "ok": True, "no": None}


def test_search_does_not_match_text_inside_facts(ledger: Ledger) -> None:
    ledger.append("note", at=AT, run="other", facts={"run": "r1"})
    assert list(ledger.records(run="r1")) == []


def test_chain_starts_at_genesis_and_head_is_the_last(ledger: Ledger) -> None:
    assert ledger.head == Head(seq=0, hash=GENESIS)
    first = ledger.append("a", at=AT)
    second = ledger.append("b", at=AT)
    assert (first.prev, second.prev) == (GENESIS, first.hash)
    assert ledger.head == verify(ledger.folder) == Head(seq=2, hash=second.hash)


def test_time_is_kept_in_utc(ledger: Ledger) -> None:
    local = AT.astimezone(timezone(timedelta(hours=-6)))
    assert ledger.append("a", at=local).at.utcoffset() == timedelta(0)
    assert next(ledger.records()).at == AT


@pytest.mark.parametrize(
    "fact", [[1], {"a": 1}, Decimal("1.5"), float("nan"), float("inf"), 2**60, b"x", AT, "\ud800", "x" * 70_000]
)
def test_only_finite_scalars_are_facts(ledger: Ledger, fact: object) -> None:
    with pytest.raises(LedgerError):
        ledger.append("a", at=AT, facts={"fact": fact})  # type: ignore[dict-item]
    assert ledger.head.seq == 0


def test_naive_time_is_refused(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="time zone"):
        ledger.append("a", at=AT.replace(tzinfo=None))


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20).map(FreeText),
)


@settings(deadline=None)
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=10), scalars, max_size=5))
def test_any_record_follows_from_its_own_line(facts: dict[str, str | int | float | bool | None]) -> None:
    prepared = prepare("kind", AT, "r", None, None, facts)
    line, digest = seal(prepared, GENESIS.encode(), 1)
    record = sealed_record(prepared, GENESIS.encode(), 1, digest)
    assert line_of(record) == line
    assert follow(line, Head(), Path("x"), 1) == record


def test_segments_rotate_and_the_chain_goes_on(home: Path) -> None:
    ledger = open_ledger(home / "ledger", segment_bytes=1_000)
    for number in range(20):
        ledger.append("a", at=AT, facts={"n": number})
    names = sorted(path.name for path in ledger.folder.glob("*.jsonl"))
    assert len(names) > 3
    assert names[:2] == ["000001.jsonl", "000002.jsonl"]
    assert [record.facts["n"] for record in ledger.records()] == list(range(20))
    assert verify(ledger.folder).seq == 20


def test_reopening_resumes(ledger: Ledger) -> None:
    first = ledger.append("a", at=AT)
    assert open_ledger(ledger.folder).append("b", at=AT).prev == first.hash


def test_files_are_private_and_key_is_kept(ledger: Ledger, home: Path) -> None:
    ledger.append("a", at=AT)
    for path in (home / "secrets/ledger.key", ledger.folder / "HEAD", ledger.folder / "000001.jsonl"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert open_ledger(ledger.folder).pseudonym("Patient/1") == ledger.pseudonym("Patient/1")


def test_pseudonyms_differ_by_value_and_installation(ledger: Ledger, tmp_path: Path) -> None:
    other = open_ledger(tmp_path / "other" / "ledger")
    names = {ledger.pseudonym("Patient/1"), ledger.pseudonym("Patient/2"), other.pseudonym("Patient/1")}
    assert len(names) == 3
    assert all("Patient" not in name and len(name) == 24 for name in names)


def test_key_that_others_can_read_is_refused(ledger: Ledger, home: Path) -> None:
    (home / "secrets/ledger.key").chmod(0o644)
    with pytest.raises(LedgerError, match="chmod 600"):
        open_ledger(ledger.folder)


def test_threads_append_without_loss(ledger: Ledger) -> None:
    def work(name: int) -> None:
        for number in range(25):
            ledger.append("a", at=AT, run=str(name), facts={"n": number})

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verify(ledger.folder).seq == 200
    for name in range(8):
        assert [record.facts["n"] for record in ledger.records(run=str(name))] == list(range(25))


def test_two_processes_append_at_once(home: Path) -> None:
    command = [sys.executable, "-c", APPEND_FOREVER, str(home / "ledger"), "60"]
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    seqs = [int(line) for writer in writers for line in writer.communicate()[0].split()]
    assert sorted(seqs) == list(range(1, 121))
    assert verify(home / "ledger").seq == 120


@pytest.mark.parametrize("acknowledged", [1, 7, 40])
def test_kill_9_loses_no_acknowledged_record(home: Path, acknowledged: int) -> None:
    command = [sys.executable, "-c", APPEND_FOREVER, str(home / "ledger"), "1000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        seen = [int(writer.stdout.readline()) for _ in range(acknowledged)]
        os.kill(writer.pid, signal.SIGKILL)
        seen += [int(line) for line in writer.stdout.read().splitlines()]
    head = verify(home / "ledger")
    assert head.seq >= seen[-1]
    after = open_ledger(home / "ledger").append("after", at=AT)
    assert verify(home / "ledger").seq == after.seq
    numbers = [record.facts["n"] for record in open_ledger(home / "ledger").records(kind="test.written")]
    assert numbers == list(range(len(numbers)))


def test_record_that_was_durable_before_the_head_is_accepted(ledger: Ledger) -> None:
    ledger.append("a", at=AT)
    head = (ledger.folder / "HEAD").read_bytes()
    second = ledger.append("b", at=AT)
    (ledger.folder / "HEAD").write_bytes(head)  # as if the process died between the two writes
    assert verify(ledger.folder).seq == 2
    assert open_ledger(ledger.folder).append("c", at=AT).prev == second.hash


def test_half_a_record_is_kept_aside_and_recorded(ledger: Ledger) -> None:
    ledger.append("a", at=AT)
    with (ledger.folder / "000001.jsonl").open("ab") as file:
        file.write(b'{"actor":null,"app"')
    assert verify(ledger.folder).seq == 1
    assert open_ledger(ledger.folder).append("b", at=AT).seq == 3
    (torn,) = ledger.folder.glob("*.torn")
    assert torn.read_bytes() == b'{"actor":null,"app"'
    (noted,) = ledger.records(kind="ledger.torn")
    assert noted.facts == {"file": torn.name, "bytes": 19}
    assert verify(ledger.folder).seq == 3


def test_foreign_line_after_the_head_stops_appending(ledger: Ledger) -> None:
    ledger.append("a", at=AT)
    with (ledger.folder / "000001.jsonl").open("ab") as file:
        file.write(json.dumps({"seq": 2}).encode() + b"\n")
    with pytest.raises(LedgerBroken, match="not a ledger record"):
        ledger.append("b", at=AT)


LIMITED = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from careplane.errors import LedgerError
from careplane.ledger import open_ledger
ledger = open_ledger(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
done = 0
try:
    while True:
        ledger.append("a", at=datetime(2026, 1, 1, tzinfo=UTC), facts={"n": done})
        done += 1
except LedgerError as error:
    print(done, error)
"""


def test_full_disk_acknowledges_nothing_and_leaves_the_chain_whole(home: Path) -> None:
    command = [sys.executable, "-c", LIMITED, str(home / "ledger")]
    done = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    acknowledged, _, message = done.partition(" ")
    assert "could not be made durable" in message
    assert verify(home / "ledger").seq == int(acknowledged) > 0
    assert open_ledger(home / "ledger").append("room again", at=AT).seq == int(acknowledged) + 1
    assert list((home / "ledger").glob("*.torn")) == []
