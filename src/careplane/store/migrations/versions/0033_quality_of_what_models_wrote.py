"""Quality of what models wrote."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "adjudications",
        sa.Column("sample", sa.String(), nullable=False),
        sa.Column("output", sa.String(), nullable=False),
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("app", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("reader", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("fabrications", sa.Integer(), nullable=False),
        sa.Column("omissions", sa.Integer(), nullable=False),
        sa.Column("inaccuracies", sa.Integer(), nullable=False),
        sa.Column("adjudicated", sa.Boolean(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sample", "output", name=op.f("pk_adjudications")),
    )
    with op.batch_alter_table("adjudications", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_adjudications_app"), ["app"], unique=False)
        batch_op.create_index(batch_op.f("ix_adjudications_run"), ["run"], unique=False)

    op.create_table(
        "quality_calibrations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("app", sa.String(), nullable=False),
        sa.Column("judge", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quality_calibrations")),
    )
    with op.batch_alter_table("quality_calibrations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_quality_calibrations_app"), ["app"], unique=False)

    op.create_table(
        "quality_comparisons",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("app", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quality_comparisons")),
    )
    with op.batch_alter_table("quality_comparisons", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_quality_comparisons_app"), ["app"], unique=False)

    op.create_table(
        "quality_evaluations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("app", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quality_evaluations")),
    )
    with op.batch_alter_table("quality_evaluations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_quality_evaluations_app"), ["app"], unique=False)

    op.create_table(
        "quality_readings",
        sa.Column("sample", sa.String(), nullable=False),
        sa.Column("output", sa.String(), nullable=False),
        sa.Column("reader", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sample", "output", "reader", name=op.f("pk_quality_readings")),
    )
    op.create_table(
        "quality_sampled",
        sa.Column("sample", sa.String(), nullable=False),
        sa.Column("output", sa.String(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sample", "output", name=op.f("pk_quality_sampled")),
    )
    op.create_table(
        "quality_samples",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("app", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quality_samples")),
    )
    with op.batch_alter_table("quality_samples", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_quality_samples_app"), ["app"], unique=False)

    op.create_table(
        "quality_verdicts",
        sa.Column("judge", sa.String(), nullable=False),
        sa.Column("output", sa.String(), nullable=False),
        sa.Column("app", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("judge", "output", name=op.f("pk_quality_verdicts")),
    )
    with op.batch_alter_table("quality_verdicts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_quality_verdicts_app"), ["app"], unique=False)
