"""A page: its path, what one must be allowed, and the function that answers."""

from dataclasses import dataclass
from typing import Literal

from careplane.console.permissions import Permission
from careplane.console.visit import Handler


@dataclass(frozen=True, slots=True)
class Page:
    """One page, or the form of one (``method="POST"``)."""

    path: str
    handler: Handler
    permission: Permission
    method: Literal["GET", "POST"] = "GET"
