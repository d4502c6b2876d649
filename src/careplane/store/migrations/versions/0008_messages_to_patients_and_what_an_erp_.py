"""Messages to patients and what an ERP told."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0025"


def upgrade() -> None:
    op.create_table(
        "contact_choices",
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("choice", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "subject", name=op.f("pk_contact_choices")),
    )
    op.create_table(
        "erp_files",
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_erp_files")),
    )
    with op.batch_alter_table("erp_files", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_erp_files_state"), ["state"], unique=False)

    op.create_table(
        "erp_records",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("on", sa.String(), nullable=False),
        sa.Column("file", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "id", name=op.f("pk_erp_records")),
    )
    with op.batch_alter_table("erp_records", schema=None) as batch_op:
        batch_op.create_index("ix_erp_records_kind_on", ["kind", "on"], unique=False)

    op.create_table(
        "messages",
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("app", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("due_at", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run", name=op.f("pk_messages")),
    )
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_messages_reference"), ["reference"], unique=False)
        batch_op.create_index("ix_messages_state_due_at", ["state", "due_at"], unique=False)
