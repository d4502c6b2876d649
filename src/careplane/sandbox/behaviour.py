"""The stated behaviour model: how long staff take, and what they do with a draft. Its effects are therefore known.

Potential outcomes of a message follow the notation of Rubin: ``y0`` without a draft, ``y1`` with one. They are drawn
once per message from (seed, message id) and do not depend on the arm, so the true effect of any assignment is a mean
of differences (see :mod:`careplane.sandbox.truth`).
"""

import math
from collections.abc import Iterable
from typing import Literal

from careplane.records import Record
from careplane.sandbox.scenario import draw

Quality = Literal["clean", "caution", "critical"]
"""What the output checks said of a draft: the worst severity of its findings."""


class Parameters(Record, frozen=True):
    """The behaviour of the staff. Hours are business hours, minutes are active time, factors multiply.

    ``opens`` × ``uses`` is the chance that a clean draft is used; ``caution_factor`` and ``other_language_factor``
    reduce the chance of use; a draft with a critical finding is never used.
    """

    turnaround_hours: float = 11.0
    turnaround_log_sd: float = 0.5
    clinic_sd_hours: float = 1.0
    clinician_sd_hours: float = 1.2
    urgent_hours: float = 0.5
    used_turnaround_factor: float = 0.62
    other_language_turnaround_factor: float = 0.78
    manual_minutes: float = 4.6
    minutes_log_sd: float = 0.4
    used_minutes: float = 2.9
    other_language_used_minutes: float = 3.6
    rejected_extra_minutes: float = 0.6
    opens: float = 0.80
    uses: float = 0.76
    clinician_sd_uses: float = 0.10
    caution_factor: float = 0.75
    other_language_factor: float = 0.70
    caution_edit_share: float = 0.85
    clean_edit_share: float = 0.45
    quiz_pass: float = 0.92
    survey_response: float = 0.60


class Outcomes(Record, frozen=True):
    """Potential outcomes of one message. ``p_used`` is the chance that a clean draft is opened and used; ``p_opened``
    that it is opened at all; an opened draft that is not used costs the reading time (``*_unused``)."""

    message: str
    unit: str
    site: str
    clinician: str
    language: str
    race: str
    pilot: bool
    topic: str
    y0_hours: float
    y1_used_hours: float
    y1_unused_hours: float
    minutes0: float
    minutes_used: float
    minutes_unused: float
    p_opened: float
    p_used: float


def outcomes(
    seed: int,
    rules: Parameters,
    *,
    message: str,
    unit: str,
    site: str,
    clinician: str,
    language: str,
    race: str,
    topic: str,
    pilot: bool,
) -> Outcomes:
    """Draw the potential outcomes of one message."""
    chance = draw(seed, "outcomes", message)
    english = language == "en"
    hours = _hours(seed, rules, unit, clinician) * _lognormal(chance.gauss(0, 1), rules.turnaround_log_sd)
    if topic == "urgent":
        hours = rules.urgent_hours * chance.uniform(0.3, 1.5)
    factor = rules.used_turnaround_factor if english else rules.other_language_turnaround_factor
    effort = _lognormal(chance.gauss(0, 1), rules.minutes_log_sd)
    minutes = rules.manual_minutes * effort
    unused = minutes + rules.rejected_extra_minutes
    return Outcomes(
        message=message,
        unit=unit,
        site=site,
        clinician=clinician,
        language=language,
        race=race,
        pilot=pilot,
        topic=topic,
        y0_hours=round(hours, 4),
        y1_used_hours=round(hours * factor, 4),
        y1_unused_hours=round(hours + rules.rejected_extra_minutes / 60, 4),
        minutes0=round(minutes, 4),
        minutes_used=round((rules.used_minutes if english else rules.other_language_used_minutes) * effort, 4),
        minutes_unused=round(unused, 4),
        p_opened=rules.opens,
        p_used=round(rules.opens * _uses(seed, rules, clinician) * (1 if english else rules.other_language_factor), 4),
    )


def p_used(row: Outcomes, rules: Parameters, quality: Quality) -> float:
    """The chance that a draft of this quality is opened and used."""
    if quality == "critical":
        return 0.0
    return row.p_used * (rules.caution_factor if quality == "caution" else 1.0)


def worst(severities: Iterable[str]) -> Quality:
    """The quality of a draft from the severities of its findings; an ``info`` counts as clean."""
    found = set(severities)
    return "critical" if "critical" in found else "caution" if "caution" in found else "clean"


def _hours(seed: int, rules: Parameters, unit: str, clinician: str) -> float:
    """The mean turnaround of a clinician in a clinic; never below two hours."""
    clinic = draw(seed, "clinic effect", unit).gauss(0, rules.clinic_sd_hours)
    person = draw(seed, "clinician effect", clinician).gauss(0, rules.clinician_sd_hours)
    return max(2.0, rules.turnaround_hours + clinic + person)


def _uses(seed: int, rules: Parameters, clinician: str) -> float:
    """The chance that this clinician uses a clean draft once it is open."""
    person = draw(seed, "adoption", clinician).gauss(0, rules.clinician_sd_uses)
    return min(0.98, max(0.2, rules.uses + person))


def _lognormal(z: float, sd: float) -> float:
    """A log-normal factor with mean 1."""
    return math.exp(sd * z - sd * sd / 2)
