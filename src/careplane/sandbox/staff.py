"""The staff of the sandbox: how they answer messages, act on drafts, sit the quiz and answer the three questions.

Everything follows from (seed, message or person), so the same data set and drafts always give the same acts, whatever
the order of the calls.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal

import msgspec

from careplane.errors import DataError, NotFound
from careplane.records import JSON, Record
from careplane.records.people import Person
from careplane.records.run import Finding, Survey
from careplane.sandbox.behaviour import Outcomes, Parameters, Quality, p_used, worst
from careplane.sandbox.content import read
from careplane.sandbox.hours import add_business_hours
from careplane.sandbox.replies import Handling, handle, reply_text
from careplane.sandbox.scenario import draw
from careplane.sandbox.truth import read_truth


class Decision(Record, frozen=True):
    """What a clinician did with a draft. ``action`` is ``None`` when the draft was never opened.

    ``at`` is the instant of the review with its local offset, ``seconds`` the active time spent on it (reading and, for
    an edit, typing). ``then_manual`` is the reply by hand that follows an ignored or rejected draft; its seconds do
    not contain the review's.
    """

    opened: bool
    action: Literal["accept", "edit", "reject"] | None
    seconds: float
    at: str
    final_text: str | None = None
    reason: str | None = None
    then_manual: Handling | None = None


class Roster(Record, frozen=True):
    """One row of ``staff.json``."""

    person: Person
    shift: str


@dataclass(frozen=True, slots=True)
class Staff:
    """The people of a data set and the behaviour that its truth states."""

    seed: int
    rules: Parameters
    people: Mapping[str, Person]
    rows: Mapping[str, Outcomes]

    @classmethod
    def open(cls, folder: Path) -> "Staff":
        """Read the staff of a data set folder.

        Raises:
            DataError: ``staff.json`` or ``truth.json`` is missing or broken.
        """
        truth, path = read_truth(folder), folder / "staff.json"
        try:
            roster = msgspec.json.decode(path.read_bytes(), type=tuple[Roster, ...])
        except (OSError, msgspec.MsgspecError) as error:
            raise DataError(f"not the staff of a sandbox data set: {error}", file=path) from error
        people = {row.person.id: row.person for row in roster}
        return cls(truth.seed, truth.parameters, people, {row.message: row for row in truth.messages})

    def manual(self, message: JSON) -> Handling:
        """The reply without a draft."""
        row = self._row(message)
        return self._by_hand(message, row, row.y0_hours, row.minutes0)

    def with_draft(self, message: JSON, findings: Sequence[Finding], text: str) -> Decision:
        """What happens when a draft ``text`` with these findings waits in the in-basket."""
        row, quality = self._row(message), worst(finding.severity for finding in findings)
        chance = draw(self.seed, "decision", row.message)
        point = chance.random()
        if point < p_used(row, self.rules, quality):
            return self._use(message, row, quality, text, chance)
        if point < row.p_opened:
            return self._reject(message, row, quality, chance)
        manual = self.manual(message)
        return Decision(opened=False, action=None, seconds=0.0, at=manual.sent, then_manual=manual)

    def quiz(self, person: str, app: str, right: Sequence[int], attempt: int = 1) -> tuple[int, ...]:
        """The options that a person picks in the quiz of an app, given the ``right`` ones (0-based).

        Most people are right at the first attempt, the others get every second question wrong; from the second attempt
        everybody has read the lesson.
        """
        if attempt > 1 or draw(self.seed, "quiz", app, person).random() < self.rules.quiz_pass:
            return tuple(right)
        return tuple((0 if answer else 1) if number % 2 == 0 else answer for number, answer in enumerate(right))

    def survey(self, person: str, index: int) -> Survey | None:
        """The answer to the three questions when asked for the ``index``-th time; ``None`` when skipped."""
        chance = draw(self.seed, "survey", person, index)
        if chance.random() > self.rules.survey_response:
            return None
        liking = draw(self.seed, "liking", person).gauss(4.0, 0.6)
        like, performance, easier = (_score(chance.gauss(liking + shift, 0.5)) for shift in (0.1, -0.15, 0.05))
        comment = chance.choice(read("messages")["comments"]) if chance.random() < 0.35 else ""
        return Survey(like=like, performance=performance, easier=easier, comment=comment)

    def _row(self, message: JSON) -> Outcomes:
        if message["id"] not in self.rows:
            raise NotFound(f"Communication/{message['id']} is not a message of this data set.")
        return self.rows[message["id"]]

    def _by_hand(self, message: JSON, row: Outcomes, hours: float, minutes: float) -> Handling:
        text = reply_text(draw(self.seed, "reply", row.message), message, row.topic, row.language)
        return handle(message, text, add_business_hours(message["sent"], hours), minutes * 60)

    def _use(self, message: JSON, row: Outcomes, quality: Quality, text: str, chance: Random) -> Decision:
        share = self.rules.caution_edit_share if quality == "caution" else self.rules.clean_edit_share
        edited = chance.random() < share
        return Decision(
            opened=True,
            action="edit" if edited else "accept",
            seconds=round(row.minutes_used * 60, 1),
            at=add_business_hours(message["sent"], row.y1_used_hours),
            final_text=touch(chance, text, self._name(row.clinician), caution=quality == "caution") if edited else text,
        )

    def _reject(self, message: JSON, row: Outcomes, quality: Quality, chance: Random) -> Decision:
        reasons = read("messages")["rejections"]
        reason = "not safe" if quality == "critical" else chance.choice(reasons)
        return Decision(
            opened=True,
            action="reject",
            seconds=self.rules.rejected_extra_minutes * 60,
            at=add_business_hours(message["sent"], row.y1_unused_hours * 0.8),
            reason=reason,
            then_manual=self._by_hand(message, row, row.y1_unused_hours, row.minutes0),
        )

    def _name(self, clinician: str) -> str:
        return self.people[clinician].name if clinician in self.people else "your care team"


def touch(chance: Random, text: str, clinician: str, *, caution: bool) -> str:
    """A light human edit of a draft: an opening, a closing or, where a check warned, a safety sentence."""
    touches = read("messages")["touches"]
    closing = chance.choice(touches["closing"]).format(clinician=clinician)
    lines = [text.rstrip()]
    if caution:
        lines.append(touches["caution"][0])
    elif chance.random() < 0.4:
        lines.insert(0, chance.choice(touches["opening"]))
    return "\n\n".join((*lines, closing))


def _score(value: float) -> int:
    return min(5, max(1, round(value)))
