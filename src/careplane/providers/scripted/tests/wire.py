"""The scripted model has no endpoint; it has no gaps in the contract either."""

from collections.abc import Mapping

GAPS: Mapping[str, str] = {}
