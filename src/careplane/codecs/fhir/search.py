"""The FHIR search parameters that loaded data answers, after hl7.org/fhir/R4/search.html.

=================  ===========  =====================================================================================
parameter          kind         meaning here
=================  ===========  =====================================================================================
``_id``            token        the id
``patient``        reference    the patient whom the resource is about; ``Patient/x`` or ``x``
``subject``        reference    the same
``encounter``      reference    ``encounter`` or ``context`` (also ``context.encounter``)
``encounter.…``    chain        a reference to an encounter that meets the parameter after the dot; one step only
``location``       reference    ``location`` or ``participant``, on the types for which R4 defines it
``schedule``       reference    ``schedule``
``class``          token        ``class``
``status``         token        ``status`` (``clinical-status`` too)
``category``       token        any coding: ``code`` or ``system|code``; a text matches as well
``code``           token        any coding of ``code``, ``vaccineCode``, ``medicationCodeableConcept`` or ``type``
``identifier``     token        ``value`` or ``system|value``
``date``           date         the clinical date; prefixes ``ge``, ``gt``, ``le``, ``lt``, ``eq``; several by comma
``sent``           date         the same, the usual name for Communication
``_sort``          -            ``date`` or ``-date``; undated last
``_count``         -            at most so many
=================  ===========  =====================================================================================

Several values of one token, separated by commas, mean *or*; for ``date`` they mean *and*, as repeated parameters would.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from careplane.codecs.fhir.elements import date_of, patient_of, references
from careplane.codecs.fhir.types import ID_PATTERN
from careplane.errors import InputError
from careplane.records import JSON

Test = Callable[[JSON], bool]

_REFERENCES: dict[str, tuple[str, ...]] = {
    "encounter": ("encounter", "context"),
    "location": ("location", "participant"),
    "schedule": ("schedule",),
}
_TOKENS: dict[str, tuple[str, ...]] = {
    "category": ("category",),
    "class": ("class",),
    "clinical-status": ("clinicalStatus",),
    "code": ("code", "vaccineCode", "medicationCodeableConcept", "type"),
    "identifier": ("identifier",),
    "status": ("status",),
}
_DATES = ("date", "sent")
WITH_LOCATION = frozenset(
    {"Appointment", "Device", "Encounter", "HealthcareService", "Immunization", "PractitionerRole", "Procedure"}
)
"""Types whose ``location`` R4 makes a search parameter; on others it is an error, as an EHR may leave it unheeded."""

CHAIN = "encounter."
SUPPORTED = tuple(sorted(("_count", "_id", "_sort", "patient", "subject", *_REFERENCES, *_TOKENS, *_DATES)))
_DATE = re.compile(r"(ge|gt|le|lt|eq)?(\d{4}(?:-\d\d(?:-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?)?)?)")


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed search: the indexed parameters by name, the others as tests.

    ``needles`` are texts that every match holds literally, so that most of the data need not be parsed.
    """

    ident: str | None
    patient: str | None
    needles: tuple[str, ...]
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


def split_chain(query: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The parameters of the resources themselves, and those of the encounter that they must refer to."""
    own = {name: value for name, value in query.items() if not name.startswith(CHAIN)}
    chained = {name.removeprefix(CHAIN): value for name, value in query.items() if name.startswith(CHAIN)}
    return own, chained


def parse_query(kind: str, query: Mapping[str, str]) -> Query:
    """Read search parameters of a type, without those of a chain.

    Raises:
        InputError: a parameter that is not supported (names those that are), or a value that cannot be read.
    """
    supported = SUPPORTED if kind in WITH_LOCATION else tuple(name for name in SUPPORTED if name != "location")
    unknown = sorted(set(query) - set(supported))
    if unknown:
        listed = ", ".join((*supported, f"{CHAIN}<parameter>"))
        raise InputError(f"is not supported on loaded data of type {kind}; supported: {listed}", field=unknown[0])
    patient = query.get("patient", query.get("subject"))
    return Query(
        ident=query.get("_id"),
        patient=None if patient is None else patient.rpartition("/")[2],
        needles=tuple(_needles(query)),
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
    for name, elements in _REFERENCES.items():
        if name in query:
            yield _refers(elements, name.capitalize(), query[name].rpartition("/")[2])
    for name, elements in _TOKENS.items():
        if name in query:
            yield _token(elements, query[name].split(","))
    for name in _DATES:
        for bound in query[name].split(",") if name in query else ():
            yield _dated(bound)


def _needles(query: Mapping[str, str]) -> Iterator[str]:
    """The id or code of each parameter that names just one and needs no escape in JSON."""
    for name in (*_REFERENCES, *_TOKENS):
        value = query.get(name, "").rpartition("/")[2].rpartition("|")[2]
        if re.fullmatch(ID_PATTERN, value):
            yield value


def refers_to_any(encounters: Iterable[JSON]) -> Test:
    """Whether a resource refers to one of these encounters."""
    wanted = {f"Encounter/{encounter['id']}" for encounter in encounters}

    def test(resource: JSON) -> bool:
        targets = references({name: resource.get(name) for name in _REFERENCES["encounter"]})
        return any("/".join(target.partition("/_history/")[0].split("/")[-2:]) in wanted for target in targets)

    return test


def _about(ident: str) -> Test:
    return lambda resource: patient_of(resource) == f"Patient/{ident}"


def _refers(elements: Sequence[str], kind: str, ident: str) -> Test:
    end = f"{kind}/{ident}"

    def test(resource: JSON) -> bool:
        targets = references({name: resource.get(name) for name in elements})
        return any(target.partition("/_history/")[0].endswith(end) for target in targets)

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
