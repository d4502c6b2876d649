"""The reference of the API names every parameter that the code knows, and no other."""

import re
from pathlib import Path

import pytest

from careplane.codecs import anthropic_request, embeddings, extension, openai_chat, responses_request

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "gateway-api.md"
APART = {"model", "careplane"}


def table(title: str) -> set[str]:
    section = DOCUMENT.read_text().split(f"\n### {title}\n")[1].split("\n#")[0]
    rows = re.findall(r"^\| (?:passed on|no effect|left out|refused) \| (.*) \|$", section, re.MULTILINE)
    assert rows
    return {name for row in rows for name in re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", row))}


@pytest.mark.parametrize(
    ("title", "known"),
    [
        ("Chat Completions", set(openai_chat.CHECKS)),
        ("Responses", set(responses_request.CHECKS)),
        ("Messages", set(anthropic_request.CHECKS)),
        ("Embeddings", set(embeddings.CHECKS)),
    ],
)
def test_every_parameter_is_in_the_table(title: str, known: set[str]) -> None:
    assert table(title) == known - APART


def test_every_option_of_our_own_is_in_the_table() -> None:
    section = DOCUMENT.read_text().split("\n## Careplane's own part of a body\n")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == set(extension.CHECKS)
