"""A chart for a run holds one patient: a Bundle with resources of two is refused."""

from collections.abc import Iterable, Iterator, Mapping

from careplane.codecs.fhir.elements import as_list, as_object
from careplane.records import JSON
from careplane.shield.guards.verdict import ALLOWED, Verdict, refusal, verdict

_RULE = "one_patient"
_WAY_OUT = "Send the resources of one patient."


def one_patient(chart: JSON | Iterable[JSON], patient: str | None = None) -> Verdict:
    """Whether all resources are about one patient, the run's when it is given (``Patient/123``).

    Every literal reference to a Patient counts, wherever it stands, also as an absolute URL, a version, a
    ``urn:uuid`` of the Bundle or in a nested Bundle; records that the patient's own ``link`` names are the same
    person. Resources without a patient (a Practitioner, a Location) pass.

    Args:
        chart: a Bundle, a resource, or resources.
        patient: the run's patient; without it the chart may hold any one.
    """
    resources, full_urls = _unpacked(chart)
    own = {f"Patient/{one['id']}": one for one in resources if one.get("resourceType") == "Patient" and one.get("id")}
    named: dict[str, str] = {}
    for i, resource in enumerate(resources):
        for target, path in _patients(resource, full_urls):
            named.setdefault(target, f"resource {i + 1} ({_type(resource)}) at {path}")
    anonymous = [i for i, one in enumerate(resources) if one.get("resourceType") == "Patient" and not one.get("id")]
    first = patient or next(iter(own), next(iter(named), None))
    allowed = {first, *_links(own.get(first or ""))}
    reasons = [
        refusal(_RULE, f"The chart holds more than one patient: {place} is about another one.", _WAY_OUT)
        for target, place in named.items()
        if target not in allowed
    ]
    if anonymous and (len(resources) > len(anonymous) or len(anonymous) > 1 or patient):
        reasons.append(refusal(_RULE, "A Patient in the chart has no id, so it cannot be told whose it is.", _WAY_OUT))
    return verdict(tuple(reasons[:5])) if reasons else ALLOWED


def _unpacked(chart: JSON | Iterable[JSON]) -> tuple[list[JSON], dict[str, str]]:
    """All resources, Bundles opened, and the ``fullUrl`` of those that have a type and an id."""
    pending: list[object] = [chart] if isinstance(chart, Mapping) else list(chart)
    found: list[JSON] = []
    full_urls: dict[str, str] = {}
    while pending:
        resource = as_object(pending.pop(0))
        if resource.get("resourceType") != "Bundle":
            if resource:
                found.append(resource)
            continue
        for entry in map(as_object, as_list(resource.get("entry"))):
            inner = as_object(entry.get("resource"))
            if isinstance(entry.get("fullUrl"), str) and inner.get("id"):
                full_urls[entry["fullUrl"]] = f"{inner.get('resourceType')}/{inner['id']}"
            pending.append(inner)
    return found, full_urls


def _patients(resource: JSON, full_urls: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """``Patient/id`` and path of every patient whom a resource names, itself included."""
    if resource.get("resourceType") == "Patient" and resource.get("id"):
        yield f"Patient/{resource['id']}", "id"
    pending: list[tuple[object, str]] = [(resource, "")]
    while pending:
        node, path = pending.pop()
        if isinstance(node, list):
            pending.extend((item, path) for item in node)
        elif isinstance(node, dict):
            target = _target(node, full_urls)
            if target:
                yield target, path or "reference"
            pending.extend((value, f"{path}.{key}".lstrip(".")[:80]) for key, value in node.items())


def _target(node: JSON, full_urls: Mapping[str, str]) -> str | None:
    reference = node.get("reference")
    if not isinstance(reference, str):
        return None
    literal = full_urls.get(reference, reference).partition("/_history/")[0]
    parts = literal.rstrip("/").split("/")
    if len(parts) >= 2 and parts[-2] == "Patient" and parts[-1]:
        return f"Patient/{parts[-1]}"
    return f"Patient/{literal}" if node.get("type") == "Patient" and not literal.startswith("#") else None


def _links(patient: JSON | None) -> Iterator[str]:
    for link in map(as_object, as_list((patient or {}).get("link"))):
        target = _target(as_object(link.get("other")), {})
        if target:
            yield target


def _type(resource: JSON) -> str:
    kind = resource.get("resourceType")
    return kind if isinstance(kind, str) and kind.isalpha() and len(kind) < 40 else "of unknown type"
