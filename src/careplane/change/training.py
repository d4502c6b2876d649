"""The training gate: nobody reviews an app's drafts before its lesson; it lapses with time and with a major version."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from careplane.codecs.lesson import Lesson, parse_lesson
from careplane.errors import InputError, NotFound
from careplane.ledger import Ledger
from careplane.records.app import App
from careplane.records.people import TrainingRecord
from careplane.records.run import Reason
from careplane.store import Store, find, save, stamp
from careplane.store.tables import training

RULE = "trained"

Passed = Mapping[tuple[str, str], Sequence[TrainingRecord]]
"""Lessons that were passed, the newest first, by app and person."""


def lesson(app: App) -> Lesson:
    """The lesson of an app.

    Raises:
        NotFound: the app has none.
        InputError: the lesson cannot be read; says where.
    """
    if app.lesson is None:
        raise NotFound(f"{app.spec.title} has no lesson yet; write {app.folder or app.id}/lesson.md.")
    return parse_lesson(app.lesson)


def take_quiz(
    store: Store, ledger: Ledger, app: App, person: str, answers: Sequence[int], at: datetime
) -> TrainingRecord:
    """Mark a quiz. ``answers`` holds the 0-based option chosen for each question; -1 is no answer.

    Raises:
        InputError: there are not as many answers as questions.
    """
    questions = lesson(app).questions
    if len(answers) != len(questions):
        raise InputError(f"give {len(questions)} answers, one for each question", field="answers")
    right = sum(given == question.answer for given, question in zip(answers, questions, strict=True))
    score = right / len(questions)
    record = TrainingRecord(
        app=app.id,
        app_version=app.spec.version,
        person=person,
        score=score,
        passed=score >= app.spec.training.pass_mark - 1e-9,
        at=at,
    )
    ledger.append(
        "training.taken",
        at=at,
        app=app.id,
        actor=ledger.pseudonym(person),
        facts={"score": score, "passed": record.passed, "version": record.app_version},
    )
    with store.write() as connection:
        save(connection, training, record, app=app.id, person=person, at=stamp(at), passed=record.passed)
    return record


def trained(store: Store, app: App, person: str | None, at: datetime) -> Reason:
    """Whether this person may be served by the app now: one of the checks of a permit.

    An event that names nobody (a scheduled brief for a ward) passes here: whoever opens the draft is asked then.
    """
    return trained_by({} if person is None else lessons_passed(store, {app.id}, {person}), app, person, at)


def trained_by(passed_before: Passed, app: App, person: str | None, at: datetime) -> Reason:
    """As :func:`trained`, by what was read before."""
    if person is None:
        return _reason(app, True, "Nobody is named to receive this draft; whoever reviews it must be trained.")
    if app.lesson is None:
        return _reason(app, False, f"{app.spec.title} has no lesson, so nobody can be trained for it.")
    passed = next((one for one in passed_before.get((app.id, person), ()) if one.at <= at), None)
    if passed is None:
        return _reason(app, False, f"You have not passed the lesson of {app.spec.title}.")
    lapses = passed.at + timedelta(days=app.spec.training.expires_days)
    if at >= lapses:
        return _reason(app, False, f"Your training for {app.spec.title} lapsed on {lapses:%Y-%m-%d}.")
    if _major(passed.app_version) != _major(app.spec.version):
        text = f"{app.spec.title} changed from version {passed.app_version} to {app.spec.version}."
        return _reason(app, False, text)
    return _reason(app, True, f"Passed on {passed.at:%Y-%m-%d}, valid until {lapses:%Y-%m-%d}.")


def trained_share(store: Store, app: App, people: Sequence[str], at: datetime) -> float | None:
    """The share of these people who are trained now; ``None`` when nobody is named."""
    if not people:
        return None
    return sum(trained(store, app, person, at).allowed for person in people) / len(people)


def lessons_passed(store: Store, apps: Collection[str], people: Collection[str]) -> Passed:
    """The lessons of these apps that these people passed."""
    if not people:
        return {}
    c = training.c
    here = (c.app.in_(list(apps)), c.person.in_(list(people)), c.passed.is_(True))
    with store.read() as connection:
        found = find(connection, training, TrainingRecord, *here, order_by=(c.at.desc(),))
    passed: dict[tuple[str, str], list[TrainingRecord]] = {}
    for one in found:
        passed.setdefault((one.app, one.person), []).append(one)
    return passed


def _reason(app: App, allowed: bool, text: str) -> Reason:
    minutes = app.spec.training.minutes
    way_out = "" if allowed else f"Take the {minutes}-minute lesson."
    return Reason(rule=RULE, allowed=allowed, text=text, way_out=way_out, link=f"/learn/{app.id}")


def _major(version: str) -> str:
    return version.split(".", maxsplit=1)[0]
