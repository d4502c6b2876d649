"""Panels, requests, and the three questions."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from careplane.change import (
    add_panel_member,
    add_session,
    answer_request,
    closed_loop,
    closed_loop_rate,
    find_requests,
    involvement,
    panel,
    post_request,
    three_questions,
    vote,
)
from careplane.change.surveys import by_role, scores
from careplane.errors import InputError, NotFound
from careplane.ledger import Ledger
from careplane.records.people import PanelMember, PanelSession, Person, Request
from careplane.records.run import Event, Permit, Review, Run, Survey
from careplane.store import Store, save
from careplane.store.tables import people
from careplane.workflow.records import save_new_run

AT = datetime(2026, 6, 1, 9, tzinfo=UTC)


def member(person: str, role: str) -> PanelMember:
    return PanelMember(app="a", person=person, role=role, department="Cardiology", joined=date(2026, 5, 1))


def test_panel_and_involvement(store: Store, ledger: Ledger) -> None:
    add_panel_member(store, ledger, member("Practitioner/p1", "nurse"), AT)
    add_session(
        store, ledger, PanelSession(app="a", on=AT.date(), attended=("Practitioner/p1",), minutes="Shorter."), AT
    )
    seen = panel(store, "a")
    found = involvement(seen, ["nurse", "physician"], AT.date())
    assert (found.index, found.absent, found.sessions) == (0.5, ("physician",), 1)
    assert involvement(seen, [], AT.date()).index is None
    assert involvement(seen, ["nurse"], date(2026, 4, 1)).index == 0
    with pytest.raises(InputError, match="p9"):
        add_session(store, ledger, PanelSession(app="a", on=AT.date(), attended=("p9",), minutes=""), AT)


def test_a_vote_counts_once(store: Store) -> None:
    request = post_request(store, "a", "Practitioner/p1", "idea", "  Shorter drafts  ", AT)
    assert request.text == "Shorter drafts"
    assert vote(store, request.id, "Practitioner/p1", AT).votes == 1
    assert vote(store, request.id, "Practitioner/p2", AT).votes == 2
    assert vote(store, request.id, "Practitioner/p2", AT).votes == 2
    with pytest.raises(NotFound):
        vote(store, "nothing", "Practitioner/p1", AT)


@pytest.mark.parametrize("text", ["   ", "x" * 2001])
def test_text_has_limits(store: Store, text: str) -> None:
    with pytest.raises(InputError, match="text"):
        post_request(store, "a", "Practitioner/p1", "idea", text, AT)


def test_you_said_we_did(store: Store) -> None:
    request = post_request(store, "a", "Practitioner/p1", "problem", "Too long", AT)
    assert closed_loop_rate(store, AT).rate == 0
    answer_request(store, request.id, "done", "Drafts are half as long since 1.1.", AT)
    assert closed_loop_rate(store, AT).rate == 1
    assert find_requests(store, "a")[0].status == "done"
    assert closed_loop_rate(store, AT, "other").rate is None


def test_closed_loop_worked_figure(shared: Path) -> None:
    asked = [
        Request(id=str(n), app="a", by="x", kind="idea", text="t", at=AT, status="done" if n < 34 else "open")
        for n in range(50)
    ]
    found = closed_loop(asked, AT + timedelta(days=14))
    assert (found.rate, found.overdue) == (0.68, 0)
    assert closed_loop(asked, AT + timedelta(days=15)).overdue == 16
    vectors = json.loads((shared / "design" / "vectors.json").read_text())
    assert vectors["you-said-we-did closure: 34 answered of 50 requests"] == found.rate


def survey(value: int) -> Survey:
    return Survey(like=value, performance=value, easier=value)


def test_top_two_worked_figure(shared: Path) -> None:
    score = scores([survey(4)] * 42 + [survey(3)] * 18)[0]
    assert [round(x, 3) for x in (score.top2, score.low, score.high)] == [0.7, 0.575, 0.801]
    vectors = json.loads((shared / "design" / "vectors.json").read_text())
    assert vectors["Top-2 box 42/60 Wilson"] == [0.7, 0.575, 0.801]


def answer_run(store: Store, n: int, person: str, value: int) -> None:
    event = Event(id=f"e{n}", app="a", kind="k", at=AT, user=person)
    run = Run(
        id=f"r{n}", app="a", app_version="1.0.0", app_hash="h", event=event, status="accepted",
        permit=Permit(allowed=True, reasons=()), created_at=AT + timedelta(minutes=n), survey=survey(value),
        review=Review(action="accept", by=person, at=AT, seconds=5.0),
    )  # fmt: skip
    save_new_run(store, run)


def test_three_questions_count_each_person_once_and_withhold_small_cells(store: Store) -> None:
    assert three_questions(store, "a").n == 0
    for n in range(10):
        answer_run(store, n, f"Practitioner/p{n}", 2)
    assert three_questions(store, "a").withheld
    assert three_questions(store, "a").n is None
    answer_run(store, 10, "Practitioner/p10", 5)
    answer_run(store, 11, "Practitioner/p0", 5)
    with store.write() as connection:
        nurse = Person(id="Practitioner/p0", name="N", job="nurse", unit="u", site="s", department="d")
        save(connection, people, nurse, id=nurse.id, job="nurse", unit="u")
    found = three_questions(store, "a")
    assert (found.n, found.response_rate) == (11, 1.0)
    assert found.scores[0].top2 == pytest.approx(2 / 11)
    assert [role.n for role in found.by_role] == [None, None]


def test_no_withheld_role_can_be_found_by_subtraction() -> None:
    jobs = {str(n): "nurse" if n < 30 else "physician" if n < 45 else "pharmacist" for n in range(50)}
    found = {role.role: role.n for role in by_role({n: survey(4) for n in jobs}, jobs, 11)}
    assert found == {"nurse": 30, "physician": None, "pharmacist": None}
