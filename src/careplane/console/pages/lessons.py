"""The lesson of an app with its quiz: the training gate."""

from starlette.responses import Response

from careplane.change import lesson, take_quiz, trained
from careplane.console.pages.page import Page
from careplane.console.visit import Visit
from careplane.records.people import TrainingRecord


def show(visit: Visit) -> Response:
    return _page(visit)


def answer(visit: Visit) -> Response:
    """Mark the quiz; the page comes back with the score and the explanations."""
    app = visit.app(visit.path("app"))
    given = [visit.form.get(f"q{number}", "") for number in range(len(lesson(app).questions))]
    answers = [int(text) if text.isdecimal() and len(text) < 3 else -1 for text in given]
    record = take_quiz(visit.context.store, visit.context.ledger, app, visit.who, answers, visit.now)
    return _page(visit, record, answers)


def _page(visit: Visit, record: TrainingRecord | None = None, answers: list[int] | None = None) -> Response:
    app = visit.app(visit.path("app"))
    return visit.page(
        "lesson.html",
        app=app,
        lesson=lesson(app),
        record=record,
        answers=answers or [],
        state=trained(visit.context.store, app, visit.who, visit.now),
    )


PAGES = (Page("/learn/{app}", show, "people"), Page("/learn/{app}", answer, "take_part", "POST"))
