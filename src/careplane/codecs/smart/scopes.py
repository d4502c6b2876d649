"""SMART scopes: v2 ``(patient|user|system)/Type.cruds?param=value``, v1 ``.read``/``.write``/``.*``, and the others.

Source: SMART App Launch 2.2, "Scopes for requesting FHIR Resources" and "SMART's scopes are used to delegate access".
"""

from collections.abc import Iterable
from typing import Literal, get_args
from urllib.parse import parse_qsl, quote

from careplane.codecs.fhir import RESOURCE_TYPES
from careplane.errors import InputError
from careplane.records import Record

Level = Literal["patient", "user", "system"]

MAX_SCOPE_CHARACTERS = 8192
MAX_SCOPES = 400
_INTERACTIONS = "cruds"
_V1 = {"read": "rs", "write": "cud", "*": "cruds"}


class ResourceScope(Record, frozen=True, order=True):
    """Access to one resource type. ``interactions`` are of ``cruds`` in that order (create, read, update, delete,
    search); ``params`` are the search parameters that a resource must meet; ``type`` may be ``*``."""

    level: Level
    type: str
    interactions: str
    params: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        query = "&".join(f"{quote(name, safe=':')}={quote(value, safe='|:/,.')}" for name, value in self.params)
        return f"{self.level}/{self.type}.{self.interactions}{f'?{query}' if query else ''}"

    def implies(self, other: "ResourceScope") -> bool:
        """Whether whoever holds this scope may do all that the other one allows.

        A scope with parameters reaches only resources that meet them, so it implies scopes at least as narrow; the
        levels stand beside each other, as the specification orders none of them.
        """
        return (
            self.level == other.level
            and self.type in ("*", other.type)
            and set(other.interactions) <= set(self.interactions)
            and set(self.params) <= set(other.params)
        )


class Scopes(Record, frozen=True):
    """What a scope text holds: access to resources, and every other word (``openid``, ``launch``, ...)."""

    resources: tuple[ResourceScope, ...] = ()
    others: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join((*self.others, *map(str, self.resources)))

    def implies(self, other: "Scopes") -> bool:
        """Whether everything in the other set is allowed by this one."""
        return set(other.others) <= set(self.others) and all(self.allows(one) for one in other.resources)

    def allows(self, wanted: ResourceScope) -> bool:
        """Whether the scopes together allow each interaction of the wanted one."""
        return all(
            any(held.implies(_only(wanted, letter)) for held in self.resources) for letter in wanted.interactions
        )

    def without_excess(self, wanted: "Scopes") -> "Scopes":
        """Of the wanted scopes those that this set allows; interactions that it does not allow are left out."""
        kept = []
        for one in wanted.resources:
            letters = "".join(letter for letter in one.interactions if self.allows(_only(one, letter)))
            if letters:
                kept.append(ResourceScope(level=one.level, type=one.type, interactions=letters, params=one.params))
        return Scopes(resources=tuple(kept), others=tuple(word for word in wanted.others if word in self.others))


def read_scope(text: str) -> ResourceScope | None:
    """One scope of FHIR access; ``None`` for a word that is none (``openid``, ``launch/patient``).

    Raises:
        InputError: it begins as FHIR access and is not: an unknown type, no interaction, letters out of their order.
    """
    level, slash, rest = text.partition("/")
    if not slash or level not in get_args(Level):
        return None
    target, question, query = rest.partition("?")
    kind, dot, verbs = target.partition(".")
    if kind != "*" and kind not in RESOURCE_TYPES:
        raise InputError("names no FHIR R4 resource type", field=f"scope {_shown(text)}")
    if not dot:
        raise InputError("names no interaction, such as .rs", field=f"scope {_shown(text)}")
    params = _params(query, text) if question else ()
    return ResourceScope(level=level, type=kind, interactions=_letters(verbs, text), params=params)  # type: ignore[arg-type] # checked above


def read_scopes(text: str) -> Scopes:
    """The scopes of a text, separated by spaces (RFC 6749 section 3.3); repeats are dropped.

    Raises:
        InputError: it is too long, or a part of it is no scope.
    """
    words = text.split()
    if len(text) > MAX_SCOPE_CHARACTERS or len(words) > MAX_SCOPES:
        raise InputError(f"is longer than {MAX_SCOPE_CHARACTERS} characters or {MAX_SCOPES} scopes", field="scope")
    resources: dict[ResourceScope, None] = {}
    others: dict[str, None] = {}
    for word in words:
        found = read_scope(word)
        if found is None:
            others[word] = None
        else:
            resources[found] = None
    return Scopes(resources=tuple(resources), others=tuple(others))


def joined(scopes: Iterable[ResourceScope]) -> tuple[ResourceScope, ...]:
    """The same access in as few scopes as possible: letters of the same target joined, what another implies dropped."""
    letters: dict[tuple[Level, str, tuple[tuple[str, str], ...]], set[str]] = {}
    for one in scopes:
        letters.setdefault((one.level, one.type, one.params), set()).update(one.interactions)
    together = [
        ResourceScope(level=level, type=kind, interactions=_in_order(found), params=params)
        for (level, kind, params), found in letters.items()
    ]
    needed = [one for one in together if not any(other != one and other.implies(one) for other in together)]
    return tuple(sorted(needed))


def _only(scope: ResourceScope, letter: str) -> ResourceScope:
    return ResourceScope(level=scope.level, type=scope.type, interactions=letter, params=scope.params)


def _in_order(letters: Iterable[str]) -> str:
    held = set(letters)
    return "".join(letter for letter in _INTERACTIONS if letter in held)


def _letters(verbs: str, text: str) -> str:
    """v2 letters, which must keep the order of ``cruds``; or a v1 word."""
    if verbs in _V1:
        return _V1[verbs]
    if not verbs or _in_order(verbs) != verbs:
        raise InputError("must name interactions out of 'cruds' in that order", field=f"scope {_shown(text)}")
    return verbs


def _params(query: str, text: str) -> tuple[tuple[str, str], ...]:
    try:
        if not query:
            raise ValueError(query)
        pairs = parse_qsl(query, keep_blank_values=False, strict_parsing=True, max_num_fields=20)
    except ValueError as error:
        raise InputError("must end in search parameters: ?name=value", field=f"scope {_shown(text)}") from error
    return tuple(sorted(pairs))


def _shown(text: str) -> str:
    return repr(text[:80])
