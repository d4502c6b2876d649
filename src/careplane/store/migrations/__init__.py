"""Alembic migrations of the operational store.

``REVISIONS`` lists them oldest first, so that opening a database that is current needs no Alembic. A new one is a file
in ``versions/`` and a line here; a test compares both, and the migrated tables with ``store/tables.py``.
"""

REVISIONS: tuple[str, ...] = (
    "0001",
    "0002",
    "0003",
    "0004",
    "0009",
    "0010",
    "0005",
    "0007",
    "0011",
    "0025",
    "0008",
    "0006",
    "0033",
    "0034",
    "0036",
    "0031",
)

HEAD = REVISIONS[-1]
