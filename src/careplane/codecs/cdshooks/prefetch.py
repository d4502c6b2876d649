"""What came under a prefetch key: resources, nothing, or an error (CDS Hooks 2.0, "Prefetch Template").

A key with ``null`` says that there are no data; a missing key that the client did not look; an OperationOutcome that it
looked and failed. A Bundle may be one page of several.
"""

from typing import Any

from careplane.codecs.cdshooks.calls import MAX_RESOURCES
from careplane.codecs.cdshooks.templates import Query
from careplane.codecs.fhir import patient_of
from careplane.errors import InputError
from careplane.records import JSON, Record


class Prefetched(Record, frozen=True):
    """The value of one key. ``next`` is the URL of the following page; ``failed`` says that the client met an error."""

    resources: tuple[JSON, ...] = ()
    next: str | None = None
    failed: bool = False


def read_prefetched(value: object, query: Query, patient: str | None, field: str) -> Prefetched:
    """The value of a key, checked against what its template asks for and whom the call is about.

    Args:
        value: as it came; ``None`` for no data.
        query: what the template asks for.
        patient: ``Patient/id`` in context.
        field: its place in the call, for refusals.

    Raises:
        InputError: it is no resource or Bundle, holds another type than was asked for, or data of another patient.
    """
    if value is None:
        return Prefetched()
    if not isinstance(value, dict):
        raise InputError("must be a FHIR resource or null", field=field)
    if value.get("resourceType") == "OperationOutcome":
        return Prefetched(failed=True)
    found = _read_bundle(value, field) if value.get("resourceType") == "Bundle" else Prefetched(resources=(value,))
    for resource in found.resources:
        check_resource(resource, query, patient, field)
    return found


def check_resource(resource: JSON, query: Query, patient: str | None, field: str) -> None:
    """Refuse a resource that is not what was asked for, or of another patient than the call is about.

    Raises:
        InputError: says which; never whose.
    """
    if resource.get("resourceType") != query.resource:
        raise InputError(f"holds another type than {query.resource}", field=field)
    if query.ident is not None and resource.get("id") != query.ident:
        raise InputError(f"holds another {query.resource} than was asked for", field=field)
    owner = patient_of(resource)
    if query.resource == "Patient" and owner is None:
        raise InputError("holds a Patient without an id", field=field)
    if owner is not None and owner != patient:
        raise InputError("holds data of another patient than the one in context", field=field)


def _read_bundle(bundle: JSON, field: str) -> Prefetched:
    entries = bundle.get("entry", [])
    if not isinstance(entries, list) or len(entries) > MAX_RESOURCES:
        raise InputError(f"must be a Bundle with a list of {MAX_RESOURCES} entries at most", field=field)
    resources = []
    for entry in entries:
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict):
            raise InputError("holds a Bundle with an entry that has no resource", field=field)
        if resource.get("resourceType") == "OperationOutcome":
            if _is_error(resource):
                return Prefetched(failed=True)
        elif _mode(entry) == "match":
            resources.append(resource)
    return Prefetched(resources=tuple(resources), next=_next(bundle))


def _mode(entry: JSON) -> str:
    search = entry.get("search")
    return str(search.get("mode", "match")) if isinstance(search, dict) else "match"


def _is_error(outcome: JSON) -> bool:
    """Whether an outcome says more than a warning; one that cannot be read counts as an error."""
    issues: Any = outcome.get("issue")
    severities = [one.get("severity") for one in issues if isinstance(one, dict)] if isinstance(issues, list) else []
    return not severities or any(severity not in ("warning", "information") for severity in severities)


def _next(bundle: JSON) -> str | None:
    links = bundle.get("link")
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and link.get("relation") == "next" and isinstance(link.get("url"), str):
            return str(link["url"])
    return None
