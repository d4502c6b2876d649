"""Monitoring: harm flags, safety watches and what they counted, readings, baselines and breaches; who asks for a
release."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    op.create_table(
        "harm_flags",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("app", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_harm_flags")),
    )
    op.create_index(op.f("ix_harm_flags_run"), "harm_flags", ["run"])
    op.create_index(op.f("ix_harm_flags_app"), "harm_flags", ["app"])
    op.create_table(
        "safety_watches",
        sa.Column("app", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("unsettled", sa.Boolean(), nullable=False),
        sa.Column("claimed", sa.Float(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("app", "number", name=op.f("pk_safety_watches")),
    )
    op.create_table(
        "safety_trials",
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("app", sa.String(), nullable=False),
        sa.Column("watch", sa.Integer(), nullable=False),
        sa.Column("event", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("run", name=op.f("pk_safety_trials")),
    )
    op.create_index("ix_safety_trials_app_watch_event", "safety_trials", ["app", "watch", "event"])
    op.create_table(
        "monitor_readings",
        sa.Column("app", sa.String(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("computed_at", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("app", "metric", name=op.f("pk_monitor_readings")),
    )
    op.create_table(
        "monitor_baselines",
        sa.Column("app", sa.String(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("start", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("app", "metric", "start", name=op.f("pk_monitor_baselines")),
    )
    op.create_table(
        "monitor_breaches",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("app", sa.String(), nullable=False),
        sa.Column("opened_at", sa.String(), nullable=False),
        sa.Column("holding", sa.String(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_monitor_breaches")),
        sa.UniqueConstraint("holding", name=op.f("uq_monitor_breaches_holding")),
    )
    op.create_index("ix_monitor_breaches_app_opened_at", "monitor_breaches", ["app", "opened_at"])
    with op.batch_alter_table("kill_switches", schema=None) as batch_op:
        batch_op.add_column(sa.Column("asked_by", sa.String(), nullable=True))
