"""The drop folder of an ERP: files are taken once, refused ones are told once, and what they tell starts apps."""

import asyncio
import hashlib
import logging
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from careplane._shelf import load
from careplane.errors import CareplaneError
from careplane.records.erp import ErpBatch, ErpEvent
from careplane.records.run import Occurrence
from careplane.server.platform import Platform
from careplane.settings import Settings
from careplane.value import erp
from careplane.workflow.durable import Durable
from careplane.workflow.triggers import events_of

TEND_SECONDS = 5.0
_PIECE = 1 << 20
log = logging.getLogger("careplane.erp")


class Reader(Protocol):
    """A connector that reads files of an ERP."""

    def ready(self) -> list[Path]:
        """The files that are whole."""

    def read(self, file: Path) -> ErpBatch:
        """One of them."""


def open_readers(settings: Settings) -> tuple[Reader, ...]:
    """The readers of the folder that ``erp_path`` names; none when it names none."""
    path = settings.text("erp_path")
    if not path:
        return ()
    tables = {"path": path, "timezone": settings.text("timezone")}
    return load("connectors", "erp_files").open(tables), load("connectors", "x12").open({"path": path})


async def tend_erp(platform: Platform, durable: Durable | None) -> None:
    """Runs beside the server until it is cancelled; a turn that fails is told and the next one comes."""
    readers = open_readers(platform.settings)
    seen: dict[Path, tuple[int, int]] = {}
    while readers:
        try:
            for reader in readers:
                await asyncio.to_thread(take_files, platform, reader, seen)
            if durable is not None:
                await submit(platform, durable)
        except CareplaneError as error:
            log.warning("erp: %s", error)
        await asyncio.sleep(TEND_SECONDS)


def take_files(platform: Platform, reader: Reader, seen: dict[Path, tuple[int, int]]) -> list[erp.ErpFile]:
    """Take what is whole in a folder and was not looked at before; ``seen`` holds what this process has looked at.

    Raises:
        DataError: the folder is not there.
    """
    taken = []
    for file in reader.ready():
        mark = _mark(file)
        if mark is None or seen.get(file) == mark:
            continue
        found = _take(platform, reader, file)
        seen[file] = mark
        taken += [found] if found is not None else []
    return taken


def _take(platform: Platform, reader: Reader, file: Path) -> erp.ErpFile | None:
    now = platform.clock()
    try:
        batch = reader.read(file)
    except CareplaneError as error:
        digest = _digest(file)
        if erp.refuse(platform.store, digest, file.name, str(error), now):
            platform.ledger.append("erp.refused", at=now, facts={"file": digest[:16], "error": type(error).__name__})
            log.warning("erp: refused. %s", error)
        return None
    taken = erp.take(platform.store, batch, now)
    if taken is not None:
        facts: dict[str, str | int | float | bool | None] = {
            "file": batch.hash[:16],
            "facts": taken.facts,
            "costs": taken.costs,
            "events": len(taken.events),
        }
        platform.ledger.append("erp.taken", at=now, facts=facts)
    return taken


def _mark(file: Path) -> tuple[int, int] | None:
    """Size and time of a file; ``None`` when it went away meanwhile."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _digest(file: Path) -> str:
    """What makes a refused file the same when it is looked at again; one that was too large is not held in memory."""
    name = hashlib.sha256(f"{file}".encode())
    with suppress(OSError), file.open("rb") as content:
        while piece := content.read(_PIECE):
            name.update(piece)
    return name.hexdigest()


async def submit(platform: Platform, durable: Durable) -> int:
    """Submit what the taken files tell; a repeat is the same event, so nothing runs twice. Says how many."""
    count = 0
    for file in erp.to_submit(platform.store):
        for told in file.events:
            for event in events_of(platform.apps.values(), occurrence(told)):
                await durable.submit(event)
                count += 1
        erp.submitted(platform.store, file)
    return count


def occurrence(event: ErpEvent) -> Occurrence:
    """What an ERP told, as something that happened."""
    return Occurrence(
        id=event.id,
        kind="erp",
        on=event.on,
        at=event.at,
        patient=event.patient,
        focus=event.focus,
        unit=event.unit,
        site=event.site,
        source=event.source.rpartition("/")[2],
    )
