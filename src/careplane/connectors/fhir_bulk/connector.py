"""An export from its kick-off to whole files: started, waited for, downloaded, checked, and deleted at the server."""

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from careplane.codecs.fhir_bulk import BulkManifest, ExportRequest, check_request, kick_off_path, read_manifest
from careplane.connectors._endpoint import GONE, Endpoint
from careplane.connectors._retry import Answer, asked_pause
from careplane.connectors.fhir_bulk.download import Download
from careplane.connectors.fhir_bulk.state import ExportState, load_state, names, save_state
from careplane.errors import InputError, StoreError, UpstreamError, UpstreamTimeout
from careplane.records import Record

FIRST_POLL, LONGEST_POLL = 1.0, 60.0
LONGEST_ASKED = 600.0
"""A server that asks to come back later than this is asked earlier: a day's pause would be a day's surprise."""


class Step(Record, frozen=True):
    """How far an export is, for progress: ``what`` is waiting or a file's name; counts of files, bytes so far."""

    what: str
    files_done: int = 0
    files: int = 0
    bytes: int = 0


class Exported(Record, frozen=True):
    """A finished export. ``at`` is the server's time: the ``since`` of the next one. Counts are resources by type;
    ``errors`` are OperationOutcomes, ``deleted`` Bundles of what the server deleted, in files beside."""

    folder: str
    at: str
    counts: dict[str, int]
    errors: int = 0
    deleted: int = 0


Progress = Callable[[Step], None]


