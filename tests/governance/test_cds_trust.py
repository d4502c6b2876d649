"""Who may call hooks; a token is used once, whoever of several processes sees it first."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from careplane.errors import InputError, NotFound
from careplane.governance.cds_trust import (
    allowed_origins,
    distrust_client,
    find_trust,
    find_trusts,
    trust_client,
    use_token,
)
from careplane.ledger import Ledger
from careplane.records.hooks import CdsTrust
from careplane.store import Store, open_store
from careplane.store.tables import seen_tokens

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


def trust(**changes: Any) -> CdsTrust:
    held = {"issuer": "https://ehr.example.org", "jku": "https://ehr.example.org/jwks", "added_at": AT,
            "added_by": "admin", **changes}  # fmt: skip
    return CdsTrust(**held)


def test_nobody_is_trusted_until_it_is_said_and_after_it_is_taken_back(store: Store, ledger: Ledger) -> None:
    assert find_trusts(store) == []
    trust_client(store, ledger, trust())
    trust_client(store, ledger, trust(tenant="north"))
    assert [one.tenant for one in find_trusts(store)] == ["north"]
    assert find_trust(store, "https://ehr.example.org/") is None
    distrust_client(store, ledger, "https://ehr.example.org", "admin", AT)
    assert find_trust(store, "https://ehr.example.org") is None
    with pytest.raises(NotFound, match="Trusted: none"):
        distrust_client(store, ledger, "https://ehr.example.org", "admin", AT)
    assert [record.kind for record in ledger.records()] == ["cds.trusted", "cds.trusted", "cds.distrusted"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("jku", "http://ehr.example.org/jwks"),
        ("jku", "https://u:p@ehr.example.org/jwks"),
        ("jku", "https://ehr.example.org:x/jwks"),
        ("fhir", "ftp://ehr.example.org"),
        ("origins", ("javascript:alert(1)",)),
    ],
)
def test_urls_are_https_or_of_this_machine(store: Store, ledger: Ledger, field: str, value: Any) -> None:
    with pytest.raises(InputError, match=r"https://|not a URL|host"):
        trust_client(store, ledger, trust(**{field: value}))
    assert find_trusts(store) == []
    trust_client(store, ledger, trust(jku="http://127.0.0.1:9/jwks"))


def use(store: Store, issuer: str, jti: str, expires: float, now: float) -> bool:
    with store.write() as connection:
        return use_token(connection, issuer, jti, expires, now)


def test_a_token_is_used_once_by_all_processes(store: Store) -> None:
    """Each process has a store of its own on the same database."""
    url = store.engine.url.render_as_string(hide_password=False)
    others = [open_store(url) for _ in range(4)]
    told: list[bool] = []
    threads = [
        threading.Thread(target=lambda one=one: told.append(use(one, "iss", "j-1", 1300.0, 1000.0))) for one in others
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    for one in others:
        one.close()
    assert sorted(told) == [False, False, False, True]
    assert use(store, "another iss", "j-1", 1300.0, 1000.0)


def test_tokens_are_forgotten_a_while_after_their_end(store: Store) -> None:
    assert use(store, "iss", "old", 1300.0, 1000.0)
    assert use(store, "iss", "new", 2000.0, 1599.0)
    assert not use(store, "iss", "old", 1300.0, 1599.0)
    assert use(store, "iss", "newer", 2000.0, 1601.0)
    with store.read() as connection:
        assert len(connection.execute(select(seen_tokens)).all()) == 2


def test_pages_of_trusted_ehrs_may_call(store: Store) -> None:
    given = [trust(), trust(issuer="urn:ehr", origins=("https://app.example.org",))]
    assert allowed_origins(given) == {"https://ehr.example.org", "https://app.example.org"}
