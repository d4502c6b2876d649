"""The outbox: what was written back while only loaded data is there, one resource per line, durable on return."""

import fcntl
import hashlib
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import orjson

from careplane.codecs.fhir import reference
from careplane.errors import Conflict
from careplane.records import JSON


class Outbox:
    """Appends to ``<home>/outbox/<UTC date>.ndjson``; other processes may do the same, their lines are seen."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "outbox"
        self._resources: dict[str, JSON] = {}
        self._offsets: dict[Path, int] = {}

    def read(self, target: str) -> JSON | None:
        """The newest version written at ``Type/id``."""
        self._catch_up()
        return self._resources.get(target)

    def of_type(self, kind: str) -> list[JSON]:
        """The newest version of each resource of a type."""
        self._catch_up()
        return [item for target, item in self._resources.items() if target.startswith(f"{kind}/")]

    def create(self, resource: JSON, condition: str | None) -> str:
        """Append a resource under a new id; the same condition always means the same id, so a repeat adds nothing."""
        kind = resource["resourceType"]
        ident = uuid4().hex if condition is None else hashlib.sha256(f"{kind}?{condition}".encode()).hexdigest()[:32]
        if self.read(f"{kind}/{ident}") is not None:
            return f"{kind}/{ident}"
        return self.update({**resource, "id": ident}, lambda: None)

    def update(self, resource: JSON, loaded: Callable[[], JSON | None], if_match: str | None = None) -> str:
        """Append a version of a resource that has an id; its ``meta.versionId`` follows the version that is there.

        ``loaded`` gives the resource as it was before anything was written. Two processes that write the same one take
        turns, so of two changes made on one version the second meets a conflict.

        Raises:
            Conflict: ``if_match`` is not the version that is there.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self._folder / ".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = self.read(reference(resource)) or loaded()
            held = _version(before)
            if if_match is not None and if_match != held:
                kind = resource["resourceType"]
                raise Conflict(f"This {kind} has version {held or 'none'}, not {if_match}: it changed. Read it again.")
            following = str(int(held) + 1) if held.isdecimal() else "1"
            meta = resource.get("meta", {})
            # labels that cannot be read must stay as they are: whoever reads them leaves the resource out
            numbered = {**meta, "versionId": following} if isinstance(meta, dict) else meta
            self._append({**resource, "meta": numbered})
        self._catch_up()
        return reference(resource)

    def _append(self, resource: JSON) -> None:
        file = self._folder / f"{datetime.now(UTC):%Y-%m-%d}.ndjson"
        line = orjson.dumps(resource, option=orjson.OPT_APPEND_NEWLINE)
        with file.open("ab") as out:
            out.write(line)
            out.flush()
            os.fsync(out.fileno())

    def _catch_up(self) -> None:
        """Take in the whole lines appended since the last look; a line still being written waits."""
        for file in sorted(self._folder.glob("*.ndjson")) if self._folder.is_dir() else []:
            offset = self._offsets.get(file, 0)
            if file.stat().st_size <= offset:
                continue
            with file.open("rb") as lines:
                lines.seek(offset)
                data = lines.read()
            whole = data[: data.rfind(b"\n") + 1]
            for line in whole.splitlines():
                resource = orjson.loads(line)
                self._resources[reference(resource)] = resource
            self._offsets[file] = offset + len(whole)


def _version(resource: JSON | None) -> str:
    """The version of a resource; "" when it is not there or says none."""
    meta = (resource or {}).get("meta")
    return str(meta.get("versionId") or "") if isinstance(meta, dict) else ""
