"""What a worker believes of a key: how long, and whom it asks first."""

import asyncio
from pathlib import Path

import pytest

from careplane.errors import StoreError
from careplane.gateway import Standing, issue_key, list_keys, revoke_key, standing
from careplane.gateway.standing import Caller, Unauthorised
from careplane.records.app import DataPolicy, Entitlement
from careplane.records.app import Route as AppRoute
from careplane.store import open_store

from .conftest import NOW

OWN = Entitlement(
    app="an_app",
    version="1.0.0",
    data_policy=DataPolicy(phi="deidentified"),
    route=AppRoute(model="default", max_tokens=300),
)


def test_a_revoked_key_that_rested_is_not_let_in_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "FRESH_SECONDS", 0.05)
    store = open_store(f"sqlite:///{tmp_path / 'careplane.db'}")
    key = issue_key(store, "an_app", NOW)
    known = Standing(store, lambda _: OWN)

    async def run() -> None:
        assert (await known.caller(key)).entitled.app == "an_app"
        revoke_key(store, list_keys(store)[0].id, NOW)
        await asyncio.sleep(0.2)
        found = await asyncio.gather(*(known.caller(key) for _ in range(20)), return_exceptions=True)
        assert {type(one) for one in found} == {Unauthorised}

    asyncio.run(run())
    store.close()


def test_what_is_known_holds_while_the_store_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "FRESH_SECONDS", 0.05)
    store = open_store(f"sqlite:///{tmp_path / 'careplane.db'}")
    key = issue_key(store, "an_app", NOW)
    asked: list[str] = []

    def entitle(app: str) -> Entitlement:
        asked.append(app)
        if len(asked) > 1:
            raise StoreError("away")
        return OWN

    known = Standing(store, entitle)

    async def run() -> None:
        for _ in range(4):
            assert isinstance(await known.caller(key), Caller)
            await asyncio.sleep(0.12)
        monkeypatch.setattr(standing, "STALE_SECONDS", 0.05)
        with pytest.raises(StoreError):
            await known.caller(key)

    asyncio.run(run())
    assert len(asked) >= 5
    store.close()
