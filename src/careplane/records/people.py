"""People: accounts, training, panels, requests and what was answered."""

from datetime import date, datetime
from typing import Literal

from careplane.records import Record

Role = Literal[
    "executive",
    "committee",
    "owner",
    "clinician",
    "engineer",
    "evaluator",
    "privacy",
    "finance",
    "adviser",
    "admin",
]


class Person(Record, frozen=True):
    """Somebody who works here. ``id`` is the FHIR reference (``Practitioner/p001``); ``unit`` the clinic or ward."""

    id: str
    name: str
    job: str
    unit: str
    site: str
    department: str
    synthetic: bool = False


class TrainingRecord(Record, frozen=True):
    """An attempt at the lesson of an app. ``score`` is the share of the quiz that was right."""

    app: str
    app_version: str
    person: str
    score: float
    passed: bool
    at: datetime


class PanelMember(Record, frozen=True):
    """A front-line member (or patient adviser) of an app's panel."""

    app: str
    person: str
    role: str
    department: str
    joined: date
    shift: str = "day"


class PanelSession(Record, frozen=True):
    """A co-design session: when, who came, what was decided."""

    app: str
    on: date
    attended: tuple[str, ...]
    minutes: str


class Request(Record, frozen=True):
    """What a user asked for, and what became of it: "you said, we did". ``what`` is the kind of a problem that was
    reported of a ``run`` ("unsafe"), empty for anything else."""

    id: str
    app: str
    by: str
    kind: Literal["need", "complaint", "idea", "problem"]
    text: str
    at: datetime
    votes: int = 1
    status: Literal["open", "planned", "done", "declined"] = "open"
    answer: str = ""
    answered_at: datetime | None = None
    run: str | None = None
    what: str = ""


class Account(Record, frozen=True):
    """A console account. There is no default password: the first link is printed once, others are invited."""

    id: str
    name: str
    roles: tuple[Role, ...]
    person: str | None = None
    password_hash: str | None = None
    created_at: datetime | None = None
    disabled: bool = False
