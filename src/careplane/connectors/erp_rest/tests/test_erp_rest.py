"""The ERP's interface: against a real HTTP server that behaves, and misbehaves as told."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from careplane.connectors import erp_rest
from careplane.connectors.erp_rest import ErpRest
from careplane.connectors.erp_rest.tests.rig import Erp, invoices, serving
from careplane.errors import DataError, InputError, Refused, UpstreamBusy, UpstreamError
from careplane.records.erp import Invoice, Shift


def using(erp: Erp, act: Callable[[ErpRest], Awaitable[Any]], **more: str) -> Any:
    async def session() -> Any:
        connector = erp_rest.open({**erp.settings, **more})
        try:
            return await act(connector)
        finally:
            await connector.aclose()

    with serving(erp):
        return asyncio.run(session())


def read(erp: Erp, kind: str = "invoices", **more: str) -> Any:
    return using(erp, lambda connector: connector.read(kind), **more)


def test_amounts_are_exact_whether_text_or_number() -> None:
    erp = Erp(records={"invoices": [{**invoices(1)[0], "amount": amount} for amount in ("0.10", 0.1, 1200)]})
    facts = read(erp).facts
    assert [fact.amount for fact in facts] == [Decimal("0.10"), Decimal("0.1"), Decimal(1200)]
    assert all(isinstance(fact, Invoice) for fact in facts)


def test_rosters_tell_their_gaps() -> None:
    shift = {"shift": "S1", "unit": "Location/w1", "job": "nurse", "starts": "2026-03-02T07:00:00-06:00",
             "ends": "2026-03-02T19:00:00-06:00", "needed": 3, "planned": 1}  # fmt: skip
    batch = read(Erp(records={"roster": [shift]}), "roster")
    assert isinstance(batch.facts[0], Shift)
    assert [event.id for event in batch.events] == ["roster.gap:S1/2"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"amount": "lots"}, "page 1 record 2: amount"),
        ({"posted_on": "1 March"}, "posted_on"),
        ({"secret": "Smithson"}, "record 2: .*not known"),
        ({"vendor": None}, "vendor"),
    ],
)
def test_bad_records_are_named_and_nothing_is_taken(change: dict[str, object], told: str) -> None:
    first, second = invoices(2)
    with pytest.raises(DataError, match=told) as caught:
        read(Erp(records={"invoices": [first, {**second, **change}]}))
    assert "Smithson" not in str(caught.value)
    assert "lots" not in str(caught.value)


def test_a_busy_interface_is_asked_again_and_a_lost_token_is_renewed() -> None:
    erp = Erp(records={"invoices": invoices(1)}, statuses=[503, 502])
    assert len(read(erp).facts) == 1
    erp = Erp(records={"invoices": invoices(1)})

    async def twice(connector: ErpRest) -> int:
        await connector.read("invoices")
        erp.token = "another"
        return len((await connector.read("invoices")).facts)

    assert using(erp, twice) == 1
    assert erp.given == 2


def test_a_page_that_has_not_changed_is_not_sent_again() -> None:
    erp = Erp(records={"invoices": invoices(2)}, etag='"v1"')

    async def twice(connector: ErpRest) -> bool:
        first = await connector.read("invoices")
        erp.records = {}
        return first == await connector.read("invoices")

    assert using(erp, twice)


@pytest.mark.parametrize(
    ("statuses", "error"), [([403], Refused), ([401, 401], Refused), ([429] * 4, UpstreamBusy), ([404], UpstreamError)]
)
def test_refusals_have_their_own_error(statuses: list[int], error: type[Exception]) -> None:
    with pytest.raises(error, match="invoices"):
        read(Erp(statuses=statuses))


def test_a_client_that_is_not_accepted() -> None:
    with pytest.raises(Refused, match="client"):
        read(Erp(), client_secret="wrong")


@pytest.mark.parametrize("following", ["https://evil.example.org/x", "//evil.example.org/x", 3])
def test_a_next_page_elsewhere_is_not_fetched(following: object) -> None:
    connector = erp_rest.open({"base_url": "http://127.0.0.1:1/api"})

    async def act() -> None:
        connector._decoded("invoices", b'{"records": [], "next": %s}' % repr(following).replace("'", '"').encode())

    with pytest.raises(UpstreamError):
        asyncio.run(act())


def test_a_kind_that_is_none_and_settings_are_refused() -> None:
    with pytest.raises(InputError, match="kind"):
        read(Erp(), "lunches")
    for wrong in (
        {"base_url": ""},
        {"base_url": "http://erp.example.org"},
        {"token_url": "http://127.0.0.1:1/token"},
        {"page_size": "0"},
        {"timezone": "Mars/One"},
        {"colour": "blue"},
    ):
        with pytest.raises(InputError):
            erp_rest.open({"base_url": "http://127.0.0.1:1", **wrong})
