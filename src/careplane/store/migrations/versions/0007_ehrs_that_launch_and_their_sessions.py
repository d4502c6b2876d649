"""EHRs that may launch, launches on their way, and what a session from one is limited to."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "smart_ehrs",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_smart_ehrs")),
        sa.UniqueConstraint("issuer", name=op.f("uq_smart_ehrs_issuer")),
    )
    op.create_table(
        "smart_launches",
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("ehr", sa.String(), nullable=False),
        sa.Column("browser", sa.String(), nullable=False),
        sa.Column("expires_at", sa.String(), nullable=False),
        sa.Column("app", sa.String(), nullable=True),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("state", name=op.f("pk_smart_launches")),
    )
    op.create_index(op.f("ix_smart_launches_expires_at"), "smart_launches", ["expires_at"])
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("ehr", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("launch", sa.Text(), nullable=True))
        batch_op.create_index(op.f("ix_sessions_ehr"), ["ehr"])
