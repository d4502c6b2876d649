"""What a capability of the connectors' shelf promises, whatever the item: one set of behaviours for each.

A family is a set of capabilities that belong to one type of :mod:`careplane.connectors`: an item that has one of them
has the others too, or a gap with reason and error in ``gaps.toml``.
"""

from collections.abc import Mapping
from itertools import count
from typing import Protocol

import pytest

from careplane.connectors import CostReader, FhirBundles, FhirConnector
from careplane.errors import Conflict
from careplane.records import JSON

from .rigs import Behaviour, Peer

_number = count(1)

FAMILIES: tuple[frozenset[str], ...] = (
    frozenset(
        {
            *("read", "search", "paging", "create", "conditional_create"),
            *("update", "etag", "conditional_update", "transaction"),
        }
    ),
)


class FullEndpoint(FhirConnector, FhirBundles, Protocol):
    """An EHR's endpoint with all that FHIR's family holds."""


def _patient(tag: str) -> JSON:
    """A synthetic patient with an identifier of this test's own."""
    identifier = [{"system": "urn:careplane:contract", "value": tag}]
    return {"resourceType": "Patient", "identifier": identifier, "active": True}


def _tag() -> str:
    return f"t{next(_number)}"


async def it_reads_what_is_there_and_nothing_else(ehr: FhirConnector, _peer: Peer) -> None:
    target = await ehr.create(_patient(tag := _tag()))
    held = await ehr.read(target)
    assert held is not None
    assert (held["resourceType"], f"Patient/{held['id']}") == ("Patient", target)
    assert held["identifier"][0]["value"] == tag
    assert await ehr.read("Patient/there-is-none") is None


async def it_finds_by_every_parameter(ehr: FhirConnector, _peer: Peer) -> None:
    target = await ehr.create(_patient(tag := _tag()))
    await ehr.create(_patient(_tag()))
    found = await ehr.search("Patient", {"identifier": f"urn:careplane:contract|{tag}"})
    assert [f"Patient/{item['id']}" for item in found] == [target]
    assert await ehr.search("Patient", {"identifier": "urn:careplane:contract|nobody"}) == []


async def it_follows_pages_up_to_the_limit(ehr: FhirConnector, _peer: Peer) -> None:
    tags = [_tag() for _ in range(7)]
    for tag in tags:
        await ehr.create(_patient(tag))
    query = {"identifier": ",".join(f"urn:careplane:contract|{tag}" for tag in tags)}
    every = await ehr.search("Patient", query, limit=100)
    assert sorted(item["identifier"][0]["value"] for item in every) == sorted(tags)
    assert len(await ehr.search("Patient", query, limit=3)) == 3


async def each_create_is_a_resource_of_its_own(ehr: FhirConnector, _peer: Peer) -> None:
    resource = _patient(_tag())
    assert await ehr.create(resource) != await ehr.create(resource)


async def a_conditional_create_happens_once(ehr: FhirConnector, _peer: Peer) -> None:
    resource, condition = _patient(tag := _tag()), f"identifier=urn:careplane:contract|{tag}"
    first = await ehr.create(resource, if_none_exist=condition)
    assert await ehr.create(resource, if_none_exist=condition) == first


async def an_update_is_seen_at_its_own_place(ehr: FhirConnector, _peer: Peer) -> None:
    target = await ehr.create(_patient(_tag()))
    held = await ehr.read(target)
    assert held is not None
    assert await ehr.update({**held, "active": False}) == target
    changed = await ehr.read(target)
    assert changed is not None
    assert changed["active"] is False


async def an_update_of_another_version_is_a_conflict(ehr: FhirConnector, _peer: Peer) -> None:
    target = await ehr.create(_patient(_tag()))
    held = await ehr.read(target)
    assert held is not None
    version = held["meta"]["versionId"]
    await ehr.update({**held, "active": False}, if_match=version)
    with pytest.raises(Conflict, match="version"):
        await ehr.update({**held, "active": True}, if_match=version)
    changed = await ehr.read(target)
    assert changed is not None
    assert changed["active"] is False
    assert changed["meta"]["versionId"] != version


async def a_conditional_update_makes_or_changes_one(ehr: FullEndpoint, _peer: Peer) -> None:
    resource, condition = _patient(tag := _tag()), f"identifier=urn:careplane:contract|{tag}"
    target = await ehr.update_where(resource, condition)
    assert await ehr.update_where({**resource, "active": False}, condition) == target
    found = await ehr.search("Patient", {"identifier": f"urn:careplane:contract|{tag}"})
    assert [item["active"] for item in found] == [False]


async def a_transaction_is_whole_or_nothing(ehr: FullEndpoint, _peer: Peer) -> None:
    tag, other = _tag(), _tag()
    good = {"resource": _patient(tag), "request": {"method": "POST", "url": "Patient"}}
    answer = await ehr.transact({"resourceType": "Bundle", "type": "transaction", "entry": [good]})
    assert [entry["response"]["status"][:3] for entry in answer["entry"]] == ["201"]
    assert len(await ehr.search("Patient", {"identifier": f"urn:careplane:contract|{tag}"})) == 1
    clash = {
        "resource": {**_patient(other), "id": "never"},
        "request": {"method": "PUT", "url": "Patient/never", "ifMatch": 'W/"99"'},
    }
    fresh = {"resource": _patient(other), "request": {"method": "POST", "url": "Patient"}}
    with pytest.raises(Conflict):
        await ehr.transact({"resourceType": "Bundle", "type": "transaction", "entry": [fresh, clash]})
    assert await ehr.search("Patient", {"identifier": f"urn:careplane:contract|{other}"}) == []


async def every_cost_line_says_where_it_was_read(costs: CostReader, _peer: Peer) -> None:
    lines = costs.read_costs()
    assert lines
    assert all(line.source and line.on and line.item for line in lines)
    assert len({line.id for line in lines}) == len(lines)
    assert costs.read_costs() == lines


SHARED: Mapping[str, tuple[Behaviour, ...]] = {
    "read": (it_reads_what_is_there_and_nothing_else,),
    "search": (it_finds_by_every_parameter,),
    "paging": (it_follows_pages_up_to_the_limit,),
    "create": (each_create_is_a_resource_of_its_own,),
    "conditional_create": (a_conditional_create_happens_once,),
    "update": (an_update_is_seen_at_its_own_place,),
    "etag": (an_update_of_another_version_is_a_conflict,),
    "conditional_update": (a_conditional_update_makes_or_changes_one,),
    "transaction": (a_transaction_is_whole_or_nothing,),
    "cost_lines": (every_cost_line_says_where_it_was_read,),
}
"""Capability to what every item with it does."""
