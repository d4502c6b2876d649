"""CDS Hooks 2.0 (cds-hooks.hl7.org/2.0): calls, discovery, prefetch, cards and feedback; ready for the 3.0 ballot.

``calls`` reads what an EHR posts, ``services`` writes what discovery answers, ``templates`` and ``prefetch`` are the
two sides of prefetch, ``cards`` and ``feedback`` the answer and what became of it, ``outcomes`` the error bodies.
Unknown fields and ``extension`` objects are tolerated everywhere, as the specification asks.
"""

from careplane.codecs.cdshooks.calls import FhirAuthorization, HookCall, read_call
from careplane.codecs.cdshooks.cards import (
    Acceptance,
    Action,
    Card,
    CardSource,
    Coding,
    Link,
    Reply,
    Suggestion,
    read_reply,
    write_reply,
)
from careplane.codecs.cdshooks.feedback import Feedback, OverrideReason, read_feedback
from careplane.codecs.cdshooks.outcomes import operation_outcome
from careplane.codecs.cdshooks.prefetch import Prefetched, read_prefetched
from careplane.codecs.cdshooks.services import Service, write_services
from careplane.codecs.cdshooks.templates import Query, fill, rule_template

__all__ = [
    "Acceptance",
    "Action",
    "Card",
    "CardSource",
    "Coding",
    "Feedback",
    "FhirAuthorization",
    "HookCall",
    "Link",
    "OverrideReason",
    "Prefetched",
    "Query",
    "Reply",
    "Service",
    "Suggestion",
    "fill",
    "operation_outcome",
    "read_call",
    "read_feedback",
    "read_prefetched",
    "read_reply",
    "rule_template",
    "write_reply",
    "write_services",
]
