"""The chart as a run saw it, and as it is now: a text is never signed over a change that nobody has seen."""

import asyncio
import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from careplane.codecs.fhir import reference, select_fields
from careplane.codecs.fhir.elements import as_object
from careplane.codecs.fhir.rows import differences
from careplane.connectors import FhirReader
from careplane.records import JSON
from careplane.records.run import ChartChange, FieldChange, Run, Seen, Source

ALWAYS = ("status", "verificationStatus")
"""Elements that are compared whether or not the app reads them: a resource may be marked as entered in error."""

LONGEST_DATA = 65_536
_CITED = re.compile(r"\[(\d+(?:\s*,\s*\d+)*)\]")


def seen_of(resource: JSON, fields: Collection[str]) -> Seen:
    """What a run sees of a resource: the fields it may read, and the version they are of."""
    meta = as_object(resource.get("meta"))
    data = select_fields(resource, (*fields, *ALWAYS)) if fields else None
    if data is not None and len(msgspec.json.encode(data)) > LONGEST_DATA:
        data = None
    return Seen(
        reference=reference(resource),
        version=_text(meta.get("versionId")),
        updated=_text(meta.get("lastUpdated")),
        fields=tuple(fields),
        data=data,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def rests_on(run: Run, text: str) -> tuple[Seen, ...]:
    """What a text rests on: the focus, and the sources it cites, or all of them when it cites none."""
    cited = {int(n) for group in _CITED.findall(text) for n in group.split(",")}
    sources: Iterable[Source] = [source for source in run.sources if source.n in cited] or run.sources
    wanted = {run.event.focus, *(source.reference for source in sources)}
    return tuple(one for one in run.seen if one.reference in wanted)


async def changes_since(fhir: FhirReader, seen: Sequence[Seen]) -> tuple[ChartChange, ...]:
    """What is not as it was seen.

    A new version in which nothing changed that the app reads is no change.

    Raises:
        UpstreamError: the EHR did not answer.
    """
    now = await asyncio.gather(*(fhir.read(one.reference) for one in seen))
    found = (change_of(one, current) for one, current in zip(seen, now, strict=True))
    return tuple(change for change in found if change is not None)


def change_of(seen: Seen, current: JSON | None) -> ChartChange | None:
    """How a resource differs from what was seen, or ``None``."""
    if current is None:
        return ChartChange(reference=seen.reference, gone=True)
    fresh = seen_of(current, seen.fields)
    if fresh.version is not None and fresh.version == seen.version:
        return None
    found: list[tuple[str, str, str]] = []
    if seen.data is not None and fresh.data is not None:
        found = differences(seen.data, fresh.data)
        if not found:
            return None
    elif seen.version is None or fresh.version is None:
        return None
    return ChartChange(
        reference=seen.reference,
        version=fresh.version,
        updated=fresh.updated,
        fields=tuple(FieldChange(path=path, before=before, after=after) for path, before, after in found),
    )


def fingerprint(changes: Iterable[ChartChange]) -> str:
    """What a person confirms: these changes and no later ones."""
    told = sorted(msgspec.json.encode(change) for change in changes)
    return hashlib.sha256(b"\n".join(told)).hexdigest()[:24] if told else ""


def versions_of(resources: Iterable[JSON]) -> Mapping[str, str]:
    """The version of each resource by its reference; of one that says none, a hash of its content."""
    return {reference(resource): version_of(resource) for resource in resources}


def version_of(resource: JSON) -> str:
    """``meta.versionId``, or ``sha256:…`` of what the resource says where the server keeps no versions."""
    version = _text(as_object(resource.get("meta")).get("versionId"))
    if version is not None:
        return version
    content = {name: value for name, value in resource.items() if name not in ("meta", "text")}
    return "sha256:" + hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()[:24]
