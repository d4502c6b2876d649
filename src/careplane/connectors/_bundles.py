"""What comes back from an EHR as resources and pages of them: bounded, of the right shape, and nobody else's."""

import asyncio
from collections.abc import Callable, Collection, Iterator
from urllib.parse import parse_qsl

import httpx
import orjson

from careplane.codecs.fhir import MAX_DEPTH, MAX_RESOURCE_BYTES, check_resource, deeper_than, parse_resource
from careplane.connectors._retry import Answer
from careplane.errors import InputError, UpstreamError
from careplane.records import JSON

_ASIDE_BYTES = 1024 * 1024
"""Larger answers are parsed in a thread, so that no other request waits for them."""

_BUNDLE_LEVELS = 4


async def resource_of(answer: Answer, kind: str) -> JSON:
    """The resource that an answer holds, of the type that was asked for.

    Raises:
        UpstreamError: it holds something else.
    """
    try:
        resource = await _aside(len(answer.content), parse_resource, answer.content)
    except InputError as error:
        raise UpstreamError(f"{kind}: what the EHR answered {error.message}{_at(error)}.") from error
    if resource["resourceType"] != kind:
        raise UpstreamError(f"{kind}: the EHR answered a resource of another type.")
    return resource


async def bundle_of(answer: Answer, kind: str) -> JSON:
    """The Bundle that an answer holds; its entries are objects, each resource in them within the bounds.

    Raises:
        UpstreamError: it holds something else.
    """
    try:
        return await _aside(len(answer.content), _bundle, answer.content)
    except InputError as error:
        raise UpstreamError(f"{kind}: what the EHR answered {error.message}{_at(error)}.") from error


def matches(bundle: JSON, kind: str) -> list[JSON]:
    """The matches of a page; included resources and outcomes are left out."""
    found: list[JSON] = []
    for entry in bundle["entry"]:
        search, resource = entry.get("search"), entry.get("resource")
        mode = search.get("mode", "match") if isinstance(search, dict) else "match"
        if mode == "match" and isinstance(resource, dict) and resource.get("resourceType") == kind:
            found.append(resource)
    return found


def link(bundle: JSON, relation: str) -> str | None:
    """The URL of a link of a page."""
    links = bundle.get("link")
    for one in links if isinstance(links, list) else []:
        if isinstance(one, dict) and one.get("relation") == relation and isinstance(one.get("url"), str):
            return str(one["url"])
    return None


def check_heeded(bundle: JSON, kind: str, query: Collection[str]) -> None:
    """Compare with the self link, which names the parameters used (hl7.org/fhir/R4/search.html#conformance).

    Only those that choose resources count: an order or a page size that is not kept leaks nothing.

    Raises:
        UpstreamError: the EHR does not say that it heeded every parameter. Many ignore one that they do not know, and
            then answer with the resources of every patient and ward.
    """
    try:
        url = httpx.URL(link(bundle, "self") or "")
    except httpx.InvalidURL:
        url = httpx.URL("")
    used = {name.partition(":")[0] for name, _ in parse_qsl(url.query.decode(), keep_blank_values=True)}
    asked = {name.partition(":")[0] for name in query if name == "_id" or not name.startswith("_")}
    if unheeded := sorted(asked - used):
        raise UpstreamError(f"GET {kind}: the EHR did not heed the search parameter {', '.join(unheeded)}.")


def _bundle(content: bytes) -> JSON:
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise InputError("is not JSON, or nested too deeply") from error
    if not isinstance(value, dict) or value.get("resourceType") != "Bundle":
        raise InputError("is not a Bundle")
    if deeper_than(value, MAX_DEPTH + _BUNDLE_LEVELS):
        raise InputError("is nested too deeply")
    entries = [] if value.get("entry") is None else value["entry"]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError("holds entries that are none", field="entry")
    for resource in _resources(entries):
        check_resource(resource)
        if len(content) > MAX_RESOURCE_BYTES and len(orjson.dumps(resource)) > MAX_RESOURCE_BYTES:
            raise InputError(f"holds a resource larger than {MAX_RESOURCE_BYTES // 1024 // 1024} MB")
    return {**value, "entry": entries}


def _resources(entries: list[JSON]) -> Iterator[object]:
    return (entry["resource"] for entry in entries if entry.get("resource") is not None)


async def _aside(size: int, parse: Callable[[bytes], JSON], content: bytes) -> JSON:
    return parse(content) if size < _ASIDE_BYTES else await asyncio.to_thread(parse, content)


def _at(error: InputError) -> str:
    return f" ({error.field})" if error.field else ""
