"""The local model has no endpoint. What it cannot do, it refuses by the named error."""

from collections.abc import Mapping

GAPS: Mapping[str, str] = {
    "tools": "UpstreamRejected",
    "images": "UpstreamRejected",
    "embeddings": "",
}
