"""Monitoring of an app in three layers, integrity, performance and impact, and the safety watch that may pause it."""

from careplane.evidence.monitoring.baselines import find_baselines, rebase
from careplane.evidence.monitoring.betting import e_value, lower_bound, runs_to_notice
from careplane.evidence.monitoring.breaches import acknowledge, find_breaches
from careplane.evidence.monitoring.crossing import Tell, sentence, watch_app
from careplane.evidence.monitoring.flags import find_flags, flag_harm
from careplane.evidence.monitoring.readings import Charting, Sources, find_readings, metric_of, read_app
from careplane.evidence.monitoring.watching import current_watch, find_watches, look, pulse

__all__ = [
    "Charting",
    "Sources",
    "Tell",
    "acknowledge",
    "current_watch",
    "e_value",
    "find_baselines",
    "find_breaches",
    "find_flags",
    "find_readings",
    "find_watches",
    "flag_harm",
    "look",
    "lower_bound",
    "metric_of",
    "pulse",
    "read_app",
    "rebase",
    "runs_to_notice",
    "sentence",
    "watch_app",
]
