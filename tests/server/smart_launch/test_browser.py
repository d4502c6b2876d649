"""A real browser: an EHR launch from the chart, in a tab and in a frame of another site, and a review by keyboard."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from careplane import change
from careplane.workflow import load_run

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--test-third-party-cookie-phaseout",
)
pytestmark = [pytest.mark.browser]
expect.set_options(timeout=20_000)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip("Debian's chromium is not installed (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def window(chromium: Browser) -> Iterator[BrowserContext]:
    """A fresh browser at the size of a ward PC."""
    context = chromium.new_context(viewport={"width": 1366, "height": 768})
    yield context
    context.close()


@pytest.fixture
def page(window: BrowserContext) -> Iterator[Page]:
    """A page; trouble in its console fails the test."""
    opened = window.new_page()
    trouble: list[str] = []
    opened.on("console", lambda message: trouble.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: trouble.append(str(error)))
    yield opened
    opened.close()
    assert not trouble


def train(site, person: str) -> None:  # type: ignore[no-untyped-def]
    """Have the clinician pass the lesson of the app."""
    app = site.platform.app("previsit_summary")
    answers = [question.answer for question in change.lesson(app).questions]
    change.take_quiz(site.platform.store, site.platform.ledger, app, person, answers, datetime.now(UTC))


def test_from_the_chart_to_a_signature_by_keyboard_only(site, page: Page, draft) -> None:  # type: ignore[no-untyped-def]
    draft("one")
    train(site, "Practitioner/p1")
    page.goto(f"{site.ehr.address}/chart/ana")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Ana Quill")
    page.get_by_label("You are").focus()
    page.keyboard.type("Nia")
    page.get_by_role("button", name="Open the app", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page).to_have_title("Review a draft · Careplane")
    expect(page.get_by_role("region", name="Patient")).to_contain_text("Ana Quill born 1950-02-03 female MRN 4711")
    expect(page.locator(".sentence", has_text="Marker one")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1366
    page.keyboard.press("a")
    expect(page.get_by_role("heading", level=1)).to_have_text("Signed as written")
    run = load_run(site.platform.store, "run-one")
    assert run.status == "accepted"
    assert run.review is not None
    assert run.review.by == "Practitioner/p1"


def test_in_a_frame_of_the_ehr_and_by_keyboard(agree, page: Page, draft) -> None:  # type: ignore[no-untyped-def]
    """The EHR is another site (localhost) than the app (127.0.0.1), and third-party cookies are off."""
    draft("one")
    site = agree(framed=True)
    page.goto(f"{site.ehr.address}/chart/ana")
    page.get_by_label("You are").select_option("p1")
    page.get_by_role("button", name="Open it beside the chart").click()
    inside = page.frame_locator("iframe")
    expect(inside.locator(".sentence", has_text="Marker one")).to_be_visible()
    expect(inside.get_by_text("Opened from the chart")).to_be_visible()
    train(site, "Practitioner/p1")
    inside.locator(".sentence", has_text="Marker one").click()
    page.keyboard.press("e")
    text = inside.get_by_label("Text to sign")
    expect(text).to_be_focused()
    page.keyboard.press("Control+End")
    page.keyboard.type(" Seen in the frame.")
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    expect(inside.get_by_role("heading", level=1)).to_have_text("Signed after your edit")
    review = load_run(site.platform.store, "run-one").review
    assert review is not None
    assert (review.final_text or "").endswith("Seen in the frame.")


def test_a_page_that_may_not_frame_us_shows_nothing(site, window: BrowserContext, draft) -> None:  # type: ignore[no-untyped-def]
    draft("one")
    page = window.new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.goto(f"{site.ehr.address}/chart/ana")
    page.get_by_label("You are").select_option("p1")
    page.get_by_role("button", name="Open it beside the chart").click()
    page.wait_for_timeout(1500)
    frame = page.frames[-1]
    assert "Marker one" not in frame.content()
    assert any("frame-ancestors" in line or "X-Frame-Options" in line for line in told)


def test_two_windows_keep_two_patients_apart(site, window: BrowserContext, draft) -> None:  # type: ignore[no-untyped-def]
    draft("one")
    draft("other", patient="ben")
    page = window.new_page()
    page.goto(f"{site.ehr.address}/chart/ana")
    page.get_by_label("You are").select_option("p1")
    page.get_by_role("button", name="Open the app", exact=True).click()
    expect(page.locator(".sentence", has_text="Marker one")).to_be_visible()
    second = window.new_page()
    second.goto(f"{site.ehr.address}/chart/ben")
    second.get_by_label("You are").select_option("p1")
    second.get_by_role("button", name="Open the app", exact=True).click()
    expect(second.locator(".sentence", has_text="Marker other")).to_be_visible()
    page.reload()
    expect(page.get_by_text("another patient than the one that is open")).to_be_visible()


def test_a_standalone_launch_from_the_console(site, page: Page, draft) -> None:  # type: ignore[no-untyped-def]
    draft("one")
    page.goto(f"{site.address}/smart/standalone?ehr=main")
    page.get_by_label("You are").select_option("p1")
    page.get_by_label("Patient").select_option("ana")
    page.get_by_role("button", name="Allow").click()
    expect(page.locator(".sentence", has_text="Marker one")).to_be_visible()
    page.get_by_role("button", name="Leave").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You have left this patient")
