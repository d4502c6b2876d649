"""The register: one row for each use of GenAI, whether it runs on the platform or was bought elsewhere."""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, time
from difflib import get_close_matches
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, or_, select

from careplane.errors import NotFound
from careplane.ledger import Ledger
from careplane.records.app import App, AppSpec
from careplane.records.portfolio import INTEGRATION_CHECKS, Goal, Kind, RegisterItem, Stage, StageMove
from careplane.store import Store, count, fetch, find, insert_new, save, stamp
from careplane.store.tables import goals as goals_table
from careplane.store.tables import register, stage_moves

PLATFORM_INTEGRATION: dict[str, str] = {
    "single_sign_on": "Users reach the app through the console's own sign-in.",
    "in_workflow_launch": "The trigger of the manifest starts it where the work is; it is not a chat window.",
    "governed_data": "Context rules name the resources and fields; the gateway removes all others.",
    "write_back_with_provenance": "A signed draft goes back to the chart with AIAST label, Provenance and Device.",
    "telemetry": "Each run is recorded whole, and its model calls are metered.",
    "entitlement_and_kill_switch": "The register is the entitlement; a stop holds for app, site and version.",
}
"""Why an app of the platform passes the six integration checks by construction. Write-back is passed only by an app
whose output becomes a FHIR resource, in-workflow launch only by one with a trigger other than chat or manual."""


def register_app(
    store: Store, ledger: Ledger, app: App, tier: int, stage: Stage, at: datetime, by: str
) -> RegisterItem:
    """Put an app of the platform on the register, or bring its row up to its manifest.

    A row that exists keeps its stage and all that people decided about it (sponsor confirmation, scope, funding).
    """
    with store.write() as connection:
        held = fetch(connection, register, RegisterItem, register.c.id == app.id)
        item = _from_manifest(app, tier, stage, at) if held is None else _refreshed(held, app, tier)
        save_item(connection, item)
        if held is None:
            _enter(connection, item, at, by, "Registered from its manifest.")
    ledger.append(
        "register.added" if held is None else "register.updated",
        at=at,
        app=app.id,
        actor=by,
        facts={"tier": tier, "stage": item.stage, "version": app.spec.version, "hash": app.hash},
    )
    return item


def import_items(store: Store, items: Iterable[RegisterItem]) -> int:
    """Add rows that are not there yet; says how many were new. A repeat changes nothing.

    Each new row enters the funnel at ``stage_since`` in the stage it states.
    """
    new = 0
    with store.write() as connection:
        for item in items:
            if insert_new(connection, register, item, **_columns(item)):
                new += 1
                at = datetime.combine(item.stage_since, time(), UTC)
                _enter(connection, item, at, "import", "Imported in this stage.")
    return new


def import_goals(store: Store, goals: Iterable[Goal]) -> None:
    """Add strategic goals, or bring them up to date."""
    with store.write() as connection:
        for goal in goals:
            save(connection, goals_table, goal, id=goal.id, year=goal.year)


def find_goals(store: Store, year: int | None = None) -> list[Goal]:
    """The goals, of one year or all, heaviest first."""
    where = () if year is None else (goals_table.c.year == year,)
    with store.read() as connection:
        found = find(connection, goals_table, Goal, *where)
    return sorted(found, key=lambda goal: (-goal.weight, goal.id))


def find_item(store: Store, item: str) -> RegisterItem | None:
    """A row by id, or ``None``."""
    with store.read() as connection:
        return fetch(connection, register, RegisterItem, register.c.id == item)


def items_of(store: Store, ids: Collection[str]) -> dict[str, RegisterItem]:
    """Those of these that are on the register, by id."""
    with store.read() as connection:
        return {item.id: item for item in find(connection, register, RegisterItem, register.c.id.in_(list(ids)))}


def load_item(store: Store, item: str) -> RegisterItem:
    """A row by id.

    Raises:
        NotFound: names the nearest ids.
    """
    found = find_item(store, item)
    if found is not None:
        return found
    with store.read() as connection:
        ids = list(connection.execute(select(register.c.id)).scalars())
    near = get_close_matches(item, ids, n=3, cutoff=0.4)
    hint = f"The nearest are: {', '.join(near)}." if near else f"The register holds {len(ids)} others."
    raise NotFound(f"Nothing on the register has the id {item!r}. {hint}")


