"""The tables of what is judged and watched: the quality of what models wrote, and monitoring."""

from sqlalchemy import Boolean, Column, Float, Index, Integer, String, Table

from careplane.store.columns import SEALED, body, metadata

# quality of what models wrote
quality_evaluations = Table(
    "quality_evaluations",
    metadata,
    Column("id", String, primary_key=True),
    Column("app", String, nullable=False, index=True),
    Column("hash", String, nullable=False),
    Column("model", String, nullable=False),
    Column("at", String, nullable=False),
    body(),
)
quality_samples = Table(
    "quality_samples",
    metadata,
    Column("id", String, primary_key=True),
    Column("app", String, nullable=False, index=True),
    Column("at", String, nullable=False),
    body(),
)
quality_sampled = Table(
    "quality_sampled",
    metadata,
    Column("sample", String, primary_key=True),
    Column("output", String, primary_key=True),
    Column("n", Integer, nullable=False),
    body(),
)
quality_readings = Table(
    "quality_readings",
    metadata,
    Column("sample", String, primary_key=True),
    Column("output", String, primary_key=True),
    Column("reader", String, primary_key=True),
    Column("at", String, nullable=False),
    body(),
    info=SEALED,
)
adjudications = Table(
    "adjudications",
    metadata,
    Column("sample", String, primary_key=True),
    Column("output", String, primary_key=True),
    Column("run", String, nullable=False, index=True),
    Column("app", String, nullable=False, index=True),
    Column("version", String, nullable=False),
    Column("reader", String, nullable=False),
    Column("at", String, nullable=False),
    Column("fabrications", Integer, nullable=False),
    Column("omissions", Integer, nullable=False),
    Column("inaccuracies", Integer, nullable=False),
    Column("adjudicated", Boolean, nullable=False),
    body(),
    info=SEALED,
)
quality_verdicts = Table(
    "quality_verdicts",
    metadata,
    Column("judge", String, primary_key=True),
    Column("output", String, primary_key=True),
    Column("app", String, nullable=False, index=True),
    body(),
)
quality_calibrations = Table(
    "quality_calibrations",
    metadata,
    Column("id", String, primary_key=True),
    Column("app", String, nullable=False, index=True),
    Column("judge", String, nullable=False),
    Column("at", String, nullable=False),
    body(),
)
quality_comparisons = Table(
    "quality_comparisons",
    metadata,
    Column("id", String, primary_key=True),
    Column("app", String, nullable=False, index=True),
    Column("at", String, nullable=False),
    Column("verdict", String, nullable=False),
    body(),
)

# monitoring
harm_flags = Table(
    "harm_flags",
    metadata,
    Column("id", String, primary_key=True),
    Column("run", String, nullable=False, index=True),
    Column("app", String, nullable=False, index=True),
    Column("level", String, nullable=False),
    Column("at", String, nullable=False),
    body(),
    info=SEALED,
)
safety_watches = Table(
    "safety_watches",
    metadata,
    Column("app", String, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("unsettled", Boolean, nullable=False),
    Column("claimed", Float),
    body(),
)
safety_trials = Table(
    "safety_trials",
    metadata,
    Column("run", String, primary_key=True),
    Column("app", String, nullable=False),
    Column("watch", Integer, nullable=False),
    Column("event", String),
    Index("ix_safety_trials_app_watch_event", "app", "watch", "event"),
)
monitor_readings = Table(
    "monitor_readings",
    metadata,
    Column("app", String, primary_key=True),
    Column("metric", String, primary_key=True),
    Column("computed_at", String, nullable=False),
    body(),
)
monitor_baselines = Table(
    "monitor_baselines",
    metadata,
    Column("app", String, primary_key=True),
    Column("metric", String, primary_key=True),
    Column("start", String, primary_key=True),
    body(),
)
monitor_breaches = Table(
    "monitor_breaches",
    metadata,
    Column("id", String, primary_key=True),
    Column("app", String, nullable=False),
    Column("opened_at", String, nullable=False),
    Column("holding", String, unique=True),
    body(),
    Index("ix_monitor_breaches_app_opened_at", "app", "opened_at"),
)
