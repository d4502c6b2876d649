"""Signing in, form tokens, permissions and headers, against a served console."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from careplane import console
from careplane.console import accounts
from careplane.console.sign_in import safe_path
from careplane.console.throttle import FREE_TRIES, Throttle
from careplane.errors import Conflict, InputError, NotFound
from careplane.store import Store, open_store

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def token(page: httpx.Response) -> str:
    return page.text.split('name="csrf" value="', 1)[1].split('"', 1)[0]


@pytest.fixture
def store(tmp_path) -> Store:  # type: ignore[no-untyped-def]
    return open_store(f"sqlite:///{tmp_path / 'careplane.db'}")


def test_a_stranger_is_sent_to_sign_in_and_back(served) -> None:  # type: ignore[no-untyped-def]
    with httpx.Client(base_url=served.address) as stranger:
        answer = stranger.get("/apps?stage=pilot")
        assert answer.status_code == 303
        assert answer.headers["location"].endswith("/sign-in?next=%2Fapps%3Fstage%3Dpilot")
        assert stranger.post("/safety/stops", data={"app": "portal_reply", "reason": "x"}).status_code == 303


def test_a_link_signs_in_once(served) -> None:  # type: ignore[no-untyped-def]
    console.create_account(served.context.store, "once", "Once", ("adviser",), datetime.now(UTC))
    path = console.one_time_link(served.context.store, "once", datetime.now(UTC))
    with httpx.Client(base_url=served.address) as first, httpx.Client(base_url=served.address) as second:
        assert first.get(path).status_code == 200, "looking does not use it up"
        page, other = first.get(path), second.get(path)
        entered = first.post(path, data={"csrf": token(page)})
        assert entered.status_code == 303
        cookie = entered.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert second.post(path, data={"csrf": token(other)}).status_code == 404
        assert first.get("/").status_code == 200


def test_a_link_expires_and_only_its_hash_is_kept(store: Store) -> None:
    accounts.create_account(store, "kim", "Kim", ("clinician",), NOW)
    path = accounts.one_time_link(store, "kim", NOW)
    secret = path.rsplit("/", 1)[1]
    with store.read() as connection:
        rows = connection.exec_driver_sql("select * from sign_in_links").all()
    assert secret not in str(rows)
    assert accounts.use_link(store, secret, NOW + timedelta(minutes=31)) is None
    assert accounts.use_link(store, secret, NOW + timedelta(minutes=29)) is not None


def test_a_disabled_account_loses_sessions_and_links(store: Store) -> None:
    account = accounts.create_account(store, "kim", "Kim", ("clinician",), NOW)
    session = accounts.start_session(store, account, NOW, 12)
    assert accounts.session_of(store, session, NOW) is not None
    accounts.save_account(store, type(account)(id="kim", name="Kim", roles=("clinician",), disabled=True))
    assert accounts.session_of(store, session, NOW) is None
    with pytest.raises(NotFound):
        accounts.one_time_link(store, "kim", NOW)


def test_a_session_ends_by_time_and_by_signing_out(store: Store) -> None:
    account = accounts.create_account(store, "kim", "Kim", ("clinician",), NOW)
    session = accounts.start_session(store, account, NOW, 12)
    assert accounts.session_of(store, session, NOW + timedelta(hours=13)) is None
    accounts.end_session(store, session)
    assert accounts.session_of(store, session, NOW) is None


def test_passwords_are_salted_checked_and_long(store: Store) -> None:
    one = accounts.create_account(store, "one", "One", ("adviser",), NOW)
    two = accounts.create_account(store, "two", "Two", ("adviser",), NOW)
    one, two = (accounts.set_password(store, account, "four words are fine") for account in (one, two))
    assert one.password_hash != two.password_hash
    assert accounts.check_password(one, "four words are fine")
    assert not accounts.check_password(one, "five words are finer")
    assert not accounts.check_password(None, "four words are fine")
    with pytest.raises(InputError):
        accounts.set_password(store, one, "short")
    with pytest.raises(Conflict):
        accounts.create_account(store, "one", "Again", ("adviser",), NOW)


def test_password_sign_in_and_its_throttle(served) -> None:  # type: ignore[no-untyped-def]
    account = accounts.create_account(served.context.store, "pat", "Pat", ("adviser",), datetime.now(UTC))
    accounts.set_password(served.context.store, account, "four words are fine")
    with httpx.Client(base_url=served.address) as client:
        form = {"csrf": token(client.get("/sign-in")), "account": "pat", "next": "//evil.example"}
        good = client.post("/sign-in", data={**form, "password": "four words are fine"})
        assert good.status_code == 303
        assert good.headers["location"] == "/"
    with httpx.Client(base_url=served.address) as client:
        form = {"csrf": token(client.get("/sign-in")), "account": "nobody", "password": "guess guess guess"}
        answers = [client.post("/sign-in", data=form).status_code for _ in range(FREE_TRIES + 1)]
        assert answers == [403] * FREE_TRIES + [429]


def test_throttle_doubles_and_forgets() -> None:
    throttle = Throttle()
    for _ in range(FREE_TRIES):
        assert not throttle.wait("kim", NOW)
        throttle.failed("kim", NOW)
    first = throttle.wait("kim", NOW)
    throttle.failed("kim", NOW)
    assert throttle.wait("kim", NOW) == 2 * first
    throttle.succeeded("kim")
    assert not throttle.wait("kim", NOW)


@pytest.mark.parametrize("path", ["//evil.example", "/\\evil.example", "https://evil.example", "", "javascript:x"])
def test_only_paths_of_this_server_are_gone_on_to(path: str) -> None:
    assert safe_path(path) == "/"
    assert safe_path("/apps?q=a") == "/apps?q=a"


def test_a_form_without_the_right_token_changes_nothing(served) -> None:  # type: ignore[no-untyped-def]
    with served.client("forger", "owner") as client:
        for data in ({}, {"csrf": "guess"}):
            answer = client.post("/safety/stops", data={**data, "app": "bed_huddle", "reason": "x"})
            assert answer.status_code == 403
        assert "Nothing is stopped" in client.get("/safety").text
        foreign = httpx.post(f"{served.address}/sign-in", data={"account": "a", "password": "b", "csrf": "c"})
        assert foreign.status_code == 403


def test_a_page_one_may_not_see_says_why_and_who_grants_it(served) -> None:  # type: ignore[no-untyped-def]
    with served.client("visitor", "finance") as client:
        for path, role in (("/review", "clinician"), ("/runs/run-001", "privacy"), ("/admin", "admin")):
            page = client.get(path)
            assert page.status_code == 403
            assert role in page.text
            assert "careplane user grant visitor --role" in page.text
        rail = client.get("/").text.split("</nav>", 1)[0]
        assert "/review" not in rail
        decide = client.post("/decisions/x", data={"csrf": token(client.get("/account"))})
        assert decide.status_code == 403


def test_a_clinician_sees_only_own_drafts(served) -> None:  # type: ignore[no-untyped-def]
    with served.client("kim", "clinician", person="Practitioner/p001") as client:
        assert client.get("/review/run-010").status_code == 200
        page = client.get("/review/run-005")
        assert page.status_code == 403
        assert "somebody else" in page.text


def test_every_answer_carries_the_security_headers(served) -> None:  # type: ignore[no-untyped-def]
    for path in ("/sign-in", "/", "/static/careplane.css"):
        headers = httpx.get(served.address + path).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe-inline" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"


def test_a_foreign_host_name_is_refused(served) -> None:  # type: ignore[no-untyped-def]
    assert httpx.get(f"{served.address}/sign-in", headers={"host": "evil.example"}).status_code == 421
    assert httpx.get(f"{served.address}/sign-in", headers={"host": "localhost:8470"}).status_code == 200
