"""Who may do what, as data: a page that says no can say why, and who can grant it."""

from typing import Literal, get_args

from careplane.records import Record
from careplane.records.people import Account, Role
from careplane.records.run import Reason

Permission = Literal[
    "portfolio",
    "evidence",
    "people",
    "safety",
    "decide",
    "stop",
    "review",
    "trace",
    "data",
    "accounts",
    "take_part",
    "plan",
]

EVERYONE: tuple[Role, ...] = get_args(Role)


class Grant(Record, frozen=True):
    """A permission: what it lets somebody do, and the roles that have it."""

    what: str
    roles: tuple[Role, ...]
    why: str


GRANTS: dict[Permission, Grant] = {
    "portfolio": Grant(what="see the portfolio, the register and the value", roles=EVERYONE, why="It holds no PHI."),
    "evidence": Grant(what="read the evidence", roles=EVERYONE, why="Results are aggregates."),
    "plan": Grant(
        what="plan a study and write its draft",
        roles=("evaluator", "owner", "executive", "committee"),
        why="A draft holds nothing before it is locked.",
    ),
    "people": Grant(what="see training, panels and requests", roles=EVERYONE, why="What was asked is answered openly."),
    "safety": Grant(what="see what was stopped", roles=EVERYONE, why="Everyone should know what is stopped and why."),
    "take_part": Grant(
        what="take a lesson, or post and vote for a request", roles=EVERYONE, why="Everyone who works here is heard."
    ),
    "decide": Grant(
        what="decide on a gate", roles=("executive", "committee"), why="Decisions belong to leadership and committee."
    ),
    "stop": Grant(
        what="stop an app, or release it",
        roles=("executive", "committee", "owner", "engineer", "privacy"),
        why="A stop holds at once and everywhere; releasing it takes a second person.",
    ),
    "review": Grant(
        what="read and sign drafts", roles=("clinician", "owner"), why="Drafts hold PHI and become part of the chart."
    ),
    "trace": Grant(
        what="read the trace of a run",
        roles=("clinician", "owner", "evaluator", "privacy"),
        why="A trace holds PHI; each look at one is recorded in the audit ledger.",
    ),
    "data": Grant(
        what="see the loaded data and the audit ledger",
        roles=("engineer", "evaluator", "privacy", "admin", "executive", "committee", "owner"),
        why="It shows how this installation is run.",
    ),
    "accounts": Grant(what="see the accounts", roles=("admin",), why="Accounts are given by the administrator."),
}


def allowed(account: Account, permission: Permission) -> Reason:
    """Whether an account may, with the reason and who can grant it."""
    grant = GRANTS[permission]
    if set(account.roles) & set(grant.roles):
        return Reason(rule=permission, allowed=True, text=grant.why)
    needed = _one_of(grant.roles)
    return Reason(
        rule=permission,
        allowed=False,
        text=f"To {grant.what} you need the role {needed}. {grant.why}",
        way_out=f"An administrator can grant it: careplane user grant {account.id} --role {grant.roles[0]}",
    )


def _one_of(roles: tuple[Role, ...]) -> str:
    return roles[0] if len(roles) == 1 else f"{', '.join(roles[:-1])} or {roles[-1]}"
