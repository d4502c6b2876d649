"""Answers to an instrument as a score: structure and arithmetic, never the text of an item.

An instrument is a Questionnaire by its canonical URL and the link ids of its items in the instrument's own order. A
score is computed twice from one description: :func:`score` for one person in plain Python, and an expression over the
answers of everybody; they agree by test.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import ibis

from careplane.measures._instants import Column, epoch_seconds
from careplane.records import JSON

DAY = 86400
OPEN_DAYS = 30
"""A response belongs to the newest invitation of at most 30 days before it."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item: its link id, the ends of its scale, and whether it is worded the other way round."""

    link: str
    low: int
    high: int
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class Instrument:
    """How answers become a score: ``factor`` times (``combine`` of the items) plus ``shift``.

    Attributes:
        questionnaire: canonical URL without version.
        items: in the instrument's own order.
        combine: sum or mean of the items, each turned where it is reversed.
        needed: how many items must be answered.
        absent: what stands for an item that was left out: the mean of those answered (turned), or the middle of its
            scale. Without effect when all are needed.
    """

    questionnaire: str
    items: tuple[Item, ...]
    combine: Literal["sum", "mean"]
    needed: int
    factor: float = 1.0
    shift: float = 0.0
    absent: Literal["mean", "middle"] = "mean"


def likert(links: range, low: int, high: int, *, reverse: frozenset[int] = frozenset()) -> tuple[Item, ...]:
    """Items with numbers for link ids and one scale."""
    return tuple(Item(str(link), low, high, link in reverse) for link in links)


def score(instrument: Instrument, answers: Mapping[str, float | None]) -> float | None:
    """The score of one response; ``None`` when too few items are answered or an answer is off its scale.

    Args:
        instrument: the description.
        answers: by link id; items that are no part of the instrument are passed over.
    """
    turned = []
    for item in instrument.items:
        given = answers.get(item.link)
        if given is None:
            continue
        if not item.low <= given <= item.high:
            return None
        turned.append(item.low + item.high - given if item.reverse else given)
    if len(turned) < instrument.needed:
        return None
    open_items = [item for item in instrument.items if answers.get(item.link) is None]
    middles = [(item.low + item.high) / 2 for item in open_items]
    rest = sum(middles) if instrument.absent == "middle" else len(open_items) * sum(turned) / len(turned)
    total = sum(turned) + rest
    combined = total / len(instrument.items) if instrument.combine == "mean" else total
    return instrument.factor * combined + instrument.shift


def scored(instrument: Instrument, answers: ibis.Table) -> ibis.Table:
    """The score of every response to an instrument: columns ``response`` and ``score`` (null as in :func:`score`).

    Args:
        instrument: the description.
        answers: rows of :data:`ANSWERS`.
    """
    mine = answers.filter(_is_of(answers, instrument) & answers.status.isin(["completed", "amended"]))
    given = mine.integer.cast("float64").fill_null(mine.decimal).fill_null(mine.ordinal)
    kept = mine.mutate(given=given).filter(lambda t: t.given.notnull() & t.link.isin(_links(instrument)))
    ends: Column = ibis.cases(*((kept.link == item.link, float(item.low + item.high)) for item in instrument.items))
    low: Column = ibis.cases(*((kept.link == item.link, float(item.low)) for item in instrument.items))
    reversed_links = [item.link for item in instrument.items if item.reverse]
    turned = kept.link.isin(reversed_links).ifelse(ends - kept.given, kept.given) if reversed_links else kept.given
    off = (kept.given < low) | (kept.given > ends - low)
    each = kept.mutate(turned=turned, middle=ends / 2.0, off=off.ifelse(1, 0))
    sums = each.group_by("response").aggregate(
        total=each.turned.sum(),
        middles=each.middle.sum(),
        rows=each.count(),
        links=each.link.nunique(),
        off=each.off.sum(),
    )
    whole = (sums["rows"] == sums.links) & (sums.off == 0) & (sums.links >= instrument.needed)
    value = instrument.factor * _combined(instrument, sums) + instrument.shift
    return sums.select(response=sums.response, score=whole.ifelse(value, ibis.null("float64")))


