"""Which designs can answer for a roll-out, with their grade, reasons and limits; and which cannot, with what would.

Each design is one function from the roll-out to an option. Those that can answer are ordered by grade, then by the
order below, which puts first what fits the way the app reaches its users.
"""

from collections.abc import Callable
from typing import Literal

from msgspec.structs import replace

from careplane.errors import Refused
from careplane.records.design import AllocationUnit
from careplane.records.planning import Option, Rollout

FEW = 6
"""Below so many units in all no model-based interval is given: the exact test is the method."""

ADEQUATE = 10
LEAST_HISTORY, SERIES_HISTORY = 4, 12
"""Weeks of recorded outcomes before the start: for a difference in differences, and for a series on its own."""

DONORS = 5

_UNCONTROLLED = "Nothing shows what would have been without the app: grade D, and it can never pass a scale gate."


def designs(rollout: Rollout) -> tuple[list[Option], list[Option]]:
    """The designs that can answer, the recommended first, and those that cannot.

    Raises:
        Refused: none can answer.
    """
    every = [rule(rollout) for rule in _RULES]
    able = [one for one in every if not one.refused]
    if not able:
        raise Refused(
            [f"{one.title}: {one.refused}" for one in every if one.way_out][:4],
            "Record the outcome for at least four weeks before the start, bring in a second unit, or let the platform "
            "randomise patients or weeks.",
        )
    ordered = sorted(able, key=lambda one: (one.grade, every.index(one)))
    return ordered, [one for one in every if one.refused]


def _units(rollout: Rollout) -> int:
    return len(rollout.strata)


def _randomised_grade(rollout: Rollout) -> Literal["A", "B"]:
    return "A" if _units(rollout) >= ADEQUATE else "B"


def _few(rollout: Rollout) -> tuple[str, ...]:
    count = _units(rollout)
    if count < FEW:
        return (f"{count} units: no model-based interval is valid, so the exact test is the method, and it can hardly "
                f"reach 5 %; {FEW - count} more units would allow a model.",)  # fmt: skip
    if count < ADEQUATE:
        return (f"{count} units: grade B at best; {ADEQUATE - count} more would allow grade A.",)
    return ()


def _slow(rollout: Rollout, days: int, what: str) -> tuple[str, ...]:
    if rollout.lag_days < days:
        return ()
    return (f"The outcome is known {rollout.lag_days} days later, after {what} of {days} days: what is seen in one "
            f"belongs to the one before. Lengthen it to more than {rollout.lag_days} days.",)  # fmt: skip


def _no_chance(rollout: Rollout) -> tuple[str, str] | None:
    """Why nothing can be randomised side by side, with the way out."""
    if rollout.live:
        return "the app is live already, so who has it was not drawn", "randomise the units that do not have it yet"
    if not rollout.randomise:
        return "chance may not decide who gets it", "let the platform draw the units, or only their order"
    return None


def _individual(rollout: Rollout) -> Option:
    unit: AllocationUnit = "clinician" if rollout.unit == "clinician" else "patient"
    option = Option(design="individually_randomised", unit=unit, title=f"{unit.capitalize()}s randomised one by one",
                    grade="A", allocation="blocked")  # fmt: skip
    refusal = _no_chance(rollout)
    if refusal is None and rollout.unit not in ("patient", "clinician"):
        refusal = f"the app is given to a {rollout.unit}, not to one {unit}", "give it by patient or clinician"
    if refusal is None and rollout.contaminates:
        refusal = ("people with and without the app share work, so controls would profit",
                   "randomise whole clinics")  # fmt: skip
    if refusal is None and rollout.everyone:
        refusal = "everybody is to get it", "keep half without it until the end"
    return _answer(option, refusal, ("Most units, so the smallest study; allocated at the first event.",))


