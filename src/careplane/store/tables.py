"""The tables. ``body`` is the whole record as JSON; the other columns are what is searched, joined or unique.

Times are ISO 8601 text in UTC (sortable, the same on SQLite and PostgreSQL); dates are ``YYYY-MM-DD``. Times that
processes agree by (leases, what is due) are seconds since 1970 by the database's own clock.
"""

from sqlalchemy import Boolean, Column, Float, Index, Integer, String, Table, Text, UniqueConstraint

from careplane.store.columns import SEALED, body
from careplane.store.columns import metadata as metadata
from careplane.store.watched_tables import adjudications as adjudications
from careplane.store.watched_tables import harm_flags as harm_flags
from careplane.store.watched_tables import monitor_baselines as monitor_baselines
from careplane.store.watched_tables import monitor_breaches as monitor_breaches
from careplane.store.watched_tables import monitor_readings as monitor_readings
from careplane.store.watched_tables import quality_calibrations as quality_calibrations
from careplane.store.watched_tables import quality_comparisons as quality_comparisons
from careplane.store.watched_tables import quality_evaluations as quality_evaluations
from careplane.store.watched_tables import quality_readings as quality_readings
from careplane.store.watched_tables import quality_sampled as quality_sampled
from careplane.store.watched_tables import quality_samples as quality_samples
from careplane.store.watched_tables import quality_verdicts as quality_verdicts
from careplane.store.watched_tables import safety_trials as safety_trials
from careplane.store.watched_tables import safety_watches as safety_watches

# register and portfolio
goals = Table("goals", metadata, Column("id", String, primary_key=True), Column("year", Integer), body())
register = Table(
    "register",
    metadata,
    Column("id", String, primary_key=True),
    Column("title", String, nullable=False),
    Column("kind", String, nullable=False, index=True),
    Column("stage", String, nullable=False, index=True),
    Column("tier", Integer, nullable=False),
    Column("area", String, nullable=False),
    Column("owner", String),
    Column("sponsor", String),
    body(),
)
stage_moves = Table(
    "stage_moves",
    metadata,
    Column("item", String, primary_key=True),
    Column("at", String, primary_key=True),
    Column("to_stage", String, primary_key=True),
    body(),
)
decisions = Table(
    "decisions",
    metadata,
    Column("id", String, primary_key=True),
    Column("item", String, nullable=False, index=True),
    Column("due_on", String, nullable=False),
    Column("decided_at", String, index=True),
    body(),
)
waivers = Table(
    "waivers",
    metadata,
    Column("item", String, primary_key=True),
    Column("check_name", String, primary_key=True),
    Column("expires_on", String, nullable=False),
    Column("by", String, nullable=False),
    Column("reason", Text, nullable=False),
)
signal_days = Table("signal_days", metadata, Column("on", String, primary_key=True), body())

