"""What the improvement of a plan's primary measure costs: from draws of cost and effect, never from two points.

The effect is drawn from its t distribution, the cost from :mod:`careplane.value.event_costs`, both per eligible event
of the intervention arm against usual care, in which the app costs nothing. What an improvement may cost is a
willingness to pay that somebody states; it is no cash, and time saved is none either.
"""

from collections.abc import Sequence
from math import ceil, log10

import numpy as np

from careplane.estimators import Floats
from careplane.estimators._item import Item
from careplane.records.app import CostDriver
from careplane.records.evidence import Effect, Plan
from careplane.records.evidence import Result as Found
from careplane.records.money import CostPart, Effectiveness, WorthAt
from careplane.store import Store
from careplane.value.benefit import STAFF_TIME
from careplane.value.event_costs import Part, event_costs

DRAWS = 10_000
POINTS = 20


def effectiveness(
    store: Store, plan: Plan, result: Found, icer: Item, drivers: Sequence[CostDriver], usd_per_unit: float | None
) -> Effectiveness:
    """Incremental cost, effect, ICER, net benefit, acceptability and EVPI of a result.

    Args:
        icer: the estimator of that name.
        drivers: what the app assumes of its costs.
        usd_per_unit: the stated willingness to pay per unit of improvement; ``None``: not stated, so no verdict.
    """
    primary = next(effect for effect in result.effects if effect.role == "primary")
    why = _why_not(primary, result)
    if why:
        return Effectiveness(plan=plan.id, measure=primary.measure, unit=primary.unit, why_not=why)
    review = primary.measure not in STAFF_TIME
    parts, missing = event_costs(store, plan, result, drivers, review=review)
    if not parts:
        none = "Not measured: no cost of this app is recorded, booked or assumed."
        return Effectiveness(
            plan=plan.id, measure=primary.measure, unit=primary.unit, why_not=none, not_measured=tuple(missing)
        )
    return from_parts(plan, primary, result.uptake.eligible, parts, missing, icer, usd_per_unit)


def from_parts(
    plan: Plan,
    primary: Effect,
    events: int,
    parts: Sequence[Part],
    missing: Sequence[str],
    icer: Item,
    usd_per_unit: float | None,
    draws: int = DRAWS,
) -> Effectiveness:
    """The same from the parts of the cost; the draws follow the seed of the plan."""
    rng = np.random.default_rng(plan.seed)
    drawn = [part.draw(rng, draws) for part in parts]
    cost: Floats = np.sum(drawn, axis=0)
    gain = _gain(primary)
    noise = rng.standard_normal(draws) if primary.df is None else rng.standard_t(primary.df, draws)
    effect = gain + (primary.se or 0.0) * noise
    grid = _grid(max(3 * abs(float(cost.mean()) / gain), 2 * (usd_per_unit or 0.0)))
    asked = sorted({*grid, *([usd_per_unit] if usd_per_unit else [])})
    ratio, curve = weigh(icer, effect, cost, asked, plan.alpha)
    low, high = _ends(effect, cost, plan.alpha)
    stated = curve[usd_per_unit] if usd_per_unit else None
    return Effectiveness(
        plan=plan.id,
        measure=primary.measure,
        unit=primary.unit,
        events=events,
        parts=tuple(_part(*one, plan.alpha) for one in zip(parts, drawn, strict=True)),
        not_measured=tuple(missing),
        cost=float(cost.mean()),
        cost_low=_quantile(cost, plan.alpha / 2),
        cost_high=_quantile(cost, 1 - plan.alpha / 2),
        effect=float(effect.mean()),
        effect_low=_quantile(effect, plan.alpha / 2),
        effect_high=_quantile(effect, 1 - plan.alpha / 2),
        icer=ratio,
        icer_low=low,
        icer_high=high,
        draws=draws,
        curve=tuple(curve[usd] for usd in grid),
        stated=stated,
        verdict=_verdict(stated, primary.unit),
        sentence=_sentence(ratio, low, high, primary.unit),
    )