def _cluster(rollout: Rollout) -> Option:
    option = Option(design="cluster_randomised", unit=_place(rollout), title="Units randomised side by side",
                    grade=_randomised_grade(rollout),
                    allocation="minimised" if _units(rollout) < 2 * ADEQUATE else "stratified")  # fmt: skip
    refusal = _no_chance(rollout)
    if refusal is None and _units(rollout) < 2:
        refusal = "one unit cannot be compared with another", "bring in a second unit, or switch by the week"
    if refusal is None and rollout.everyone:
        refusal = "every unit is to get it during the study", "keep half without it until the end, or draw their order"
    return _answer(option, refusal, ("Arms run at the same time, so seasons and other changes hit both.",),
                   _few(rollout))  # fmt: skip


def _wedge(rollout: Rollout) -> Option:
    option = Option(design="stepped_wedge", unit=_place(rollout), title="Stepped wedge: the order is drawn",
                    grade=_randomised_grade(rollout))  # fmt: skip
    refusal = _no_chance(rollout)
    if refusal is None and _units(rollout) < 2:
        refusal = "one unit has no order", "bring in a second unit, or switch by the week"
    if refusal is None and min(rollout.waves, _units(rollout)) < 2:
        refusal = "all units begin at once", "begin in two groups or more"
    reasons = ("Every unit gets the app in the end, and chance decides only when.",)
    limits = (*_few(rollout), *_slow(rollout, 7 * rollout.weeks_between, "a step"))
    if _weeks_needed(rollout) > rollout.weeks and refusal is None:
        refusal = (f"{min(rollout.waves, _units(rollout))} steps of {rollout.weeks_between} weeks do not fit in "
                   f"{rollout.weeks} weeks", "shorten the steps, or plan more weeks")  # fmt: skip
    return _answer(option, refusal, reasons, limits)


def _weeks_needed(rollout: Rollout) -> int:
    return (min(rollout.waves, max(1, _units(rollout))) + 1) * rollout.weeks_between


def _rollout(rollout: Rollout) -> Option:
    wedge = _wedge(rollout)
    refusal = (wedge.refused, wedge.way_out) if wedge.refused else None
    if refusal is None and _units(rollout) < 2 * ADEQUATE:
        refusal = (f"its variance needs many units; there are {_units(rollout)}",
                   f"bring in {2 * ADEQUATE} units, or use the stepped wedge")  # fmt: skip
    option = Option(design="randomised_rollout", unit=_place(rollout), title="Randomised roll-out, efficient estimator",
                    grade=_randomised_grade(rollout))  # fmt: skip
    return _answer(option, refusal, ("As the stepped wedge, without a model of how units vary.",), wedge.limits)


def _switchback(rollout: Rollout) -> Option:
    option = Option(design="switchback", unit=_place(rollout), title="Switchback: periods drawn at random",
                    grade="A" if _units(rollout) >= ADEQUATE else "B")  # fmt: skip
    refusal = None if rollout.randomise else ("chance may not decide when it is on", "let the platform draw the weeks")
    if refusal is None and not rollout.switchable:
        refusal = "the app cannot be turned on and off by the week", "plan periods of on and off"
    if refusal is None and rollout.carry_over:
        refusal = ("what the app did lasts after it is off", "plan a wash-out longer than that, or randomise units")
    if refusal is None and rollout.lag_days >= 7:
        refusal = (f"the outcome is known {rollout.lag_days} days later, after a period of a week",
                   "measure something that is known within days")  # fmt: skip
    return _answer(option, refusal, ("Each unit is its own control, so even one unit can answer.",),
                   ("People notice the switching; results hold for quick effects only.",))  # fmt: skip


