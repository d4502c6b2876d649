"""Cards (CDS Hooks 2.0, "CDS Service Response"), written by a service and read by a client under the same rules.

A field without a value is absent: never ``null``, never an empty list, but for ``cards`` itself.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from careplane.codecs.cdshooks.reading import convert
from careplane.codecs.fhir import RESOURCE_TYPES
from careplane.codecs.fhir.types import ID_PATTERN
from careplane.errors import InputError
from careplane.records import JSON, Record

LONGEST_SUMMARY = 139
"""The summary has fewer than 140 characters."""

Text = Annotated[str, Meta(min_length=1, pattern=r"\S")]
Indicator = Literal["info", "warning", "critical"]
SelectionBehavior = Literal["at-most-one", "any"]
ActionSelection = Literal["any", "all", "all-or-none", "exactly-one", "at-most-one", "one-or-more"]

_ABSOLUTE = re.compile(r"https?://[^\s/]+\S*")
_RELATIVE = re.compile(rf"([A-Z][A-Za-z]+)/{ID_PATTERN}")


class _Part(Record, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=False):
    extension: dict[str, Any] | None = None


class Coding(_Part, frozen=True, kw_only=True):
    """A code; ``display`` is what a person reads."""

    code: Text
    system: str | None = None
    display: str | None = None


class CardSource(_Part, frozen=True, kw_only=True):
    """Where the guidance of a card comes from."""

    label: Text
    url: str | None = None
    icon: str | None = None
    topic: Coding | None = None


class Action(_Part, frozen=True, kw_only=True):
    """A change that the client may make: ``create`` and ``update`` carry the whole resource, ``delete`` its id."""

    type: Literal["create", "update", "delete"]
    description: Text
    resource: dict[str, Any] | None = None
    resource_id: str | None = None


class Suggestion(_Part, frozen=True, kw_only=True):
    """A set of actions that are taken together. ``action_selection_behavior`` is of the 3.0 ballot."""

    label: Text
    uuid: str | None = None
    is_recommended: bool | None = None
    actions: tuple[Action, ...] | None = None
    action_selection_behavior: ActionSelection | None = None


class Link(_Part, frozen=True, kw_only=True):
    """A link to open. ``app_context`` is for SMART links alone; ``autolaunchable`` asks to be opened at once."""

    label: Text
    url: Text
    type: Literal["absolute", "smart"]
    app_context: str | None = None
    autolaunchable: bool | None = None


class Card(_Part, frozen=True, kw_only=True):
    """One card. ``uuid`` is what feedback names."""

    summary: Annotated[str, Meta(min_length=1, max_length=LONGEST_SUMMARY, pattern=r"\S")]
    indicator: Indicator
    source: CardSource
    uuid: str | None = None
    detail: str | None = None
    suggestions: tuple[Suggestion, ...] | None = None
    selection_behavior: SelectionBehavior | None = None
    override_reasons: tuple[Coding, ...] | None = None
    links: tuple[Link, ...] | None = None


class Reply(_Part, frozen=True, kw_only=True):
    """What a service answers; ``cards`` is always there."""

    cards: tuple[Card, ...]
    system_actions: tuple[Action, ...] | None = None


def write_reply(reply: Reply) -> JSON:
    """The body of an answer.

    Raises:
        InputError: a card breaks a rule of the specification, which is a mistake of ours.
    """
    written: JSON = msgspec.json.decode(msgspec.json.encode(reply))
    read_reply(written)
    return written


def read_reply(given: object) -> Reply:
    """An answer, every rule checked.

    Raises:
        InputError: it breaks one; ``field`` says where.
    """
    if found := next(_empty(given, ""), None):
        raise InputError("must be left out rather than null or empty", field=found)
    reply = convert(given, Reply)
    for number, card in enumerate(reply.cards):
        _check_card(card, f"cards[{number}]")
    _check_actions(reply.system_actions, "systemActions")
    return reply


def _empty(node: object, where: str) -> Iterator[str]:
    """Places that hold null or an empty list or object, other than ``cards`` and what is inside a resource."""
    if isinstance(node, dict):
        for name, value in node.items():
            path = f"{where}.{name}" if where else str(name)
            if value in (None, {}) or (value == [] and path != "cards"):
                yield path
            elif name not in ("resource", "extension"):
                yield from _empty(value, path)
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from _empty(value, f"{where}[{number}]")


def _check_card(card: Card, where: str) -> None:
    if (card.suggestions is None) != (card.selection_behavior is None):
        raise InputError("comes with suggestions, and only with them", field=f"{where}.selectionBehavior")
    for number, suggestion in enumerate(card.suggestions or ()):
        _check_actions(suggestion.actions, f"{where}.suggestions[{number}].actions")
    for number, reason in enumerate(card.override_reasons or ()):
        if not (reason.display or "").strip():
            raise InputError("must have a display", field=f"{where}.overrideReasons[{number}]")
    for number, link in enumerate(card.links or ()):
        place = f"{where}.links[{number}]"
        if not _ABSOLUTE.fullmatch(link.url):
            raise InputError("must be an absolute URL", field=f"{place}.url")
        if link.app_context is not None and link.type != "smart":
            raise InputError("is for links of type smart", field=f"{place}.appContext")
    for name, url in (("url", card.source.url), ("icon", card.source.icon)):
        if url is not None and not _ABSOLUTE.fullmatch(url):
            raise InputError("must be an absolute URL", field=f"{where}.source.{name}")


def _check_actions(actions: tuple[Action, ...] | None, where: str) -> None:
    for number, action in enumerate(actions or ()):
        place = f"{where}[{number}]"
        if action.type == "delete":
            match = _RELATIVE.fullmatch(action.resource_id or "")
            if match is None or match[1] not in RESOURCE_TYPES:
                raise InputError("must be the Type/id that is deleted", field=f"{place}.resourceId")
        elif (action.resource or {}).get("resourceType") not in RESOURCE_TYPES:
            raise InputError("must be the whole resource", field=f"{place}.resource")
        elif action.type == "update" and not (action.resource or {}).get("id"):
            raise InputError("must have the id of what is updated", field=f"{place}.resource")


class Acceptance(Record, frozen=True, forbid_unknown_fields=False):
    """A suggestion that the user took: ``id`` is its ``uuid``."""

    id: Text
