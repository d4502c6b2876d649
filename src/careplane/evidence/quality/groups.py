"""The groups that patients belong to, for weights of a draw and for rates by group."""

from contextlib import closing
from datetime import date
from pathlib import Path

from careplane.evidence.patients import read_groups
from careplane.evidence.reference_tables import read_ruca
from careplane.store.lake import connect


def patient_groups(home: Path, on: date | None = None) -> dict[str, dict[str, str]]:
    """The group of each patient by dimension, out of the loaded data: dimensions in which anybody has a group; empty
    where no patient is loaded. ``on`` is the day of age; without it age is left out."""
    with closing(connect(home)) as connection:
        found = read_groups(connection, on, read_ruca(home))
    return {name: dict(of_patient) for name, of_patient in found.items() if of_patient}
