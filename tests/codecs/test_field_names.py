"""What may be written down of a path: the names that the APIs have, all of them, and no other."""

from typing import Any

import pytest

from careplane.codecs import (
    anthropic_blocks,
    anthropic_request,
    chat_request,
    embeddings,
    extension,
    openai_chat,
    responses_items,
    responses_request,
)
from careplane.codecs.field_names import FIELD_NAMES, recordable

READERS = [anthropic_blocks, anthropic_request, chat_request, embeddings, extension, openai_chat]
READERS += [responses_items, responses_request]


def names(table: Any) -> set[str]:
    """Names of fields in a table of checks, and in the tables inside it."""
    if isinstance(table, dict):
        return {name for name, check in table.items() if isinstance(name, str) and not isinstance(check, str)}.union(
            *map(names, table.values())
        )
    return set().union(*map(names, table)) if isinstance(table, tuple) else set()


def test_every_name_of_the_tables_is_known() -> None:
    tables = [value for reader in READERS for name, value in vars(reader).items() if not name.startswith("__")]
    found = set().union(*map(names, tables))
    assert len(found) > 100
    assert found <= FIELD_NAMES


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("messages[0].content[12].image_url.url", "messages[0].content[12].image_url.url"),
        ("careplane.context.entry[3]", "careplane.context.entry[3]"),
        ("Zebulon Quackenbush", "*"),
        ("messages[0].Zebulon", "messages[0].*"),
        ("tools.zebulon_now.parameters", "tools.*.parameters"),
        ("messages[Zebulon].role", "messages.role"),
        ("messages[0][Zebulon]", "messages"),
        ("logit_bias.31255501", "logit_bias.*"),
        ("", "*"),
        (".".join(["a"] * 100), ".".join(["*"] * 16)),
    ],
)
def test_names_of_a_clients_own_are_not_kept(path: str, kept: str) -> None:
    assert recordable(path) == kept
