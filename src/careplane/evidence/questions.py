"""The questions of the wizard, in order, and how a text becomes a value; terminal and console ask the same."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

import msgspec

from careplane.errors import InputError
from careplane.records import Record
from careplane.records.planning import Rollout, Spread

Kind = Literal["units", "names", "day", "whole", "number", "yes_no", "choice"]


class Question(Record, frozen=True):
    """One question. ``default`` is what an empty answer means; ``None``: it must be answered (or, a number, is not
    known)."""

    name: str
    text: str
    kind: Kind
    help: str = ""
    default: str | None = None
    choices: tuple[str, ...] = ()


QUESTIONS: tuple[Question, ...] = (
    Question(name="units", text="Which units take part, by stratum?", kind="units",
             help="Hospital A: Location/1, Location/2; Hospital B: Location/3"),
    Question(name="unit", text="What is the app given to?", kind="choice", default="clinic",
             choices=("clinic", "unit", "ward", "site", "clinician", "patient"), help="what gets an arm"),
    Question(name="start", text="On which day may the study begin?", kind="day", help="YYYY-MM-DD"),
    Question(name="weeks", text="How many weeks may it last?", kind="whole", default="12"),
    Question(name="live", text="Is the app live already?", kind="yes_no", default="no"),
    Question(name="randomise", text="May chance decide who gets it, or when?", kind="yes_no", default="yes"),
    Question(name="everyone", text="Is every unit to get it during the study?", kind="yes_no", default="no"),
    Question(name="waves", text="In how many groups do units begin?", kind="whole", default="1"),
    Question(name="weeks_between", text="How many weeks apart do groups begin?", kind="whole", default="4"),
    Question(name="stay_without", text="Which units stay without it?", kind="names", default="",
             help="separated by commas; empty: none, or not yet known"),
    Question(name="contaminates", text="Do people with and without it share work?", kind="yes_no", default="yes",
             help="then those without would profit too"),
    Question(name="switchable", text="Can it be turned on and off by the week?", kind="yes_no", default="no"),
    Question(name="carry_over", text="Does what it did last after it is off?", kind="yes_no", default="yes"),
    Question(name="lag_days", text="After how many days is the outcome known?", kind="whole", default="7"),
    Question(name="rare", text="Is the outcome rare (below 5 %)?", kind="yes_no", default="no"),
    Question(name="history_weeks", text="Outcomes of how many weeks before are recorded?", kind="whole", default="0"),
    Question(name="sd", text="Standard deviation of the outcome?", kind="number", help="empty: not known"),
    Question(name="icc", text="Its intracluster correlation?", kind="number", default="0.05"),
    Question(name="cac", text="Its cluster autocorrelation over time?", kind="number", default="0.8"),
    Question(name="per_week", text="Rows per unit and week?", kind="number", help="empty: not known"),
    Question(name="usd_per_unit_week", text="What does a unit cost a week, in USD?", kind="number",
             help="empty: not known"),
    Question(name="seed", text="Which seed does the platform draw from?", kind="whole", default="1"),
)  # fmt: skip

_SPREAD = ("sd", "icc", "cac", "per_week")
_LONGEST = 20_000


def value_of(question: Question, text: str) -> Any:
    """The value of an answer.

    Raises:
        InputError: names the question's field and says what is expected.
    """
    text = text.strip() or (question.default or "")
    if len(text) > _LONGEST:
        raise InputError(f"is longer than {_LONGEST:,} characters", field=question.name)
    return _READERS[question.kind](question, text)


def rollout_of(app: str, answers: Mapping[str, Any], spread: Spread | None = None) -> Rollout:
    """The roll-out from the values of all answers; ``spread`` is what loaded data said, if nothing was given by hand.

    Raises:
        InputError: an answer that there is no question for, or a value out of its bounds; names it.
    """
    known = {*Rollout.__struct_fields__, *_SPREAD} - {"app"}
    strange = sorted(set(answers) - known)
    if strange:
        raise InputError(f"is no question of the wizard; questions: {', '.join(sorted(known))}", field=strange[0])
    given = {name: value for name, value in answers.items() if value is not None and name not in _SPREAD}
    by_hand = {name: answers[name] for name in _SPREAD if answers.get(name) is not None}
    found: Any = spread
    if "sd" in by_hand or "per_week" in by_hand:
        lacking = [name for name in ("sd", "icc", "per_week") if name not in by_hand]
        if lacking:
            raise InputError("is needed beside the others for a power statement", field=lacking[0])
        found = by_hand
    given = {**given, "app": app, **({"spread": found} if found is not None and "spread" not in given else {})}
    try:
        return msgspec.convert(msgspec.to_builtins(given), Rollout)
    except msgspec.ValidationError as error:
        told, _, place = str(error).replace("`", "").partition(" - at ")
        field = place.strip().removeprefix("$.").split(".")[-1].split("[")[0]
        raise InputError(told, field=field or "answers") from error


def units_text(units: Mapping[str, tuple[str, ...]]) -> str:
    """Units by stratum as the question takes them."""
    return "; ".join(f"{stratum}: {', '.join(named)}" for stratum, named in units.items())


def _units(question: Question, text: str) -> dict[str, tuple[str, ...]]:
    units: dict[str, tuple[str, ...]] = {}
    for part in text.replace("\n", ";").split(";"):
        if not part.strip():
            continue
        stratum, colon, named = part.partition(":")
        found = tuple(name.strip() for name in named.split(",") if name.strip())
        if not colon or not stratum.strip() or not found:
            raise InputError("write it as: Hospital A: Location/1, Location/2; Hospital B: Location/3",
                             field=question.name)  # fmt: skip
        if stratum.strip() in units:
            raise InputError(f"{stratum.strip()} is named twice; put its units together", field=question.name)
        units[stratum.strip()] = found
    if not units:
        raise InputError("name the units that take part", field=question.name)
    return units


def _names(_question: Question, text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _day(question: Question, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InputError("must be a day, as YYYY-MM-DD", field=question.name) from error


def _whole(question: Question, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise InputError("must be a whole number", field=question.name)
    return int(text)


def _number(question: Question, text: str) -> float | None:
    if not text:
        return None
    try:
        found = float(text)
    except ValueError:
        found = float("nan")
    if not -1e15 < found < 1e15:
        raise InputError("must be a number", field=question.name)
    return found


def _yes_no(question: Question, text: str) -> bool:
    answer = {"yes": True, "y": True, "true": True, "no": False, "n": False, "false": False}.get(text.lower())
    if answer is None:
        raise InputError("answer yes or no", field=question.name)
    return answer


def _choice(question: Question, text: str) -> str:
    if text not in question.choices:
        raise InputError(f"must be one of {', '.join(question.choices)}", field=question.name)
    return text


_READERS: Mapping[Kind, Any] = {
    "units": _units,
    "names": _names,
    "day": _day,
    "whole": _whole,
    "number": _number,
    "yes_no": _yes_no,
    "choice": _choice,
}
