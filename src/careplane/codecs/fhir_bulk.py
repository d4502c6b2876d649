"""Bulk Data Access on the wire (hl7.org/fhir/uv/bulkdata, 2.0): what an export asks for, and its manifest. Pure."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

import orjson

from careplane.codecs.fhir.types import ID_PATTERN, RESOURCE_TYPES
from careplane.errors import DataError, InputError
from careplane.records import JSON, Record

Level = Literal["system", "patient", "group"]

MAX_FILES = 20_000
MAX_MANIFEST_BYTES = 16 * 1024 * 1024


class ExportRequest(Record, frozen=True):
    """What to export: of the whole system, of all patients, or of the members of ``group`` (an id). Nothing named means
    all types. ``since`` is a FHIR instant: only what changed after it. ``type_filters`` are searches such as
    ``Observation?status=final``."""

    level: Level = "system"
    group: str = ""
    types: tuple[str, ...] = ()
    since: str = ""
    type_filters: tuple[str, ...] = ()


class BulkFile(Record, frozen=True):
    """A file of an export. ``count`` is how many resources it holds, where the server says so."""

    type: str
    url: str
    count: int | None = None


class BulkManifest(Record, frozen=True):
    """What an export gave. ``at`` is the server's time of it: the ``_since`` of the next one."""

    at: str
    needs_token: bool
    output: tuple[BulkFile, ...] = ()
    deleted: tuple[BulkFile, ...] = ()
    error: tuple[BulkFile, ...] = ()


def check_request(request: ExportRequest) -> ExportRequest:
    """The request itself, when it can be asked.

    Raises:
        InputError: an unknown type, a group that is no id, a time that is no instant, or a filter of another type.
    """
    if (request.level == "group") != bool(request.group):
        raise InputError("is needed for an export of a group, and for no other", field="group")
    if request.group and not _is_id(request.group):
        raise InputError("is not a FHIR id", field="group")
    for kind in request.types:
        if kind not in RESOURCE_TYPES:
            raise InputError("is not a FHIR R4 resource type", field=f"type {kind[:64]}")
    if request.since:
        _instant(request.since, "since")
    for one in request.type_filters:
        kind, _, query = one.partition("?")
        if kind not in RESOURCE_TYPES or not query:
            raise InputError("must be a search such as Observation?status=final", field="type-filter")
        if request.types and kind not in request.types:
            raise InputError(f"narrows {kind}, which is not among the types", field="type-filter")
    return request


def kick_off_path(request: ExportRequest) -> str:
    """The path and query that start an export."""
    where = {"system": "$export", "patient": "Patient/$export", "group": f"Group/{request.group}/$export"}
    query = [("_outputFormat", "application/fhir+ndjson")]
    query += [("_type", ",".join(request.types))] if request.types else []
    query += [("_since", request.since)] if request.since else []
    query += [("_typeFilter", one) for one in request.type_filters]
    return f"{where[request.level]}?{urlencode(query)}"


def read_manifest(content: bytes) -> BulkManifest:
    """The manifest of a finished export.

    Raises:
        InputError: it is none; names the field.
    """
    if len(content) > MAX_MANIFEST_BYTES:
        raise InputError("is too large", field="manifest")
    try:
        given = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise InputError("is not JSON", field="manifest") from error
    if not isinstance(given, dict):
        raise InputError("is not a JSON object", field="manifest")
    at = given.get("transactionTime")
    if not isinstance(at, str):
        raise InputError("is missing", field="transactionTime")
    lists = {name: tuple(_files(given, name)) for name in ("output", "deleted", "error")}
    if sum(map(len, lists.values())) > MAX_FILES:
        raise InputError(f"names more than {MAX_FILES} files", field="output")
    if not isinstance(given.get("output"), list):
        raise InputError("is missing", field="output")
    return BulkManifest(
        at=_instant(at, "transactionTime"), needs_token=given.get("requiresAccessToken") is True, **lists
    )


def _files(manifest: JSON, name: str) -> Iterable[BulkFile]:
    listed = manifest.get(name) or []
    if not isinstance(listed, list):
        raise InputError("is not a list", field=name)
    return (_file(one, name) for one in listed)


def _file(given: Any, name: str) -> BulkFile:
    kind = given.get("type") if isinstance(given, dict) else None
    kind = kind or {"error": "OperationOutcome", "deleted": "Bundle"}.get(name)
    if kind not in RESOURCE_TYPES:
        raise InputError("names a type that is none of FHIR R4", field=f"{name}.type")
    url, count = given.get("url"), given.get("count")
    if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https") or len(url) > 8192:
        raise InputError("is not a URL", field=f"{name}.url")
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 0):
        raise InputError("is not a number", field=f"{name}.count")
    return BulkFile(type=str(kind), url=url, count=count)


def _instant(text: str, field: str) -> str:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError("is not an instant such as 2026-03-01T00:00:00Z", field=field) from error
    if at.tzinfo is None:
        raise InputError("needs a time zone, such as 2026-03-01T00:00:00Z", field=field)
    return text


def _is_id(text: str) -> bool:
    return re.fullmatch(ID_PATTERN, text) is not None


def deleted_references(bundle: object) -> list[str]:
    """What a Bundle of deletions names, as ``Type/id``.

    Source: FHIR Bulk Data Access 2.0, "Response - Complete Status": the Bundles of ``deleted`` are transactions whose
    entries have a request with the method DELETE and the URL of the resource.

    Raises:
        DataError: it is no such Bundle; ``field`` says where.
    """
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise DataError("is no Bundle of deletions")
    found = []
    entries = bundle.get("entry", [])
    for index, entry in enumerate(entries if isinstance(entries, list) else [None]):
        request = entry.get("request") if isinstance(entry, dict) else None
        url = request.get("url") if isinstance(request, dict) and request.get("method") == "DELETE" else None
        parts = url.rstrip("/").split("/")[-2:] if isinstance(url, str) else []
        if len(parts) != 2 or parts[0] not in RESOURCE_TYPES or not parts[1]:
            raise DataError("is no deletion of a resource (DELETE Type/id)", field=f"entry[{index}].request")
        found.append("/".join(parts))
    return found
