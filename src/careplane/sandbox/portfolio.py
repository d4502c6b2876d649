"""What leadership has on its table when the data set ends: goals, register, decisions, panels, requests."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec

from careplane.records import JSON, Record
from careplane.records.people import PanelMember, PanelSession, Person, Request
from careplane.records.portfolio import DecisionItem, Goal, RegisterItem
from careplane.sandbox.content import read
from careplane.sandbox.scenario import Scenario
from careplane.sandbox.staffing import Organisation

_MOMENT = re.compile(r"@(-?\d+)(?: (\d\d:\d\d))?")
_PERSON = re.compile(r"\{(\S+) (\S+)\}")


class Panels(Record, frozen=True):
    """``portfolio/panels.json``: who sits on the panels, and their sessions."""

    members: tuple[PanelMember, ...]
    sessions: tuple[PanelSession, ...]


def portfolio(scenario: Scenario, organisation: Organisation) -> dict[str, Any]:
    """The files of ``portfolio/`` by name, each a record or a tuple of records, checked against their types."""

    def rows(name: str) -> Any:
        return _resolved(read("portfolio")[name], lambda text: _text(text, scenario, organisation))

    return {
        "goals": msgspec.convert(rows("goals"), tuple[Goal, ...]),
        "register": msgspec.convert([{**row, "synthetic": True} for row in rows("register")], tuple[RegisterItem, ...]),
        "decisions": msgspec.convert(rows("decisions"), tuple[DecisionItem, ...]),
        "panels": msgspec.convert(
            {"members": [_member(row, organisation) for row in rows("members")], "sessions": rows("sessions")}, Panels
        ),
        "requests": msgspec.convert(rows("requests"), tuple[Request, ...]),
    }


def _resolved(value: Any, text: Callable[[str], str]) -> Any:
    """The same value with every string passed through ``text``."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, list):
        return [_resolved(each, text) for each in value]
    if isinstance(value, dict):
        return {key: _resolved(each, text) for key, each in value.items()}
    return value


def _text(text: str, scenario: Scenario, organisation: Organisation) -> str:
    """A relative date or moment, or a member of staff; any other text stays as it is."""
    if moment := _MOMENT.fullmatch(text):
        day = scenario.pilot_end - timedelta(days=1) + timedelta(days=int(moment[1]))
        return f"{day.isoformat()}T{moment[2]}:00Z" if moment[2] else day.isoformat()
    if person := _PERSON.fullmatch(text):
        return _person(organisation, f"Location/{person[1]}", person[2]).id
    return text


def _person(organisation: Organisation, unit: str, job: str) -> Person:
    return organisation.people(unit, job)[0]


def _member(row: JSON, organisation: Organisation) -> JSON:
    departments = {member.person.id: member.person.department for member in organisation.staff}
    return {"department": departments.get(row["person"], ""), **row}
