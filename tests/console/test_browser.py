"""A real browser on the console: signs in by link, walks the pages, reviews by keyboard, light and dark."""

import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, expect

from careplane.records.run import Finding
from careplane.workflow import load_run
from careplane.workflow.records import replace_run

WALK = (
    "/",
    "/portfolio",
    "/apps",
    "/apps/portal_reply",
    "/decisions",
    "/evidence/portal_reply-1",
    "/value",
    "/review",
    "/review/run-005",
    "/runs/run-001",
    "/people",
    "/requests",
    "/safety",
    "/safety/monitoring",
    "/safety/monitoring/portal_reply",
    "/data",
)
pytestmark = [pytest.mark.browser]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_ward_screen_without_trouble(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for path in WALK:
        response = page.goto(path)
        assert response is not None
        assert response.ok, path
        assert page.evaluate("document.documentElement.scrollWidth") <= 1366, path
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(15, 22, 28)" if scheme == "dark" else "rgb(251, 252, 253)")


def test_paper_is_white_though_the_reader_sits_in_the_dark(page: Page) -> None:
    page.emulate_media(media="print", color_scheme="dark")
    page.goto("/evidence/portal_reply-1")
    card = page.locator(".card").first
    assert card.evaluate("card => getComputedStyle(card).backgroundColor") == "rgb(255, 255, 255)"
    expect(page.locator(".rail")).to_be_hidden()


def test_a_phone_folds_to_one_column(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    for path in ("/", "/review/run-005", "/evidence/portal_reply-1"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path


def test_a_sentence_lights_its_source(page: Page) -> None:
    page.goto("/review/run-005")
    page.locator(".sentence", has_text="potassium").hover()
    assert page.locator("#source-2").get_attribute("class") == "source lit"
    page.locator(".sentence", has_text="lisinopril").focus()
    assert page.locator("#source-1").get_attribute("class") == "source lit"
    assert page.locator("#source-2").get_attribute("class") == "source"


def test_notes_stand_beside_their_sentences_and_keys_step_through_them(page: Page, served) -> None:  # type: ignore[no-untyped-def]
    store = served.context.store
    run = load_run(store, "run-030")
    assert run.draft is not None
    found = (
        Finding(check="crisis", severity="critical", text="The message speaks of self-harm. Call the patient now."),
        Finding(check="drugs", severity="critical", text="No source gives 20 mg of lisinopril.", sentence=1),
        Finding(check="numbers", severity="caution", text="“20 mg” is in no source.", sentence=1),
        Finding(check="laterality", severity="caution", text="The draft says left; the source says right.", sentence=3),
    )
    assert replace_run(store, replace(run, draft=replace(run.draft, findings=found)), "draft")
    page.goto("/review/run-030")
    expect(page.get_by_role("alert")).to_contain_text("Act now")
    page.keyboard.press("n")
    first = page.locator(".sentence.flagged.critical")
    expect(first).to_be_focused()
    notes = page.locator(f"#{first.get_attribute('aria-describedby')}")
    expect(notes).to_contain_text("critical: Drug or dose. No source gives 20 mg of lisinopril.")
    expect(notes).to_contain_text("caution: Number or date.")
    page.keyboard.press("n")
    expect(page.locator(".sentence.flagged.caution")).to_be_focused()
    page.keyboard.press("p")
    expect(first).to_be_focused()
    line = "getComputedStyle(document.querySelector('.sentence.flagged.critical')).textDecorationStyle"
    assert page.evaluate(line) == "wavy"


def test_rejecting_by_keyboard(page: Page, served) -> None:  # type: ignore[no-untyped-def]
    page.goto("/review/run-010")
    page.keyboard.press("3")
    page.keyboard.press("r")
    expect(page.get_by_role("heading", level=1)).to_have_text("Rejected")
    review = load_run(served.context.store, "run-010").review
    assert review is not None
    assert review.reason == served.context.apps["portal_reply"].spec.review.reasons[2]
    assert review.seconds > 0


def test_accepting_by_keyboard(page: Page, served) -> None:  # type: ignore[no-untyped-def]
    page.goto("/review/run-015")
    page.keyboard.press("a")
    expect(page.get_by_role("heading", level=1)).to_have_text("Signed as written")
    assert load_run(served.context.store, "run-015").status == "accepted"


def test_editing_by_keyboard_and_keys_rest_while_typing(page: Page, served) -> None:  # type: ignore[no-untyped-def]
    page.goto("/review/run-020")
    page.keyboard.press("e")
    text = page.get_by_label("Text to sign")
    expect(text).to_be_focused()
    page.keyboard.press("Control+End")
    page.keyboard.type(" a r e: call us?")
    expect(text).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    expect(page.get_by_role("heading", level=1)).to_have_text("Signed after your edit")
    review = load_run(served.context.store, "run-020").review
    assert review is not None
    assert review.final_text is not None
    assert review.final_text.endswith("a r e: call us?")


def test_what_was_typed_is_not_left_behind_unasked(page: Page) -> None:
    page.goto("/review/run-045")
    page.keyboard.press("e")
    page.keyboard.type("Half a sentence")
    asked: list[str] = []

    def leave(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.once("dialog", leave)
    page.goto("/review")
    assert asked == ["beforeunload"]


def test_search_help_and_skip_by_keyboard(page: Page) -> None:
    page.goto("/apps")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("/")
    page.keyboard.type("portal")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Portal message reply draft")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("heading", level=1)).to_have_text("Help")


def test_reading_and_forms_work_without_javascript(chromium: Browser, signed_in: BrowserContext, served) -> None:  # type: ignore[no-untyped-def]
    plain = chromium.new_context(
        java_script_enabled=False, base_url=served.address, storage_state=signed_in.storage_state()
    )
    page = plain.new_page()
    page.goto("/review/run-025")
    page.get_by_text("Edit the text").click()
    page.get_by_label("Text to sign").fill("Dear patient, your potassium was 4.1 on 12 March [2]. Please call us.")
    page.get_by_role("button", name="Sign the edited text").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Signed after your edit")
    plain.close()
