"""The gateway's APIs as ``careplane serve`` offers them, beside the console."""

from typing import Any

import pytest

from careplane.gateway import list_keys
from careplane.server.platform import Platform


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/metrics", 401, "invalid_api_key"),
        ("GET", "/v1/models", 403, "permission_denied"),
        ("POST", "/v1/chat/completions", 403, "permission_denied"),
        ("POST", "/v1/embeddings", 403, "permission_denied"),
        ("POST", "/v1/nothing", 404, "not_found"),
    ],
)
def test_each_door_of_the_gateway_answers_in_its_own_words(
    door: Any, method: str, path: str, status: int, code: str
) -> None:
    """The app is no pilot yet, so its key opens nothing."""
    said = door.client.request(method, path, headers={"Authorization": f"Bearer {door.key}"}, content=b"{}")
    assert (said.status_code, said.json()["error"]["code"]) == (status, code)


def test_the_record_of_a_refusal_names_the_app_and_its_key(platform: Platform, door: Any) -> None:
    door.client.get("/v1/models", headers={"x-api-key": door.key})
    door.client.get("/v1/models", headers={"x-api-key": "cp-of-nobody"})
    (known, unknown) = platform.ledger.records(kind="request_refused")
    (key,) = list_keys(platform.store)
    assert (known.app, known.actor, known.facts["path"]) == ("portal_reply", key.id, "/v1/models")
    assert (unknown.app, unknown.actor) == (None, None)
