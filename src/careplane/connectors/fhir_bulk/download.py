"""One file of an export: downloaded in parts where the server can, checked, and then given its name in one step."""

import asyncio
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import orjson

from careplane.codecs.fhir_bulk import BulkFile
from careplane.connectors._endpoint import Endpoint
from careplane.connectors._retry import ATTEMPTS, asked_pause, pause
from careplane.connectors.fhir_bulk.state import sync
from careplane.errors import Refused, UpstreamAway, UpstreamError, UpstreamTimeout

_TELL_BYTES = 1 << 20
_READ_BYTES = 1 << 20
LONGEST_LINE = 17 << 20
"""A line that is longer is loaded by nobody (:mod:`careplane.store.lake_chunks`)."""

LONGEST_SECONDS = 12 * 3600.0
"""For one attempt: a server that drips is left; the next attempt goes on where the server can."""

_RANGE = re.compile(r"bytes (\d+)-\d*/.*")


class _AgainError(Exception):
    """The attempt failed in a way that another may not; ``seconds`` is the pause that the server asks for."""

    def __init__(self, error: UpstreamError | Refused, seconds: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.seconds = seconds


@dataclass
class Download:
    """A file to download into a folder. ``tag`` is the ETag that the part which is there was begun with, "" for none;
    ``keep`` makes another one durable before anything is written under it; ``step`` is told the bytes so far; ``most``
    is how many bytes the file may have."""

    endpoint: Endpoint
    folder: Path
    name: str
    file: BulkFile
    needs_token: bool
    tag: str
    keep: Callable[[str], None]
    step: Callable[[int], None]
    most: int

    @property
    def part(self) -> Path:
        """Where the file grows."""
        return self.folder / f"{self.name}.part"

    async def run(self) -> int:
        """Download what is missing, check it and give it its name; says how many resources it holds.

        Raises:
            Refused: the server refuses the file, or keeps it on another host and asks for our token there, or for none
                but without TLS; or the file is larger than ``most``, and what came of it stays to go on with.
            UpstreamError: the server failed, or the file is not what the manifest says.
        """
        self._check_place()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self._fetch()
                return await asyncio.to_thread(self._finish)
            except _AgainError as again:
                if attempt == ATTEMPTS:
                    raise again.error from again
                await self.endpoint.sleep(again.seconds or pause(attempt))
        raise AssertionError("not reached")

    def _check_place(self) -> None:
        """Refuse a file elsewhere that would show our token or the patients on the way."""
        if self.endpoint.same_origin(self.file.url):
            return
        if self.needs_token:
            raise Refused(
                [f"{self.name}: the server keeps the file on another host and asks for our token there."],
                "Have it sign its links, or serve the files itself.",
            )
        if not self.file.url.lower().startswith("https://"):
            raise Refused(
                [f"{self.name}: the server keeps the file on another host that is not reached by https."],
                "Have it serve its files by https.",
            )

    async def _fetch(self) -> None:
        begun = self.part.stat().st_size if self.tag and self.part.exists() else 0
        headers = {"Accept": "application/fhir+ndjson", "Accept-Encoding": "identity"}
        if begun:
            headers |= {"Range": f"bytes={begun}-", "If-Range": self.tag}
        try:
            async with (
                asyncio.timeout(LONGEST_SECONDS),
                self.endpoint.stream("$export file", self.file.url, headers) as response,
            ):
                self._check(response)
                found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
                goes_on = response.status_code == 206 and found is not None and int(found[1]) == begun
                if response.status_code == 206 and not goes_on:
                    self._drop()
                    raise _AgainError(UpstreamError(f"{self.name}: the server sent another part than was asked for."))
                start = begun if goes_on else 0
                length = response.headers.get("Content-Length", "")
                if length.isdecimal() and start + int(length) > self.most:
                    raise self._too_large()
                if not goes_on:
                    self._begin(response)
                await self._write(response, start)
        except (UpstreamAway, UpstreamTimeout) as error:
            raise _AgainError(error) from error
        except TimeoutError as error:
            told = f"{self.name}: it did not come within {LONGEST_SECONDS / 3600:g} h. Run the same again to go on."
            raise _AgainError(UpstreamTimeout(told)) from error

    def _check(self, response: httpx.Response) -> None:
        status = response.status_code
        if status in (200, 206):
            if response.headers.get("Content-Encoding", "").strip().lower() not in ("", "identity"):
                told = f"{self.name}: the server sent it compressed, though it was asked not to."
                raise UpstreamError(f"{told} Have it send bulk files without a Content-Encoding.")
            return
        told = f"{self.name}: the server answered HTTP {status}."
        if status == 401:
            raise _AgainError(Refused([told], "Check the credential and its scopes."))
        if status == 416:
            self._drop()
            raise _AgainError(UpstreamError(told))
        if status == 429 or status >= 500:
            raise _AgainError(UpstreamAway(told, "ehr"), asked_pause(response.headers.get("Retry-After")))
        if status == 403:
            raise Refused([told], "Check the credential and its scopes.")
        raise UpstreamError(f"{told} Run the same again with another folder to export anew.")

    def _begin(self, response: httpx.Response) -> None:
        """Start from the first byte; only under a strong ETag may a part be put behind (RFC 9110 section 13.1.5)."""
        self._drop()
        tag = response.headers.get("ETag", "")
        self.tag = tag if tag.startswith('"') else ""
        self.keep(self.tag)

    async def _write(self, response: httpx.Response, size: int) -> None:
        """Put the bytes, as they come, behind the first ``size``."""
        told = size
        with os.fdopen(os.open(self.part, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as out:
            async for piece in response.aiter_raw():
                out.write(piece[: max(0, self.most - size)])
                size += len(piece)
                if size > self.most:
                    raise self._too_large()
                if size - told >= _TELL_BYTES:
                    told = size
                    self.step(size)
            out.flush()
            os.fsync(out.fileno())
        self.step(size)

    def _too_large(self) -> Refused:
        return Refused(
            [f"{self.name}: it is larger than {self.most / 1e9:g} GB."],
            "Raise fhir_max_file_gb (max_file_gb of the connector) and run the same again; or export less at a time.",
        )

    def _drop(self) -> None:
        self.part.unlink(missing_ok=True)

    def _finish(self) -> int:
        """Check the file, and let it be seen under its name."""
        count = self._count()
        if self.file.count is not None and count != self.file.count:
            self._drop()
            told = f"{self.name}: the manifest says {self.file.count} resources, {count} came."
            raise _AgainError(UpstreamError(told))
        self.part.rename(self.folder / self.name)
        sync(self.folder)
        return count

    def _count(self) -> int:
        """How many lines hold something; the first must be a resource of the type."""
        count, holds = 0, False
        with self.part.open("rb") as file:
            self._check_first(file.readline(LONGEST_LINE))
            file.seek(0)
            while chunk := file.read(_READ_BYTES):
                first, *others = chunk.split(b"\n")
                holds = holds or bool(first.strip())
                for line in others:
                    count, holds = count + holds, bool(line.strip())
        return count + holds

    def _check_first(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            given = orjson.loads(line)
        except orjson.JSONDecodeError:
            given = None
        if not isinstance(given, dict) or given.get("resourceType") != self.file.type:
            self._drop()
            raise UpstreamError(f"{self.name}: what came is not NDJSON of {self.file.type}.")
