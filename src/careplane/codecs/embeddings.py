"""OpenAI's Embeddings as a server speaks it: texts in, one vector per text out, as numbers or base64.

Arrays of token ids are refused: what they say cannot be looked through for identifiers.

Source: https://platform.openai.com/docs/api-reference/embeddings
"""

import struct
from base64 import b64encode
from typing import Any

import orjson

from careplane.codecs import fields
from careplane.codecs.dialect import EmbedAsked
from careplane.codecs.extension import read_options
from careplane.codecs.fields import Check
from careplane.codecs.openai_chat import model_name
from careplane.codecs.strict_json import read_object
from careplane.errors import InputError
from careplane.records.model import Embeddings

MAX_INPUTS = 2048


def read(body: bytes) -> EmbedAsked:
    """Read a request.

    Raises:
        InputError: not JSON, a field of the wrong type, or one that is refused; ``field`` names it.
    """
    given = read_object(body)
    known = fields.read_fields(given, CHECKS)
    return EmbedAsked(
        model=model_name(given),
        inputs=fields.needed(known, "input"),
        dimensions=known.get("dimensions"),
        base64=known.get("encoding_format") == "base64",
        options=read_options(given.get("careplane"), 0),
    )


def whole(model: str, asked: EmbedAsked, embeddings: Embeddings, input_tokens: int) -> bytes:
    """A ``list`` of ``embedding`` objects, in the order of the inputs."""
    encode = _base64 if asked.base64 else _numbers
    rows = [
        {"object": "embedding", "index": i, "embedding": encode(vector)} for i, vector in enumerate(embeddings.vectors)
    ]
    usage = {"prompt_tokens": input_tokens, "total_tokens": input_tokens}
    return orjson.dumps({"object": "list", "data": rows, "model": model, "usage": usage})


def _numbers(vector: list[float]) -> list[float]:
    return vector


def _base64(vector: list[float]) -> str:
    """32-bit floats, little-endian, as the official client reads them."""
    return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _inputs(value: object, path: str) -> tuple[str, ...]:
    given: list[Any] = [value] if type(value) is str else fields.a_list(value, path, MAX_INPUTS)
    if not given:
        raise InputError("at least one text is needed", field=path)
    for i, one in enumerate(given):
        if type(one) is not str:
            raise InputError("must be text: tokens cannot be looked through for identifiers", field=f"{path}[{i}]")
        if not one:
            raise InputError("must not be empty", field=path if type(value) is str else f"{path}[{i}]")
    return tuple(given)


CHECKS: dict[str, Check] = {
    "input": _inputs,
    "dimensions": fields.whole(1, 65_536),
    "encoding_format": fields.one_of("float", "base64"),
    "user": fields.dropped,
    "model": fields.dropped,
    "careplane": fields.dropped,
}
