"""Replies of calls that may be asked again."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "model_replies",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("expires_at", sa.String(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_model_replies")),
    )
    op.create_index(op.f("ix_model_replies_expires_at"), "model_replies", ["expires_at"], unique=False)
