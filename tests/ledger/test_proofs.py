"""Anchors and proofs: who rewrites, cuts or puts back a ledger with its own key is noticed from outside."""

import gzip
import json
import shutil
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from careplane.cli import careplane
from careplane.errors import InputError, LedgerBroken, LedgerError, NotFound
from careplane.ledger import Ledger, open_ledger, verify
from careplane.ledger.anchoring import anchor, open_tree, signing_key
from careplane.ledger.merkle import leaf_hash, root_of
from careplane.ledger.packing import pack
from careplane.ledger.proofs import (
    check_head,
    check_proof,
    encoded,
    prove_growth,
    prove_record,
    read_heads,
    read_proof,
    sign_head,
)
from careplane.ledger.signing import read_public_key, signing_key_path

AT = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)


def _fill(ledger: Ledger, count: int) -> None:
    for number in range(count):
        ledger.append("test.written", at=AT, run="r", facts={"n": number, "text": "größer"})


@pytest.fixture
def filled(home: Path) -> Ledger:
    """A ledger with 40 records in several segments, its signing key made (record 41)."""
    ledger = open_ledger(home / "ledger", segment_bytes=2_000)
    _fill(ledger, 40)
    signing_key(ledger, AT)
    return ledger


def _lines(folder: Path) -> list[bytes]:
    return [line for path in sorted(folder.glob("*.jsonl")) for line in path.read_bytes().splitlines()]


def _rewrite(folder: Path, count: int) -> None:
    """What somebody with the key can do: a new chain with another content, sealed like the true one."""
    for path in folder.iterdir():
        path.unlink()
    (folder.parent / "secrets" / "ledger.key").rename(folder.parent / "kept")
    forged = open_ledger(folder, segment_bytes=2_000)
    (folder.parent / "kept").rename(folder.parent / "secrets" / "ledger.key")
    (folder / "HEAD").unlink()
    from careplane.ledger.headfile import Tail, write_head
    from careplane.ledger.journal import open_key

    write_head(folder, open_key(folder), Tail())
    forged = open_ledger(folder, segment_bytes=2_000)
    _fill(forged, count)
    forged.close()


def test_root_is_that_of_the_lines(filled: Ledger) -> None:
    tree, _ = open_tree(filled, AT)
    leaves = [leaf_hash(line) for line in _lines(filled.folder)]
    assert tree.size == len(leaves) == 41
    assert [tree.root(size) for size in range(42)] == [root_of(leaves[:size]) for size in range(42)]


def test_every_record_is_proved_with_the_public_key_alone(filled: Ledger) -> None:
    tree, key = open_tree(filled, AT)
    for seq, line in enumerate(_lines(filled.folder), start=1):
        proof = prove_record(tree, seq, key, AT)
        assert proof.record.encode() == line
        check_proof(proof, key.public)
        with pytest.raises(LedgerBroken, match="does not show"):
            check_proof(msgspec.structs.replace(proof, record=proof.record.replace("kind", "kinD")), key.public)
        with pytest.raises(LedgerBroken, match="does not show"):
            check_proof(msgspec.structs.replace(proof, seq=seq % 41 + 1), key.public)


def test_growth_from_every_size_is_proved(filled: Ledger) -> None:
    tree, key = open_tree(filled, AT)
    for size in range(1, 42):
        old = msgspec.structs.replace(sign_head(tree, key, AT), size=size, root=tree.root(size).hex())
        old = msgspec.structs.replace(old, signature="")
        resigned = key.sign(b"careplane ledger tree head 1\n" + msgspec.json.encode(old, order="sorted"))
        proof = prove_growth(tree, msgspec.structs.replace(old, signature=resigned), key, AT)
        check_proof(proof, key.public)
        with pytest.raises(LedgerBroken):
            check_proof(msgspec.structs.replace(proof, path=(*proof.path, "00" * 32)), key.public)


def test_changed_head_and_other_key_are_refused(filled: Ledger, tmp_path: Path) -> None:
    head = anchor(filled, AT)
    public = signing_key(filled, AT).public
    check_head(head, public)
    for changed in ({"size": 40}, {"root": "00" * 32}, {"at": datetime(2020, 1, 1, tzinfo=UTC)}, {"signature": "zz"}):
        with pytest.raises(LedgerBroken, match="changed"):
            check_head(msgspec.structs.replace(head, **changed), public)
    other = open_ledger(tmp_path / "other" / "ledger")
    with pytest.raises(LedgerBroken, match="signed by key"):
        check_head(head, signing_key(other, AT).public)


