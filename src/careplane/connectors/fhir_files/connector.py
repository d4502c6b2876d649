"""Read and search over the lake: one DuckDB connection, and the resources of the last patients kept in memory."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from careplane.codecs.fhir import RESOURCE_TYPES, reference
from careplane.codecs.fhir.search import Query, parse_query, refers_to_any, split_chain
from careplane.connectors.fhir_files.outbox import Outbox
from careplane.connectors.fhir_files.parts import Parts
from careplane.errors import InputError, Refused
from careplane.records import JSON

_PATIENTS_KEPT = 64
_WAY_OUT = "Set fhir_base_url to write to an EHR."


class FilesConnector:
    """A :class:`careplane.connectors.FhirConnector` over the loaded data of one home."""

    def __init__(self, home: Path) -> None:
        self._parts = Parts(home)
        self._outbox = Outbox(home)
        self._cache: OrderedDict[tuple[str, str], list[JSON]] = OrderedDict()
        self._generation = -1

    async def read(self, reference: str) -> JSON | None:
        """The resource at ``Type/id`` (a trailing ``/_history/...`` is ignored), or ``None``."""
        kind, ident = split_reference(reference)
        return self._outbox.read(f"{kind}/{ident}") or self._parts.by_id(kind, ident)

    async def search(self, resource: str, query: Mapping[str, str], limit: int = 100) -> Sequence[JSON]:
        """The resources of a type that match all parameters, of those in :mod:`careplane.codecs.fhir.search`.

        Raises:
            InputError: an unknown type or parameter; names those supported.
        """
        _check_type(resource)
        own, chained = split_chain(query)
        parsed = parse_query(resource, own)
        if chained:
            stays = self._found("Encounter", parse_query("Encounter", chained))
            parsed = replace(parsed, tests=(*parsed.tests, refers_to_any(stays)))
        return self._found(resource, parsed, limit)

    async def create(self, resource: JSON, if_none_exist: str | None = None) -> str:
        """Append a resource to the outbox under a new id; ``if_none_exist`` finds an earlier one again."""
        _check_type(str(resource.get("resourceType")))
        return self._outbox.create(resource, if_none_exist)

    async def update(self, resource: JSON, if_match: str | None = None) -> str:
        """Append a resource to the outbox at its own ``Type/id``, with the next ``meta.versionId``.

        Raises:
            Conflict: ``if_match`` is not the version that is there.
        """
        kind, ident = split_reference(reference(resource))
        return self._outbox.update(resource, partial(self._parts.by_id, kind, ident), if_match)

    async def update_where(self, resource: JSON, query: str) -> str:
        """Refused: loaded data has no EHR that would decide what a search finds."""
        raise Refused(["Loaded data takes no conditional update."], _WAY_OUT)

    async def transact(self, bundle: JSON) -> JSON:
        """Refused: the outbox holds one resource a line."""
        raise Refused(["Loaded data takes no transaction."], _WAY_OUT)

    async def aclose(self) -> None:
        """Close the connection to the lake."""
        self._parts.close()

    def _found(self, kind: str, query: Query, limit: int | None = None) -> list[JSON]:
        found = [item for item in self._candidates(kind, query, limit) if query.matches(item)]
        bounds = [bound for bound in (limit, query.count) if bound is not None]
        return query.arrange(found)[: min(bounds, default=None)]

    def _candidates(self, kind: str, query: Query, limit: int | None) -> list[JSON]:
        """Loaded resources that the indexed parameters leave, with those of the outbox put over them."""
        if query.ident is not None:
            one = self._parts.by_id(kind, query.ident)
            loaded = [one] if one else []
        elif query.patient is not None:
            loaded = self._of_patient(kind, query.patient)
        else:
            plain = not query.tests and query.newest_first is None
            loaded = self._parts.holding(kind, query.needles, limit if plain else None)
        written = self._outbox.of_type(kind)
        if not written:
            return loaded
        merged = {reference(item): item for item in loaded} | {reference(item): item for item in written}
        return list(merged.values())

    def _of_patient(self, kind: str, patient: str) -> list[JSON]:
        generation = self._parts.generation()
        if generation != self._generation:
            self._cache.clear()
            self._generation = generation
        key = (kind, patient)
        if key not in self._cache:
            self._cache[key] = self._parts.of_patient(kind, patient)
            if len(self._cache) > _PATIENTS_KEPT * 8:
                self._cache.popitem(last=False)
        self._cache.move_to_end(key)
        return self._cache[key]


def split_reference(target: str) -> tuple[str, str]:
    """``("Type", "id")`` of a literal reference.

    Raises:
        InputError: it is not of that form, or the type is not one of FHIR R4.
    """
    kind, _, rest = target.partition("/")
    ident = rest.partition("/_history")[0]
    if not ident or "/" in ident:
        raise InputError("a reference must look like Type/id", field=target)
    _check_type(kind)
    return kind, ident


def _check_type(kind: str) -> None:
    if kind not in RESOURCE_TYPES:
        raise InputError("is not a FHIR R4 resource type", field=kind)