def find_items(
    store: Store,
    query: str = "",
    stage: Stage | None = None,
    tier: int | None = None,
    kind: Kind | None = None,
    owner: str | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> list[RegisterItem]:
    """Rows by title. Each word of ``query`` must occur in id, title, area, owner or sponsor; ``owner=""`` finds the
    rows that nobody owns."""
    with store.read() as connection:
        return find(
            connection,
            register,
            RegisterItem,
            *_filters(query, stage, tier, kind, owner),
            order_by=(register.c.title, register.c.id),
            limit=limit,
            offset=offset,
        )


def count_items(
    store: Store,
    query: str = "",
    stage: Stage | None = None,
    tier: int | None = None,
    kind: Kind | None = None,
    owner: str | None = None,
) -> int:
    """How many rows :func:`find_items` would find without a limit."""
    with store.read() as connection:
        return count(connection, register, *_filters(query, stage, tier, kind, owner))


def save_item(connection: Connection, item: RegisterItem) -> None:
    """Write a row within a transaction."""
    save(connection, register, item, **_columns(item))


def save_move(connection: Connection, move: StageMove) -> bool:
    """Write a move within a transaction; says whether it was new."""
    return insert_new(connection, stage_moves, move, item=move.item, at=stamp(move.at), to_stage=move.to_stage)


def _filters(
    query: str, stage: Stage | None, tier: int | None, kind: Kind | None, owner: str | None
) -> list[ColumnElement[bool]]:
    c = register.c
    where: list[ColumnElement[bool]] = [
        or_(*(column.icontains(word, autoescape=True) for column in (c.id, c.title, c.area, c.owner, c.sponsor)))
        for word in query.split()
    ]
    where += [
        column == value for column, value in ((c.stage, stage), (c.tier, tier), (c.kind, kind)) if value is not None
    ]
    if owner is not None:
        where.append(c.owner == owner if owner else c.owner.is_(None))
    return where


def _columns(item: RegisterItem) -> dict[str, Any]:
    return {name: getattr(item, name) for name in ("id", "title", "kind", "stage", "tier", "area", "owner", "sponsor")}


def _enter(connection: Connection, item: RegisterItem, at: datetime, by: str, why: str) -> None:
    save_move(connection, StageMove(item=item.id, from_stage=None, to_stage=item.stage, at=at, by=by, why=why))


def _from_manifest(app: App, tier: int, stage: Stage, at: datetime) -> RegisterItem:
    spec = app.spec
    blank = RegisterItem(
        id=spec.id,
        title=spec.title,
        kind="platform_app",
        stage=stage,
        tier=tier,
        area=spec.area,
        owner=spec.owner,
        sponsor=spec.sponsor,
        goals=spec.goals,
        departments=spec.departments,
        sites=(),
        task=spec.task,
        stage_since=at.date(),
        registered_at=at.date(),
    )
    return _refreshed(blank, app, tier)


def _refreshed(item: RegisterItem, app: App, tier: int) -> RegisterItem:
    """The row with everything that the manifest states; what people decided stays."""
    spec = app.spec
    stated = {"goal_linked": bool(spec.goals), "stop_rule": bool(spec.stop_rule.strip())}
    stated["production_integration_route"] = app.runnable and bool(spec.technical_owner.strip())
    return msgspec.structs.replace(
        item,
        title=spec.title,
        tier=tier,
        area=spec.area,
        owner=spec.owner,
        sponsor=spec.sponsor,
        sponsor_confirmed_at=item.sponsor_confirmed_at if item.sponsor == spec.sponsor else None,
        goals=spec.goals,
        departments=spec.departments,
        task=spec.task,
        summary=" ".join(spec.problem.split()),
        runnable=app.runnable,
        app_hash=app.hash,
        trigger=spec.trigger.on or spec.trigger.kind,
        inputs=tuple(sorted({rule.resource for rule in spec.context})),
        output=spec.output.kind,
        role=spec.review.role,
        max_errors_per_100=spec.quality.max_errors_per_100,
        path=merge_checks(item.path, stated),
        integration=item.integration if item.integration_at else _integration(app),
        metrics=merge_checks(item.metrics, {name: bool(getattr(spec.measures, name)) for name in _CHOSEN}),
        reused_components=_reused(spec) if app.runnable else (),
    )


_CHOSEN = ("primary", "balancing", "equity")


def merge_checks(held: Sequence[str], answers: dict[str, bool]) -> tuple[str, ...]:
    """The names that pass: those held before, with the newly answered ones put in or taken out."""
    kept = [name for name in held if answers.get(name, True)]
    return (*kept, *(name for name, passes in answers.items() if passes and name not in kept))


def _integration(app: App) -> tuple[str, ...]:
    if not app.runnable:
        return ()
    missing = set()
    if app.spec.output.kind == "text":
        missing.add("write_back_with_provenance")
    if all(trigger.kind in ("chat", "manual") for trigger in app.spec.starts):
        missing.add("in_workflow_launch")
    return tuple(name for name in INTEGRATION_CHECKS if name not in missing)


def _reused(spec: AppSpec) -> tuple[str, ...]:
    """Parts of this app that were made elsewhere: the platform's own, and the measures of the library."""
    chosen = sorted({*spec.measures.primary, *spec.measures.balancing})
    return ("gateway", "phi_shield", "review_inbox", "three_questions", *(f"measure:{name}" for name in chosen))
