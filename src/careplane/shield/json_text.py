"""JSON text, read without writing it anew: where its strings and numbers lie, and what they say.

A tool call's arguments must come back byte for byte, so nothing here parses and serialises again: strings are replaced
in the source, and everything between them stays.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|[{}\[\]]', re.DOTALL)
_CHUNK = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]", re.DOTALL
)
_COLON = re.compile(r"\s*:")
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|[_-]+")


@dataclass(frozen=True, slots=True)
class Leaf:
    """A key, a string or a number: ``words`` is what it says, ``key`` what it belongs to, as words.

    ``at[i]`` is where the i-th character of ``words`` begins in the source, and ``at[-1]`` where they end.
    """

    kind: Literal["key", "string", "number"]
    words: str
    key: str
    at: Sequence[int]


def is_json(text: str) -> bool:
    """Whether a text is a JSON object or list."""
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def leaves(source: str) -> Iterator[Leaf]:
    """The keys, strings and numbers of a JSON text, in order."""
    keys = [""]
    for found in _TOKEN.finditer(source):
        first = found.group()[0]
        if first in "{[":
            keys.append(keys[-1])
        elif first in "}]":
            keys.pop()
        elif first == '"':
            words, at = _decoded(source, found.start() + 1, found.end() - 1)
            if _COLON.match(source, found.end()):
                keys[-1] = _WORDS.sub(" ", words)
                yield Leaf("key", words, "", at)
            else:
                yield Leaf("string", words, keys[-1], at)
        else:
            yield Leaf("number", found.group(), keys[-1], range(found.start(), found.end() + 1))


def _decoded(source: str, start: int, end: int) -> tuple[str, Sequence[int]]:
    inner = source[start:end]
    if "\\" not in inner:
        return inner, range(start, end + 1)
    words: list[str] = []
    at: list[int] = []
    for chunk in _CHUNK.finditer(inner):
        piece = chunk.group()
        words.append(json.loads(f'"{piece}"') if piece[0] == "\\" else piece)
        at.append(start + chunk.start())
    return "".join(words), [*at, end]
