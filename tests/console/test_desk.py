"""The desk in a real browser, by keyboard: sources, edits that survive, a chart that changed, and afterwards."""

import asyncio
import re
import signal
import subprocess
import sys
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, get_args

import httpx
import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser, Page, expect

from careplane import console
from careplane.change import find_requests
from careplane.records import JSON
from careplane.records.people import Role
from careplane.records.run import Run, Seen
from careplane.sandbox.ehr_server import free_port
from careplane.store import open_store
from careplane.workflow import load_run
from careplane.workflow.edits import kept_edit
from careplane.workflow.outages import FAILURES
from careplane.workflow.records import replace_run

T = TypeVar("T")
pytestmark = [pytest.mark.browser]
WHO = "Practitioner/p001"
ADDED = " Please call us with questions."
POTASSIUM: JSON = {
    "resourceType": "Observation",
    "id": "2",
    "status": "final",
    "code": {"text": "Potassium"},
    "effectiveDateTime": "2026-03-12",
    "valueQuantity": {"value": 4.1, "unit": "mmol/L"},
}


def apart(what: Coroutine[Any, Any, T]) -> T:
    """Wait for something in a thread of its own: the browser's loop runs in this one."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, what).result()


def with_chart(context: console.ConsoleContext, ident: str) -> Run:
    """A seeded run that saw the potassium of the chart, which is there."""
    assert context.runtime is not None
    apart(context.runtime.fhir.update(POTASSIUM))
    held = apart(context.runtime.fhir.read("Observation/2"))
    assert held is not None
    fields = ("code", "value", "effective")
    seen = Seen(reference="Observation/2", version=held["meta"]["versionId"], fields=fields, data=POTASSIUM)
    run = replace(load_run(context.store, ident), seen=(seen,))
    assert replace_run(context.store, run, "draft")
    return run


def change_chart(context: console.ConsoleContext, value: float) -> None:
    """Somebody else corrects the potassium."""
    assert context.runtime is not None
    apart(context.runtime.fhir.update({**POTASSIUM, "valueQuantity": {"value": value, "unit": "mmol/L"}}))


def h1(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def test_the_cursor_lights_and_opens_sources(page: Page, served) -> None:  # type: ignore[no-untyped-def]
    with_chart(served.context, "run-000")
    page.goto("/review/run-000")
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".sentence", has_text="potassium")).to_be_focused()
    expect(page.locator("#source-2")).to_have_class("source lit")
    expect(page.locator("[data-say]")).to_have_text("Sentence 2 of 4: source 2, Potassium.")
    page.keyboard.press("o")
    resource = page.locator("#source-2 details.resource")
    expect(resource.locator("summary")).to_be_focused()
    expect(resource.get_by_text("4.1 mmol/L")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".sentence", has_text="potassium")).to_be_focused()
    page.keyboard.press("k")
    expect(page.locator(".sentence", has_text="Dear patient")).to_be_focused()
    expect(page.locator("#source-2")).to_have_class("source")
    page.locator(".sentence", has_text="lisinopril").click()
    expect(page.locator("#source-1")).to_have_class("source lit")
    page.keyboard.press("Enter")
    expect(page.locator("#source-1 details.resource")).to_have_attribute("open", "")
    page.goto("/review/run-000/sources/2")
    expect(page.get_by_role("status")).to_have_text("In the chart it is now as the draft saw it.")
    change_chart(served.context, 5.9)
    page.reload()
    expect(page.get_by_role("row", name="value quantity")).to_contain_text("5.9 mmol/L")
    assert page.goto("/review/run-000/sources/99").status == 404  # type: ignore[union-attr]


def test_help_stands_over_the_desk_and_no_key_moves_while_it_does(page: Page) -> None:
    page.goto("/review/run-000")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys at the desk")
    expect(dialog).to_be_visible()
    page.keyboard.press("a")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    h1(page, "Reply to a portal message")


def test_the_difference_is_live_and_the_page_does_not_move(page: Page) -> None:
    page.goto("/review/run-000")
    page.keyboard.press("e")
    bar = page.locator(".signing")
    expect(page.locator("[data-changed]")).to_have_text("Nothing yet.")
    before = bar.bounding_box()
    page.keyboard.press("Control+End")
    page.keyboard.type(ADDED)
    expect(page.locator("[data-changed]")).to_have_text("0 words out, 5 in.")
    expect(page.locator("[data-diff] ins")).to_have_text(ADDED)
    page.get_by_label("Text to sign").fill("Dear patient, all is well.")
    expect(page.locator("[data-diff] del").first).to_be_visible()
    assert bar.bounding_box() == before
    assert bar.evaluate("bar => bar.getBoundingClientRect().bottom <= window.innerHeight")
    expect(page.get_by_role("link", name="Report a problem")).to_be_in_viewport()


def test_an_edit_survives_a_reload_and_another_browser(page: Page, served, chromium: Browser) -> None:  # type: ignore[no-untyped-def]
    page.goto("/review/run-020")
    page.keyboard.press("e")
    page.keyboard.press("Control+End")
    page.keyboard.type(ADDED)
    page.keyboard.press("Escape")
    page.keyboard.press("2")
    expect(page.locator("[data-kept]")).to_have_text(re.compile(r"Kept at \d"))
    page.reload()
    expect(page.get_by_label("Text to sign")).to_have_value(re.compile("with questions.$"))
    expect(page.locator("[data-reason='2']")).to_be_checked()
    expect(page.get_by_text("Your edit of")).to_be_visible()
    edit = kept_edit(served.context.store, "run-020", WHO)
    assert edit is not None
    assert edit.seconds > 0
    assert edit.clicks >= 2
    elsewhere = chromium.new_context(base_url=served.address, storage_state=page.context.storage_state())
    other = elsewhere.new_page()
    other.goto("/review/run-020")
    expect(other.get_by_label("Text to sign")).to_have_value(re.compile("with questions.$"))
    elsewhere.close()
    page.keyboard.press("e")
    h1(page, "Signed after your edit")
    review = load_run(served.context.store, "run-020").review
    assert review is not None
    assert review.final_text is not None
    assert review.final_text.endswith(ADDED)
    assert review.clicks is not None
    assert review.clicks >= edit.clicks
    assert review.seconds >= edit.seconds
    assert kept_edit(served.context.store, "run-020", WHO) is None, "what is signed is kept nowhere else"


def test_a_network_that_is_lost_loses_nothing(page: Page, served) -> None:  # type: ignore[no-untyped-def]
    page.goto("/review/run-030")
    page.context.set_offline(True)
    page.keyboard.press("e")
    page.keyboard.press("Control+End")
    page.keyboard.type(ADDED)
    status = page.locator("[data-kept]")
    expect(status).to_contain_text("No connection. Your text is kept in this tab")
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    expect(status).to_contain_text("Nothing was signed.")
    expect(page.get_by_label("Text to sign")).to_have_value(re.compile("with questions.$"))
    assert load_run(served.context.store, "run-030").status == "draft"
    page.context.set_offline(False)
    expect(status).to_have_text(re.compile(r"Kept at \d"), timeout=10_000)
    page.keyboard.press("e")
    h1(page, "Signed after your edit")


@contextmanager
def _process(home: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    script = Path(__file__).with_name("serve_to_kill.py")
    process = subprocess.Popen([sys.executable, str(script), str(home), str(port)])
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                httpx.get(f"http://127.0.0.1:{port}/sign-in", trust_env=False)
                break
            except httpx.TransportError:
                assert process.poll() is None, "the console ended while it started"
                time.sleep(0.1)
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_a_killed_server_loses_nothing_that_was_typed(chromium: Browser, tmp_path: Path) -> None:
    port = free_port()
    context = chromium.new_context(base_url=f"http://127.0.0.1:{port}")
    page = context.new_page()
    with _process(tmp_path, port) as server:
        store, now = open_store(f"sqlite:///{tmp_path / 'careplane.db'}"), datetime.now(UTC)
        console.create_account(store, "lee", "Lee Park", get_args(Role), now, WHO)
        page.goto(console.one_time_link(store, "lee", now))
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_title("Portfolio today · Careplane")
        page.goto("/review/run-000")
        page.keyboard.press("e")
        page.keyboard.press("Control+End")
        page.keyboard.type(" First.")
        expect(page.locator("[data-kept]")).to_have_text(re.compile(r"Kept at \d"))
        server.send_signal(signal.SIGKILL)
        server.wait()
    page.keyboard.type(" Second, while it is down.")
    expect(page.locator("[data-kept]")).to_contain_text("No connection.")
    with _process(tmp_path, port):
        expect(page.locator("[data-kept]")).to_have_text(re.compile(r"Kept at \d"), timeout=30_000)
        page.reload()
        expect(page.get_by_label("Text to sign")).to_have_value(re.compile(r"First\. Second, while it is down\.$"))
    page.get_by_label("Text to sign").press("Control+End")
    page.keyboard.type(" Third.")
    expect(page.locator("[data-kept]")).to_contain_text("No connection.")
    with _process(tmp_path, port):
        page.on("dialog", lambda dialog: dialog.accept())
        page.reload()
        expect(page.get_by_label("Text to sign")).to_have_value(re.compile(r"it is down\. Third\.$"))
        edit = None
        for _ in range(50):
            edit = kept_edit(store, "run-000", WHO)
            if edit is not None and edit.text.endswith(" Third."):
                break
            page.wait_for_timeout(100)
        assert edit is not None
        assert edit.text.endswith(" Third."), "what only the tab had is with the server again"
    store.close()
    context.close()


def test_a_changed_chart_is_shown_confirmed_and_signed_by_keyboard(page: Page, served) -> None:  # type: ignore[no-untyped-def]
    with_chart(served.context, "run-040")
    page.goto("/review/run-040")
    change_chart(served.context, 6.4)
    page.keyboard.press("a")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Not signed: the chart changed since this draft was written")
    expect(alert.get_by_role("row", name="value quantity")).to_contain_text("6.4 mmol/L")
    assert load_run(served.context.store, "run-040").status == "draft"
    expect(page.get_by_label("I have seen what changed")).to_be_focused()
    with page.expect_navigation():
        page.keyboard.press("a")
    expect(page.get_by_role("alert")).to_contain_text("Not signed")
    expect(page.get_by_label("I have seen what changed")).to_be_focused()
    page.keyboard.press("Space")
    page.keyboard.press("a")
    h1(page, "Signed as written")
    review = load_run(served.context.store, "run-040").review
    assert review is not None
    assert review.despite == ("Observation/2",)
    page.goto("/runs/run-040")
    expect(page.get_by_text("the reviewer saw and confirmed it")).to_be_visible()


def test_what_was_signed_is_amended_and_withdrawn(page: Page, served) -> None:  # type: ignore[no-untyped-def]
    page.goto("/review/run-050")
    page.keyboard.press("a")
    h1(page, "Signed as written")
    page.get_by_role("link", name="Amend").click()
    page.get_by_label("Text to sign").press("Control+End")
    page.keyboard.type(ADDED)
    expect(page.locator("[data-diff] ins")).to_have_text(ADDED)
    page.get_by_role("button", name="Sign the amended text").click()
    h1(page, "Amend the signed text")  # the browser itself asks why
    page.get_by_label("Why").fill("Left out whom to call")
    page.keyboard.press("Enter")
    h1(page, "Amended")
    run = load_run(served.context.store, "run-050")
    assert run.amendments[0].written
    assert served.context.runtime is not None
    target = run.amendments[0].written[0]
    held = apart(served.context.runtime.fhir.read(target))
    apart(served.context.runtime.fhir.update({**(held or {}), "language": "es"}))
    page.get_by_role("link", name="Withdraw").click()
    page.get_by_label("Why").fill("Wrong patient")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Not withdrawn: somebody changed it in the chart")
    expect(page.get_by_label("Why")).to_have_value("Wrong patient")
    page.get_by_label("I have seen what changed").check()
    page.get_by_role("button", name="Withdraw it").click()
    h1(page, "Withdrawn")
    gone = apart(served.context.runtime.fhir.read(target))
    assert gone is not None
    assert (gone["status"], gone["language"]) == ("entered-in-error", "es")
    expect(page.get_by_role("link", name="Amend")).to_have_count(0)
    page.goto("/runs/run-050")
    expect(page.get_by_role("heading", name="Withdrawn")).to_be_visible()
    expect(page.get_by_text("Wrong patient")).to_be_visible()


def test_a_problem_is_reported_by_keyboard_and_lands_on_the_board(page: Page, served) -> None:  # type: ignore[no-untyped-def]
    page.goto("/review/run-000")
    page.keyboard.press("!")
    h1(page, "Report a problem with this draft")
    page.get_by_label("It could harm somebody").check()
    page.get_by_label("In your words").fill("It tells a patient with heart failure to walk.")
    page.get_by_role("button", name="Send the report").click()
    expect(page.get_by_role("status").first).to_contain_text("Reported as r-")
    (request,) = [one for one in find_requests(served.context.store, "portal_reply") if one.run == "run-000"]
    assert request.kind == "problem"
    assert request.text == "It could harm somebody. It tells a patient with heart failure to walk."
    kinds = [record.kind for record in served.context.ledger.records(run="run-000")]
    assert "problem.reported" in kinds


def test_the_banner_says_what_is_away_and_who_was_told_is_kept(page: Page, served) -> None:  # type: ignore[no-untyped-def]
    seen = served.context.runtime.outages
    for _ in range(FAILURES):
        seen.failed("model")
    for path in ("/review", "/review/run-000", "/safety", "/safety/downtime"):
        page.goto(path)
        expect(page.locator(".away")).to_contain_text("Fallback active: the model is away since")
        assert page.evaluate("document.documentElement.scrollWidth") <= 1366
    page.goto("/review/run-000")
    expect(page.locator(".away")).to_contain_text("The clinician answers the message without a draft.")
    page.goto("/safety/downtime")
    expect(page.get_by_role("row", name="The model").first).to_contain_text("Practitioner/p001")
    seen.answered("model")
    page.goto("/review")
    expect(page.locator(".away")).to_have_count(0)
    assert seen.history()[0].told == (WHO,)
