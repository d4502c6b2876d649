"""The maps of the shield."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "shield_maps",
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.String(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run", name=op.f("pk_shield_maps")),
    )
    with op.batch_alter_table("shield_maps", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_shield_maps_expires_at"), ["expires_at"], unique=False)