# running
runs = Table(
    "runs",
    metadata,
    Column("id", String, primary_key=True),
    Column("app", String, nullable=False),
    Column("event", String, nullable=False),
    Column("status", String, nullable=False),
    Column("at", String, nullable=False),
    Column("reviewer", String),
    Column("plan", String),
    Column("arm", String),
    Column("cost_usd", Float, nullable=False, default=0.0),
    Column("patient", String),
    Column("unwritten", Boolean, nullable=False, default=False),
    Column("surveyed", Boolean, nullable=False, default=False),
    Column("critical", Boolean, nullable=False, default=False),
    body(),
    UniqueConstraint("app", "event"),
    Index("ix_runs_app_status_at", "app", "status", "at"),
    Index("ix_runs_reviewer_status", "reviewer", "status"),
    Index("ix_runs_patient_at", "patient", "at"),
    info={**SEALED, "digested": ("patient",)},
)
edits = Table(
    "edits",
    metadata,
    Column("run", String, primary_key=True),
    Column("person", String, primary_key=True),
    Column("at", String, nullable=False),
    body(),
    info=SEALED,
)
write_backs = Table(
    "write_backs",
    metadata,
    Column("run", String, primary_key=True),
    Column("next_at", String, nullable=False, index=True),
    body(),
)
events = Table(
    "events",
    metadata,
    Column("id", String, primary_key=True),
    Column("app", String, primary_key=True),
    Column("key", String, nullable=False, unique=True),
    Column("received_at", String, nullable=False),
    Column("state", String, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("due", Float, nullable=False),
    Column("error", Text),
    body(),
    Index("ix_events_state_due", "state", "due"),
    info=SEALED,
)
workers = Table(
    "workers",
    metadata,
    Column("executor", String, primary_key=True),
    Column("host", String, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("version", String, nullable=False),
    Column("started", Float, nullable=False),
    Column("renewed", Float, nullable=False),
    Column("lease_until", Float, nullable=False),
    Column("taker", String),
)
keys = Table(
    "keys",
    metadata,
    Column("id", String, primary_key=True),
    Column("app", String, nullable=False),
    Column("hash", String, nullable=False, unique=True),
    Column("created_at", String, nullable=False),
    Column("revoked_at", String),
    Column("site", String),
)
kill_switches = Table(
    "kill_switches",
    metadata,
    Column("scope", String, primary_key=True),
    Column("target", String, primary_key=True),
    Column("at", String, nullable=False),
    Column("by", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("asked_by", String),
)
shared_limits = Table(
    "shared_limits",
    metadata,
    Column("key", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("subject", String, nullable=False, index=True),
    Column("period", String, nullable=False),
    body(),
)

# downtime
failing = Table(
    "failing",
    metadata,
    Column("dependency", String, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("at", String, nullable=False),
)
outages = Table(
    "outages",
    metadata,
    Column("id", String, primary_key=True),
    Column("holding", String, unique=True),
    Column("since", String, nullable=False, index=True),
    body(),
)
waiting_events = Table(
    "waiting_events",
    metadata,
    Column("app", String, primary_key=True),
    Column("event", String, primary_key=True),
    Column("next_at", String, nullable=False, index=True),
    body(),
    info=SEALED,
)
drills = Table(
    "drills",
    metadata,
    Column("id", String, primary_key=True),
    Column("app", String, nullable=False, index=True),
    Column("at", String, nullable=False),
    body(),
)

# CDS Hooks
cds_trusts = Table("cds_trusts", metadata, Column("issuer", String, primary_key=True), body())
seen_tokens = Table(
    "seen_tokens",
    metadata,
    Column("hash", String, primary_key=True),
    Column("expires", Float, nullable=False, index=True),
)
cards = Table(
    "cards",
    metadata,
    Column("id", String, primary_key=True),
    Column("run", String, nullable=False),
    Column("app", String, nullable=False, index=True),
    Column("at", String, nullable=False),
    body(),
)
card_feedback = Table(
    "card_feedback",
    metadata,
    Column("id", String, primary_key=True),
    Column("card", String, nullable=False, index=True),
    Column("app", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("reason", String),
    Column("at", String, nullable=False),
    body(),
    Index("ix_card_feedback_app_at", "app", "at"),
    info=SEALED,
)

# evidence
plans = Table(
    "plans",
    metadata,
    Column("id", String, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("app", String, nullable=False, index=True),
    Column("hash", String),
    Column("locked_at", String),
    body(),
)
assignments = Table(
    "assignments",
    metadata,
    Column("plan", String, primary_key=True),
    Column("unit", String, primary_key=True),
    Column("arm", String, nullable=False),
    body(),
)
exposures = Table(
    "exposures",
    metadata,
    Column("plan", String, primary_key=True),
    Column("event", String, primary_key=True),
    Column("at", String, nullable=False),
    Column("arm", String),
    Column("spoke", Boolean, nullable=False),
    Column("why", String, nullable=False),
    Column("unit", String),
    body(),
    Index("ix_exposures_plan_at", "plan", "at"),
    info=SEALED,
)
results = Table(
    "results",
    metadata,
    Column("plan", String, primary_key=True),
    Column("computed_at", String, primary_key=True),
    body(),
)

# money
costs = Table(
    "costs",
    metadata,
    Column("id", String, primary_key=True),
    Column("item", String, nullable=False, index=True),
    Column("category", String, nullable=False),
    Column("on", String, nullable=False),
    Column("usd", Float, nullable=False),
    body(),
)

# people
people = Table(
    "people",
    metadata,
    Column("id", String, primary_key=True),
    Column("unit", String, index=True),
    Column("job", String, nullable=False),
    body(),
)
training = Table(
    "training",
    metadata,
    Column("app", String, primary_key=True),
    Column("person", String, primary_key=True),
    Column("at", String, primary_key=True),
    Column("passed", Boolean, nullable=False),
    body(),
)
panel_members = Table(
    "panel_members",
    metadata,
    Column("app", String, primary_key=True),
    Column("person", String, primary_key=True),
    body(),
)
panel_sessions = Table(
    "panel_sessions", metadata, Column("app", String, primary_key=True), Column("on", String, primary_key=True), body()
)
requests = Table(
    "requests",
    metadata,
    Column("id", String, primary_key=True),
    Column("app", String, nullable=False, index=True),
    Column("status", String, nullable=False),
    Column("at", String, nullable=False),
    body(),
)
request_votes = Table(
    "request_votes",
    metadata,
    Column("request", String, primary_key=True),
    Column("person", String, primary_key=True),
    Column("at", String, nullable=False),
)
accounts = Table(
    "accounts",
    metadata,
    Column("id", String, primary_key=True),
    Column("disabled", Boolean, nullable=False, default=False),
    body(),
)
sign_in_links = Table(
    "sign_in_links",
    metadata,
    Column("hash", String, primary_key=True),
    Column("account", String, nullable=False),
    Column("expires_at", String, nullable=False),
    Column("used_at", String),
)
sessions = Table(
    "sessions",
    metadata,
    Column("hash", String, primary_key=True),
    Column("account", String, nullable=False, index=True),
    Column("expires_at", String, nullable=False),
    Column("csrf", String, nullable=False),
    Column("ehr", String, index=True),
    Column("launch", Text),
)
smart_ehrs = Table(
    "smart_ehrs",
    metadata,
    Column("name", String, primary_key=True),
    Column("issuer", String, nullable=False, unique=True),
    body(),
)
smart_launches = Table(
    "smart_launches",
    metadata,
    Column("state", String, primary_key=True),
    Column("ehr", String, nullable=False),
    Column("browser", String, nullable=False),
    Column("expires_at", String, nullable=False, index=True),
    Column("app", String),
    Column("scope", Text, nullable=False),
)

# chats, and what the integration checks found
conversations = Table(
    "conversations",
    metadata,
    Column("id", String, primary_key=True),
    Column("app", String, nullable=False),
    Column("state", String, nullable=False),
    Column("opened_at", String, nullable=False),
    body(),
    Index("ix_conversations_app_opened_at", "app", "opened_at"),
    info=SEALED,
)
integration_checks = Table(
    "integration_checks",
    metadata,
    Column("app", String, primary_key=True),
    Column("at", String, primary_key=True),
    body(),
)

# what the EHR tells us
subscriptions = Table(
    "subscriptions",
    metadata,
    Column("type", String, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("secret", String, nullable=False),
    Column("topic", String, nullable=False),
    Column("remote", String, nullable=False),
    Column("claimed_at", Float, nullable=False),
    Column("begun", String, nullable=False),
    Column("since", String, nullable=False),
    Column("seen", Integer, nullable=False),
)

# the shield
shield_maps = Table(
    "shield_maps",
    metadata,
    Column("run", String, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("expires_at", String, nullable=False, index=True),
    Column("sealed", Text, nullable=False),
)

# the gateway
model_replies = Table(
    "model_replies",
    metadata,
    Column("key", String, primary_key=True),
    Column("expires_at", String, nullable=False, index=True),
    Column("sealed", Text, nullable=False),
)

# messages to patients
messages = Table(
    "messages",
    metadata,
    Column("run", String, primary_key=True),
    Column("app", String, nullable=False),
    Column("state", String, nullable=False),
    Column("due_at", String, nullable=False),
    Column("reference", String, index=True),
    body(),
    Index("ix_messages_state_due_at", "state", "due_at"),
    info=SEALED,
)
contact_choices = Table(
    "contact_choices",
    metadata,
    Column("channel", String, primary_key=True),
    Column("subject", String, primary_key=True),
    Column("choice", String, nullable=False),
    body(),
)

# what an ERP told
erp_files = Table(
    "erp_files",
    metadata,
    Column("hash", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("at", String, nullable=False),
    body(),
)
erp_records = Table(
    "erp_records",
    metadata,
    Column("kind", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("on", String, nullable=False),
    Column("file", String, nullable=False),
    body(),
    Index("ix_erp_records_kind_on", "kind", "on"),
    info=SEALED,
)
