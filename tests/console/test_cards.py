"""Cards in the console: why they were set aside, and where their links lead."""

from datetime import timedelta
from typing import Any

import pytest

from careplane.records.hooks import CardFeedback
from careplane.store import insert_new, stamp
from careplane.store.tables import card_feedback
from careplane.workflow import find_runs

REASONS = ["wrong fact"] * 5 + ["not needed"] * 3 + ["<script>alert(1)</script>", ""]


@pytest.fixture(scope="module")
def told(served: Any) -> Any:
    """Ten cards set aside and two taken further."""
    now = served.context.clock()
    with served.context.store.write() as connection:
        for number in range(12):
            reason = REASONS[number] if number < len(REASONS) else ""
            one = CardFeedback(id=f"f{number}", card=f"c{number}", run=f"r{number}", app="portal_reply",
                               outcome="overridden" if number < 10 else "accepted", at=now + timedelta(seconds=number),
                               received_at=now, reason=reason.strip("<>"), reason_text=reason)  # fmt: skip
            insert_new(connection, card_feedback, one, id=one.id, card=one.card, app=one.app, outcome=one.outcome,
                       reason=one.reason, at=stamp(one.at))  # fmt: skip
    return served


def test_the_people_page_shows_why_cards_are_set_aside_with_the_table(told: Any) -> None:
    with told.client("owner-of-cards", "owner") as browser:
        page = browser.get("/people").text
    assert "12 cards were answered: 2 taken further, 10 set aside." in page
    assert "Of 10 cards set aside, 5 (50%) were for “wrong fact”." in page
    assert "no reason given" in page
    assert "80%" in page, "wrong fact and not needed together"
    assert "<script>alert" not in page


def test_the_link_of_a_card_leads_to_its_draft_or_waits_for_it(told: Any) -> None:
    run = find_runs(told.context.store, status="draft")[0]
    with told.client("opener", "clinician", "owner") as browser:
        opened = browser.get(f"/drafts/{run.id}", follow_redirects=False)
        assert (opened.status_code, opened.headers["location"]) == (303, f"/review/{run.id}")
        waits = browser.get("/drafts/run-not-there")
        assert waits.headers["refresh"] == "3; url=/drafts/run-not-there?tries=1"
        assert "being prepared" in waits.text
        late = browser.get("/drafts/run-not-there?tries=60")
        assert "refresh" not in late.headers
        assert "Look again" in late.text
        refused = find_runs(told.context.store, status="refused")[0]
        none = browser.get(f"/drafts/{refused.id}")
        assert "No draft was made" in none.text
        assert refused.permit.refusals[0].text in none.text
        assert "refresh" not in none.headers
