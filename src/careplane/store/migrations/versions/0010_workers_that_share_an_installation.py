"""Workers that share an installation: their leases, and events that are tried again by time."""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "workers",
        sa.Column("executor", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("started", sa.Float(), nullable=False),
        sa.Column("renewed", sa.Float(), nullable=False),
        sa.Column("lease_until", sa.Float(), nullable=False),
        sa.Column("taker", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("executor", name=op.f("pk_workers")),
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_index(op.f("ix_events_state"))
        batch_op.add_column(sa.Column("key", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("attempt", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("failures", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("due", sa.Float(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("error", sa.Text(), nullable=True))
    _fill()
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.alter_column("key", existing_type=sa.String(), nullable=False)
        for name in ("attempt", "failures", "due"):
            batch_op.alter_column(
                name, existing_type=sa.Float() if name == "due" else sa.Integer(), server_default=None
            )
        batch_op.create_unique_constraint(op.f("uq_events_key"), ["key"])
        batch_op.create_index("ix_events_state_due", ["state", "due"], unique=False)


def _fill() -> None:
    """The key of an event is the id of its run; what failed was to be tried at the next start, and so it is."""
    events = sa.table("events", sa.column("app"), sa.column("id"), sa.column("key"), sa.column("state"))
    connection = op.get_bind()
    for app, ident in connection.execute(sa.select(events.c.app, events.c.id)).all():
        key = "run-" + hashlib.sha256(f"{app}\n{ident}".encode()).hexdigest()[:24]
        connection.execute(sa.update(events).where(events.c.app == app, events.c.id == ident).values(key=key))
    connection.execute(sa.update(events).where(events.c.state == "failed").values(state="received"))
