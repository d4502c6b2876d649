"""The FHIR search parameters that loaded data answers, after hl7.org/fhir/R4/search.html.

=================  ===========  =====================================================================================
parameter          kind         meaning here
=================  ===========  =====================================================================================
``_id``            token        the id
``patient``        reference    the patient whom the resource is about; ``Patient/x`` or ``x``
``subject``        reference    the same
``encounter``      reference    ``encounter`` or ``context.encounter``
``status``         token        ``status`` (``clinical-status`` too)
``category``       token        any coding: ``code`` or ``system|code``; a text matches as well
``code``           token        any coding of ``code``, ``vaccineCode``, ``medicationCodeableConcept`` or ``type``
``identifier``     token        ``value`` or ``system|value``
``location``       reference    ``location`` or ``location.location`` (for Task not a parameter of R4 itself)
``date``           date         the clinical date; prefixes ``ge``, ``gt``, ``le``, ``lt``, ``eq``; several by comma
``_sort``          -            ``date`` or ``-date``; undated last
``_count``         -            at most so many
=================  ===========  =====================================================================================

Several values of one token, separated by commas, mean *or*; for ``date`` they mean *and*, as repeated parameters would.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from careplane.codecs.fhir import date_of, patient_of
from careplane.errors import InputError
from careplane.records import JSON

Test = Callable[[JSON], bool]

SUPPORTED = (
    "_count",
    "_id",
    "_sort",
    "category",
    "clinical-status",
    "code",
    "date",
    "encounter",
    "identifier",
    "location",
    "patient",
    "status",
    "subject",
)
_CODE_ELEMENTS = ("code", "vaccineCode", "medicationCodeableConcept", "type")
_DATE = re.compile(r"(ge|gt|le|lt|eq)?(\d{4}(?:-\d\d(?:-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?)?)?)")


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed search: the indexed parameters by name, the others as tests."""

    ident: str | None
    patient: str | None
    tests: tuple[Test, ...]
    newest_first: bool | None
    count: int | None

    def matches(self, resource: JSON) -> bool:
        """Whether a resource meets every parameter."""
        return all(test(resource) for test in self.tests)

    def arrange(self, found: Sequence[JSON]) -> list[JSON]:
        """The resources in the order asked for, undated last."""
        if self.newest_first is None:
            return list(found)
        dated = [(moment(when), item) for item in found if (when := date_of(item))]
        dated.sort(key=lambda pair: pair[0], reverse=self.newest_first)
        return [item for _, item in dated] + [item for item in found if not date_of(item)]


def parse_query(query: Mapping[str, str]) -> Query:
    """Read search parameters.

    Raises:
        InputError: a parameter that is not supported (names those that are), or a value that cannot be read.
    """
    unknown = sorted(set(query) - set(SUPPORTED))
    if unknown:
        raise InputError(f"is not supported on loaded data; supported: {', '.join(SUPPORTED)}", field=unknown[0])
    patient = query.get("patient", query.get("subject"))
    return Query(
        ident=query.get("_id"),
        patient=None if patient is None else patient.rpartition("/")[2],
        tests=tuple(_tests(query)),
        newest_first=_sort(query.get("_sort")),
        count=_count(query.get("_count")),
    )


def _tests(query: Mapping[str, str]) -> Iterator[Test]:
    if "_id" in query:
        yield lambda resource: resource.get("id") == query["_id"]
    for name in ("patient", "subject"):
        if name in query:
            yield _about(query[name].rpartition("/")[2])
    if "encounter" in query:
        yield _in_encounter(query["encounter"].rpartition("/")[2])
    if "location" in query:
        yield _at(query["location"].rpartition("/")[2])
    for name, elements in _TOKENS.items():
        if name in query:
            yield _token(elements, query[name].split(","))
    for bound in query.get("date", "").split(",") if "date" in query else []:
        yield _dated(bound)


_TOKENS: dict[str, tuple[str, ...]] = {
    "status": ("status",),
    "clinical-status": ("clinicalStatus",),
    "category": ("category",),
    "code": _CODE_ELEMENTS,
    "identifier": ("identifier",),
}


def _about(ident: str) -> Test:
    return lambda resource: patient_of(resource) == f"Patient/{ident}"


def _in_encounter(ident: str) -> Test:
    def test(resource: JSON) -> bool:
        context = resource.get("context")
        places = [resource.get("encounter"), context]
        if isinstance(context, dict):
            inner = context.get("encounter")
            places += inner if isinstance(inner, list) else [inner]
        targets = (str(place.get("reference")) for place in places if isinstance(place, dict))
        return any(target.endswith(f"Encounter/{ident}") for target in targets)

    return test


def _at(ident: str) -> Test:
    def test(resource: JSON) -> bool:
        places = resource.get("location")
        listed = places if isinstance(places, list) else [places]
        targets = [place.get("location", place) for place in listed if isinstance(place, dict)]
        return any(str(target.get("reference")).endswith(f"Location/{ident}") for target in targets)

    return test


def _token(elements: Sequence[str], wanted: Sequence[str]) -> Test:
    def test(resource: JSON) -> bool:
        held = {token for element in elements for token in _tokens(resource.get(element))}
        return any(value in held for value in wanted)

    return test


def _tokens(value: object) -> Iterator[str]:
    """What a token search may name in an element: code, value, text and ``system|code``."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _tokens(item)
    elif isinstance(value, dict):
        code = value.get("code") or value.get("value")
        if isinstance(code, str):
            yield code
            yield f"{value.get('system', '')}|{code}"
        if isinstance(value.get("text"), str):
            yield value["text"]
        yield from _tokens(value.get("coding"))


def moment(text: str) -> datetime:
    """The first instant of a FHIR date, dateTime or instant; without an offset it counts as UTC."""
    padded = text + "0000-01-01"[len(text) :] if len(text) < len("0000-01-01") else text
    try:
        at = datetime.fromisoformat(padded)
    except ValueError:
        at = datetime.min.replace(tzinfo=UTC)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _dated(bound: str) -> Test:
    parsed = _DATE.fullmatch(bound)
    if parsed is None:
        raise InputError("must look like ge2026-01-31 (prefixes ge, gt, le, lt, eq)", field="date")
    prefix, text = parsed[1] or "eq", parsed[2]

    def test(resource: JSON) -> bool:
        when = date_of(resource)
        if when is None:
            return False
        # A bound given as a day, month or year covers all of it, so the date is compared at the bound's precision.
        if "T" in text:
            return _compare(prefix, moment(when), moment(text))
        return _compare(prefix, when[: len(text)], text)

    return test


def _compare(prefix: str, held: Any, bound: Any) -> bool:
    later, same = bool(held > bound), bool(held == bound)
    return {"ge": later or same, "gt": later, "le": not later, "lt": not later and not same, "eq": same}[prefix]


def _sort(text: str | None) -> bool | None:
    if text is None:
        return None
    if text.lstrip("-") != "date":
        raise InputError("can be date or -date on loaded data", field="_sort")
    return text.startswith("-")


def _count(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdigit():
        raise InputError("must be a whole number", field="_count")
    return int(text)
