"""What the page of a plan and its PDF show, from plan and result: every figure with its sentence and its table."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from careplane.console.charts import (
    Figure,
    IntervalRow,
    acceptability_figure,
    curve_figure,
    effect_figure,
    forest_figure,
    intervals_figure,
    looks_figure,
)
from careplane.console.charts.forest import LANGUAGES
from careplane.console.context import ConsoleContext
from careplane.console.paper import write_pdf
from careplane.console.rendering import day, render
from careplane.evidence import load_result, plan_of
from careplane.records.evidence import AccessRow, Effect, Plan, Result
from careplane.records.money import Effectiveness
from careplane.value import effectiveness

GRADES = {
    "A": "randomised, enough clusters, little missing",
    "B": "a strong comparison with a limit",
    "C": "a comparison that may be confounded",
    "D": "no counterfactual",
}
DOSE_WARNING = "Who used it most was not drawn: those who did may differ in other ways, so this is no effect of use."
PAPER = 700
SCREEN = 1060


def write_report(context: ConsoleContext, name: str, path: Path) -> Path:
    """Print the report of a result to a PDF.

    Raises:
        NotFound: no such result.
        MissingExtra: WeasyPrint or the libraries that it needs are not installed.
    """
    result = load_result(context.store, name)
    plan = plan_of(context.store, result)
    shown = report(context, plan, result, PAPER)
    html = render("evidence_report.html", context=context, today=context.clock(), **shown)
    return write_pdf(html, path)


def report(context: ConsoleContext, plan: Plan, result: Result | None, width: int = SCREEN) -> dict[str, Any]:
    """The values of the templates; without a result those of the plan alone."""
    effects = result.effects if result else ()
    primary = next((effect for effect in effects if effect.role == "primary"), None)
    worth = _worth(context, plan, result) if result else None
    return {
        "plan": plan,
        "result": result,
        "primary": primary,
        "grades": GRADES,
        "info": context.measures,
        "lock": lock_words(plan),
        "level": f"{100 * (1 - (primary.look.alpha if primary and primary.look else plan.alpha)):.4g} %",
        "figures": [(effect, effect_figure(effect, width), methods_figure(effect, width)) for effect in effects],
        "forests": _forests(result, width) if result else [],
        "curves": [
            (effect, curve_figure(effect.curve, effect.curve_of, effect.unit, width))
            for effect in effects
            if effect.curve
        ],
        "access": access_figure(result.access, width) if result and result.access else None,
        "dose": dose_figure(result, width) if result and result.dose else None,
        "looks": _looks(result, primary, width) if result and primary else None,
        "dose_warning": DOSE_WARNING,
        "worth": worth,
        "curve_of_worth": acceptability_figure(worth, width) if worth and worth.curve else None,
    }


def _worth(context: ConsoleContext, plan: Plan, result: Result) -> Effectiveness | None:
    """What the improvement costs, by what the app states and assumes; ``None`` without the estimator."""
    if context.icer is None:
        return None
    app = context.apps.get(plan.app)
    stated = (app.spec.costs, app.spec.plan.usd_per_unit) if app else ((), None)
    return effectiveness(context.store, plan, result, context.icer, *stated)


def lock_words(plan: Plan) -> str:
    """``Locked 3 Mar 2026, 0 amendments``."""
    if plan.locked_at is None:
        return "Not locked"
    made = plan.version - 1
    return f"Locked {day(plan.locked_at)}, {made} amendment{'' if made == 1 else 's'}"


def methods_figure(effect: Effect, width: int = SCREEN) -> Figure | None:
    """The methods side by side; ``None`` where nothing stands beside the first."""
    if not effect.seconds:
        return None
    rows = [IntervalRow("The plan's method", "", effect.estimate, effect.ci_low, effect.ci_high, effect.method)]
    rows += [
        IntervalRow(f"{number}. {_short(one.method)}", "", one.estimate, one.ci_low, one.ci_high, one.note)
        for number, one in enumerate(effect.seconds, 2)
    ]
    agree = [one for one in effect.seconds if one.estimate is not None and one.ci_low is not None]
    same = sum(effect.ci_low <= (one.estimate or 0.0) <= effect.ci_high for one in agree)
    sentence = (
        f"{same} of {len(agree)} other methods give an estimate inside the interval of the plan's method."
        if agree
        else "No other method was valid on these rows."
    )
    return intervals_figure(rows, sentence=sentence, axis=f"effect, {effect.unit}", head="", width=width)


def _short(method: str) -> str:
    return method if len(method) <= 44 else f"{method[:43].rstrip(' ,')}…"


def access_figure(rows: Sequence[AccessRow], width: int = SCREEN) -> Figure:
    """How far each group was reached: the share of use over that of all others."""
    shown = [row for row in rows if row.ratio is not None]
    lowest = min(shown, key=lambda row: row.ratio or 0.0, default=None)
    sentence = "Access by group cannot be told: too few events or uses."
    if lowest is not None and lowest.ratio is not None:
        ends = "" if lowest.ratio_low is None else f" ({lowest.ratio_low:.2f} to {lowest.ratio_high:.2f})"
        sentence = f"Access is lowest for {_group(lowest)}: used {lowest.ratio:.2f} times as often as for others{ends}."
    made = [
        IntervalRow(
            _group(row),
            "withheld" if row.eligible is None else f"{row.used:,} of {row.eligible:,}",
            row.ratio,
            row.ratio_low,
            row.ratio_high,
            row.withheld or ("no use to compare" if row.ratio is None else ""),
        )
        for row in rows
    ]
    return intervals_figure(
        made, sentence=sentence, axis="share of eligible events in which it was used, over that of all others",
        head="used of eligible", line=1.0, log=True, width=width,
        note="Eligible events of the intervention arm; 1 is the same as for everybody else.",
    )  # fmt: skip


def _group(row: AccessRow) -> str:
    group = LANGUAGES.get(row.group, row.group) if row.dimension == "language" else row.group
    return f"{row.dimension.replace('_', ' ').capitalize()}: {group}"


def dose_figure(result: Result, width: int = SCREEN) -> Figure:
    """The outcome by how much it was used, which was not drawn."""
    unit = next(effect.unit for effect in result.effects if effect.measure == result.dose[0].measure)
    rows = [
        IntervalRow(
            row.band[:1].upper() + row.band[1:],
            "" if row.n is None else f"n {row.n:,}",
            row.estimate,
            row.ci_low,
            row.ci_high,
            row.withheld if row.estimate is None else "",
        )
        for row in result.dose
    ]
    return intervals_figure(
        rows, sentence=DOSE_WARNING, axis=f"difference from the control arm, {unit}", head="rows", width=width
    )


def _looks(result: Result, primary: Effect, width: int) -> Figure | None:
    looks = [*result.earlier, *([primary.look] if primary.look else [])]
    return looks_figure(looks, width) if looks else None


def _forests(result: Result, width: int) -> list[tuple[str, Figure, list[str]]]:
    """By measure: the effect by group, sorted within its dimension, and what may be in the worst group."""
    effects: Mapping[str, Effect] = {effect.measure: effect for effect in result.effects}
    names = [name for name in dict.fromkeys(row.measure for row in result.equity) if name in effects]
    found = []
    for name in names:
        rows = [row for row in result.equity if row.measure == name]
        worst = [one.text for one in result.worst if one.measure == name]
        found.append((name, forest_figure(rows, effects[name].unit, effects[name], max(width, 900)), worst))
    return found
