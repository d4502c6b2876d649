"""Governance: a request in, a reasoned decision out.

``permit`` asks every rule and answers with all reasons; ``tier`` sets the review path; ``stop``, ``release`` and
``stopped`` are the kill switch; ``demand`` says what a message to a patient has to say about AI.
"""

from careplane.governance.disclosure import (
    PROTECTIVE,
    Demand,
    DisclosureRules,
    demand,
    read_disclosure_rules,
)
from careplane.governance.permits import (
    CHECKS,
    RUNNING_STAGES,
    Check,
    PermitRequest,
    data_policy,
    in_arm,
    not_stopped,
    permit,
    registered,
    stage_allows,
)
from careplane.governance.switches import Scope, Switch, release, stop, stopped, stopped_by, switches
from careplane.governance.tiers import OVERRIDES, Tier, tier

__all__ = [
    "CHECKS",
    "OVERRIDES",
    "PROTECTIVE",
    "RUNNING_STAGES",
    "Check",
    "Demand",
    "DisclosureRules",
    "PermitRequest",
    "Scope",
    "Switch",
    "Tier",
    "data_policy",
    "demand",
    "in_arm",
    "not_stopped",
    "permit",
    "read_disclosure_rules",
    "registered",
    "release",
    "stage_allows",
    "stop",
    "stopped",
    "stopped_by",
    "switches",
    "tier",
]
