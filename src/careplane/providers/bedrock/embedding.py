"""Embeddings of Bedrock's models: Converse has none, so each family has a body of its own under InvokeModel.

Source: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html and
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed.html (Cohere).
"""

from typing import Any

import orjson

from careplane.codecs.counts import tokens
from careplane.errors import UpstreamRejected
from careplane.records import JSON
from careplane.records.model import Embeddings, EmbedRequest

COHERE_BATCH = 96


def bodies(model: str, request: EmbedRequest) -> list[JSON]:
    """The bodies to send, one call each: Titan takes one text, Cohere up to 96."""
    texts = request.inputs
    if "titan-embed" in model:
        wanted = {"dimensions": request.dimensions} if request.dimensions else {}
        return [{"inputText": text, **wanted} for text in texts]
    if "cohere.embed" in model:
        rule: JSON = {"input_type": "search_document", "truncate": "NONE"}
        rule |= {"output_dimension": request.dimensions} if request.dimensions else {}
        return [{"texts": list(texts[at : at + COHERE_BATCH]), **rule} for at in range(0, len(texts), COHERE_BATCH)]
    raise UpstreamRejected("Embeddings of this Bedrock model are not known here: use a Titan or a Cohere model.")


def read(data: bytes) -> Embeddings:
    """The vectors of one reply.

    Raises:
        ValueError: not such a reply.
    """
    try:
        given: Any = orjson.loads(data)
        if "embedding" in given:
            return Embeddings(vectors=(_vector(given["embedding"]),), input_tokens=tokens(given["inputTextTokenCount"]))
        found = given["embeddings"]
        found = found["float"] if isinstance(found, dict) else found
        return Embeddings(vectors=tuple(_vector(one) for one in found))
    except (TypeError, KeyError) as error:
        raise ValueError("not embeddings") from error


def joined(parts: list[Embeddings]) -> Embeddings:
    """The replies of several calls as one."""
    counts = [part.input_tokens for part in parts if part.input_tokens is not None]
    vectors = tuple(vector for part in parts for vector in part.vectors)
    return Embeddings(vectors=vectors, input_tokens=sum(counts) if counts and len(counts) == len(parts) else None)


def _vector(given: Any) -> list[float]:
    if not given:
        raise ValueError("an empty vector")
    return [float(number) for number in given]
