"""What the ledger can tell a privacy officer of a call: who asked, about whom, and everybody who got the text."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from msgspec.structs import replace

from careplane.errors import Refused, UpstreamError
from careplane.gateway import Gateway, Parts, Route, Routes, Target
from careplane.gateway.budgets import Budget, Budgets
from careplane.gateway.leases import Keeper
from careplane.gateway.limits import Limits, Quota
from careplane.gateway.routing import Shadow
from careplane.gateway.standing import Stops
from careplane.governance import stop
from careplane.ledger import Ledger, LedgerRecord, open_ledger
from careplane.ledger.audit_event import audit_events
from careplane.ledger.disclosures import disclosures
from careplane.providers import ChatRequest, Chunk, Provider
from careplane.records.model import ModelRequest, Price
from careplane.store import open_store

from .conftest import NOW, clock


def says(text: str) -> Provider:
    async def chat(_request: ChatRequest) -> AsyncIterator[Chunk]:
        yield Chunk(text=text, finish_reason="stop")

    return Provider("openai_compatible", "own-model", chat)


def fails() -> Provider:
    async def chat(_request: ChatRequest) -> AsyncIterator[Chunk]:
        raise UpstreamError("The model endpoint failed.")
        yield Chunk()

    return Provider("openai_compatible", "their-model", chat)


def asked(text: str = "hello") -> ModelRequest:
    return ModelRequest(
        id="call-1",
        app="an_app",
        route="default",
        body={"messages": [{"role": "user", "content": text}], "max_tokens": 50},
        key="key-0a1b2c3d",
        site="north",
        patient="Patient/7",
    )


def opened(ledger: Ledger, route: Route, parts: Parts | None = None) -> Gateway:
    return Gateway({"vendor": fails(), "inside": says("hi")}, Routes((route,)), ledger, clock, parts)


def records_of(ledger: Ledger, kind: str) -> list[LedgerRecord]:
    return [record for record in ledger.records() if record.kind == kind]


def test_every_vendor_that_was_asked_is_a_recipient(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "ledger")
    route = Route(
        alias="default",
        targets=(Target(provider="vendor", model="gpt", region="local"),),
        fallbacks=(Target(provider="inside"),),
    )
    asyncio.run(opened(ledger, route).complete(asked()))
    (record,) = records_of(ledger, "model_call")
    assert record.facts["target"] == "inside/own-model@local"
    assert record.facts["tried"] == "vendor/gpt@local inside/own-model@local"
    (told,) = disclosures([record])
    assert told.recipient == "vendor/gpt@local inside/own-model@local"


def test_the_key_is_who_asked(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "ledger")
    asyncio.run(opened(ledger, Route(alias="default", targets=(Target(provider="inside"),))).complete(asked()))
    (record,) = records_of(ledger, "model_call")
    assert record.actor == "key-0a1b2c3d"
    assert "tried" not in record.facts
    (event,) = audit_events([record])
    (asker,) = [agent for agent in event["agent"] if agent["requestor"]]
    assert asker["who"]["identifier"] == {"system": "urn:careplane:key", "value": "key-0a1b2c3d"}
    assert asker["type"]["coding"][0]["code"] == "110150"


def test_a_copy_for_a_candidate_is_a_disclosure_of_the_patient(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "ledger")
    shadow = Shadow(target=Target(provider="inside", model="candidate"), share=1.0)
    gateway = opened(ledger, Route(alias="default", targets=(Target(provider="inside"),), shadow=shadow))

    async def run() -> None:
        await gateway.complete(asked())
        for _ in range(200):
            if records_of(ledger, "model_shadow"):
                return
            await asyncio.sleep(0.01)

    asyncio.run(run())
    (record,) = records_of(ledger, "model_shadow")
    assert record.facts["patient"] == ledger.pseudonym("Patient/7")
    assert (record.actor, record.facts["site"], record.facts["policy"]) == ("key-0a1b2c3d", "north", "deidentified")
    assert [one.recipient for one in disclosures([record])] == ["inside/candidate@local"]


def test_a_refusal_names_patient_key_and_site(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "ledger")
    far = Route(alias="default", targets=(Target(provider="inside", region="mars"),))
    with pytest.raises(Refused):
        asyncio.run(opened(ledger, far).complete(asked()))
    (record,) = records_of(ledger, "model_refused")
    assert record.facts["patient"] == ledger.pseudonym("Patient/7")
    assert (record.actor, record.facts["site"]) == ("key-0a1b2c3d", "north")


def test_many_names_fit_one_fact(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "ledger")
    targets = tuple(Target(provider="vendor", model=f"a-model-with-a-long-name-{i}") for i in range(12))
    with pytest.raises(UpstreamError):
        asyncio.run(opened(ledger, Route(alias="default", targets=targets)).complete(asked()))
    (record,) = records_of(ledger, "model_error")
    assert str(record.facts["tried"]).endswith(" more")


def test_a_price_that_cannot_be_reckoned_with_keeps_no_place_in_the_limits(tmp_path: Path) -> None:
    keeper = Keeper(open_store(f"sqlite:///{tmp_path / 'careplane.db'}"))
    parts = Parts(
        limits=Limits(keeper, {"app:an_app": Quota(concurrent=1)}),
        budgets=Budgets(keeper, {"app:an_app": Budget(day=1.0)}, clock=lambda: NOW),
    )
    ledger = open_ledger(tmp_path / "ledger")
    broken = Route(alias="broken", targets=(Target(provider="inside", price=Price(input=math.nan)),))
    sound = Route(alias="default", targets=(Target(provider="inside", price=Price(input=1.0)),))
    gateway = Gateway({"inside": says("hi")}, Routes((broken, sound)), ledger, clock, parts)

    async def run() -> None:
        for _ in range(3):
            with pytest.raises(ValueError, match="NaN"):
                await gateway.complete(replace(asked(), route="broken"))
        assert (await gateway.complete(asked())).text == "hi"

    try:
        asyncio.run(run())
    finally:
        keeper.close()


def test_a_call_that_is_let_in_while_a_stop_is_read_is_cut(tmp_path: Path) -> None:
    """Between the check at the door and the list of calls under way no stop is lost."""
    store = open_store(f"sqlite:///{tmp_path / 'careplane.db'}")
    ledger = open_ledger(tmp_path / "ledger")
    stops = Stops(store)
    stops.read()

    async def endless(_request: ChatRequest) -> AsyncIterator[Chunk]:
        while True:
            yield Chunk(text="word ")
            await asyncio.sleep(0.01)

    parts = Parts(stops=stops)
    route = Route(alias="default", targets=(Target(provider="inside"),))
    gateway = Gateway({"inside": Provider("p", "m", endless)}, Routes((route,)), ledger, clock, parts)
    protected = gateway._protected

    async def late(*given: object) -> object:
        stop(store, ledger, "site", "north", "p.lee", "drill", NOW)
        stops.read()
        return await protected(*given)  # type: ignore[arg-type]

    gateway._protected = late  # type: ignore[method-assign,assignment]

    async def run() -> None:
        async with asyncio.timeout(20), aclosing(gateway.events(asked())) as events:
            async for _ in events:
                pass

    with pytest.raises(Refused, match="was stopped"):
        asyncio.run(run())
    store.close()
