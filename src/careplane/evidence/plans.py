"""Plans: drafted from the app, locked by a hash before data are seen, amended only as a new version."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import select

from careplane.errors import Conflict, InputError, NotFound
from careplane.evidence.plan_rules import check_plan
from careplane.evidence.power import PowerInputs, power_sentence
from careplane.ledger import Ledger
from careplane.records.app import App, PlanDefaults
from careplane.records.design import Design, Looks, Switching
from careplane.records.evidence import MeasureInfo, Plan, PlannedMeasure
from careplane.store import Store, fetch, find, save, stamp
from careplane.store.tables import plans

ANALYSIS = (
    "Intention to treat over all eligible events of all clusters, whether or not the app spoke: least squares on arm, "
    "randomisation strata and the cluster's baseline mean; CR2 standard errors with Satterthwaite degrees of freedom; "
    "beside it the exact randomisation test with its interval. Rows without a value are left out and reported by arm."
)
_PLAN_FIRST = Plan.__struct_fields__[: Plan.__struct_fields__.index("locked_by") + 1]
_MEASURE_FIRST = PlannedMeasure.__struct_fields__[: PlannedMeasure.__struct_fields__.index("mcid") + 1]
"""The fields of the first release, which come first in the records; every hash covers them."""

RULE = (
    "Benefit: the interval excludes zero in the good direction and the estimate reaches the smallest worthwhile "
    "change. No worthwhile effect: the interval excludes a worthwhile change; for a balancing measure, a worsening "
    "by that margin. Harm: the interval lies on the bad side of zero. Otherwise inconclusive, with the "
    "weeks still needed."
)


def draft_plan(
    app: App,
    infos: Sequence[MeasureInfo],
    units: Mapping[str, str],
    start: date,
    seed: int,
    *,
    alpha: float = 0.05,
    power: PowerInputs | None = None,
    ident: str | None = None,
    utc_offset_minutes: int = 0,
    waves: Mapping[str, date] | None = None,
    end: date | None = None,
) -> Plan:
    """A plan from what the app states and the library of measures.

    Args:
        app: the app; its ``measures`` and ``plan`` fields are the plan's defaults.
        infos: the measures of the library.
        units: stratum of each unit to randomise.
        start: first day of the pilot; the baseline lies before it.
        seed: of the allocation.
        alpha: two-sided error of every interval.
        power: of the primary measure's baseline; without it the power statement says "not computed".
        ident: id of the plan; by default app and start.
        utc_offset_minutes: offset of the site from UTC, by which days begin.
        waves: first day of each unit, where somebody chose it.
        end: the day after the last; by default the app's horizon.

    Raises:
        InputError: the plan cannot be carried out as it would say, or no measure is in the library.
    """
    defaults, strata = app.spec.plan, list(units.values())
    end = end or start + timedelta(days=defaults.horizon_days)
    library = {info.id: info for info in infos}
    measures, unknown = _choose(app, library)
    first, baseline = measures[0], power if defaults.design == "cluster_randomised" else None
    subject, measured = app.spec.title.lower(), library[first.id].title.lower()
    drafted = Plan(
        id=ident or f"{app.id}-{start:%Y%m%d}",
        app=app.id,
        version=1,
        question=f"Does the {subject} change {measured} ({first.direction} is better) against usual work?",
        design=defaults.design,
        unit=defaults.unit,
        clusters=tuple(sorted(units)),
        strata={unit: units[unit] for unit in sorted(units)},
        measures=measures,
        equity=app.spec.measures.equity,
        baseline_start=start - timedelta(days=app.spec.plan.baseline_days),
        start=start,
        end=end,
        seed=seed,
        alpha=alpha,
        analysis=_analysis(defaults.design)
        + (f" Named by the app but not in the library: {', '.join(unknown)}." if unknown else ""),
        decision_rule=RULE,
        power=power_sentence(baseline, len(units), len(set(strata)), alpha, first.unit, first.mcid),
        utc_offset_minutes=utc_offset_minutes,
        allocation=defaults.allocation,
        enrol=defaults.enrol,
        waves=dict(waves or {}),
        looks=Looks(kind=defaults.looks),
        **_shape(defaults, start, end),
    )
    check_plan(drafted)
    return drafted


def _analysis(design: Design) -> str:
    """The analysis in words; which estimator is asked first and which beside it, :mod:`careplane.evidence.methods`."""
    if design == "cluster_randomised":
        return ANALYSIS
    return (
        "Intention to treat over all eligible events of all units, whether or not the app spoke, by the method that "
        f"the platform has for {design.replace('_', ' ')} and, beside it, its second method, both named with it. "
        "Below six units no model-based interval is trusted. Rows without a value are left out and reported by arm."
    )


def _shape(defaults: PlanDefaults, start: date, end: date) -> dict[str, Any]:
    """What a design adds to a plan: the days of steps, evenly apart after a first stretch without the app; or the
    periods of a switchback."""
    if defaults.design in ("stepped_wedge", "randomised_rollout"):
        days = (end - start).days / (defaults.steps + 1)
        return {"steps": tuple(start + timedelta(days=round(days * step)) for step in range(1, defaults.steps + 1))}
    if defaults.design == "switchback":
        return {"switching": Switching(period_days=defaults.period_days, washout_days=defaults.washout_days)}
    return {}


def _choose(app: App, library: Mapping[str, MeasureInfo]) -> tuple[tuple[PlannedMeasure, ...], list[str]]:
    chosen, unknown = [], []
    for role, names in (("primary", app.spec.measures.primary), ("balancing", app.spec.measures.balancing)):
        known = [library[name] for name in names if name in library]
        unknown += [name for name in names if name not in library]
        if not known:
            raise InputError(f"none of {', '.join(names)} is in the library of measures", field=f"{app.id}: {role}")
        unjudged = [info.id for info in known if role == "primary" and not info.judged]
        if unjudged:
            told = f"{', '.join(unjudged)} can be neither better nor worse; take a measure that can be judged"
            raise InputError(told, field=f"{app.id}: {role}")
        chosen += [
            msgspec.convert(
                {"id": info.id, "role": role, "unit": info.unit, "direction": info.direction, "mcid": info.mcid},
                PlannedMeasure,
            )
            for info in known
        ]
    return tuple(chosen), unknown


def plan_hash(plan: Plan) -> str:
    """SHA-256 of the plan as canonical JSON (sorted keys), over everything but hash and lock.

    A field that plans got after the first release is left out while it has its default, so that the hash of a plan
    stays what it was when it was locked.
    """
    bare = msgspec.to_builtins(msgspec.structs.replace(plan, hash="", locked_at=None, locked_by=""))
    bare["measures"] = [_without_defaults(one, PlannedMeasure, _MEASURE_FIRST) for one in bare["measures"]]
    digested = _without_defaults(bare, Plan, _PLAN_FIRST)
    return hashlib.sha256(msgspec.json.encode(digested, order="sorted")).hexdigest()


def _without_defaults(held: dict[str, Any], kind: type[msgspec.Struct], first: Sequence[str]) -> dict[str, Any]:
    """A record as JSON without the fields that were not there at first and say nothing new."""
    fields = {one.name: one for one in msgspec.structs.fields(kind)}
    usual = {
        name: msgspec.to_builtins(one.default if one.default is not msgspec.NODEFAULT else one.default_factory())
        for name, one in fields.items()
        if name not in first
    }
    return {name: value for name, value in held.items() if name in first or value != usual[name]}


def save_draft(store: Store, plan: Plan) -> Plan:
    """Keep a draft, replacing an earlier one of the same version.

    Raises:
        Conflict: that version is locked.
        InputError: the plan cannot be carried out as it says.
    """
    check_plan(plan)
    if plan.locked:
        raise Conflict(f"Plan {plan.id} is locked; a draft is saved before it is locked.")
    _write(store, plan)
    return plan


def lock_plan(store: Store, ledger: Ledger, plan: Plan, by: str, at: datetime) -> Plan:
    """Lock a plan: hash, time and person, in the store and on the ledger. Locking the same plan again changes nothing.

    Raises:
        Conflict: this version is locked with another content; or another plan of the app has some of its units at
            the same time.
        InputError: the plan cannot be carried out as it says.
    """
    held = _held(store, plan)
    digest = plan_hash(plan)
    if held is not None and held.locked and held.hash == digest:
        return held
    check_plan(plan)
    _check_overlap(store, plan)
    locked = msgspec.structs.replace(plan, hash=digest, locked_at=at, locked_by=by)
    _write(store, locked)
    facts: dict[str, str | int] = {"plan": plan.id, "version": plan.version, "hash": digest}
    ledger.append("plan.locked", at=at, app=plan.app, actor=ledger.pseudonym(by), facts=facts)
    return locked


def _check_overlap(store: Store, plan: Plan) -> None:
    """A unit is in one running plan of an app at a time, or neither would say what its events were exposed to."""
    for other in locked_plans(store, plan.app):
        shared = sorted(set(plan.clusters) & set(other.clusters))
        if other.id != plan.id and shared and plan.start < other.end and other.start < plan.end:
            named = ", ".join(shared[:3]) + (f" and {len(shared) - 3} more" if len(shared) > 3 else "")
            raise Conflict(
                f"Plan {other.id} of {plan.app} has {named} from {other.start} to {other.end}. Choose other units, "
                f"begin on {other.end} or later, or amend {other.id} to end earlier."
            )


def amend_plan(plan: Plan, **changes: object) -> Plan:
    """A draft of the next version with some fields changed; the version before stays as it was locked."""
    fresh = {"version": plan.version + 1, "hash": "", "locked_at": None, "locked_by": ""}
    return msgspec.structs.replace(plan, **{**changes, **fresh})


def load_plan(store: Store, plan_id: str) -> Plan:
    """The newest version of a plan.

    Raises:
        NotFound: no plan has this id; names those that exist.
    """
    found = [plan for plan in find_plans(store) if plan.id == plan_id]
    if not found:
        known = ", ".join(plan.id for plan in find_plans(store)) or "none"
        raise NotFound(f"There is no plan {plan_id!r}. Known: {known}.")
    return found[0]


def find_plans(store: Store, app: str | None = None) -> list[Plan]:
    """The newest version of every plan (of an app), by id."""
    where = () if app is None else (plans.c.app == app,)
    with store.read() as connection:
        rows = find(connection, plans, Plan, *where, order_by=(plans.c.id, plans.c.version))
    return list({plan.id: plan for plan in rows}.values())


def apps_with_plans(store: Store, apps: Collection[str]) -> frozenset[str]:
    """Which of these apps have a plan, locked or not."""
    with store.read() as connection:
        found = connection.execute(select(plans.c.app).where(plans.c.app.in_(list(apps))).distinct()).scalars()
        return frozenset(map(str, found))


def locked_plans(store: Store, app: str) -> list[Plan]:
    """The newest locked version of every plan of an app, by id: a draft of an amendment changes nothing yet."""
    where = (plans.c.app == app, plans.c.locked_at.is_not(None))
    with store.read() as connection:
        rows = find(connection, plans, Plan, *where, order_by=(plans.c.id, plans.c.version))
    return list({plan.id: plan for plan in rows}.values())


def find_versions(store: Store, plan_id: str) -> list[Plan]:
    """All versions of a plan, the first one first.

    Raises:
        NotFound: no plan has this id; names those that exist.
    """
    with store.read() as connection:
        rows = find(connection, plans, Plan, plans.c.id == plan_id, order_by=(plans.c.version,))
    return rows or [load_plan(store, plan_id)]


def verify_lock(store: Store, plan: Plan) -> None:
    """Refuse to compute on a plan that is not the one that was locked.

    Raises:
        Conflict: not locked, changed after locking, or not the plan that the store holds.
    """
    if not plan.locked:
        raise Conflict(f"Plan {plan.id} is not locked; run: careplane plan lock {plan.id}")
    held = _held(store, plan)
    if plan_hash(plan) != plan.hash or held is None or plan_hash(held) != held.hash or held.hash != plan.hash:
        raise Conflict(
            f"Plan {plan.id} was changed after it was locked: its hash does not match. Nothing was computed."
        )


def _held(store: Store, plan: Plan) -> Plan | None:
    with store.read() as connection:
        return fetch(connection, plans, Plan, plans.c.id == plan.id, plans.c.version == plan.version)


def _write(store: Store, plan: Plan) -> None:
    """Write a version unless it is locked; read and write in one transaction."""
    key = {"id": plan.id, "version": plan.version}
    with store.write() as connection:
        held = fetch(connection, plans, Plan, plans.c.id == plan.id, plans.c.version == plan.version)
        if held is not None and held.locked:
            raise Conflict(f"Plan {plan.id} version {plan.version} is locked; amend it as version {plan.version + 1}.")
        locked_at = stamp(plan.locked_at) if plan.locked_at else None
        save(connection, plans, plan, **key, app=plan.app, hash=plan.hash or None, locked_at=locked_at)
