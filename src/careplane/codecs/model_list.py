"""The list of models, in one shape that the clients of OpenAI and of Anthropic both read: they ask at the same path.

Source: https://platform.openai.com/docs/api-reference/models and https://docs.anthropic.com/en/api/models-list
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import orjson

from careplane.records import JSON


def models(names: Sequence[str], created: int) -> bytes:
    """The models that the caller may name, all of them on one page; ``created`` is a Unix time."""
    ends = {"first_id": names[0] if names else None, "last_id": names[-1] if names else None}
    data = [_model(name, created) for name in names]
    return orjson.dumps({"object": "list", "data": data, "has_more": False, **ends})


def model(name: str, created: int) -> bytes:
    """One model."""
    return orjson.dumps(_model(name, created))


def _model(name: str, created: int) -> JSON:
    return {
        "id": name,
        "object": "model",
        "created": created,
        "owned_by": "careplane",
        "type": "model",
        "display_name": name,
        "lifecycle": "active",
        "created_at": datetime.fromtimestamp(created, UTC).isoformat().replace("+00:00", "Z"),
    }
