"""From the chart to the draft: an EHR launch as it should go, and what a session that began so may see."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import httpx
import orjson
import pytest
from sqlalchemy import select

from careplane import console
from careplane.change import find_requests, post_request
from careplane.codecs.smart import LaunchContext, launch_scopes, read_scopes
from careplane.governance.ehrs import remove_ehr
from careplane.store.tables import sessions, smart_launches

PRACTITIONER = "Practitioner/p1"

ANA = LaunchContext(patient="Patient/ana", encounter="Encounter/e1")


def cookie(response: httpx.Response, name: str) -> str:
    """The Set-Cookie line of a cookie."""
    return next(line for line in response.headers.get_list("set-cookie") if line.startswith(name))


def test_one_click_in_the_chart_opens_the_draft_of_the_patient(site, browser, draft) -> None:  # type: ignore[no-untyped-def]
    draft("one")
    draft("other", patient="ben")
    page = browser.go(site.launch_url(ANA))
    assert page.status_code == 200
    assert page.url.path == "/review/run-one"
    assert "Marker one" in page.text
    banner = page.text.partition('aria-label="Patient"')[2].partition("</p>")[0]
    assert re.sub(r"<[^>]+>|\s+", " ", banner).split() == "> Ana Quill born 1950-02-03 female MRN 4711".split()  # noqa: SIM905


def test_what_the_browser_carries_to_the_ehr(site, browser) -> None:  # type: ignore[no-untyped-def]
    response = browser.get(site.launch_url(ANA, app="previsit_summary"))
    assert response.status_code == 302
    assert response.headers["cache-control"] == "no-store"
    target = urlsplit(response.headers["location"])
    assert f"{target.scheme}://{target.netloc}{target.path}" == site.ehr.server.url("authorize")
    query = {name: values[0] for name, values in parse_qs(target.query, strict_parsing=True).items()}
    assert query["redirect_uri"] == f"{site.address}/smart/callback/main"
    assert query["aud"] == site.ehr.fhir_base
    assert (query["response_type"], query["code_challenge_method"]) == ("code", "S256")
    declared = site.platform.apps["previsit_summary"].spec
    assert read_scopes(query["scope"]) == launch_scopes([declared])
    assert len(query["state"]) >= 43
    again = parse_qs(urlsplit(browser.get(site.launch_url(ANA)).headers["location"]).query)
    assert again["state"] != [query["state"]]
    assert again["code_challenge"] != [query["code_challenge"]]
    line = cookie(response, "careplane_state_")
    for part in ("HttpOnly", "Secure", "SameSite=None", "Partitioned", "Path=/smart", "Max-Age=600"):
        assert part in line
    with site.platform.store.read() as connection:
        kept = " ".join(str(row) for row in connection.execute(select(smart_launches)))
    assert query["state"] not in kept
    assert query["nonce"] not in kept
    assert line.partition("=")[2].partition(";")[0] not in kept


def test_without_an_app_the_reads_of_those_that_run_are_asked_and_no_more(site, browser) -> None:  # type: ignore[no-untyped-def]
    query = parse_qs(urlsplit(browser.get(site.launch_url(ANA)).headers["location"]).query)
    running = [site.platform.apps[name].spec for name in ("portal_reply", "previsit_summary")]
    assert read_scopes(query["scope"][0]) == launch_scopes(running)


def test_several_drafts_are_a_list_and_the_ehr_may_name_one(site, browser, draft) -> None:  # type: ignore[no-untyped-def]
    for ident, app in (("one", "previsit_summary"), ("two", "portal_reply"), ("three", "portal_reply")):
        draft(ident, app=app)
    draft("other", patient="ben")
    page = browser.go(site.launch_url(ANA))
    assert page.url.path == "/review"
    assert [f"/review/run-{ident}" in page.text for ident in ("one", "two", "three", "other")] == [True] * 3 + [False]
    for context in (
        LaunchContext(patient="Patient/ana", app_context="run-two"),
        LaunchContext(patient="Patient/ana", app_context=orjson.dumps({"run": "run-two"}).decode()),
        LaunchContext(patient="Patient/ana", intent="run-two"),
    ):
        assert browser.go(site.launch_url(context)).url.path == "/review/run-two"
    for context in (
        LaunchContext(patient="Patient/ana", intent="previsit_summary"),
        LaunchContext(patient="Patient/ana", app_context=orjson.dumps({"app": "previsit_summary"}).decode()),
    ):
        assert browser.go(site.launch_url(context)).url.path == "/review/run-one"
    assert browser.go(site.launch_url(ANA, app="previsit_summary")).url.path == "/review/run-one"


def test_a_draft_that_is_being_prepared_opens_when_it_is_there(site, browser, draft) -> None:  # type: ignore[no-untyped-def]
    """The link of a CDS Hooks card may come before its draft."""
    page = browser.go(site.launch_url(LaunchContext(patient="Patient/ana", app_context='{"run": "run-late"}')))
    assert str(page.url) == f"{site.address}/review?wait=yes"
    assert "is being prepared" in page.text
    assert 'http-equiv="refresh" content="3"' in page.text
    draft("late")
    assert browser.go(f"{site.address}/review?wait=yes").url.path == "/review/run-late"
    plain = browser.get(f"{site.address}/review")
    assert "http-equiv" not in plain.text


def test_a_draft_that_turns_out_to_be_of_another_patient_stays_closed(site, browser, draft) -> None:  # type: ignore[no-untyped-def]
    browser.go(site.launch_url(LaunchContext(patient="Patient/ana", app_context='{"run": "run-late"}')))
    draft("late", patient="ben")
    page = browser.go(f"{site.address}/review?wait=yes")
    assert page.status_code == 403
    assert "Marker" not in page.text


def test_without_a_draft_the_list_says_so(site, browser) -> None:  # type: ignore[no-untyped-def]
    page = browser.go(site.launch_url(LaunchContext(patient="Patient/ben")))
    assert page.url.path == "/review"
    assert "No draft about this patient waits for you" in page.text


@pytest.mark.parametrize("credentials", ["RS384", "ES384", "public"])
def test_every_way_to_prove_who_we_are(agree, browser, draft, credentials: str) -> None:  # type: ignore[no-untyped-def]
    draft("one")
    site = agree(credentials=credentials)
    assert browser.go(site.launch_url(ANA)).url.path == "/review/run-one"


def test_a_banner_is_shown_unless_the_ehr_shows_one(site, browser, draft) -> None:  # type: ignore[no-untyped-def]
    draft("one")
    page = browser.go(site.launch_url(LaunchContext(patient="Patient/ana", banner=False)))
    assert page.url.path == "/review/run-one"
    assert "Quill" not in page.text
    assert "Opened from the chart" in page.text


def test_the_session_sees_this_patient_and_nothing_else(site, browser, draft) -> None:  # type: ignore[no-untyped-def]
    draft("one")
    draft("other", patient="ben")
    browser.go(site.launch_url(ANA))
    assert browser.get(f"{site.address}/review/run-one").status_code == 200
    refused = browser.get(f"{site.address}/review/run-other")
    assert refused.status_code == 403
    assert "another patient" in refused.text
    assert "Marker other" not in refused.text
    for path in ("/portfolio", "/runs", "/runs/run-other", "/apps", "/admin", "/search?q=ana", "/account", "/data"):
        assert browser.get(f"{site.address}{path}").status_code == 403, path
    assert browser.go(f"{site.address}/").url.path == "/review"
    form = page_form(browser.get(f"{site.address}/review/run-one").text)
    for path in ("/review/run-other", "/review/run-other/questions"):
        sent = browser.post(f"{site.address}{path}", {"csrf": form, "action": "accept", "seconds": "1"})
        assert sent.status_code == 403, path
    assert "Marker other" not in browser.get(f"{site.address}/review").text


def page_form(text: str) -> str:
    """The form token of a page."""
    return text.split('name="csrf" value="', 1)[1].split('"', 1)[0]


def test_the_board_of_a_session_shows_and_takes_reports_of_this_patient_only(site, browser, draft) -> None:  # type: ignore[no-untyped-def]
    store, now = site.platform.store, site.platform.clock()
    mine, other, foreign = draft("mine"), draft("other", patient="ben"), draft("foreign", app="portal_reply")
    for by, run, text in (
        (PRACTITIONER, mine, "About Ana by me"), (PRACTITIONER, other, "About Ben by me"),
        ("Practitioner/p9", mine, "About Ana by another"), (PRACTITIONER, None, "About nobody"),
    ):  # fmt: skip
        post_request(store, "previsit_summary", by, "problem", text, now, run=run)
    browser.go(site.launch_url(ANA))
    url = f"{site.address}/requests"
    board = browser.get(url).text
    shown = [text for text in ("About Ana by me", "About Ben", "by another", "About nobody") if text in board]
    assert shown == ["About Ana by me"]
    assert "/votes" not in board
    assert "report a problem" not in board.partition("<main")[2].partition('id="ask"')[2]
    form = {"csrf": page_form(browser.get(f"{url}?run={mine}").text), "app": "previsit_summary", "kind": "problem"}
    before = len(find_requests(store))
    for run, status in ((other, 403), ("run-none", 400), ("", 400), (foreign, 400)):
        assert browser.post(url, {**form, "run": run, "text": "Not taken"}).status_code == status
    vote = f"{url}/{find_requests(store)[0].id}/votes"
    assert browser.post(vote, {"csrf": form["csrf"]}).status_code == 403
    assert len(find_requests(store)) == before
    assert browser.post(url, {**form, "run": mine, "text": "Taken"}).status_code == 303
    assert "Taken" in browser.get(url).text


def test_another_patient_in_the_ehr_is_another_session(site, browser, draft) -> None:  # type: ignore[no-untyped-def]
    draft("one")
    draft("other", patient="ben")
    browser.go(site.launch_url(ANA))
    assert browser.go(site.launch_url(LaunchContext(patient="Patient/ben"))).url.path == "/review/run-other"
    assert browser.get(f"{site.address}/review/run-one").status_code == 403


def test_drafts_of_apps_whose_reads_the_ehr_did_not_grant_are_withheld(agree, browser, draft) -> None:  # type: ignore[no-untyped-def]
    draft("one", app="previsit_summary")
    draft("two", app="portal_reply")
    granted = "launch openid fhirUser patient/Communication.rs patient/Patient.rs patient/MedicationRequest.rs "
    granted += "patient/Condition.rs patient/AllergyIntolerance.rs patient/Appointment.rs patient/Observation.rs"
    site = agree(scopes=granted)
    page = browser.go(site.launch_url(ANA))
    assert page.url.path == "/review/run-two", "portal_reply reads nothing else"
    withheld = browser.get(f"{site.address}/review/run-one")
    assert withheld.status_code == 403
    assert "did not grant" in withheld.text


def test_cookies_and_headers_of_a_framed_session(agree, browser, draft) -> None:  # type: ignore[no-untyped-def]
    draft("one")
    site = agree(frames=("https://ehr.example.org",))
    page = browser.go(site.launch_url(ANA))
    policy = page.headers["content-security-policy"]
    assert policy.endswith("frame-ancestors https://ehr.example.org")
    assert "x-frame-options" not in page.headers
    line = next(cookie(seen, "careplane_launch") for seen in browser.seen if "careplane_launch" in str(seen.headers))
    for part in ("HttpOnly", "Secure", "SameSite=None", "Partitioned", "Path=/"):
        assert part in line
    for seen in browser.seen:
        if seen.url.port == httpx.URL(site.address).port:
            assert seen.headers["cache-control"] == "no-store"


def test_without_frame_origins_nobody_may_frame(site, browser, draft) -> None:  # type: ignore[no-untyped-def]
    draft("one")
    page = browser.go(site.launch_url(ANA))
    assert page.headers["content-security-policy"].endswith("frame-ancestors 'none'")
    assert page.headers["x-frame-options"] == "DENY"


def test_a_console_session_of_the_same_browser_is_never_framed_and_comes_back(agree, browser, draft) -> None:  # type: ignore[no-untyped-def]
    draft("one")
    site = agree(frames=("https://ehr.example.org",))
    store = site.platform.store
    link = f"{site.address}{console.one_time_link(store, 'nia', datetime.now(UTC))}"
    browser.post(link, {"csrf": page_form(browser.get(link).text)})
    before = browser.get(f"{site.address}/portfolio")
    assert before.status_code == 200
    assert before.headers["x-frame-options"] == "DENY"
    browser.go(site.launch_url(ANA))
    assert browser.get(f"{site.address}/portfolio").status_code == 403
    form = page_form(browser.get(f"{site.address}/review/run-one").text)
    left = browser.post(f"{site.address}/sign-out", {"csrf": form})
    assert "You have left this patient" in left.text
    assert browser.get(f"{site.address}/portfolio").status_code == 200


def test_a_token_is_used_and_gone(site, browser, draft, everything: Callable[[], bytes], caplog, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    caplog.set_level("DEBUG", "careplane")
    draft("one")
    given: list[str] = []
    tokens = site.ehr.server.grants.tokens

    def listen(grant):  # type: ignore[no-untyped-def]
        pair = tokens(grant)
        given.extend(one for one in pair if one)
        return pair

    monkeypatch.setattr(site.ehr.server.grants, "tokens", listen)
    assert browser.go(site.launch_url(ANA)).url.path == "/review/run-one"
    assert len(given) == 1, "no refresh token was asked for"
    kept = everything()
    secrets = [given[0], *browser.jar[httpx.URL(site.address).netloc.decode()].values()]
    assert not [secret for secret in secrets if secret.encode() in kept or secret in caplog.text]
    assert site.ehr.server.grants.find(given[0]) is None, "revoked after its one read"


def test_a_launch_ends_and_says_how_to_begin_again(agree, browser, draft) -> None:  # type: ignore[no-untyped-def]
    draft("one")
    site = agree(frames=("https://ehr.example.org",))
    browser.go(site.launch_url(ANA))
    with site.platform.store.write() as connection:
        connection.execute(sessions.update().values(expires_at="2026-01-01T00:00:00+00:00"))
    ended = browser.get(f"{site.address}/review/run-one")
    assert ended.status_code == 401
    assert "Launch again from the EHR" in ended.text
    assert ended.headers["content-security-policy"].endswith("frame-ancestors https://ehr.example.org")
    assert browser.go(f"{site.address}/review").url.path == "/sign-in"


def test_removing_an_ehr_ends_what_it_began(site, browser, draft) -> None:  # type: ignore[no-untyped-def]
    draft("one")
    browser.go(site.launch_url(ANA))
    assert remove_ehr(site.platform.store, site.platform.ledger, "main", "admin", datetime.now(UTC)) == 1
    assert browser.get(f"{site.address}/review/run-one").status_code == 401
    assert browser.go(site.launch_url(ANA)).status_code == 403


def test_a_standalone_launch_asks_who_and_whom(site, browser, draft) -> None:  # type: ignore[no-untyped-def]
    draft("one")
    asked = browser.go(f"{site.address}/smart/standalone?ehr=main")
    assert "Careplane asks for access" in asked.text
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', asked.text))
    query = {name: value.replace("&amp;", "&") for name, value in hidden.items()}
    assert "launch/patient" in query["scope"].split()
    answer = {"ehr_user": "p1", "ehr_patient": "ana", "ehr_answer": "yes"}
    back = browser.post(site.ehr.server.url("authorize"), {**query, **answer})
    assert browser.go(back.headers["location"]).url.path == "/review/run-one"
    refused = browser.post(site.ehr.server.url("authorize"), {**query, "ehr_answer": "no"})
    assert "error=access_denied" in refused.headers["location"]


def test_our_public_keys_are_published(site, browser) -> None:  # type: ignore[no-untyped-def]
    keys = browser.get(f"{site.address}/.well-known/jwks.json").json()["keys"]
    assert sorted(key["alg"] for key in keys) == ["ES384", "RS384"]
    assert not any("d" in key for key in keys)


def test_a_launch_is_on_record_without_naming_the_patient(site, browser, draft) -> None:  # type: ignore[no-untyped-def]
    draft("one")
    browser.go(site.launch_url(ANA))
    ledger = b"".join(path.read_bytes() for path in (site.platform.home / "ledger").rglob("*") if path.is_file())
    assert b'"launched"' in ledger
    assert b"Patient/ana" not in ledger
    assert b"Quill" not in ledger
