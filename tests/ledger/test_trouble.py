"""Full and failing disks, folders that cannot be written, ledgers of earlier versions: refuse, keep, recover."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from careplane.errors import LedgerBroken, LedgerError
from careplane.ledger import Ledger, open_ledger, prepare, torn_files, verify
from careplane.ledger.anchoring import anchor
from careplane.ledger.packing import pack

AT = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
HERE = Path(__file__).parent


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, check=False).returncode:
        pytest.skip("mounting a small file system takes root")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def _fill_up(folder: Path) -> Path:
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):  # noqa: PT012
        while True:
            file.write(b"x" * 4096)
    return filler


def test_full_disk_refuses_and_recovers_by_itself(small_disk: Path) -> None:
    ledger = open_ledger(small_disk / "home" / "ledger", segment_bytes=20_000)
    acknowledged = [ledger.append("a", at=AT, facts={"n": n}).seq for n in range(50)]
    filler = _fill_up(small_disk)

    async def burst() -> list[object]:
        group = [ledger.append_async("a", at=AT, facts={"n": n, "text": "x" * 200}) for n in range(100)]
        return await asyncio.gather(*group, return_exceptions=True)

    refused = 0
    for _ in range(10):
        for answer in asyncio.run(burst()):
            if isinstance(answer, LedgerError):
                refused += 1
                assert "No space left" in str(answer)
            else:
                acknowledged.append(answer.seq)  # type: ignore[attr-defined]
    assert refused
    head = verify(ledger.folder)
    assert acknowledged == list(range(1, head.seq + 1))
    filler.unlink()
    assert ledger.append("room again", at=AT).seq == head.seq + 1
    assert verify(ledger.folder).seq == head.seq + 1
    assert torn_files(ledger.folder) == []


def test_full_disk_at_the_change_of_segments(small_disk: Path) -> None:
    ledger = open_ledger(small_disk / "home" / "ledger", segment_bytes=3_000)
    while ledger.tail.offset < 3_000:
        ledger.append("a", at=AT)
    before = ledger.head.seq
    filler = _fill_up(small_disk)
    with pytest.raises(LedgerError):
        ledger.append("b", at=AT, facts={"text": "x" * 200})
    assert verify(ledger.folder).seq == before
    filler.unlink()
    assert ledger.append("c", at=AT).seq == before + 1
    assert open_ledger(ledger.folder).append("d", at=AT).seq == before + 2
    assert verify(ledger.folder).seq == before + 2


def test_full_disk_stops_anchors_and_compression_without_harm(small_disk: Path) -> None:
    ledger = open_ledger(small_disk / "home" / "ledger", segment_bytes=2_000)
    for n in range(60):
        ledger.append("a", at=AT, facts={"n": n})
    filler = _fill_up(small_disk)
    with pytest.raises(LedgerError):
        anchor(ledger, AT)
    with pytest.raises(LedgerError):
        pack(ledger.folder, ledger.tail.segment)
    assert verify(ledger.folder).seq == 60
    filler.unlink()
    head = anchor(ledger, AT)
    assert pack(ledger.folder, ledger.tail.segment)
    assert verify(ledger.folder, [head]).seq == ledger.head.seq


LIMITED = """
import asyncio, resource, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from careplane.errors import LedgerError
from careplane.ledger import open_ledger
AT = datetime(2026, 1, 1, tzinfo=UTC)
ledger = open_ledger(Path(sys.argv[1]))
async def main():
    last, refused = 0, 0
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
    for _ in range(30):
        group = [ledger.append_async("a", at=AT) for _ in range(7)]
        for answer in await asyncio.gather(*group, return_exceptions=True):
            if isinstance(answer, LedgerError):
                refused += 1
            else:
                last = answer.seq
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(last, refused, (await ledger.append_async("a", at=AT)).seq)
asyncio.run(main())
"""


def test_limit_on_the_size_of_files_refuses_and_recovers(home: Path) -> None:
    command = [sys.executable, "-c", LIMITED, str(home / "ledger")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    last, refused, after = map(int, done.stdout.split())
    assert last > 0
    assert refused > 0
    assert after == last + 1 == verify(home / "ledger").seq


def test_disk_that_fails_every_write_refuses(ledger: Ledger) -> None:
    (ledger.folder / "000001.jsonl").symlink_to("/dev/full")
    with pytest.raises(LedgerError, match="No space left"):
        ledger.append("a", at=AT)
    (ledger.folder / "000001.jsonl").unlink()
    assert ledger.append("a", at=AT).seq == 1


def test_disk_that_takes_writes_and_fails_the_sync_refuses(ledger: Ledger) -> None:
    (ledger.folder / "000001.jsonl").symlink_to("/dev/null")
    with pytest.raises(LedgerError, match="could not be made durable"):
        ledger.append("a", at=AT)
    (ledger.folder / "000001.jsonl").unlink()
    assert ledger.append("a", at=AT).seq == 1
    assert verify(ledger.folder).seq == 1


def test_folder_in_the_place_of_a_segment_refuses(ledger: Ledger) -> None:
    (ledger.folder / "000001.jsonl").mkdir()
    with pytest.raises(LedgerError):
        ledger.append("a", at=AT)
    (ledger.folder / "000001.jsonl").rmdir()
    assert ledger.append("a", at=AT).seq == 1


def test_read_only_disk_refuses_and_recovers(small_disk: Path) -> None:
    ledger = open_ledger(small_disk / "home" / "ledger")
    ledger.append("a", at=AT)
    ledger.close()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(LedgerError, match="Read-only"):
        ledger.append("b", at=AT)
    assert verify(ledger.folder).seq == 1
    assert [record.kind for record in ledger.records()] == ["a"]
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    assert ledger.append("b", at=AT).seq == 2


def test_missing_head_stops_appending_and_loses_nothing(ledger: Ledger) -> None:
    ledger.append("a", at=AT)
    head = (ledger.folder / "HEAD").read_bytes()
    ledger.close()
    (ledger.folder / "HEAD").unlink()
    with pytest.raises(LedgerError):
        ledger.append("b", at=AT)
    (ledger.folder / "HEAD").write_bytes(head)
    assert ledger.append("b", at=AT).seq == 2


def test_tail_cut_under_a_running_service_stops_it(ledger: Ledger) -> None:
    for _ in range(3):
        ledger.append("a", at=AT)
    path = ledger.folder / "000001.jsonl"
    content = path.read_bytes()
    path.write_bytes(content[: content[:-1].rindex(b"\n") + 1])
    with pytest.raises(LedgerBroken, match="the tail was cut"):
        ledger.append("b", at=AT)
    path.write_bytes(content)
    assert ledger.append("b", at=AT).seq == 4


@pytest.mark.parametrize("rest", [b'{"actor":null,"app"', b"\0" * 4096, b'{"actor"' + b"\0" * 100 + b"\n"])
def test_torn_tail_is_kept_aside_while_running(ledger: Ledger, rest: bytes) -> None:
    ledger.append("a", at=AT)
    with (ledger.folder / "000001.jsonl").open("ab") as file:
        file.write(rest)
    assert ledger.append("b", at=AT).seq == 3
    (torn,) = torn_files(ledger.folder)
    assert torn.read_bytes() == rest
    assert verify(ledger.folder).seq == 3


@pytest.fixture
def format1(tmp_path: Path) -> Path:
    """A ledger that the first version wrote: 12 records in 3 segments."""
    shutil.copytree(HERE / "format1", tmp_path / "home")
    (tmp_path / "home/secrets/ledger.key").chmod(0o600)
    return tmp_path / "home" / "ledger"


def test_ledger_of_the_first_version_verifies_and_goes_on(format1: Path) -> None:
    assert verify(format1).hash == "745d22aa1c9d32f027ced076e8048e5840a4a0ab4007e7a3955e1a27b5ac0e4e"
    ledger = open_ledger(format1)
    assert [record.facts["input_tokens"] for record in ledger.records()] == list(range(100, 112))
    assert ledger.append("a", at=AT).seq == 13
    head = anchor(ledger, AT)
    pack(ledger.folder, ledger.tail.segment)
    assert verify(format1, [head]).seq == 15


def test_head_of_a_later_version_is_refused_with_the_way_out(format1: Path) -> None:
    head = format1 / "HEAD"
    head.write_bytes(head.read_bytes().replace(b'"format":1', b'"format":2'))
    with pytest.raises(LedgerBroken, match="Use the version that wrote it"):
        open_ledger(format1)


@pytest.mark.parametrize(
    "value", ["Maria Quill, born 1961-04-02, was seen for chest pain. " * 5, "line\nbreak", "tab\there", "\u2028"]
)
def test_what_looks_like_free_text_is_refused(ledger: Ledger, value: str) -> None:
    with pytest.raises(LedgerError, match="looks like free text"):
        ledger.append("a", at=AT, facts={"note": value})
    with pytest.raises(LedgerError, match="is no name"):
        ledger.append("a", at=AT, run=value)
    with pytest.raises(LedgerError, match="looks like free text"):
        prepare("a", AT, facts={"ok": 1, "note": value})
