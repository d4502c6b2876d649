"""The staff behave as the truth states, and the true effects are what a simulation of both arms gives."""

from pathlib import Path
from statistics import fmean

import orjson
import pytest

from careplane.errors import InputError, NotFound
from careplane.records import JSON
from careplane.records.run import Finding
from careplane.sandbox import Drafts, Staff, true_effects, true_effects_by_language, true_effects_by_race
from careplane.sandbox.hours import business_hours
from careplane.sandbox.staff import Decision

CRITICAL = Finding(check="grounding", severity="critical", text="not in the sources")
CAUTION = Finding(check="tone", severity="caution", text="blunt")
DRAFT = "Thank you for your message. We have sent the refill."


@pytest.fixture(scope="module")
def staff(dataset: Path) -> Staff:
    return Staff.open(dataset)


@pytest.fixture(scope="module")
def inbox(dataset: Path) -> list[JSON]:
    return [orjson.loads(line) for line in (dataset / "inbox/Communication.ndjson").read_bytes().splitlines()]


def test_a_manual_reply_takes_its_stated_time(staff: Staff, inbox: list[JSON]) -> None:
    for message in inbox:
        handling, truth = staff.manual(message), staff.rows[message["id"]]
        assert business_hours(message["sent"], handling.sent) == pytest.approx(truth.y0_hours, abs=2e-4)
        assert handling.seconds == pytest.approx(truth.minutes0 * 60, abs=0.1)
        assert handling.reply["inResponseTo"] == [{"reference": f"Communication/{message['id']}"}]
        assert handling.audit["entity"][0]["what"]["reference"] == f"Communication/{message['id']}"


def test_acts_do_not_depend_on_the_order_of_the_calls(dataset: Path, staff: Staff, inbox: list[JSON]) -> None:
    forward = [staff.with_draft(message, (), DRAFT) for message in inbox]
    backward = [Staff.open(dataset).with_draft(message, (), DRAFT) for message in reversed(inbox)]
    assert forward == backward[::-1]


def test_a_critical_finding_is_never_signed(staff: Staff, inbox: list[JSON]) -> None:
    decisions = [staff.with_draft(message, (CAUTION, CRITICAL), DRAFT) for message in inbox]
    assert {decision.action for decision in decisions} == {"reject", None}
    assert all(decision.then_manual is not None and decision.final_text is None for decision in decisions)


def test_cautions_are_used_less_and_edited_more(staff: Staff, inbox: list[JSON]) -> None:
    clean = [staff.with_draft(message, (), DRAFT).action for message in inbox]
    caution = [staff.with_draft(message, (CAUTION,), DRAFT).action for message in inbox]
    used = [action for action in caution if action in ("accept", "edit")]
    assert len(used) < len([action for action in clean if action in ("accept", "edit")])
    assert used.count("edit") / len(used) > 0.6


def test_an_edit_keeps_the_draft_and_adds_to_it(staff: Staff, inbox: list[JSON]) -> None:
    edits = [decision for m in inbox if (decision := staff.with_draft(m, (), DRAFT)).action == "edit"]
    assert edits
    for edit in edits:
        assert edit.final_text is not None
        assert DRAFT in edit.final_text
        assert edit.final_text != DRAFT


def test_a_message_of_another_data_set_is_not_answered(staff: Staff, inbox: list[JSON]) -> None:
    with pytest.raises(NotFound):
        staff.manual({**inbox[0], "id": "msg-99999"})


def test_most_people_pass_the_quiz_and_everybody_the_second_time(staff: Staff) -> None:
    right = (2, 0, 1, 1)
    first = [staff.quiz(person, "portal_reply", right) for person in staff.people]
    assert 0.84 < fmean(answers == right for answers in first) < 0.98
    assert all(staff.quiz(person, "portal_reply", right, attempt=2) == right for person in staff.people)


def test_three_questions_are_answered_by_some_within_the_scale(staff: Staff) -> None:
    answers = [staff.survey(person, index) for person in staff.people for index in (1, 2)]
    given = [answer for answer in answers if answer is not None]
    assert 0.5 < len(given) / len(answers) < 0.7
    assert {value for a in given for value in (a.like, a.performance, a.easier)} <= {1, 2, 3, 4, 5}


def outcome(staff: Staff, message: JSON, decision: Decision) -> tuple[float, float]:
    """Hours and minutes of a message that was offered a draft, from the decision alone."""
    manual = decision.then_manual
    sent = manual.sent if manual else decision.at
    seconds = decision.seconds + (manual.seconds if manual else 0.0)
    return business_hours(message["sent"], sent), seconds / 60


@pytest.mark.parametrize(
    ("findings", "drafts"),
    [((), Drafts()), ((CAUTION,), Drafts(caution=1.0)), ((CRITICAL,), Drafts(critical=1.0))],
)
def test_the_true_effect_is_what_giving_everybody_a_draft_does(
    dataset: Path, staff: Staff, inbox: list[JSON], findings: tuple[Finding, ...], drafts: Drafts
) -> None:
    """Both arms played for every message; the tolerance is four standard errors of one play of the decisions."""
    differences = []
    for message in inbox:
        hours, minutes = outcome(staff, message, staff.with_draft(message, findings, DRAFT))
        truth = staff.rows[message["id"]]
        differences.append((hours - truth.y0_hours, minutes - truth.minutes0))
    truths = true_effects(dataset, drafts)
    for index, measure in enumerate(("msg_turnaround", "message_minutes")):
        values = [difference[index] for difference in differences]
        mean = fmean(values)
        error = (fmean((value - mean) ** 2 for value in values) / len(values)) ** 0.5
        assert mean == pytest.approx(truths[measure], abs=4 * error + 1e-3)


def test_no_draft_no_effect(dataset: Path) -> None:
    assert true_effects(dataset, Drafts(offered=0.0)) == {"msg_turnaround": 0.0, "message_minutes": 0.0}


def test_half_the_drafts_half_the_effect(dataset: Path) -> None:
    whole, half = (true_effects(dataset, Drafts(offered=share)) for share in (1.0, 0.5))
    assert half == pytest.approx({measure: value / 2 for measure, value in whole.items()})


def test_groups_average_to_the_whole(dataset: Path, staff: Staff) -> None:
    whole = true_effects(dataset, Drafts())["msg_turnaround"]
    pilot = [row for row in staff.rows.values() if row.pilot]
    race = true_effects_by_race(dataset, Drafts())
    assert fmean(race[row.race]["msg_turnaround"] for row in pilot) == pytest.approx(whole)
    language = true_effects_by_language(dataset, Drafts())
    assert language["en"]["msg_turnaround"] < language["es"]["msg_turnaround"] < 0


@pytest.mark.parametrize("shares", [{"offered": 1.2}, {"caution": 0.7, "critical": 0.5}, {"critical": -0.1}])
def test_impossible_shares_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(InputError):
        Drafts(**shares)
