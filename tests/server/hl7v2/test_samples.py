"""The 99 sample messages over a real listener, and the page that says what becomes of them."""

import subprocess
import sys
from pathlib import Path

import pytest

from careplane.codecs.hl7v2 import block, read_answer, wire

from .senders import listening

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def samples(shared: Path) -> dict[str, bytes]:
    found = {file.name: file.read_bytes() for file in sorted((shared / "data" / "hl7v2").glob("*.hl7"))}
    assert len(found) == 99
    return found


def renamed(data: bytes, control: str) -> bytes:
    """The message with a control id of its own."""
    head, mark, rest = data.partition(b"\r")
    fields = head.split(b"|")
    fields[9] = control.encode()
    return b"|".join(fields) + mark + rest


def test_each_is_accepted_and_kept_as_it_came(samples: dict[str, bytes], home: Path) -> None:
    sent = [renamed(wire(data), f"sample-{number}") for number, data in enumerate(samples.values())]
    with listening(home) as line:
        answers = [read_answer(one.encode()) for one in line.exchange(*map(block, sent), answers=len(sent) + 1)]
        assert all(answer.accepted for answer in answers)
        controls = list(dict.fromkeys(answer.control for answer in answers))  # one asks for CA and AA
        assert controls == [f"sample-{number}" for number in range(len(sent))]
        kept = line.inbox.newest(limit=200)
        assert {line.inbox.content(entry.id)[0] for entry in kept} == set(sent)


def test_with_the_control_ids_that_they_share_nothing_is_lost(samples: dict[str, bytes], home: Path) -> None:
    sent = [wire(data) for data in samples.values()]
    with listening(home) as line:
        codes = line.codes(*sent)
        counts = line.inbox.counts()
    assert set(codes) <= {"AA", "CA", "AE", "CE"}
    assert set(counts) == {"received", "refused"}
    assert sum(counts.values()) == len(samples)


def test_the_page_is_current(samples: dict[str, bytes]) -> None:
    subprocess.run([sys.executable, REPOSITORY / "scripts/hl7v2-messages", "--check"], check=True)
