"""The console's wizard over HTTP and in a browser: one step a screen, mistakes beside the field, a draft at the end."""

from typing import Any

import pytest
from msgspec.structs import replace
from playwright.sync_api import Page, expect

from careplane.console.pages.plan_wizard import STEPS
from careplane.evidence import assign, load_plan, lock_plan
from careplane.evidence.amendments import amend

UNITS = "; ".join(f"{name}: " + ", ".join(f"Location/{name}{n}" for n in range(5)) for name in "AB")
ANSWERS = {"units": UNITS, "unit": "clinic", "start": "2027-01-04", "weeks": "12", "live": "no", "randomise": "yes",
           "everyone": "no", "waves": "1", "weeks_between": "4", "stay_without": "", "contaminates": "yes",
           "switchable": "no", "carry_over": "yes", "lag_days": "7", "rare": "no", "history_weeks": "12", "sd": "6",
           "icc": "0.05", "cac": "0.8", "per_week": "20", "usd_per_unit_week": "40", "seed": "3"}  # fmt: skip
FIRST = "/evidence/plan/portal_reply/who"


def token(page: Any) -> str:
    return str(page.text.split('name="csrf" value="', 1)[1].split('"', 1)[0])


def test_the_wizard_leads_to_a_draft(served: Any) -> None:
    with served.client("eva", "evaluator") as client:
        assert "Which units take part" in client.get(FIRST).text
        advice = client.get("/evidence/plan/portal_reply/advice", params=ANSWERS)
        assert advice.status_code == 200
        assert "Units randomised side by side, 10 units, up to grade A" in advice.text
        assert "<svg" in advice.text
        assert "Smallest effect found" in advice.text, "the chart has its table"
        assert "What would help:" in advice.text
        sent = {**ANSWERS, "csrf": token(advice), "design": "cluster_randomised"}
        done = client.post("/evidence/plan/portal_reply", data=sent)
        assert done.status_code == 200, done.text
    plan = load_plan(served.context.store, "portal_reply-20270104")
    assert (plan.design, plan.seed, plan.locked, len(plan.clusters)) == ("cluster_randomised", 3, False, 10)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"weeks": "many"}, "must be a whole number"),
        ({"start": "soon"}, "must be a day"),
        ({"units": "just names"}, "write it as"),
        ({"units": "A: Location/1; B: Location/1"}, "named twice"),
        ({"waves": "0"}, "Expected"),
        ({"icc": "7"}, "Expected"),
        ({"per_week": ""}, "needed beside the others"),
        ({"stay_without": "Location/99"}, "not among the units"),
    ],
)
def test_a_mistake_brings_its_screen_back_with_what_was_typed(served: Any, changes: dict[str, str], told: str) -> None:
    name = next(iter(changes))
    with served.client(f"eva-{name}-{len(changes[name])}", "evaluator") as client:
        page = client.get("/evidence/plan/portal_reply/advice", params={**ANSWERS, **changes})
    assert page.status_code == 400
    assert told in page.text
    assert f'id="{name}"' in page.text
    assert 'role="alert"' in page.text


def test_no_design_can_answer_is_said_with_what_would(served: Any) -> None:
    with served.client("eva-one", "evaluator") as client:
        page = client.get(
            "/evidence/plan/portal_reply/advice", params={**ANSWERS, "units": "A: Location/1", "history_weeks": "0"}
        )
    assert page.status_code == 403
    assert "No design can answer here" in page.text
    assert "bring in a second unit" in page.text


def test_a_clinician_may_not_write_plans_and_a_script_is_shown_as_text(served: Any) -> None:
    with served.client("doc", "clinician") as client:
        assert client.get(FIRST).status_code == 403
    with served.client("eva-script", "evaluator") as client:
        page = client.get(FIRST, params={**ANSWERS, "units": "<script>alert(1)</script>"})
        assert "<script>alert(1)" not in page.text


def test_the_wizard_works_by_keyboard_alone(page: Page) -> None:
    """Enter from the first screen to the advice, on a ward PC."""
    page.goto(FIRST)
    page.locator("#units").fill(UNITS)
    for number, (name, _, _) in enumerate(STEPS):
        expect(page.get_by_text(f"Step {number + 1} of {len(STEPS)}")).to_be_visible()
        if name == "when":
            page.locator("#start").fill("2027-01-04")
        page.locator("button.main").focus()
        page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Which design can answer")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1366


def test_the_life_of_a_plan_shows_its_lock_and_its_amendments(served: Any) -> None:
    store, ledger = served.context.store, served.context.ledger
    drafted = replace(
        load_plan(store, "portal_reply-1"), id="a-life", version=1, hash="", locked_at=None, app="bed_huddle"
    )
    lock_plan(store, ledger, drafted, "eva", served.context.clock())
    assign(store, ledger, load_plan(store, "a-life"), served.context.clock())
    amend(store, ledger, "a-life", {"small_cell": "15"}, "The board asked for it", "eva", served.context.clock())
    with served.client("eva-life", "evaluator") as client:
        page = client.get("/evidence/a-life/versions").text
    assert "0 amendments, and a draft of another" in page
    assert "The board asked for it" in page
    assert "<ins>15</ins>" in page
    assert "No eligible event yet" in page


def test_the_wizard_begins_from_the_list_of_plans(served: Any) -> None:
    with served.client("eva-begin", "evaluator") as client:
        assert 'action="/evidence/plan/begin"' in client.get("/evidence").text
        page = client.get("/evidence/plan/begin", params={"app": "portal_reply"})
        assert page.url.path == FIRST
        assert client.get("/evidence/plan/begin", params={"app": "none"}).status_code == 404
