"""The inputs of the six signs, built from what the store holds; and the signs of a day, kept as history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property

from careplane.alignment.checks import (
    SCALE_GATES,
    Study,
    integration_known,
    known_facts,
    metric_checks,
    metrics_known,
    path_checks,
    path_known,
    studies,
)
from careplane.alignment.decisions import days_late, decisions
from careplane.alignment.facts import ADOPTION_PARTS, TOPICS
from careplane.alignment.funnel import SPONSOR_DAYS, sponsor_confirmed
from careplane.alignment.overlap import overlapping
from careplane.alignment.register import find_items
from careplane.alignment.signals import (
    COMPLETE_MINIMUM,
    WEIGHTS,
    ActiveInput,
    DecisionInput,
    LongTermInput,
    PilotInput,
    SignalInputs,
    completeness,
    index_range,
    pilot_reliance_index,
    six_signals,
)
from careplane.alignment.triggers import hard_triggers
from careplane.records.people import PanelMember, PanelSession
from careplane.records.portfolio import INTEGRATION_CHECKS, DecisionItem, RegisterItem, Signals, Stage
from careplane.store import Store, find, save
from careplane.store.tables import panel_members, panel_sessions, signal_days

PILOT_STAGES: tuple[Stage, ...] = ("shadow", "pilot")
ACTIVE_STAGES: tuple[Stage, ...] = ("shadow", "pilot", "limited_production", "scaled", "sustained")
PILOT_LIMIT_DAYS = {1: 90, 2: 180, 3: 270}
DECISION_WINDOW_DAYS = 180
OVERLAP_DECISION_DAYS = 365
PANEL_DAYS = 90
LONG_TERM_DAYS = 60


@dataclass(frozen=True)
class Portfolio:
    """What the signs look at, read once."""

    items: Sequence[RegisterItem]
    decisions: Sequence[DecisionItem]
    studies: Mapping[str, Study]
    panel_departments: Mapping[str, frozenset[str]]
    today: date

    @property
    def pilots(self) -> list[RegisterItem]:
        return [item for item in self.items if item.stage in PILOT_STAGES]

    @property
    def active(self) -> list[RegisterItem]:
        return [item for item in self.items if item.stage in ACTIVE_STAGES]

    @cached_property
    def decisions_by_item(self) -> Mapping[str, Sequence[DecisionItem]]:
        found: dict[str, list[DecisionItem]] = {}
        for decision in self.decisions:
            found.setdefault(decision.item, []).append(decision)
        return found


def signals(store: Store, today: date) -> Signals:
    """The six signs today, with their index, its range, and the hard triggers. Writes nothing."""
    portfolio = read_portfolio(store, today)
    found = six_signals(signal_inputs(portfolio))
    complete = completeness(found)
    shown = complete >= COMPLETE_MINIMUM
    low, high = index_range(found)
    return Signals(
        signals=found,
        index=pilot_reliance_index(found) if shown else None,
        low=low if shown else None,
        high=high if shown else None,
        complete=complete,
        weights=dict(WEIGHTS),
        computed_at=datetime.combine(today, time(), UTC),
        triggers=hard_triggers(store, portfolio.items, portfolio.decisions, portfolio.studies, today),
    )


def record_signals(store: Store, today: date) -> Signals:
    """Compute the signs and keep them as the row of the day; a repeat replaces it."""
    found = signals(store, today)
    with store.write() as connection:
        save(connection, signal_days, found, on=today.isoformat())
    return found


def signal_history(store: Store) -> list[Signals]:
    """The kept days, oldest first."""
    with store.read() as connection:
        return find(connection, signal_days, Signals, order_by=(signal_days.c.on,))


def read_portfolio(store: Store, today: date) -> Portfolio:
    """Read what the signs need, each table once."""
    return Portfolio(
        items=find_items(store),
        decisions=decisions(store, today, open_only=False),
        studies=studies(store),
        panel_departments=_panel_departments(store, today),
        today=today,
    )


def signal_inputs(portfolio: Portfolio) -> SignalInputs:
    """The inputs of the formulas."""
    active = portfolio.active
    undecided = _undecided_overlaps(portfolio)
    departments = {name for item in active for name in item.departments}
    shared = {name for item in active if len(item.departments) > 1 for name in item.departments}
    return SignalInputs(
        registered=len(portfolio.items),
        pilots=tuple(_pilot(item, portfolio) for item in portfolio.pilots),
        active=tuple(_active(item, portfolio, item.id in undecided) for item in active),
        decisions=tuple(_decision(one, portfolio.today) for one in _recent(portfolio)),
        long_term=tuple(
            _long_term(item, portfolio.today)
            for item in portfolio.pilots
            if (portfolio.today - item.stage_since).days > LONG_TERM_DAYS
        ),
        single_departments=len(departments - shared),
        departments=len(departments),
    )


def scale_decided(item: RegisterItem, decisions: Sequence[DecisionItem]) -> bool:
    """Whether somebody decided at a scale gate since the item entered its stage; a re-review decides nothing."""
    return any(
        one.item == item.id
        and one.gate in SCALE_GATES
        and one.outcome not in (None, "re_review")
        and one.decided_at is not None
        and one.decided_at.date() >= item.stage_since
        for one in decisions
    )


def _pilot(item: RegisterItem, portfolio: Portfolio) -> PilotInput:
    own = portfolio.decisions_by_item.get(item.id, ())
    passed = path_checks(item, portfolio.today, own)
    days = (portfolio.today - item.stage_since).days
    absent = max((one.sponsor_absent for one in own), default=0)
    return PilotInput(
        item=item.id,
        path=sum(passed.values()) / len(passed),
        aged=days > PILOT_LIMIT_DAYS[item.tier] and not scale_decided(item, own),
        sponsored=sponsor_confirmed(item, portfolio.today) and absent < 2,
        known=path_known(item),
    )


def _active(item: RegisterItem, portfolio: Portfolio, overlaps: bool) -> ActiveInput:
    study = portfolio.studies.get(item.id, Study())
    metrics = metric_checks(item, study, portfolio.today)
    at_work = set(item.active_departments) | portfolio.panel_departments.get(item.id, frozenset())
    on_platform = item.kind == "platform_app"
    return ActiveInput(
        item=item.id,
        integration=sum(name in item.integration for name in INTEGRATION_CHECKS) / len(INTEGRATION_CHECKS),
        overlaps=overlaps,
        on_platform=on_platform,
        crosses_departments=len(at_work) >= 2,
        reuses=bool(item.reused_components),
        metrics=sum(metrics.values()) / len(metrics),
        known_s2=integration_known(item) + known_facts({"task": bool(item.task)}),
        known_s3=known_facts({"departments": bool(item.departments), "at_work": bool(at_work)}),
        known_s4=metrics_known(item),
    )


def _long_term(item: RegisterItem, today: date) -> LongTermInput:
    planned = item.infrastructure_plan_at
    forecast = item.forecast_p50_usd
    return LongTermInput(
        item=item.id,
        infrastructure=float(planned is not None and (today - planned).days <= SPONSOR_DAYS),
        funding=min(1.0, item.funding_usd / forecast) if forecast else 0.0,
        adoption=len(set(item.adoption_plan) & set(ADOPTION_PARTS)) / len(ADOPTION_PARTS),
        discussed=len(set(item.topics_minuted) & set(TOPICS)) / len(TOPICS),
        known=known_facts({"owner": bool(item.owner), "forecast": forecast is not None}),
    )


def _recent(portfolio: Portfolio) -> list[DecisionItem]:
    """Decisions that are open, or were opened or made within the window."""
    start = portfolio.today - timedelta(days=DECISION_WINDOW_DAYS)
    return [
        one
        for one in portfolio.decisions
        if one.opened_at.date() <= portfolio.today and (one.decided_at is None or one.decided_at.date() >= start)
    ]


def _decision(one: DecisionItem, today: date) -> DecisionInput:
    opened, end = one.opened_at.date(), one.decided_at.date() if one.decided_at else today
    allowed = max(1, (one.due_on - opened).days)
    return DecisionInput(
        item=one.item, late=days_late(one, today) > 0, ratio=(end - opened).days / allowed, deferrals=one.deferrals
    )


def _undecided_overlaps(portfolio: Portfolio) -> set[str]:
    """Items in use that overlap with another in use, where nobody decided about either within a year."""
    since = portfolio.today - timedelta(days=OVERLAP_DECISION_DAYS)
    settled = {
        one.item
        for one in portfolio.decisions
        if one.gate == "overlap" and one.decided_at is not None and one.decided_at.date() >= since
    }
    pairs = overlapping(portfolio.active)
    return {item for item, others in pairs.items() if item not in settled and not settled.issuperset(others)}


def _panel_departments(store: Store, today: date) -> dict[str, frozenset[str]]:
    """By app, the departments of those who came to a panel session within the last 90 days."""
    since = (today - timedelta(days=PANEL_DAYS)).isoformat()
    with store.read() as connection:
        sessions = find(connection, panel_sessions, PanelSession, panel_sessions.c.on >= since)
        seated = find(connection, panel_members, PanelMember)
    department = {(member.app, member.person): member.department for member in seated}
    met: dict[str, set[str]] = {}
    for session in sessions:
        for person in session.attended:
            name = department.get((session.app, person), "")
            if name and session.on <= today:
                met.setdefault(session.app, set()).add(name)
    return {app: frozenset(names) for app, names in met.items()}
