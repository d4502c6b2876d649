"""Evidence: a locked plan, assignment by the platform, effects with intervals, equity, and a verdict in words."""

from careplane.evidence.analysis import analyse, latest_result
from careplane.evidence.arms import arm_of, assign, find_assignments
from careplane.evidence.baseline import baseline_power
from careplane.evidence.plans import amend_plan, draft_plan, find_plans, load_plan, lock_plan, plan_hash, save_draft
from careplane.evidence.power import detectable_difference

__all__ = [
    "amend_plan",
    "analyse",
    "arm_of",
    "assign",
    "baseline_power",
    "detectable_difference",
    "draft_plan",
    "find_assignments",
    "find_plans",
    "latest_result",
    "load_plan",
    "lock_plan",
    "plan_hash",
    "save_draft",
]
