"""The life of a plan: its lock, its amendments with what differs and why, the balance of its arms, its exposure."""

from collections import Counter
from itertools import pairwise

from starlette.responses import Response

from careplane.console.pages.page import Page
from careplane.console.visit import Visit
from careplane.evidence import find_assignments
from careplane.evidence.amendments import differences, history
from careplane.evidence.plans import find_versions
from careplane.workflow.exposures import count_exposures, find_exposures


def versions(visit: Visit) -> Response:
    found = find_versions(visit.context.store, visit.path("plan"))
    given = find_assignments(visit.context.store, found[-1].id)
    balance = Counter((one.stratum, one.arm) for one in given)
    exposed = find_exposures(visit.context.store, found[-1].id)
    return visit.page(
        "plan_versions.html",
        plan=found[-1],
        history=history(found),
        steps=[(after, differences(before, after)) for before, after in pairwise(found)],
        strata=sorted({one.stratum for one in given}),
        balance=balance,
        begins=sorted(Counter(one.starts for one in given if one.starts).items()),
        exposed=sorted(count_exposures(exposed).items()),
        moved=sum(one.moved for one in exposed),
    )


PAGES = (Page("/evidence/{plan}/versions", versions, "evidence"),)
