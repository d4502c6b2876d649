"""The pages. Each module holds one noun of the rail and lists its own pages."""

from careplane.console.pages import (
    account,
    data,
    decisions,
    deeds,
    downtime,
    drafts,
    evidence,
    home,
    lessons,
    monitoring,
    people,
    portfolio,
    quality,
    reading,
    register,
    review,
    runs,
    safety,
    search,
    value,
)
from careplane.console.pages.page import Page

PAGES: tuple[Page, ...] = (
    *home.PAGES,
    *portfolio.PAGES,
    *register.PAGES,
    *decisions.PAGES,
    *evidence.PAGES,
    *value.PAGES,
    *review.PAGES,
    *drafts.PAGES,
    *deeds.PAGES,
    *runs.PAGES,
    *quality.PAGES,
    *reading.PAGES,
    *people.PAGES,
    *lessons.PAGES,
    *safety.PAGES,
    *monitoring.PAGES,
    *downtime.PAGES,
    *data.PAGES,
    *search.PAGES,
    *account.PAGES,
    *search.LAST,
)

__all__ = ["PAGES", "Page"]
