"""Azure's surface of OpenAI's API: the same bodies under other addresses, with a key in a header of its own."""

import json
from collections.abc import Mapping
from typing import Any

from careplane.providers.openai_compatible.tests import wire as openai

GAPS: Mapping[str, str] = {}
whole, stream, embeddings, broken = openai.whole, openai.stream, openai.embeddings, openai.broken


def settings(url: str) -> dict[str, str]:
    return {"endpoint": url, "model": "a-deployment", "embed_model": "an-embedder", "api_key": "key-secret"}


def asked(path: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    assert headers["content-type"] == "application/json"
    assert headers["api-key"] == "key-secret"
    assert path in ("/openai/v1/chat/completions", "/openai/v1/embeddings")
    return openai.read(json.loads(body))


def failure(code: str, message: str) -> bytes:
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {}}
    error = {"message": message, "type": None, "param": "prompt", "code": code or None, "status": 400}
    return json.dumps({"error": error | ({"innererror": inner} if code == "content_filter" else {})}).encode()