def _staggered(rollout: Rollout) -> Option:
    option = Option(design="staggered_did", unit=_place(rollout), title="Staggered difference in differences",
                    grade="C")  # fmt: skip
    refusal = None
    later = bool(rollout.stay_without) or min(rollout.waves, _units(rollout)) > 1 or len(set(_days(rollout))) > 1
    if not later:
        refusal = "all units begin at once, so nobody is left to compare with", "begin in groups, or keep some without"
    elif _units(rollout) < FEW:
        refusal = f"{_units(rollout)} units are too few for its standard errors", f"bring in {FEW} units or more"
    elif rollout.history_weeks < LEAST_HISTORY:
        refusal = _history(rollout, LEAST_HISTORY)
    return _answer(option, refusal, ("Units that begin later are the controls of those that began.",),
                   ("It assumes that all would have moved alike; that is tested before the start only.",))  # fmt: skip


def _controlled_series(rollout: Rollout) -> Option:
    option = Option(design="controlled_its", unit=_place(rollout), title="Interrupted series with control series",
                    grade="C")  # fmt: skip
    refusal = None if rollout.stay_without else ("no unit stays without the app", "name a unit that stays without it")
    if refusal is None and len(rollout.stay_without) >= _units(rollout):
        refusal = "no unit gets the app", "leave a unit out of those that stay without"
    if refusal is None and rollout.history_weeks < SERIES_HISTORY:
        refusal = _history(rollout, SERIES_HISTORY)
    return _answer(option, refusal, ("The control series shows what else changed at that time.",),
                   ("Another change in the same week in one group only would look like an effect.",))  # fmt: skip


def _synthetic(rollout: Rollout) -> Option:
    option = Option(design="sdid", unit=_place(rollout), title="Synthetic difference in differences", grade="C")
    refusal = None
    if len(rollout.stay_without) < DONORS:
        refusal = f"{len(rollout.stay_without)} units stay without the app", f"keep {DONORS} or more without it"
    elif len(rollout.stay_without) >= _units(rollout):
        refusal = "no unit gets the app", "leave a unit out of those that stay without"
    elif rollout.history_weeks < SERIES_HISTORY:
        refusal = _history(rollout, SERIES_HISTORY)
    return _answer(option, refusal, ("Controls are weighted so that they moved like the units with the app.",),
                   ("With few units its interval rests on placebos among the controls.",))  # fmt: skip


def _series(rollout: Rollout) -> Option:
    option = Option(design="interrupted_time_series", unit=_place(rollout), title="Interrupted time series", grade="C")
    refusal = None if rollout.history_weeks >= SERIES_HISTORY else _history(rollout, SERIES_HISTORY)
    return _answer(option, refusal, ("The trend before says what would have been; one unit is enough.",),
                   ("Whatever else began that week cannot be told from the app.",))  # fmt: skip


def _before_after(rollout: Rollout) -> Option:
    option = Option(design="before_after", unit=_place(rollout), title="Before and after", grade="D", scale_gate=False)
    refusal = None if rollout.history_weeks >= LEAST_HISTORY else _history(rollout, LEAST_HISTORY)
    return _answer(option, refusal, (), (_UNCONTROLLED,))


def _history(rollout: Rollout, weeks: int) -> tuple[str, str]:
    return (f"outcomes of {rollout.history_weeks} weeks before the start are recorded; it needs {weeks}",
            f"load {weeks} weeks of outcomes (careplane load), or begin later")  # fmt: skip


def _place(rollout: Rollout) -> AllocationUnit:
    return "clinic" if rollout.unit == "patient" else rollout.unit


def _days(rollout: Rollout) -> list[object]:
    return list(rollout.first_days.values())


def _answer(
    option: Option, refusal: tuple[str, str] | None, reasons: tuple[str, ...], limits: tuple[str, ...] = ()
) -> Option:
    if refusal is not None:
        return replace(option, refused=_sentence(refusal[0]), way_out=_sentence(refusal[1]))
    return replace(option, reasons=reasons, limits=limits)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


_RULES: tuple[Callable[[Rollout], Option], ...] = (
    _individual,
    _cluster,
    _wedge,
    _rollout,
    _switchback,
    _staggered,
    _controlled_series,
    _synthetic,
    _series,
    _before_after,
)
