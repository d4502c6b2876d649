"""A process that appends to a ledger from an event loop and from threads until it is killed.

``python writer_to_kill.py HOME ROUND``: prints ``ROUND NAME NUMBER SEQ`` for each record once it is durable.
"""

import asyncio
import os
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from careplane.ledger import Ledger, open_ledger

AT = datetime(2026, 1, 1, tzinfo=UTC)


def say(text: str) -> None:
    """One write, so that lines of several threads do not mix."""
    os.write(1, text.encode() + b"\n")


async def caller(ledger: Ledger, name: str) -> None:
    """Append for ever, one record after the other."""
    number = 0
    while True:
        record = await ledger.append_async("test.written", at=AT, run=f"{sys.argv[2]}-{name}", facts={"n": number})
        say(f"{sys.argv[2]} {name} {number} {record.seq}")
        number += 1


def thread(ledger: Ledger, name: str) -> None:
    """The same, blocking."""
    number = 0
    while True:
        record = ledger.append("test.written", at=AT, run=f"{sys.argv[2]}-{name}", facts={"n": number})
        say(f"{sys.argv[2]} {name} {number} {record.seq}")
        number += 1


async def main() -> None:
    """Sixteen callers of the loop and two threads."""
    ledger = open_ledger(Path(sys.argv[1]) / "ledger", segment_bytes=200_000)
    for number in range(2):
        threading.Thread(target=thread, args=(ledger, f"t{number}"), daemon=True).start()
    await asyncio.gather(*(caller(ledger, f"a{number}") for number in range(16)))


if __name__ == "__main__":
    asyncio.run(main())
