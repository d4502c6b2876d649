"""What runs are searched by has columns of its own, for their bodies are sealed at rest from here on.

The patient is written as it is; opening the database with its home seals the bodies and digests it.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0034"

_SIGNED = ("accepted", "edited")
_FLAGS = ("unwritten", "surveyed", "critical")


def upgrade() -> None:
    op.add_column("runs", sa.Column("patient", sa.String(), nullable=True))
    for name in _FLAGS:
        op.add_column("runs", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index("ix_runs_patient_at", "runs", ["patient", "at"])
    runs = sa.table("runs", *(sa.column(name) for name in ("id", "status", "body", "patient", *_FLAGS)))
    connection = op.get_bind()
    last = ""
    while found := connection.execute(
        sa.select(runs.c.id, runs.c.status, runs.c.body).where(runs.c.id > last).order_by(runs.c.id).limit(500)
    ).all():
        for row in found:
            run = json.loads(row.body)
            draft = run.get("draft") or {}
            values = {
                "patient": run["event"].get("patient"),
                "unwritten": row.status in _SIGNED and not run.get("written"),
                "surveyed": run.get("survey") is not None,
                "critical": any(one["severity"] == "critical" for one in draft.get("findings", ())),
            }
            connection.execute(sa.update(runs).where(runs.c.id == row.id).values(**values))
        last = found[-1].id