def _combined(instrument: Instrument, sums: ibis.Table) -> Column:
    size = len(instrument.items)
    if instrument.absent == "middle":
        all_middles = sum((item.low + item.high) / 2 for item in instrument.items)
        total = sums.total + (all_middles - sums.middles)
    else:
        total = sums.total + (size - sums.links) * (sums.total / sums.links)
    return total / size if instrument.combine == "mean" else total


def _links(instrument: Instrument) -> list[str]:
    return [item.link for item in instrument.items]


def _is_of(table: ibis.Table, instrument: Instrument) -> Column:
    """Whether a row is of the questionnaire, in any version of it."""
    of = table.questionnaire
    return (of == instrument.questionnaire) | of.startswith(f"{instrument.questionnaire}|")


def survey_rows(instrument: Instrument) -> Callable[[Mapping[str, ibis.Table]], ibis.Table]:
    """The rows of a survey measure: one per person who was asked, and one per response that nobody asked for here.

    Who was asked is a Task to complete the questionnaire; without an answer within 30 days the row has no value. The
    weight of an answer is the number asked over the number who answered among those of the same cluster and wave
    (``Task.groupIdentifier``, else the day of asking), so that clusters count by their people, not by their zeal.
    Responses without an invitation, such as imported ones, weigh 1; their response rate is not known.
    """

    def rows(tables: Mapping[str, ibis.Table]) -> ibis.Table:
        answers, invitations = tables["answers"], tables["invitations"]
        scores = scored(instrument, answers)
        places = _places(tables["roles"])
        responses = _responses(instrument, answers)
        asked = invitations.filter(_is_of(invitations, instrument)).mutate(asked=epoch_seconds(invitations.authored))
        matched = _matched(asked, responses)
        return _invited(asked, matched, scores, places).union(_uninvited(responses, matched, scores, places))

    return rows


def _places(roles: ibis.Table) -> ibis.Table:
    """One cluster by person: of several roles the first in the order of its reference."""
    return roles.group_by(of=roles.person).aggregate(place=roles.cluster.min())


def _responses(instrument: Instrument, answers: ibis.Table) -> ibis.Table:
    mine = answers.filter(_is_of(answers, instrument) & answers.status.isin(["completed", "amended"]))
    once = mine.select(response=mine.response, person=mine.person, authored=mine.authored).distinct()
    return once.mutate(answered=epoch_seconds(once.authored))


def _matched(asked: ibis.Table, responses: ibis.Table) -> ibis.Table:
    """The first response to each invitation: columns ``invitation`` and ``response``."""
    who = asked.select(invitation=asked.id, who=asked.person, asked=asked.asked)
    pairs = who.join(responses, who.who == responses.person)
    open_days = OPEN_DAYS * DAY
    fitting = pairs.filter((pairs.answered >= pairs.asked) & (pairs.answered - pairs.asked <= open_days))
    newest = fitting.group_by("response").aggregate(latest=fitting.asked.max())
    own = fitting.join(newest, "response").filter(lambda t: t.asked == t.latest)
    single = own.group_by("response").aggregate(invitation=own.invitation.min(), answered=own.answered.min())
    first = single.group_by("invitation").aggregate(earliest=single.answered.min())
    earliest = single.join(first, "invitation").filter(lambda t: t.answered == t.earliest)
    return earliest.group_by("invitation").aggregate(response=earliest.response.min())


def _invited(asked: ibis.Table, matched: ibis.Table, scores: ibis.Table, places: ibis.Table) -> ibis.Table:
    answered = matched.left_join(scores, "response").select("invitation", "score")
    found = asked.left_join(answered, asked.id == answered.invitation).left_join(places, asked.person == places.of)
    day = found.authored.substr(0, 10)
    told = found.select(
        key=ibis.literal("Task/") + found.id,
        cluster=found.location.fill_null(found.place),
        clinician=found.person,
        at=found.asked,
        value=found.score,
        wave=found.wave.fill_null(day),
        answered=found.score.notnull().ifelse(1, 0),
    )
    celled = told.mutate(cell=told.wave + "|" + told.cluster.fill_null(""))
    cells = celled.group_by(of=celled.cell).aggregate(invited=celled.count(), answers=celled.answered.sum())
    both = celled.left_join(cells, [("cell", "of")])  # by name: an expression of both would bind to one side
    rate = both.invited.cast("float64") / both.answers.nullif(0).cast("float64")
    return both.select(
        key=both.key,
        cluster=both.cluster,
        patient=ibis.null("string"),
        clinician=both.clinician,
        at=both["at"],
        value=both.value,
        weight=(both.answered == 1).ifelse(rate, 0.0),
    )


