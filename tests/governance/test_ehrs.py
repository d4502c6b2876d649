"""Registered EHRs and launches on their way, on SQLite and on PostgreSQL."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from careplane.console import accounts
from careplane.errors import Conflict, InputError, NotFound, Refused
from careplane.governance.ehrs import ehr_of_issuer, find_ehrs, frame_origins, load_ehr, register_ehr, remove_ehr
from careplane.ledger import Ledger
from careplane.records.launch import Ehr, Launch
from careplane.server.launches import Browser, Pending, keep_launch, new_browser, take_launch
from careplane.store import Store

NOW = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)


def ehr(name: str = "main", issuer: str = "https://ehr.example.org/fhir", **changes: Any) -> Ehr:
    return Ehr(
        name=name, issuer=issuer, client_id="careplane", added_at=NOW, added_by="p.lee", same_chart=True
    ).__replace__(**changes)


def test_an_ehr_is_found_by_name_and_issuer_until_it_is_removed(store: Store, ledger: Ledger) -> None:
    kept = register_ehr(store, ledger, ehr(frames=("https://EHR.example.org:443/a", "https://ehr.example.org")))
    assert kept.frames == ("https://ehr.example.org",)
    assert [load_ehr(store, "main")] == find_ehrs(store) == [kept]
    assert ehr_of_issuer(store, "https://ehr.example.org/fhir/") == kept
    assert ehr_of_issuer(store, "https://ehr.example.org/fhir2") is None
    assert frame_origins(store) == ("https://ehr.example.org",)
    account = accounts.create_account(store, "nia", "Nia", ("clinician",), NOW, "Practitioner/p1")
    token = accounts.start_session(store, account, NOW, 1.0, Launch(ehr="main", patient="Patient/ana"))
    found = accounts.session_of(store, token, NOW)
    assert found is not None
    assert found.launch == Launch(ehr="main", patient="Patient/ana")
    assert remove_ehr(store, ledger, "main", "p.lee", NOW) == 1
    assert accounts.session_of(store, token, NOW) is None
    with pytest.raises(NotFound, match="none"):
        load_ehr(store, "main")


@pytest.mark.parametrize(
    "other", [ehr("other", "https://ehr.example.org/fhir/"), ehr("main", "https://x.example/fhir")]
)
def test_name_and_issuer_are_registered_once(store: Store, ledger: Ledger, other: Ehr) -> None:
    register_ehr(store, ledger, ehr())
    with pytest.raises(Conflict):
        register_ehr(store, ledger, other)


def test_an_installation_has_one_chart(store: Store, ledger: Ledger) -> None:
    """Two EHRs with an id space each: Practitioner/17 and Patient/1 are two people."""
    chart = "https://ehr.example.org/fhir/"
    own, other = ehr(same_chart=False), ehr("other", "https://other.example.org/fhir", same_chart=False)
    for known, read in ((own, ""), (own, "https://ehr.example.org/fhir2"), (other, chart)):
        with pytest.raises(Refused, match="may be somebody else") as caught:
            register_ehr(store, ledger, known, read)
        assert "--same-chart" in caught.value.way_out
        assert "installation of its own" in caught.value.way_out
    assert find_ehrs(store) == []
    register_ehr(store, ledger, own, chart)
    register_ehr(store, ledger, other.__replace__(same_chart=True), chart)
    assert [one.same_chart for one in find_ehrs(store)] == [False, True]


@pytest.mark.parametrize("changes", [
    {"issuer": "http://ehr.example.org/fhir"}, {"frames": ("*",)}, {"frames": ("http://ehr.example.org",)},
    {"frames": ("https://a.example https://b.example",)}, {"client_id": ""},
])  # fmt: skip
def test_what_may_not_be_registered(store: Store, ledger: Ledger, changes: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        register_ehr(store, ledger, ehr(**changes))
    assert find_ehrs(store) == []


def test_a_launch_comes_back_once_in_its_browser_from_its_ehr_in_time(store: Store) -> None:
    browser, pending = new_browser(), Pending(ehr="main", app=None, scope="launch")
    keep_launch(store, "state", browser, pending, NOW)
    for state, who, name, at in (
        ("other", browser, "main", NOW), ("state", None, "main", NOW), ("state", new_browser(), "main", NOW),
        ("state", browser, "other", NOW), ("state", browser, "main", NOW + timedelta(minutes=11)),
    ):  # fmt: skip
        with pytest.raises(Refused):
            take_launch(store, state, who, name, at)
    assert take_launch(store, "state", browser, "main", NOW + timedelta(minutes=9)) == pending
    with pytest.raises(Refused):
        take_launch(store, "state", browser, "main", NOW)


def test_what_a_browser_holds_is_derived_apart_and_never_shown() -> None:
    browser = Browser(secret="s" * 43)
    parts = {browser.secret, browser.verifier, browser.nonce, browser.mark}
    assert len(parts) == 4
    assert 43 <= len(browser.verifier) <= 128
    assert not any(part in repr(browser) for part in parts)
