"""The gateway: the only road to a model.

``Gateway`` protects a request, calls the provider of its route, restores the reply and makes the record durable before
anything leaves. ``routes`` offers the same to an app's own software as OpenAI's API, with a key per app.
"""

from careplane.gateway.gateway import Gateway
from careplane.gateway.http import routes
from careplane.gateway.keys import Key, app_of_key, issue_key, list_keys, revoke_key

__all__ = ["Gateway", "Key", "app_of_key", "issue_key", "list_keys", "revoke_key", "routes"]
