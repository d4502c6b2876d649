"""How far an app's users are trained, from the training records."""

from sqlalchemy import func, select

from careplane.records import Record
from careplane.store import Store
from careplane.store.tables import training


class TrainingCounts(Record, frozen=True):
    """How many people tried the lesson of an app, and how many passed."""

    tried: int
    passed: int


def training_counts(store: Store, app: str) -> TrainingCounts:
    """People, each counted once."""
    people = func.count(func.distinct(training.c.person))
    with store.read() as connection:
        tried = connection.execute(select(people).where(training.c.app == app)).scalar_one()
        passed = connection.execute(select(people).where(training.c.app == app, training.c.passed)).scalar_one()
    return TrainingCounts(tried=tried, passed=passed)