def _uninvited(responses: ibis.Table, matched: ibis.Table, scores: ibis.Table, places: ibis.Table) -> ibis.Table:
    told = responses.left_join(matched, responses.response == matched.response)
    alone = told.filter(told.invitation.isnull()).select("response", "person", "answered")
    found = alone.left_join(scores, alone.response == scores.response).left_join(places, alone.person == places.of)
    return found.select(
        key=ibis.literal("QuestionnaireResponse/") + found.response,
        cluster=found.place,
        patient=ibis.null("string"),
        clinician=found.person,
        at=found.answered,
        value=found.score,
        weight=found.score.notnull().ifelse(1.0, 0.0),
    )


_ORDINAL = "http://hl7.org/fhir/StructureDefinition/ordinalValue"

ANSWERS: JSON = {
    "resourceType": "ViewDefinition",
    "name": "survey_answers",
    "status": "active",
    "resource": "QuestionnaireResponse",
    "where": [{"path": "questionnaire.exists()"}, {"path": "authored.exists()"}],
    "select": [
        {
            "column": [
                {"name": "response", "path": "id", "type": "id"},
                {"name": "questionnaire", "path": "questionnaire", "type": "canonical"},
                {"name": "status", "path": "status", "type": "code"},
                {"name": "person", "path": "author.getReferenceKey(Practitioner)", "type": "id"},
                {"name": "authored", "path": "authored", "type": "dateTime"},
            ]
        },
        {
            "forEachOrNull": "item",
            "column": [
                {"name": "link", "path": "linkId", "type": "string"},
                {"name": "integer", "path": "answer.first().valueInteger", "type": "integer"},
                {"name": "decimal", "path": "answer.first().valueDecimal", "type": "decimal"},
                {
                    "name": "ordinal",
                    "path": f"answer.first().valueCoding.extension.where(url = '{_ORDINAL}').valueDecimal.first()",
                    "type": "decimal",
                },
            ],
        },
    ],
}
"""The answers of questionnaires, a row each; a response without any keeps one row, so that nobody is lost."""

INVITATIONS: JSON = {
    "resourceType": "ViewDefinition",
    "name": "survey_invitations",
    "status": "active",
    "resource": "Task",
    "where": [
        {"path": "code.coding.where(code = 'complete-questionnaire').exists()"},
        {"path": "authoredOn.exists()"},
        {"path": "owner.getReferenceKey(Practitioner).exists()"},
    ],
    "select": [
        {
            "column": [
                {"name": "id", "path": "id", "type": "id"},
                {"name": "person", "path": "owner.getReferenceKey(Practitioner)", "type": "id"},
                {"name": "authored", "path": "authoredOn", "type": "dateTime"},
                {"name": "wave", "path": "groupIdentifier.value", "type": "string"},
                {"name": "location", "path": "location.reference", "type": "string"},
                {"name": "questionnaire", "path": "input.valueCanonical.first()", "type": "canonical"},
            ]
        }
    ],
}
"""Who was asked to complete a questionnaire (HL7 SDC: a Task with the code ``complete-questionnaire``)."""

ROLES: JSON = {
    "resourceType": "ViewDefinition",
    "name": "survey_roles",
    "status": "active",
    "resource": "PractitionerRole",
    "where": [{"path": "practitioner.exists()"}],
    "select": [
        {
            "column": [
                {"name": "person", "path": "practitioner.getReferenceKey(Practitioner)", "type": "id"},
                {"name": "cluster", "path": "location.reference.first()", "type": "string"},
            ]
        }
    ],
}
VIEWS: Mapping[str, JSON] = {"answers": ANSWERS, "invitations": INVITATIONS, "roles": ROLES}
MISSING = "had no answer that could be scored"
