"""Who may call hooks, which tokens were seen, and what became of cards."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "cds_trusts",
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("issuer", name=op.f("pk_cds_trusts")),
    )
    op.create_table(
        "seen_tokens",
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("expires", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_seen_tokens")),
    )
    op.create_index(op.f("ix_seen_tokens_expires"), "seen_tokens", ["expires"])
    op.create_table(
        "cards",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("app", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cards")),
    )
    op.create_index(op.f("ix_cards_app"), "cards", ["app"])
    op.create_table(
        "card_feedback",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("card", sa.String(), nullable=False),
        sa.Column("app", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_card_feedback")),
    )
    op.create_index(op.f("ix_card_feedback_card"), "card_feedback", ["card"])
    op.create_index("ix_card_feedback_app_at", "card_feedback", ["app", "at"])
