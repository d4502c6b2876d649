"""Register rows for tests."""

from datetime import date
from typing import Any

from careplane.records.portfolio import RegisterItem

TODAY = date(2026, 6, 1)


def row(ident: str, **changes: Any) -> RegisterItem:
    """A point solution in pilot since 1 May 2026, with ``changes``."""
    values: dict[str, Any] = {
        "title": ident.replace("_", " ").title(),
        "kind": "point_solution",
        "stage": "pilot",
        "tier": 2,
        "area": "clinical",
        "owner": "Chief Nurse",
        "sponsor": "Chief Medical Officer",
        "goals": ("access",),
        "departments": ("Cardiology",),
        "sites": (),
        "task": "draft/message/reply",
        "stage_since": date(2026, 5, 1),
        "registered_at": date(2026, 1, 1),
        "synthetic": True,
    }
    return RegisterItem(id=ident, **{**values, **changes})