class BulkConnector:
    """Exports of one endpoint. ``wait`` is how many seconds one may be in preparation, ``most`` the bytes of a file."""

    def __init__(self, endpoint: Endpoint, wait: float, most: int) -> None:
        self._endpoint = endpoint
        self._wait = wait
        self._most = most

    def __repr__(self) -> str:
        return f"BulkConnector({self._endpoint!r})"

    async def export(
        self, request: ExportRequest, folder: Path, progress: Progress | None = None, *, keep: bool = False
    ) -> Exported:
        """Export into a folder, or go on with the export that is in it.

        Args:
            request: what to export.
            folder: made when missing; holds this export only.
            progress: told after each step.
            keep: leave the export at the server.

        Raises:
            InputError: the request cannot be asked.
            Conflict: the folder holds another export.
            Refused: the server refuses, or a file is too large; call again with a higher limit to go on.
            UpstreamTimeout: it was not ready in time; call again to go on waiting.
            UpstreamError: the server failed, or what came is not what it said; whole files stay.
            StoreError: the folder cannot be written, as on a full disk.
        """
        tell = progress or (lambda _step: None)
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            state = load_state(folder, self._endpoint.base_url, check_request(request))
            state = await self._prepared(state, folder, tell)
            state = await self._downloaded(state, folder, tell)
        except OSError as error:
            raise StoreError(f"The folder {folder} cannot be written: {error.strerror}.") from error
        if not keep and not state.ended:
            await self._delete(state)
            save_state(folder, msgspec.structs.replace(state, ended=True))
        return _exported(folder, state)

    async def cancel(self, folder: Path, request: ExportRequest) -> bool:
        """End the export of a folder at the server; says whether there was one. Files that came stay."""
        state = load_state(folder, self._endpoint.base_url, request)
        if not state.status_url or state.ended:
            return False
        await self._delete(state)
        if state.manifest is None or set(names(state.manifest)) - set(state.done):
            state = ExportState(base_url=state.base_url, request=state.request)  # the next one begins anew
        save_state(folder, msgspec.structs.replace(state, ended=True))
        return True

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        await self._endpoint.aclose()

    async def _prepared(self, state: ExportState, folder: Path, tell: Progress) -> ExportState:
        """The state with a manifest: kicked off when that was not done, or when the server knows nothing of it."""
        if state.manifest is not None:
            return state
        known = bool(state.status_url) and not state.ended
        if not known:
            state = await self._kicked_off(state, folder)
        manifest = await self._waited(state.status_url, tell)
        if manifest is None and known:  # it expired since, or the server forgot it
            state = await self._kicked_off(state, folder)
            manifest = await self._waited(state.status_url, tell)
        if manifest is None:
            raise UpstreamError("GET $export: the server knows nothing of the export that it began.")
        state = msgspec.structs.replace(state, manifest=manifest)
        save_state(folder, state)
        return state

    async def _kicked_off(self, state: ExportState, folder: Path) -> ExportState:
        headers = {"Prefer": "respond-async"}
        path = kick_off_path(state.request)
        answer = await self._endpoint.send("GET", "$export", path, headers=headers, repeatable=False)
        url = answer.header("content-location")
        if answer.status != 202 or not url:
            raise UpstreamError("GET $export: the server did not say where its progress is told.")
        if not self._endpoint.same_origin(url):
            raise UpstreamError("GET $export: the progress is told on another host; it was not asked there.")
        state = ExportState(base_url=state.base_url, request=state.request, status_url=url)
        save_state(folder, state)
        return state

    async def _waited(self, url: str, tell: Progress) -> BulkManifest | None:
        """The manifest, once it is there; ``None`` when the server knows nothing of the export."""
        deadline, pause = time.monotonic() + self._wait, FIRST_POLL
        while True:
            answer = await self._endpoint.send("GET", "$export status", url, accepted=GONE)
            if answer.status in GONE:
                return None
            if answer.status == 200:
                return _manifest(answer)
            if answer.status != 202:
                raise UpstreamError(f"GET $export status: the server answered HTTP {answer.status}.")
            if time.monotonic() >= deadline:
                raise UpstreamTimeout("The export is not ready yet. Run the same again to go on waiting.")
            tell(Step(what=f"waiting{_told(answer)}"))
            await self._endpoint.sleep(asked_pause(answer.header("retry-after"), LONGEST_ASKED) or pause)
            pause = min(pause * 1.5, LONGEST_POLL)

    async def _downloaded(self, state: ExportState, folder: Path, tell: Progress) -> ExportState:
        assert state.manifest is not None  # noqa: S101 - what _prepared promises
        wanted = names(state.manifest)
        for name, file in wanted.items():
            if name in state.done and (folder / name).exists():
                continue

            def step(size: int, name: str = name, done: int = len(state.done)) -> None:
                tell(Step(what=name, files_done=done, files=len(wanted), bytes=size))

            def keep(tag: str, name: str = name) -> None:
                nonlocal state
                state = msgspec.structs.replace(state, tags={**state.tags, name: tag})
                save_state(folder, state)

            tag = state.tags.get(name, "")
            token = state.manifest.needs_token
            here = Download(self._endpoint, folder, name, file, token, tag, keep, step, self._most)
            count = await here.run()
            state = msgspec.structs.replace(state, done={**state.done, name: count})
            save_state(folder, state)
        return state

    async def _delete(self, state: ExportState) -> None:
        await self._endpoint.send("DELETE", "$export", state.status_url, accepted=(*GONE, 405, 501))


def _manifest(answer: Answer) -> BulkManifest:
    try:
        return read_manifest(answer.content)
    except InputError as error:
        raise UpstreamError(f"GET $export status: the manifest is none ({error}).") from error


def _told(answer: Answer) -> str:
    """What the server says of its progress, short and plain."""
    text = "".join(sign for sign in answer.header("x-progress") if sign.isascii() and sign.isprintable())
    return f": {text[:60]}" if text else ""


def _exported(folder: Path, state: ExportState) -> Exported:
    counts: dict[str, int] = {}
    aside = {"deleted": 0, "outcomes": 0}
    for name, count in state.done.items():
        kind, _, ending = name.split(".")
        if ending in aside:
            aside[ending] += count
        else:
            counts[kind] = counts.get(kind, 0) + count
    at = state.manifest.at if state.manifest else ""
    return Exported(str(folder), at, dict(sorted(counts.items())), aside["outcomes"], aside["deleted"])
