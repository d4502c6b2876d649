"""Embeddings and the list of models, judged by the official clients' models."""

import struct
from base64 import b64decode
from typing import Any

import orjson
import pytest
from anthropic.types import ModelInfo
from openai.types import CreateEmbeddingResponse, Model

from careplane.codecs import embeddings
from careplane.codecs.dialect import EmbedAsked
from careplane.codecs.model_list import model, models
from careplane.errors import InputError
from careplane.records.model import Embeddings

VECTORS = Embeddings(vectors=([0.5, -1.25], [0.1, 3.0]))


def read(**given: Any) -> EmbedAsked:
    return embeddings.read(orjson.dumps({"model": "vectors", "input": "Hello", **given}))


def test_one_text_or_many() -> None:
    assert read().inputs == ("Hello",)
    asked = read(input=["a", "b"], dimensions=256, encoding_format="base64", user="jane")
    assert (asked.model, asked.inputs, asked.dimensions, asked.base64) == ("vectors", ("a", "b"), 256, True)


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("input", {"input": None}),
        ("input", {"input": []}),
        ("input", {"input": ""}),
        ("input", {"input": 7}),
        ("input[0]", {"input": [1, 2, 3]}),
        ("input[0]", {"input": [[1, 2, 3]]}),
        ("input[1]", {"input": ["a", ""]}),
        ("input", {"input": ["a"] * 2049}),
        ("dimensions", {"dimensions": 0}),
        ("encoding_format", {"encoding_format": "hex"}),
        ("model", {"model": None}),
        ("frobnicate", {"frobnicate": 1}),
        ("careplane.untrusted", {"careplane": {"untrusted": [0]}}),
    ],
)
def test_a_wrong_field_is_named(path: str, given: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        read(**given)
    assert caught.value.field == path


def test_numbers() -> None:
    got = CreateEmbeddingResponse.model_validate_json(embeddings.whole("vectors", read(), VECTORS, 5), strict=True)
    assert [(row.index, row.embedding) for row in got.data] == [(0, [0.5, -1.25]), (1, [0.1, 3.0])]
    assert (got.model, got.usage.prompt_tokens, got.usage.total_tokens) == ("vectors", 5, 5)


def test_base64() -> None:
    said = orjson.loads(embeddings.whole("vectors", read(encoding_format="base64"), VECTORS, 5))
    decoded = [struct.unpack("<2f", b64decode(row["embedding"])) for row in said["data"]]
    assert decoded[0] == (0.5, -1.25)
    assert decoded[1] == pytest.approx((0.1, 3.0))


def test_the_list_of_models_suits_both_clients() -> None:
    said = orjson.loads(models(["fast", "careful"], 1_750_000_000))
    assert [Model.model_validate(row, strict=True).id for row in said["data"]] == ["fast", "careful"]
    assert [ModelInfo.model_validate(row).display_name for row in said["data"]] == ["fast", "careful"]
    assert (said["has_more"], said["first_id"], said["last_id"]) == (False, "fast", "careful")
    assert orjson.loads(model("fast", 1_750_000_000)) == said["data"][0]
    assert orjson.loads(models([], 0))["first_id"] is None
