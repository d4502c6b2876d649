"""Eligible events of running plans, and whether the app spoke; those of runs before are taken over."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0036"

BATCH = 1000


def upgrade() -> None:
    exposures = op.create_table(
        "exposures",
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("arm", sa.String(), nullable=True),
        sa.Column("spoke", sa.Boolean(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("unit", sa.String(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("plan", "event", name=op.f("pk_exposures")),
    )
    op.create_index("ix_exposures_plan_at", "exposures", ["plan", "at"], unique=False)
    runs = sa.table("runs", sa.column("id"), sa.column("plan"), sa.column("at"), sa.column("body"))
    rows = op.get_bind().execute(sa.select(runs.c.plan, runs.c.at, runs.c.body).where(runs.c.plan.is_not(None)))
    while batch := rows.fetchmany(BATCH):
        told = [_exposure(*row) for row in batch if row.body.startswith("{")]  # a body that is sealed already is left
        op.bulk_insert(exposures, told)


def _exposure(plan: str, at: str, body: str) -> dict[str, object]:
    """What a run of the first release says of its event, as the record ``Exposure`` had it in this version."""
    run = json.loads(body)
    event, arm = run["event"], run.get("arm")
    spoke = run.get("draft") is not None
    refused = [one["rule"] for one in run["permit"]["reasons"] if not one["allowed"]]
    why = "" if spoke else _why(run["status"], arm, refused)
    held = {
        "plan": plan,
        "app": run["app"],
        "event": event["id"],
        "at": event["at"],
        "arm": arm,
        "spoke": spoke,
        "why": why,
        "rule": ",".join(refused),
        "subject": event.get("unit") or "",
        "unit": event.get("unit"),
        "site": event.get("site"),
        "patient": event.get("patient"),
        "clinician": event.get("user"),
        "run": run["id"],
        "moved": False,
    }
    columns = {name: held[name] for name in ("plan", "event", "arm", "spoke", "why", "unit")}
    return {**columns, "at": at, "body": json.dumps(held)}


def _why(status: str, arm: str | None, refused: list[str]) -> str:
    if status != "refused":
        return "failed"
    if "not_stopped" in refused:
        return "stopped"
    return "control" if arm == "control" else "refused"
