"""The functions that a view's paths may call: name, how many arguments, and the function in Python.

Source: SQL on FHIR v2, ViewDefinition, "Supported FHIRPath functionality"; HL7 FHIRPath N1, section "Functions".
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from careplane.codecs.views.boundaries import boundary
from careplane.codecs.views.operators import Path, distinct, truth
from careplane.codecs.views.values import Item, plain


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a function is given: paths, names of types, and the type of what it is called on where that is known."""

    paths: Sequence[Path]
    types: Sequence[str]
    kind: str = ""


Make = Callable[[Path, Arguments], Path]
_REFERENCE = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/([A-Za-z0-9.\-]{1,64})(?:/_history/[^/]+)?$")


def _where(on: Path, given: Arguments) -> Path:
    (test,) = given.paths

    def kept(items: list[Item], scope: Any) -> list[Item]:
        return [item for item in on(items, scope) if truth(test([item], scope)) is True]

    return kept


def _exists(on: Path, given: Arguments) -> Path:
    chosen = _where(on, given) if given.paths else on
    return lambda items, scope: [bool(chosen(items, scope))]


def _empty(on: Path, _given: Arguments) -> Path:
    return lambda items, scope: [not on(items, scope)]


def _first(on: Path, _given: Arguments) -> Path:
    return lambda items, scope: on(items, scope)[:1]


def _last(on: Path, _given: Arguments) -> Path:
    return lambda items, scope: on(items, scope)[-1:]


def _count(on: Path, _given: Arguments) -> Path:
    return lambda items, scope: [len(on(items, scope))]


def _distinct(on: Path, _given: Arguments) -> Path:
    return lambda items, scope: distinct(on(items, scope))


def _not(on: Path, _given: Arguments) -> Path:
    def turned(items: list[Item], scope: Any) -> list[Item]:
        found = truth(on(items, scope))
        return [] if found is None else [not found]

    return turned


def _all(on: Path, given: Arguments) -> Path:
    (test,) = given.paths

    def judged(items: list[Item], scope: Any) -> list[Item]:
        return [all(truth(test([item], scope)) is True for item in on(items, scope))]

    return judged


def _select(on: Path, given: Arguments) -> Path:
    (what,) = given.paths

    def chosen(items: list[Item], scope: Any) -> list[Item]:
        return [one for item in on(items, scope) for one in what([item], scope)]

    return chosen


def _iif(on: Path, given: Arguments) -> Path:
    test, then, *other = given.paths

    def chosen(items: list[Item], scope: Any) -> list[Item]:
        start = on(items, scope)
        if truth(test(start, scope)) is True:
            return then(start, scope)
        return other[0](start, scope) if other else []

    return chosen


def _join(on: Path, given: Arguments) -> Path:
    def joined(items: list[Item], scope: Any) -> list[Item]:
        between = _text(given.paths[0](items, scope), "join") if given.paths else ""
        parts = [plain(one) for one in on(items, scope)]
        if not all(isinstance(part, str) for part in parts):
            raise ValueError("join() takes texts")
        return [between.join(parts)]

    return joined


def _text(found: list[Item], name: str) -> str:
    if len(found) != 1 or not isinstance(plain(found[0]), str):
        raise ValueError(f"{name}() takes one text")
    return str(plain(found[0]))


def _extension(on: Path, given: Arguments) -> Path:
    (url,) = given.paths

    def found(items: list[Item], scope: Any) -> list[Item]:
        wanted = [plain(one) for one in url(items, scope)]
        holders = [plain(item) for item in on(items, scope)]
        lists = [holder.get("extension") or [] for holder in holders if isinstance(holder, dict)]
        return [one for extensions in lists for one in extensions if one.get("url") in wanted]

    return found


def _bound(*, high: bool) -> Make:
    def make(on: Path, given: Arguments) -> Path:
        def bounded(items: list[Item], scope: Any) -> list[Item]:
            precision = plain(given.paths[0](items, scope)[0]) if given.paths else None
            found = on(items, scope)
            if len(found) > 1:
                raise ValueError(f"{'highBoundary' if high else 'lowBoundary'}() takes one value")
            kinds = [getattr(one, "kind", "") or given.kind for one in found]
            edges = [
                boundary(plain(one), kind, high=high, precision=precision)
                for one, kind in zip(found, kinds, strict=True)
            ]
            return [edge for edge in edges if edge is not None]

        return bounded

    return make


def _resource_key(on: Path, _given: Arguments) -> Path:
    def keys(items: list[Item], scope: Any) -> list[Item]:
        found = (plain(item) for item in on(items, scope))
        return [one["id"] for one in found if isinstance(one, dict) and isinstance(one.get("id"), str)]

    return keys


def _reference_key(on: Path, given: Arguments) -> Path:
    wanted = given.types[0] if given.types else None

    def keys(items: list[Item], scope: Any) -> list[Item]:
        found = (_referenced(plain(item), wanted) for item in on(items, scope))
        return [key for key in found if key is not None]

    return keys


def _referenced(reference: Any, wanted: str | None) -> str | None:
    target = reference.get("reference") if isinstance(reference, dict) else None
    found = _REFERENCE.search(target) if isinstance(target, str) else None
    return found[2] if found and wanted in (None, found[1]) else None


FUNCTIONS: dict[str, tuple[int, int, Make]] = {
    "where": (1, 1, _where),
    "exists": (0, 1, _exists),
    "empty": (0, 0, _empty),
    "first": (0, 0, _first),
    "last": (0, 0, _last),
    "count": (0, 0, _count),
    "distinct": (0, 0, _distinct),
    "not": (0, 0, _not),
    "all": (1, 1, _all),
    "select": (1, 1, _select),
    "iif": (2, 3, _iif),
    "join": (0, 1, _join),
    "extension": (1, 1, _extension),
    "lowBoundary": (0, 1, _bound(high=False)),
    "highBoundary": (0, 1, _bound(high=True)),
    "getResourceKey": (0, 0, _resource_key),
    "getReferenceKey": (0, 1, _reference_key),
}
"""By name: the least and the most arguments, and what makes the path."""
