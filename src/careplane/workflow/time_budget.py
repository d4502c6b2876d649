"""What an app costs its reviewers: seconds and clicks per draft, as counted at the desk (requirement R36).

What is saved against the manual way is measured by the app's evaluation plan, not here.
"""

from statistics import median, quantiles

from careplane.records import Record
from careplane.records.run import Run
from careplane.store import Store
from careplane.workflow.records import REVIEWED, find_runs

RUNS_LOOKED_AT = 1000


class TimeBudget(Record, frozen=True):
    """Over the ``n`` newest reviewed drafts: seconds in the middle and at the 90th percentile, rejected drafts
    included, as they cost time too; ``clicks`` over the ``counted`` drafts in which somebody counted. ``None`` is not
    measured."""

    n: int
    rejected: int
    seconds: float | None
    seconds_p90: float | None
    counted: int
    clicks: float | None


def time_budget(store: Store, app: str) -> TimeBudget:
    """The budget of an app, over its newest 1,000 reviewed drafts."""
    return _of(find_runs(store, app=app, status=REVIEWED, limit=RUNS_LOOKED_AT))


def _of(reviewed: list[Run]) -> TimeBudget:
    reviews = [run.review for run in reviewed if run.review is not None and run.review.seconds > 0]
    seconds = [review.seconds for review in reviews]
    clicks = [review.clicks for review in reviews if review.clicks is not None]
    return TimeBudget(
        n=len(reviews),
        rejected=sum(review.action == "reject" for review in reviews),
        seconds=median(seconds) if seconds else None,
        seconds_p90=quantiles(seconds, n=10, method="inclusive")[-1] if len(seconds) > 1 else None,
        counted=len(clicks),
        clicks=median(clicks) if clicks else None,
    )
