"""Downtime, write-backs that wait, and edits under way."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "edits",
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run", "person", name=op.f("pk_edits")),
    )
    op.create_table(
        "write_backs",
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("next_at", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run", name=op.f("pk_write_backs")),
    )
    op.create_table(
        "failing",
        sa.Column("dependency", sa.String(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("dependency", name=op.f("pk_failing")),
    )
    op.create_table(
        "outages",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("holding", sa.String(), nullable=True),
        sa.Column("since", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outages")),
        sa.UniqueConstraint("holding", name=op.f("uq_outages_holding")),
    )
    op.create_table(
        "waiting_events",
        sa.Column("app", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("next_at", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("app", "event", name=op.f("pk_waiting_events")),
    )
    op.create_table(
        "drills",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("app", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drills")),
    )
    for table, column in (
        ("write_backs", "next_at"),
        ("outages", "since"),
        ("waiting_events", "next_at"),
        ("drills", "app"),
    ):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.create_index(batch_op.f(f"ix_{table}_{column}"), [column], unique=False)
