"""Prefetch templates (CDS Hooks 2.0, "Prefetch Template"): written from what an app declares, filled by a client.

A template is a FHIR read (``Patient/{{context.patientId}}``) or search. Tokens name root-level primitives of the
context or the user; the published subset of queries is kept where the app's own search allows it.
"""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote

from careplane.codecs.fhir import RESOURCE_TYPES
from careplane.errors import InputError
from careplane.records import Record
from careplane.records.app import ContextRule

USER_TOKENS = {
    "userPractitionerId": "Practitioner",
    "userPractitionerRoleId": "PractitionerRole",
    "userPatientId": "Patient",
    "userRelatedPersonId": "RelatedPerson",
}
PATIENT_KEY, PATIENT_TEMPLATE = "patient", "Patient/{{context.patientId}}"
USER_KEY, USER_TEMPLATE = "user", "{{context.userId}}"

_TOKEN = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_PLACES = {"patient": "{{context.patientId}}", "encounter": "{{context.encounterId}}"}
_PLACEHOLDER = re.compile(r"\{(patient|encounter|unit|focus)\}")
_ALONE = re.compile(r"_id=\{(patient|encounter)\}")
_NOT_SELECTING = frozenset({"_count", "_total", "_format"})


class Query(Record, frozen=True):
    """A filled template: a read (``ident``) or a search (``params`` that select or order, sorted by name)."""

    resource: str
    ident: str | None = None
    params: tuple[tuple[str, str], ...] = ()


def rule_template(rule: ContextRule) -> str | None:
    """The template of a context rule; ``None`` where it needs what no hook has in its context (a unit, a focus)."""
    needed = set(_PLACEHOLDER.findall(rule.search))
    if needed - set(_PLACES):
        return None
    if alone := _ALONE.fullmatch(rule.search):
        return f"{rule.resource}/{_PLACES[alone[1]]}"
    query = _PLACEHOLDER.sub(lambda match: _PLACES[match[1]], rule.search)
    count = "" if "_count=" in query else f"&_count={rule.limit}"
    return f"{rule.resource}?{query}{count}"


def fill(template: str, context: Mapping[str, str], user: str | None = None) -> str | None:
    """The relative URL of a template; ``None`` if a token has no value here, or is none that the specification knows.

    Args:
        template: as discovery gave it.
        context: the primitives of the hook's context by name.
        user: ``Type/id`` of the user.
    """
    missing = False

    def value(match: re.Match[str]) -> str:
        nonlocal missing
        found = _token(match[1], context, user)
        missing = missing or found is None
        # A whole reference ({{context.userId}}) keeps its slash; everything else is escaped into its place.
        return quote(found or "", safe="/")

    filled = _TOKEN.sub(value, template)
    return None if missing else filled


def _token(name: str, context: Mapping[str, str], user: str | None) -> str | None:
    if name.startswith("context."):
        return context.get(name.removeprefix("context."))
    kind = USER_TOKENS.get(name)
    if kind is None or user is None:
        return None
    given, _, ident = user.rpartition("/")
    return ident if given == kind else None


def read_query(url: str) -> Query:
    """What a filled template asks for; two that select the same resources are equal.

    Raises:
        InputError: it is neither a read nor a search of a FHIR R4 type.
    """
    path, question, query = url.partition("?")
    kind, slash, ident = path.partition("/")
    if kind not in RESOURCE_TYPES or "/" in ident or (slash and not ident) or (bool(slash) == bool(question)):
        raise InputError("must be Type/id or Type?search", field="prefetch")
    if slash:
        return Query(resource=kind, ident=ident)
    return search_query(kind, dict(parse_qsl(query, keep_blank_values=True)))


def search_query(resource: str, query: Mapping[str, str]) -> Query:
    """The same for a search given as parameters; a search for one ``_id`` alone is a read."""
    params = tuple(sorted((name, value) for name, value in query.items() if name not in _NOT_SELECTING))
    if len(params) == 1 and params[0][0] == "_id" and "," not in params[0][1]:
        return Query(resource=resource, ident=params[0][1])
    return Query(resource=resource, params=params)


def beyond_subset(template: str) -> tuple[str, ...]:
    """What of a template is outside the query subset that clients are sure to support: chained parameters, reverse
    chains, includes, and modifiers other than ``:in``."""
    _, _, query = template.partition("?")
    names = [name for name, _ in parse_qsl(query, keep_blank_values=True)]
    return tuple(name for name in names if not _plain(name))


def _plain(name: str) -> bool:
    if name in ("_count", "_sort", "_id"):
        return True
    base, _, modifier = name.partition(":")
    return not base.startswith("_") and "." not in name and modifier in ("", "in")
