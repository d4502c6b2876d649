"""The three questions: I like it, it performs, it makes my work easier (the article's "ask the users").

The newest answer of each person counts once. Shares are top two of five with a Wilson 95 % interval. Nothing is shown
of fewer than 11 people, and no group is shown whose neighbours would give a withheld one away by subtraction.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Literal

from scipy import stats
from sqlalchemy import func, select

from careplane.records import Record
from careplane.records.people import Person
from careplane.records.run import Run, Survey
from careplane.store import Store, find
from careplane.store.tables import people, runs

SMALL_CELL = 11
AFTER_USES = 5
TOP = 4
QUESTIONS: tuple[Literal["like", "performance", "easier"], ...] = ("like", "performance", "easier")
_USED = ("accepted", "edited", "rejected")


class Score(Record, frozen=True):
    """One question: the share of top two of five with its Wilson interval, and the mean."""

    question: str
    top2: float
    low: float
    high: float
    mean: float


class RoleScores(Record, frozen=True):
    """The scores of one job; withheld (no scores, no ``n``) when it or a neighbour is too small."""

    role: str
    n: int | None
    scores: tuple[Score, ...]


class ThreeQuestions(Record, frozen=True):
    """What users answered about an app. ``n`` people of ``asked`` (who used it five times or more); ``scores`` is
    empty when nobody answered or ``withheld`` says why."""

    app: str
    n: int | None
    asked: int | None
    response_rate: float | None
    scores: tuple[Score, ...]
    by_role: tuple[RoleScores, ...] = ()
    withheld: str = ""


def three_questions(
    store: Store, app: str, small_cell: int = SMALL_CELL, after_uses: int = AFTER_USES
) -> ThreeQuestions:
    """The three questions of an app, all users and by role."""
    answers = _answers(store, app)
    uses = _uses(store, app)
    asked = len({*answers, *(person for person, times in uses.items() if times >= after_uses)})
    if not answers:
        return ThreeQuestions(app=app, n=0, asked=asked, response_rate=0.0 if asked else None, scores=())
    if len(answers) < small_cell:
        text = f"Withheld: fewer than {small_cell} people have answered."
        return ThreeQuestions(app=app, n=None, asked=None, response_rate=None, scores=(), withheld=text)
    return ThreeQuestions(
        app=app,
        n=len(answers),
        asked=asked,
        response_rate=len(answers) / asked,
        scores=scores(list(answers.values())),
        by_role=by_role(answers, _jobs(store, answers), small_cell),
    )


def scores(answers: Sequence[Survey]) -> tuple[Score, ...]:
    """The three scores of at least one answer."""
    return tuple(_score(question, [getattr(answer, question) for answer in answers]) for question in QUESTIONS)


def by_role(answers: Mapping[str, Survey], jobs: Mapping[str, str], small_cell: int) -> tuple[RoleScores, ...]:
    """Scores by job, with primary and complementary suppression.

    While the withheld people together are fewer than the small cell, the smallest shown role is withheld with them, so
    that no subtraction from the total reveals them.
    """
    groups: dict[str, list[Survey]] = {}
    for person, answer in answers.items():
        groups.setdefault(jobs.get(person, "not stated"), []).append(answer)
    ranked = sorted(groups, key=lambda role: (len(groups[role]), role))
    hidden: list[str] = [role for role in ranked if len(groups[role]) < small_cell]
    for role in ranked[len(hidden) :]:
        if not hidden or sum(len(groups[name]) for name in hidden) >= small_cell:
            break
        hidden.append(role)
    return tuple(
        RoleScores(role=role, n=None, scores=())
        if role in hidden
        else RoleScores(role=role, n=len(groups[role]), scores=scores(groups[role]))
        for role in sorted(groups)
    )


def _score(question: str, values: Sequence[int]) -> Score:
    top = sum(value >= TOP for value in values)
    interval = stats.binomtest(top, len(values)).proportion_ci(method="wilson")  # type: ignore[attr-defined]
    return Score(
        question=question,
        top2=top / len(values),
        low=float(interval.low),
        high=float(interval.high),
        mean=fmean(values),
    )


def _answers(store: Store, app: str) -> dict[str, Survey]:
    """The newest answer of each person."""
    with store.read() as connection:
        answered = find(
            connection,
            runs,
            Run,
            runs.c.app == app,
            runs.c.surveyed,
            order_by=(runs.c.at, runs.c.id),
        )
    newest: dict[str, Survey] = {}
    for run in answered:
        person = run.review.by if run.review else run.event.user
        if person is not None and run.survey is not None:
            newest[person] = run.survey
    return newest


def _uses(store: Store, app: str) -> Counter[str]:
    statement = (
        select(runs.c.reviewer, func.count())
        .where(runs.c.app == app, runs.c.status.in_(_USED), runs.c.reviewer.is_not(None))
        .group_by(runs.c.reviewer)
    )
    with store.read() as connection:
        return Counter({str(person): int(times) for person, times in connection.execute(statement)})


def _jobs(store: Store, persons: Iterable[str]) -> dict[str, str]:
    with store.read() as connection:
        return {person.id: person.job for person in find(connection, people, Person, people.c.id.in_(list(persons)))}
