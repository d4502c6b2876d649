"""The leadership's part: goals, the register of every use, and the life of one app up to its locked plan."""

from datetime import timedelta
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from careplane import alignment, change, value
from careplane._shelf import load
from careplane.evidence import assign, baseline_power, draft_plan, lock_plan
from careplane.evidence.windows import offset_minutes
from careplane.records.evidence import Assignment, Plan
from careplane.records.people import Request
from careplane.records.portfolio import DecisionItem, Goal, RegisterItem, Stage
from careplane.sandbox.journey.scene import APP, Scene
from careplane.sandbox.portfolio import Panels
from careplane.store import save
from careplane.store.tables import people

T = TypeVar("T")

OWNER, EVALUATOR = "Director of primary care", "Lead evaluator"
LEAD_DAYS = 28
"""Days before the pilot on which the portfolio is set up; the plan is locked a week before it starts."""
COMMITTEE = "AI governance committee"
THRESHOLD = "Replies at least one business hour sooner, with no more minutes a message"
SHADOWED = ("previsit_summary", "discharge_summary", "bed_huddle")
"""Apps that draft without being shown to anybody yet."""


def set_up(scene: Scene) -> None:
    """Goals, every use of GenAI that is known, the decisions owed, the staff, panels, requests and costs."""
    store, ledger = scene.platform.store, scene.platform.ledger
    alignment.import_goals(store, _portfolio(scene, "goals", tuple[Goal, ...]))
    alignment.import_items(store, _portfolio(scene, "register", tuple[RegisterItem, ...]))
    alignment.import_decisions(store, _portfolio(scene, "decisions", tuple[DecisionItem, ...]))
    with store.write() as connection:
        for person in scene.staff.people.values():
            save(connection, people, person, id=person.id, unit=person.unit, job=person.job)
    panels = _portfolio(scene, "panels", Panels)
    for member in panels.members:
        change.add_panel_member(store, ledger, member, scene.now)
    for session in panels.sessions:
        change.add_session(store, ledger, session, scene.now)
    change.import_requests(store, _portfolio(scene, "requests", tuple[Request, ...]))
    reader = load("connectors", "erp_files").open({"path": str(scene.options.dataset / "erp")})
    value.import_costs(store, [replace(line, synthetic=True) for line in reader.read_costs()])


def plan_the_pilot(scene: Scene) -> tuple[Assignment, ...]:
    """Take the app from idea to pilot: sponsor, scope, threshold, locked plan, and clinics drawn by the platform."""
    store, ledger = scene.platform.store, scene.platform.ledger
    scene.clock.move_to(scene.starts - timedelta(days=7))
    _move(scene, APP, "intake", "Asked for by primary care; no look-alike on the platform.")
    alignment.confirm_sponsor(store, ledger, APP, scene.platform.app(APP).spec.sponsor, scene.now)
    alignment.set_scope(
        store, ledger, APP, tuple(sorted({p.site for p in scene.staff.people.values()})), OWNER, scene.now
    )
    alignment.set_threshold(store, ledger, APP, "Replies at least one business hour sooner, no more minutes a message",
                            OWNER, scene.now)  # fmt: skip
    _move(scene, APP, "shadow", "Tier 2: data policy, measures and panel are in place.")
    scene.plan = lock_plan(store, ledger, _draft(scene), EVALUATOR, scene.now)
    arms = assign(store, ledger, scene.plan, scene.now)
    _move(scene, APP, "pilot", "The plan is locked and the clinics are drawn.")
    for name in SHADOWED:
        _move(scene, name, "intake", "In the road map of the year.")
        _move(scene, name, "shadow", "Drafts are made and measured, not yet shown.")
    return arms


def keep_signs(scene: Scene) -> None:
    """Keep the six signs of every Monday, so that leadership sees where the portfolio is going."""
    if scene.now.weekday() == 0:
        alignment.record_signals(scene.platform.store, scene.now.date())


def _draft(scene: Scene) -> Plan:
    infos = [measure.info for measure in scene.platform.measures.values()]
    clinics = {p.unit: p.site for p in scene.staff.people.values() if p.unit.startswith("Location/clinic-")}
    app = scene.platform.app(APP)
    defaults, start, offset = app.spec.plan, scene.scenario.pilot_start, offset_minutes(scene.starts)
    power = baseline_power(
        scene.platform.home,
        scene.platform.measures[app.spec.measures.primary[0]],
        clinics,
        start - timedelta(days=defaults.baseline_days),
        scene.now.date(),
        defaults.horizon_days,
        offset,
    )
    return draft_plan(app, infos, clinics, start, scene.options.seed, power=power, utc_offset_minutes=offset)


def _move(scene: Scene, item: str, stage: Stage, why: str) -> None:
    platform = scene.platform
    alignment.move_stage(
        platform.store, platform.ledger, alignment.load_item(platform.store, item), stage, scene.now, OWNER, why
    )


def _portfolio(scene: Scene, name: str, kind: type[T]) -> T:
    path = scene.options.dataset / "portfolio" / f"{name}.json"
    return msgspec.json.decode(path.read_bytes(), type=kind)
