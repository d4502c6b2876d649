"""The gateway: the only road to a model.

``Gateway`` protects a request, calls the models of its route, restores and guards the reply, and makes the record
durable before anything leaves. ``DataPlane`` offers it to an app's own software as the APIs that clients know, with a
key per app; ``asgi`` and ``listener`` carry its exchanges.
"""

from careplane.gateway.gateway import Gateway, Parts
from careplane.gateway.keys import Key, app_of_key, issue_key, keep_key, list_keys, revoke_app_keys, revoke_key
from careplane.gateway.plane import DataPlane
from careplane.gateway.routing import Route, Routes, Target
from careplane.gateway.standing import Standing
from careplane.gateway.telemetry import Telemetry

__all__ = [
    "DataPlane",
    "Gateway",
    "Key",
    "Parts",
    "Route",
    "Routes",
    "Standing",
    "Target",
    "Telemetry",
    "app_of_key",
    "issue_key",
    "keep_key",
    "list_keys",
    "revoke_app_keys",
    "revoke_key",
]
