"""The kill switch: stop an app, a site or a version; it holds in the store, so it survives restarts.

The target of scope ``version`` is ``app@version``. A stop takes effect before it is recorded in the ledger, a release
is recorded before it takes effect: if either half fails, what remains is the stop.

Releasing takes two people: whoever stopped it and another one, or, where a watch of ours stopped it, one who asks for
the release and another who gives it.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, and_, delete, insert, or_, select, update

from careplane.errors import Conflict, InputError, NotFound, Refused
from careplane.ledger import Ledger
from careplane.records import Record
from careplane.store import Store, stamp
from careplane.store.tables import kill_switches

Scope = Literal["app", "site", "version"]
Released = Literal["asked", "released"]

AUTOMATIC = "monitor:"
"""Who stopped something begins so where it was no person."""


class Switch(Record, frozen=True):
    """A stop that holds. ``asked_by`` asks for its release, where nobody in person had stopped it."""

    scope: Scope
    target: str
    at: datetime
    by: str
    reason: str
    asked_by: str = ""

    @property
    def automatic(self) -> bool:
        """Whether a watch stopped it rather than a person."""
        return self.by.startswith(AUTOMATIC)


def stop(store: Store, ledger: Ledger, scope: Scope, target: str, by: str, reason: str, at: datetime) -> None:
    """Stop a target from now on.

    Raises:
        InputError: no reason or person is given, or a version is not ``app@version``.
        Conflict: it is stopped already.
    """
    for field, value in (("reason", reason), ("by", by), ("target", target)):
        if not value.strip():
            raise InputError("must not be empty", field=field)
    if scope == "version" and "@" not in target:
        raise InputError("a version is written app@version, such as portal_reply@1.0.0", field="target")
    with store.write() as connection:
        held = connection.execute(select(kill_switches.c.by).where(_is(scope, target))).first()
        if held is not None:
            raise Conflict(f"The {scope} {target} is stopped already, by {held.by}.")
        connection.execute(
            insert(kill_switches).values(scope=scope, target=target, at=stamp(at), by=by, reason=reason.strip())
        )
    facts = {"scope": scope, "target": target}
    ledger.append("switch.stopped", at=at, actor=by, app=_app(scope, target), facts=facts)


def release(store: Store, ledger: Ledger, scope: Scope, target: str, by: str, at: datetime) -> Released:
    """Let a stopped target run again. It takes a second person; of a stop that was no person's, the first who calls
    asks for the release (``asked``), and another one's call gives it (``released``).

    Raises:
        InputError: nobody is named.
        NotFound: nothing is stopped there.
        Refused: the person who stopped it, or who asked for the release, asks again.
    """
    if not by.strip():
        raise InputError("must not be empty", field="by")
    with store.write() as connection:
        held = connection.execute(select(kill_switches).where(_is(scope, target))).first()
        if held is None:
            raise NotFound(f"The {scope} {target} is not stopped.")
        if held.by == by or held.asked_by == by:
            did = "stopped it" if held.by == by else "asked for the release"
            raise Refused([f"{by} {did}."], "Another person must release the stop.")
        facts = {"scope": scope, "target": target}
        if held.by.startswith(AUTOMATIC) and held.asked_by is None:
            ledger.append("switch.release_asked", at=at, actor=by, app=_app(scope, target), facts=facts)
            connection.execute(update(kill_switches).where(_is(scope, target)).values(asked_by=by))
            return "asked"
        ledger.append("switch.released", at=at, actor=by, app=_app(scope, target), facts=facts)
        connection.execute(delete(kill_switches).where(_is(scope, target)))
        return "released"


def stopped(store: Store, app: str, site: str | None, version: str) -> str | None:
    """Why the app may not run here, or ``None``."""
    where = [_is("app", app), _is("version", f"{app}@{version}")]
    if site is not None:
        where.append(_is("site", site))
    with store.read() as connection:
        row = connection.execute(select(kill_switches).where(or_(*where)).order_by(kill_switches.c.at)).first()
    return None if row is None else f"{row.reason} ({row.scope} {row.target}, by {row.by})"


def stopped_by(held: Iterable[Switch], app: str, site: str | None, version: str) -> str | None:
    """As :func:`stopped`, by stops that were read before, oldest first."""
    targets = {("app", app), ("version", f"{app}@{version}"), ("site", site)}
    first = next((one for one in held if (one.scope, one.target) in targets), None)
    return None if first is None else f"{first.reason} ({first.scope} {first.target}, by {first.by})"


def switches(store: Store) -> list[Switch]:
    """All stops that hold, oldest first."""
    with store.read() as connection:
        rows = connection.execute(select(kill_switches).order_by(kill_switches.c.at)).all()
    return [
        Switch(
            scope=row.scope,
            target=row.target,
            at=datetime.fromisoformat(row.at),
            by=row.by,
            reason=row.reason,
            asked_by=row.asked_by or "",
        )
        for row in rows
    ]


def _is(scope: Scope, target: str) -> ColumnElement[bool]:
    return and_(kill_switches.c.scope == scope, kill_switches.c.target == target)


def _app(scope: Scope, target: str) -> str | None:
    return None if scope == "site" else target.split("@")[0]
