"""The wizard's answer: a design with reasons, the others, power against cost and time; and the draft it writes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from msgspec.structs import replace

from careplane.errors import InputError
from careplane.estimators._item import Item
from careplane.evidence.design_power import POWER, detectable, finds, power_points
from careplane.evidence.plan_rules import check_plan
from careplane.evidence.plans import draft_plan
from careplane.evidence.recommend import designs
from careplane.records.app import App
from careplane.records.design import RANDOMISED, Design
from careplane.records.evidence import MeasureInfo, Plan
from careplane.records.planning import Advice, Option, Rollout

MOST_WEEKS = 104
NOT_COMPUTED = "Not computed: no standard deviation, correlation and rows per week were given or found in the data."


def check_rollout(rollout: Rollout) -> None:
    """Refuse answers that contradict each other.

    Raises:
        InputError: names the answer.
    """
    units = [unit for named in rollout.units.values() for unit in named]
    doubled = sorted(unit for unit, times in Counter(units).items() if times > 1)
    if not units:
        raise InputError("name the units that take part", field="units")
    if doubled:
        raise InputError(f"in two strata or named twice: {', '.join(doubled[:5])}", field="units")
    for field, named in (("stay_without", rollout.stay_without), ("first_days", tuple(rollout.first_days))):
        unknown = sorted(set(named) - set(units))
        if unknown:
            raise InputError(f"{', '.join(unknown[:5])} is not among the units", field=field)
    both = sorted(set(rollout.stay_without) & set(rollout.first_days))
    if both:
        raise InputError(f"{', '.join(both[:5])} stays without the app and has a first day", field="first_days")


def advise(rollout: Rollout, measure: MeasureInfo | None, power: Item) -> Advice:
    """The designs for a roll-out, each with what it finds.

    Args:
        measure: the primary measure, whose smallest worthwhile change the power is held against.
        power: the estimator ``power`` of the shelf.

    Raises:
        InputError: the answers contradict each other.
        Refused: no design can answer.
    """
    check_rollout(rollout)
    able, refused = designs(rollout)
    mcid = measure.mcid if measure else None
    options = tuple(_priced(power, rollout, one, mcid) for one in able)
    first, count = options[0], len(rollout.strata)
    weeks, sizes = _grid(rollout.weeks), sorted({max(2, count // 2), count, count * 2})
    points = power_points(power, rollout, first, weeks, sizes) if rollout.spread else ()
    unit = measure.unit if measure else ""
    return Advice(
        sentence=_sentence(first, options, count),
        options=options,
        refused=tuple(refused),
        points=points,
        power=power_text(rollout, first, mcid, unit),
        unit=unit,
        mcid=mcid,
    )


def power_text(rollout: Rollout, option: Option, mcid: float | None, unit: str) -> str:
    """The power statement of a design; without a baseline it says that it was not computed."""
    spread = rollout.spread
    if spread is None:
        return NOT_COMPUTED
    if option.detectable is None:
        return f"Not computed: the power of {option.title.lower()} is not defined for these units and weeks."
    told = (
        f"{len(rollout.strata)} units in {rollout.weeks} weeks, about {spread.per_week:,.0f} rows a unit and week, "
        f"with SD {spread.sd:.3g}, ICC {spread.icc:.3g} and cluster autocorrelation {spread.cac:.2g} ({spread.source}) "
        f"find a difference of {option.detectable:.3g} {unit} with {POWER:.0%} power (two-sided 0.05)"
    )
    if mcid is None:
        return f"{told}."
    reach = "reaches" if option.detectable <= mcid else "does not reach"
    more = "" if option.weeks_for_mcid is None or reach == "reaches" else f"; {option.weeks_for_mcid} weeks would"
    return f"{told}; that {reach} the smallest worthwhile change of {mcid:g} {unit}{more}."


def plan_from(
    app: App, infos: Sequence[MeasureInfo], rollout: Rollout, advice: Advice, named: str, utc_offset_minutes: int
) -> Plan:
    """A draft of a plan with a design of the advice, by its name.

    Raises:
        InputError: the design is not one that can answer, or the plan could not be carried out.
    """
    option = next((one for one in advice.options if one.design == named), None)
    if option is None:
        why = next((f" {one.refused} {one.way_out}" for one in advice.refused if one.design == named), "")
        known = ", ".join(one.design for one in advice.options)
        raise InputError(f"{named} cannot answer here.{why} Designs that can: {known}", field="design")
    design = option.design
    arriving = design == "individually_randomised"
    defaults = replace(
        app.spec.plan,
        design=design,
        unit=option.unit,
        allocation="blocked" if arriving else option.allocation,
        enrol="first_contact" if arriving else "listed",
        steps=max(2, min(rollout.waves, len(rollout.strata))),
        baseline_days=max(7 * rollout.history_weeks, app.spec.plan.baseline_days),
    )
    drafted = draft_plan(
        replace(app, spec=replace(app.spec, plan=defaults)),
        infos,
        rollout.strata,
        rollout.start,
        rollout.seed or 0,
        utc_offset_minutes=utc_offset_minutes,
        waves=_first_days(rollout, design),
        end=rollout.start + timedelta(weeks=rollout.weeks),
    )
    apart = timedelta(weeks=rollout.weeks_between)
    steps = tuple(rollout.start + apart * (number + 1) for number in range(len(drafted.steps)))
    made = replace(drafted, steps=steps, power=power_text(rollout, option, advice.mcid, advice.unit))
    check_plan(made)
    return made


def _first_days(rollout: Rollout, design: Design) -> Mapping[str, date]:
    """Who begins when, where it is chosen: the days given, else groups in the order in which units are named."""
    if design in RANDOMISED or design in ("interrupted_time_series", "before_after"):
        return {}
    if rollout.first_days:
        return rollout.first_days
    named = [unit for unit in rollout.strata if unit not in rollout.stay_without]
    groups = min(rollout.waves, len(named)) if design == "staggered_did" else 1
    apart = timedelta(weeks=rollout.weeks_between)
    return {unit: rollout.start + apart * (place * groups // len(named)) for place, unit in enumerate(named)}


def _priced(power: Item, rollout: Rollout, option: Option, mcid: float | None) -> Option:
    """An option with what it finds in the weeks asked for, the weeks that find the worthwhile change, and the cost."""
    count = len(rollout.strata)
    cost = rollout.usd_per_unit_week
    return replace(
        option,
        detectable=detectable(power, rollout, option, rollout.weeks, count),
        weeks_for_mcid=None if mcid is None else _weeks_for(power, rollout, option, count, mcid),
        usd=None if cost is None else cost * count * rollout.weeks,
    )


def _weeks_for(power: Item, rollout: Rollout, option: Option, count: int, mcid: float) -> int | None:
    """The least number of weeks (up to two years) whose detectable effect is worthwhile."""

    def enough(weeks: int) -> bool:
        return finds(power, rollout, option, weeks, count, mcid)

    if not enough(MOST_WEEKS):
        return None
    low, high = 1, MOST_WEEKS
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low


def _grid(weeks: int) -> list[int]:
    return sorted({max(2, round(weeks * share)) for share in (0.25, 0.5, 0.75, 1, 1.5, 2)})


def _sentence(first: Option, options: Sequence[Option], count: int) -> str:
    gate = "" if first.scale_gate else " It can never pass a scale gate."
    others = len(options) - 1
    beside = f" {others} other design{'' if others == 1 else 's'} can answer too." if others else ""
    return f"{first.title}, {count} unit{'' if count == 1 else 's'}, up to grade {first.grade}.{gate}{beside}"
