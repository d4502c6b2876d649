"""Evidence: a locked plan, assignment by the platform, effects with intervals, equity, and a verdict in words."""

from careplane.evidence.analysis import analyse
from careplane.evidence.arms import assign, find_assignments, placement
from careplane.evidence.baseline import baseline_power
from careplane.evidence.behind import UnitRow, unit_rows
from careplane.evidence.plans import (
    amend_plan,
    apps_with_plans,
    draft_plan,
    find_plans,
    load_plan,
    lock_plan,
    plan_hash,
    save_draft,
)
from careplane.evidence.power import detectable_difference
from careplane.evidence.replay import Replay, replay
from careplane.evidence.results import find_results, latest_result, load_result, plan_of

__all__ = [
    "Replay",
    "UnitRow",
    "amend_plan",
    "analyse",
    "apps_with_plans",
    "assign",
    "baseline_power",
    "detectable_difference",
    "draft_plan",
    "find_assignments",
    "find_plans",
    "find_results",
    "latest_result",
    "load_plan",
    "load_result",
    "lock_plan",
    "placement",
    "plan_hash",
    "plan_of",
    "replay",
    "save_draft",
    "unit_rows",
]