def weigh(
    icer: Item, effect: Floats, cost: Floats, asked: Sequence[float], alpha: float
) -> tuple[float | None, dict[float, WorthAt]]:
    """The ratio of draws of incremental effect and cost, shape (n,), and what each willingness to pay makes of them."""
    zero = np.zeros(len(effect))
    columns = {"e0": zero, "e1": effect, "c0": zero, "c1": cost}
    found = icer.run(columns, effects=["e0", "e1"], costs=["c0", "c1"], thresholds=list(asked), alpha=alpha)
    return found.estimate, {usd: _point(usd, found.details["thresholds"][f"{usd:g}"]) for usd in asked}


def _why_not(primary: Effect, result: Found) -> str:
    if primary.direction not in ("lower", "higher"):
        return "Not computed: the primary measure has no direction in which more is better."
    if _gain(primary) <= 0:
        return "Not computed: the primary measure did not improve, so there is no improvement to price."
    if not primary.se:
        return "Not computed: the method of the plan gives no standard error to draw from."
    return "" if result.uptake.eligible else "Not computed: no eligible event in the intervention arm."


def _gain(primary: Effect) -> float:
    return -primary.estimate if primary.direction == "lower" else primary.estimate


def _grid(most: float) -> list[float]:
    """Round willingnesses to pay from 0 to at least ``most``."""
    if most <= 0:
        return [0.0, 1.0]
    raw = most / POINTS
    size = 10.0 ** np.floor(log10(raw))
    step = next(size * one for one in (1, 2, 5, 10) if size * one >= raw)
    return [float(f"{step * number:g}") for number in range(ceil(most / step) + 1)]


def _ends(effect: Floats, cost: Floats, alpha: float) -> tuple[float | None, float | None]:
    """The interval of the ratio: where the acceptability curve passes ``alpha / 2`` and ``1 - alpha / 2``.

    A draw without an improvement is dearer than any price, so there may be no upper end; none at all where a draw of
    cost is not positive, because the ratio has no order then.
    """
    if (cost <= 0).any():
        return None, None
    ratio = np.where(effect > 0, cost / np.where(effect > 0, effect, 1.0), np.inf)
    ends = [float(one) for one in np.quantile(ratio, [alpha / 2, 1 - alpha / 2], method="higher")]
    return tuple(end if np.isfinite(end) else None for end in ends)  # type: ignore[return-value]


def _point(usd: float, told: dict[str, float]) -> WorthAt:
    return WorthAt(
        usd=usd,
        net_benefit=told["net_benefit"],
        low=told["net_benefit_low"],
        high=told["net_benefit_high"],
        acceptability=told["acceptability"],
        evpi=told["evpi"],
    )


def _part(part: Part, drawn: Floats, alpha: float) -> CostPart:
    low, high = _quantile(drawn, alpha / 2), _quantile(drawn, 1 - alpha / 2)
    return CostPart(name=part.name, usd=float(drawn.mean()), low=low, high=high, basis=part.basis, assumed=part.assumed)


def _quantile(drawn: Floats, at: float) -> float:
    return float(np.quantile(drawn, at))


def _sentence(ratio: float | None, low: float | None, high: float | None, unit: str) -> str:
    if ratio is None:
        return "The draws give no ratio."
    if ratio <= 0:
        return "The app cost less than nothing in the ledger (credits), so the improvement has no price."
    if low is None:
        ends = "no interval: some draws cost nothing"
    else:
        ends = f"${low:,.2f} to {'no upper end' if high is None else f'${high:,.2f}'}"
    return f"Each {unit} of improvement per event cost ${ratio:,.2f} ({ends})."


def _verdict(stated: WorthAt | None, unit: str) -> str:
    if stated is None:
        return ""
    at = f"at the stated ${stated.usd:g} per {unit} of improvement"
    if stated.low > 0:
        return f"Worth what it costs {at}."
    if stated.high < 0:
        return f"Not worth what it costs {at}."
    return f"Not settled {at}: {stated.acceptability:.0%} of the draws are in favour."
