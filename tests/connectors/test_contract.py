"""What every connector of the shelf promises. An item needs its folder only: ``tests/rig.py`` in it.

How to add one, and what a rig is: ``docs/how-to/write-a-connector.md``.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from careplane import _shelf, errors
from careplane.errors import CareplaneError, InputError

from .behaviours import FAMILIES, SHARED
from .rigs import (
    ITEMS,
    Behaviour,
    Gap,
    Peer,
    capabilities,
    close,
    free_port,
    gaps,
    listening,
    own_behaviours,
    rig,
    using,
)

WORDS = "Smithson-Ottoline-1931"
"""Stands for what identifies a patient; it is in no error."""

SILENCE_SECONDS = 8.0
"""Within this a connector with time-outs below a second gives up, its repeats included."""

GAPS = {(gap.item, gap.capability): gap for gap in gaps()}


@pytest.fixture(scope="session")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Peer]]:
    """The peer of an item, started when it is first asked for."""
    started: dict[str, Peer] = {}
    with ExitStack() as stack:

        def of(item: str) -> Peer:
            if item not in started:
                started[item] = stack.enter_context(rig(item).peer(tmp_path_factory.mktemp(item)))
            return started[item]

        yield of


def _behaviours() -> Iterator[Any]:
    """Item, capability and behaviour: of what is declared, and of what is a gap."""
    for item in ITEMS:
        gapped = {capability for owner, capability in GAPS if owner == item}
        for capability in sorted(capabilities(item) | gapped):
            for behaviour in (*SHARED.get(capability, ()), *own_behaviours(item).get(capability, ())):
                yield pytest.param(item, capability, behaviour, id=f"{item}-{capability}-{behaviour.__name__}")


each = pytest.mark.parametrize("item", ITEMS)


@pytest.mark.parametrize(("item", "capability", "behaviour"), list(_behaviours()))
def test_a_capability_does_what_it_promises(
    item: str, capability: str, behaviour: Behaviour, peers: Callable[[str], Peer]
) -> None:
    peer = peers(item)
    gap = GAPS.get((item, capability))
    if gap is None:
        using(item, peer.settings, lambda connector: behaviour(connector, peer))
        return
    with pytest.raises(getattr(errors, gap.exception)):  # it starts to pass: take the row out of gaps.toml
        using(item, peer.settings, lambda connector: behaviour(connector, peer))


@each
def test_every_capability_is_promised_by_a_behaviour(item: str) -> None:
    declared = capabilities(item)
    assert isinstance(declared, frozenset)
    assert declared
    unpromised = {name for name in declared if not SHARED.get(name) and not own_behaviours(item).get(name)}
    assert unpromised == set(), "no behaviour in behaviours.py nor in the item's rig"
    assert set(own_behaviours(item)) <= declared, "a behaviour of a capability that is not declared"


@each
def test_what_a_family_has_and_the_item_lacks_is_a_gap(item: str) -> None:
    declared = capabilities(item)
    lacking = {name for family in FAMILIES if family & declared for name in family - declared}
    assert lacking == {capability for owner, capability in GAPS if owner == item}


@pytest.mark.parametrize("gap", gaps(), ids=lambda gap: f"{gap.item}-{gap.capability}")
def test_a_gap_has_an_item_a_reason_and_an_error_of_ours(gap: Gap) -> None:
    assert gap.item in ITEMS
    assert len(gap.reason) > 20
    assert issubclass(getattr(errors, gap.exception), CareplaneError)


@each
def test_an_unknown_setting_is_refused_by_name(item: str, peers: Callable[[str], Peer]) -> None:
    with pytest.raises(InputError) as caught:
        _shelf.load("connectors", item).open({**peers(item).settings, "colour": "blue"})
    assert caught.value.field == "colour"


@each
def test_a_setting_that_is_needed_is_named(item: str, peers: Callable[[str], Peer]) -> None:
    settings = dict(peers(item).settings)
    assert set(rig(item).REQUIRED) <= set(settings)
    for name in rig(item).REQUIRED:
        for without in ({k: v for k, v in settings.items() if k != name}, {**settings, name: ""}):
            with pytest.raises(InputError) as caught:
                _shelf.load("connectors", item).open(without)
            assert caught.value.field == name


@each
def test_it_can_be_closed_twice(item: str, peers: Callable[[str], Peer]) -> None:
    async def twice(connector: object) -> None:
        await close(connector)
        await close(connector)

    using(item, peers(item).settings, twice)


@each
def test_a_secret_is_not_seen(item: str, peers: Callable[[str], Peer], tmp_path: Path) -> None:
    where = getattr(rig(item), "at", None)
    settings = {**(where("127.0.0.1", free_port(), tmp_path) if where else {}), **peers(item).settings}
    secrets = [settings[name] for name in rig(item).SECRETS]
    assert all(secrets), "the rig gives a value to each of its SECRETS"

    async def look(connector: object) -> None:
        seen = repr(connector) + str(connector)
        assert not [secret for secret in secrets if secret in seen]

    using(item, settings, look)
    with pytest.raises(InputError) as caught:
        _shelf.load("connectors", item).open({**settings, "colour": "blue"})
    assert not [secret for secret in secrets if secret in str(caught.value) + repr(caught.value)]


def _troubles() -> Iterator[Any]:
    """Item and trouble: with an address, with data of its own, or both."""
    for item in ITEMS:
        for trouble in ("away", "silent", "rubbish", "ends") if hasattr(rig(item), "at") else ():
            yield pytest.param(item, trouble, id=f"{item}-{trouble}")
        if hasattr(rig(item), "spoiled"):
            yield pytest.param(item, "spoiled", id=f"{item}-spoiled")


@pytest.mark.parametrize(("item", "trouble"), list(_troubles()))
def test_trouble_is_one_of_our_errors_without_secrets_or_identifiers(item: str, trouble: str, tmp_path: Path) -> None:
    given: Any = rig(item)
    if trouble == "spoiled":
        _fails(item, given.spoiled(tmp_path))
    elif trouble == "away":
        _fails(item, given.at("127.0.0.1", free_port(), tmp_path))
    else:
        answer = {"silent": None, "rubbish": b"\x00\xffrubbish\r\n\r\n" * 50, "ends": b""}[trouble]
        with listening(answer) as port:
            _fails(item, given.at("127.0.0.1", port, tmp_path))


@each
def test_a_rig_can_make_trouble(item: str) -> None:
    assert hasattr(rig(item), "at") or hasattr(rig(item), "spoiled")


def _fails(item: str, settings: Mapping[str, str]) -> None:
    begun = time.monotonic()
    with pytest.raises(CareplaneError) as caught:
        using(item, settings, lambda connector: rig(item).call(connector, WORDS))
    assert time.monotonic() - begun < SILENCE_SECONDS
    told = f"{caught.value} {caught.value!r}"
    assert WORDS not in told
    assert not [name for name in rig(item).SECRETS if settings.get(name) and settings[name] in told]
    assert len(str(caught.value)) > 20, "says what happened and the way out"