def test_anchor_is_kept_and_recorded(filled: Ledger, tmp_path: Path) -> None:
    file = tmp_path / "outside" / "anchors"
    heads = [anchor(filled, AT, file), anchor(filled, AT, file)]
    assert list(read_heads(file)) == heads
    assert [head.size for head in heads] == [41, 42]
    assert [record.facts["size"] for record in filled.records(kind="ledger.anchored")] == [41, 42]
    assert verify(filled.folder, heads).seq == 43


def test_every_earlier_anchor_is_checked(filled: Ledger) -> None:
    heads = []
    for _ in range(30):
        heads.append(anchor(filled, AT))
        _fill(filled, 1)
    assert verify(filled.folder, heads[::-1]).seq == 101
    wrong = msgspec.structs.replace(heads[7], root="11" * 32, signature="")
    key = signing_key(filled, AT)
    wrong = msgspec.structs.replace(
        wrong, signature=key.sign(b"careplane ledger tree head 1\n" + msgspec.json.encode(wrong, order="sorted"))
    )
    with pytest.raises(LedgerBroken, match="rewritten"):
        verify(filled.folder, [*heads, wrong])


def test_rewriting_with_the_key_is_noticed_by_the_anchor_only(filled: Ledger) -> None:
    head = anchor(filled, AT)
    filled.close()
    _rewrite(filled.folder, 60)
    assert verify(filled.folder).seq == 60
    with pytest.raises(LedgerBroken, match="rewritten after that, by somebody who holds its key"):
        verify(filled.folder, [head])


def test_putting_back_an_old_copy_of_the_home_is_noticed(filled: Ledger, home: Path, tmp_path: Path) -> None:
    shutil.copytree(home, tmp_path / "old")
    _fill(filled, 5)
    head = anchor(filled, AT)
    assert verify(tmp_path / "old" / "ledger").seq == 41
    with pytest.raises(LedgerBroken, match="names 46 records, the ledger has 41"):
        verify(tmp_path / "old" / "ledger", [head])


def test_tree_is_not_signed_over_a_broken_ledger(filled: Ledger) -> None:
    path = filled.folder / "000001.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"n":1,', b'"n":7,'))
    with pytest.raises(LedgerBroken, match=r"000001.jsonl:2: record 2 was changed"):
        anchor(filled, AT)
    assert list(filled.folder.glob("*.tree.json")) == []


def test_changed_summary_or_leaves_are_noticed_or_made_again(filled: Ledger) -> None:
    anchor(filled, AT)
    leaves, summary = filled.folder / "000002.leaves", filled.folder / "000002.tree.json"
    content = bytearray(leaves.read_bytes())
    content[40] ^= 1
    leaves.write_bytes(content)
    tree, key = open_tree(filled, AT)
    with pytest.raises(LedgerBroken, match="leaf hashes were changed"):
        prove_record(tree, _first_of(summary) + 1, key, AT)
    summary.write_bytes(summary.read_bytes().replace(b'"bytes":2', b'"bytes":3'))
    with pytest.raises(LedgerBroken, match="summary of segment 2 was changed"):
        verify(filled.folder)
    summary.unlink()
    tree, key = open_tree(filled, AT)
    check_proof(prove_record(tree, _first_of(summary) + 1, key, AT), key.public)


def _first_of(summary: Path) -> int:
    return int(json.loads(summary.read_bytes())["summary"]["first"])


def test_compressed_segments_read_and_verify_as_before(filled: Ledger) -> None:
    head = anchor(filled, AT)
    before = list(filled.records())
    sizes = pack(filled.folder, filled.tail.segment)
    assert len(sizes) >= 3
    assert all(after < size for size, after in sizes)
    assert pack(filled.folder, filled.tail.segment) == []
    assert list(filled.records()) == before
    assert verify(filled.folder, [head]).seq == 42
    tree, key = open_tree(filled, AT)
    check_proof(prove_record(tree, 3, key, AT), key.public)
    _fill(filled, 20)
    assert verify(filled.folder, [head]).seq == 62


