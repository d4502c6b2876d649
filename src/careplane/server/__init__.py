"""The composition root: one ASGI app and its workers; the only place that wires packages together."""

from careplane.server.platform import Platform, open_platform

__all__ = ["Platform", "open_platform"]
