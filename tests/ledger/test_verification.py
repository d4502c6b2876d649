"""Verification: every change of every byte, every cut, every removed file is noticed, and the place is named."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from careplane.errors import LedgerBroken, LedgerError, NotFound
from careplane.ledger import open_ledger, verify
from careplane.ledger.headfile import Tail, write_head
from careplane.ledger.keyring import LedgerKey

AT = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose ledger has 12 records in several segments."""
    home = tmp_path_factory.mktemp("written")
    ledger = open_ledger(home / "ledger", segment_bytes=1_200)
    for number in range(12):
        ledger.append("test.written", at=AT, run="r", facts={"n": number, "x": 1.5, "text": "größer"})
    assert len(list(ledger.folder.glob("*.jsonl"))) >= 3
    return home


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """A copy of that ledger to spoil."""
    shutil.copytree(written, tmp_path / "copy")
    return tmp_path / "copy" / "ledger"


def _expect(folder: Path) -> LedgerBroken:
    with pytest.raises(LedgerBroken) as caught:
        verify(folder)
    return caught.value


@settings(deadline=None)
@given(st.data())
def test_any_changed_byte_is_noticed(written: Path, data: st.DataObject) -> None:
    folder = written / "ledger"
    path = data.draw(st.sampled_from([*sorted(folder.glob("*.jsonl")), folder / "HEAD"]))
    content = path.read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    changed = bytes([content[place] ^ data.draw(st.integers(1, 255))])
    try:
        path.write_bytes(content[:place] + changed + content[place + 1 :])
        with pytest.raises(LedgerBroken):
            verify(folder)
    finally:
        path.write_bytes(content)


def test_tail_cut_at_any_byte_is_noticed(folder: Path) -> None:
    last = sorted(folder.glob("*.jsonl"))[-1]
    content = last.read_bytes()
    for length in range(len(content)):
        last.write_bytes(content[:length])
        assert _expect(folder).seq in range(9, 13)
        with pytest.raises(LedgerBroken):
            open_ledger(folder)


def test_place_of_a_changed_record_is_named(folder: Path) -> None:
    path = folder / "000001.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"n":1,', b'"n":7,'))
    error = _expect(folder)
    assert (error.seq, error.line, error.file) == (2, 2, str(path))
    assert str(error).startswith(f"{path}:2: record 2 was changed")


@pytest.mark.parametrize(
    ("order", "seq"), [((1, 2, 3), 1), ((0, 2, 3), 2), ((1, 0, 2, 3), 1), ((0, 0, 1, 2, 3), 2), ((0, 1, 2, 2, 3), 4)]
)
def test_lines_removed_swapped_or_duplicated_are_noticed(folder: Path, order: tuple[int, ...], seq: int) -> None:
    path = folder / "000001.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[place] for place in order] + lines[4:]))
    assert _expect(folder).seq == seq


def test_any_removed_segment_is_noticed(folder: Path) -> None:
    for path in sorted(folder.glob("*.jsonl")):
        content = path.read_bytes()
        path.unlink()
        assert "missing" in _expect(folder).message or "cut" in _expect(folder).message
        path.write_bytes(content)
    assert verify(folder).seq == 12


def test_removed_or_foreign_head_is_noticed(folder: Path) -> None:
    write_head(folder, LedgerKey(b"x" * 32), Tail())
    assert "changed" in _expect(folder).message
    (folder / "HEAD").unlink()
    assert "head is missing" in _expect(folder).message
    with pytest.raises(LedgerBroken, match="head is missing"):
        open_ledger(folder)


def test_emptied_or_removed_folder_is_noticed(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    _expect(folder)
    with pytest.raises(LedgerBroken):
        open_ledger(folder)
    folder.rmdir()
    _expect(folder)


def test_removed_key_is_noticed(folder: Path) -> None:
    (folder.parent / "secrets" / "ledger.key").unlink()
    assert "ledger.key" in str(_expect(folder))
    with pytest.raises(LedgerError, match="key is missing"):
        open_ledger(folder)


def test_no_ledger_at_all_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no ledger"):
        verify(tmp_path / "ledger")
