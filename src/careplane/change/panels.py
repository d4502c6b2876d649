"""Panels: the front-line people and patients who design an app with its owner, from the start."""

from collections.abc import Collection
from datetime import date, datetime

from careplane.errors import InputError
from careplane.ledger import Ledger
from careplane.records import Record
from careplane.records.people import PanelMember, PanelSession
from careplane.store import Store, find, save
from careplane.store.tables import panel_members, panel_sessions


class Panel(Record, frozen=True):
    """The panel of an app: its members, and its co-design sessions by date."""

    app: str
    members: tuple[PanelMember, ...]
    sessions: tuple[PanelSession, ...]


class Involvement(Record, frozen=True):
    """How far the affected roles are on the panel. ``index`` is ``None`` when no affected role is named."""

    index: float | None
    present: tuple[str, ...]
    absent: tuple[str, ...]
    sessions: int


def add_panel_member(store: Store, ledger: Ledger, member: PanelMember, at: datetime) -> None:
    """Seat a member, or bring the seat up to date."""
    facts = {"person": ledger.pseudonym(member.person), "role": member.role, "department": member.department}
    ledger.append("panel.joined", at=at, app=member.app, facts=facts)
    with store.write() as connection:
        save(connection, panel_members, member, app=member.app, person=member.person)


def add_session(store: Store, ledger: Ledger, session: PanelSession, at: datetime) -> None:
    """Record a co-design session.

    Raises:
        InputError: nobody came, or somebody who is not on the panel.
    """
    seated = {member.person for member in panel(store, session.app).members}
    strangers = [person for person in session.attended if person not in seated]
    if not session.attended or strangers:
        who = strangers[0] if strangers else "nobody"
        raise InputError(f"{who} attended; name members of the panel", field="attended")
    ledger.append("panel.met", at=at, app=session.app, facts={"attended": len(session.attended)})
    with store.write() as connection:
        save(connection, panel_sessions, session, app=session.app, on=session.on.isoformat())


def panel(store: Store, app: str) -> Panel:
    """The panel of an app; empty when there is none."""
    with store.read() as connection:
        members = find(
            connection, panel_members, PanelMember, panel_members.c.app == app, order_by=(panel_members.c.person,)
        )
        sessions = find(
            connection, panel_sessions, PanelSession, panel_sessions.c.app == app, order_by=(panel_sessions.c.on,)
        )
    return Panel(app=app, members=tuple(members), sessions=tuple(sessions))


def involvement(panel: Panel, affected_roles: Collection[str], today: date) -> Involvement:
    """The share of affected roles that sit on the panel, and the sessions held by today."""
    seated = {member.role for member in panel.members if member.joined <= today}
    roles = sorted(set(affected_roles))
    present = tuple(role for role in roles if role in seated)
    return Involvement(
        index=len(present) / len(roles) if roles else None,
        present=present,
        absent=tuple(role for role in roles if role not in seated),
        sessions=sum(session.on <= today for session in panel.sessions),
    )
