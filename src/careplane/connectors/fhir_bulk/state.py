"""What an export has come to, in its folder: enough for any later process to go on.

Each step is durable before the next begins. A file has its own name only once it is whole; until then its name ends in
``.part``, which no loader reads.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from careplane.codecs.fhir_bulk import BulkFile, BulkManifest, ExportRequest
from careplane.errors import Conflict, DataError
from careplane.records import Record

FILE = "export.json"
"""Not ``.ndjson``, and so never loaded."""


class ExportState(Record, frozen=True):
    """An export under way or done. ``tags`` are the ETags of files that began to come, by name; ``done`` are the names
    of whole files with their numbers of resources; ``ended`` says that the server was told to delete it."""

    base_url: str
    request: ExportRequest
    status_url: str = ""
    manifest: BulkManifest | None = None
    tags: Mapping[str, str] = {}
    done: Mapping[str, int] = {}
    ended: bool = False


def load_state(folder: Path, base_url: str, request: ExportRequest) -> ExportState:
    """The state in a folder; a new one where there is none.

    Raises:
        Conflict: the folder holds another export.
        DataError: the state cannot be read.
    """
    path = folder / FILE
    try:
        held = msgspec.json.decode(path.read_bytes(), type=ExportState)
    except FileNotFoundError:
        return ExportState(base_url=base_url, request=request)
    except (OSError, msgspec.DecodeError) as error:
        raise DataError("the state of the export cannot be read; choose another folder", file=path) from error
    if (held.base_url, held.request) != (base_url, request):
        raise Conflict(f"{folder} holds an export that asked for something else. Choose another folder.")
    return held


def save_state(folder: Path, state: ExportState) -> None:
    """Replace the state in one step; durable on return."""
    draft = folder / f"{FILE}.{os.getpid()}"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(state))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / FILE)
    sync(folder)


def sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def names(manifest: BulkManifest) -> dict[str, BulkFile]:
    """The name that each file of a manifest gets: ``Patient.1.ndjson``; what is no data has another ending."""
    found: dict[str, BulkFile] = {}
    for files, ending in ((manifest.output, "ndjson"), (manifest.deleted, "deleted"), (manifest.error, "outcomes")):
        counted: dict[str, int] = {}
        for file in files:
            counted[file.type] = counted.get(file.type, 0) + 1
            found[f"{file.type}.{counted[file.type]}.{ending}"] = file
    return found