def test_reading_goes_on_while_others_write_rotate_and_compress(filled: Ledger) -> None:
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            _fill(filled, 5)

    writer = threading.Thread(target=work)
    writer.start()
    try:
        heads = []
        for _ in range(8):
            heads.append(anchor(filled, AT))
            pack(filled.folder, filled.tail.segment)
            seen = [record.seq for record in filled.records()]
            assert seen == list(range(1, len(seen) + 1))
            assert verify(filled.folder, heads).seq >= heads[-1].size
    finally:
        stop.set()
        writer.join()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[:-20],
        lambda content: content[:20] + bytes([content[20] ^ 255]) + content[21:],
        lambda content: b"",
        lambda content: gzip.compress(gzip.decompress(content).replace(b'"n":1,', b'"n":7,')),
        lambda content: gzip.compress(b"\n".join(gzip.decompress(content).split(b"\n")[1:])),
    ],
)
def test_spoiled_compressed_segment_is_noticed(filled: Ledger, spoil: Callable[[bytes], bytes]) -> None:
    anchor(filled, AT)
    pack(filled.folder, filled.tail.segment)
    path = filled.folder / "000001.jsonl.gz"
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(LedgerBroken):
        verify(filled.folder)


def test_every_file_is_private(filled: Ledger, home: Path) -> None:
    anchor(filled, AT)
    pack(filled.folder, filled.tail.segment)
    files = [path for path in home.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} >= {".gz", ".json", ".leaves", ".jsonl", ".key", ""}
    assert {path.name for path in files if path.stat().st_mode & 0o077} == set()


def test_signing_key_is_private_and_made_once(filled: Ledger, home: Path) -> None:
    path = signing_key_path(filled.folder)
    assert path.stat().st_mode & 0o777 == 0o600
    assert signing_key(filled, AT).public.id == signing_key(open_ledger(filled.folder), AT).public.id
    (record,) = filled.records(kind="ledger.signing_key_made")
    assert record.facts["key"] == signing_key(filled, AT).public.id
    content = path.read_text()
    path.unlink()
    with pytest.raises(LedgerBroken, match="signing key is missing"):
        signing_key(filled, AT)
    path.write_text(content)
    path.chmod(0o644)
    with pytest.raises(LedgerError, match="chmod 600"):
        signing_key(filled, AT)
    path.chmod(0o600)
    path.write_text("no key\n")
    with pytest.raises(LedgerError, match="does not hold a signing key"):
        signing_key(filled, AT)


@pytest.mark.parametrize("content", ["", "{}", '{"proof":"other"}', "no json", '{"proof":"record","seq":1}'])
def test_what_is_no_proof_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "x").write_text(content)
    with pytest.raises(InputError):
        read_proof(tmp_path / "x")
    with pytest.raises(InputError):
        read_heads(tmp_path / "x")
    with pytest.raises(InputError):
        read_public_key(tmp_path / "x")


def test_unknown_record_is_not_found(filled: Ledger) -> None:
    tree, key = open_tree(filled, AT)
    with pytest.raises(NotFound, match="records 1 to 41"):
        prove_record(tree, 42, key, AT)


def test_commands_prove_and_check_without_the_ledger(filled: Ledger, home: Path, tmp_path: Path) -> None:
    def run(*arguments: str | Path) -> str:
        done = CliRunner().invoke(careplane, ["ledger", *map(str, arguments)], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    pem, proof, anchors = tmp_path / "ledger.pem", tmp_path / "proof", tmp_path / "anchors"
    pem.write_text(run("public-key", "--home", home))
    assert "Anchored 41 records" in run("anchor", "--home", home, "--to", anchors)
    _fill(filled, 3)
    run("prove", "7", "--home", home, "--out", proof)
    grown = tmp_path / "grown"
    grown.write_text(run("prove", "--since", anchors, "--home", home))
    verified = json.loads(run("verify", "--home", home, "--anchor", anchors, "--public-key", pem, "--json"))
    assert (verified["records"], verified["anchors"]) == (45, 1)
    assert "Compressed" in run("compress", "--home", home)
    shutil.rmtree(home)
    assert "Record 7 is in the ledger of 45 records" in run("check-proof", proof, "--public-key", pem)
    assert json.loads(run("check-proof", grown, "--public-key", pem, "--json"))["holds"] is True


def test_proof_is_one_line_of_json(filled: Ledger) -> None:
    tree, key = open_tree(filled, AT)
    text = encoded(prove_record(tree, 1, key, AT))
    assert json.loads(text)["proof"] == "record"
    assert "\n" not in text
