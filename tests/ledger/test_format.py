"""The programs in the description of the format check a real ledger and a real proof, and notice a change."""

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from careplane.ledger import FreeText, open_ledger
from careplane.ledger.anchoring import open_tree
from careplane.ledger.proofs import encoded, prove_record

AT = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
PAGE = Path(__file__).resolve().parents[2] / "docs/reference/ledger-format.md"


@pytest.fixture
def written(home: Path, tmp_path: Path) -> Path:
    """A ledger in one segment, a proof of its third record, and the public key."""
    ledger = open_ledger(home / "ledger")
    for number in range(20):
        tricky = FreeText('a "quote" },"hash":"00" \\ größer\u2028\n')
        ledger.append("a", at=AT, run=f"r{number}", facts={"n": number, "hash": "x", "text": tricky})
    tree, key = open_tree(ledger, AT)
    (tmp_path / "proof").write_text(encoded(prove_record(tree, 3, key, AT)), encoding="utf-8")
    (tmp_path / "key.pem").write_text(key.public.pem())
    return ledger.folder / "000001.jsonl"


def _run(name: str, *arguments: Path) -> "subprocess.CompletedProcess[str]":
    found = re.search(rf"```python {name}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return subprocess.run([sys.executable, "-c", found[1], *arguments], capture_output=True, text=True, check=False)


def test_chain(written: Path) -> None:
    done = _run("chain", written)
    assert done.stdout.split() == ["21", open_ledger(written.parent).head.hash]
    written.write_bytes(written.read_bytes().replace(b'"n":7,', b'"n":8,'))
    assert "record 8" in _run("chain", written).stderr


def test_proof(written: Path, tmp_path: Path) -> None:
    proof, key = tmp_path / "proof", tmp_path / "key.pem"
    assert _run("proof", proof, key).stdout == "holds\n"
    content = proof.read_text(encoding="utf-8")
    proof.write_text(content.replace('"n\\":2', '"n\\":3').replace('\\"n\\":2', '\\"n\\":3'), encoding="utf-8")
    assert "does not hold" in _run("proof", proof, key).stderr
    proof.write_text(content.replace('"size":21', '"size":22'), encoding="utf-8")
    assert "InvalidSignature" in _run("proof", proof, key).stderr
