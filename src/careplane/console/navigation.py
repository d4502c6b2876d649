"""The left rail: nouns, each with what one must be allowed to see it."""

from careplane.console.permissions import Permission
from careplane.records import Record


class Place(Record, frozen=True):
    """One entry of the rail."""

    title: str
    path: str
    permission: Permission
    foot: bool = False


RAIL: tuple[Place, ...] = (
    Place(title="Home", path="/", permission="portfolio"),
    Place(title="Portfolio", path="/portfolio", permission="portfolio"),
    Place(title="Apps", path="/apps", permission="portfolio"),
    Place(title="Decisions", path="/decisions", permission="portfolio"),
    Place(title="Evidence", path="/evidence", permission="evidence"),
    Place(title="Value", path="/value", permission="portfolio"),
    Place(title="Review", path="/review", permission="review"),
    Place(title="Runs", path="/runs", permission="trace"),
    Place(title="People", path="/people", permission="people"),
    Place(title="Safety", path="/safety", permission="safety"),
    Place(title="Data", path="/data", permission="data"),
    Place(title="Help", path="/help", permission="portfolio", foot=True),
    Place(title="Admin", path="/admin", permission="accounts", foot=True),
)
