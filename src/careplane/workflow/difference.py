"""How far a signed text is from its draft."""

import difflib
import re

_TOKEN = re.compile(r"\w+|[^\w\s]")


def unified_diff(draft: str, final: str) -> str:
    """A unified diff of draft to final, line by line; empty when they are the same."""
    return "\n".join(difflib.unified_diff(draft.splitlines(), final.splitlines(), "draft", "signed", lineterm=""))


def token_distance(draft: str, final: str) -> float:
    """The Levenshtein distance over words and marks, divided by the longer length: 0 same, 1 nothing kept (M16)."""
    first, second = _TOKEN.findall(draft), _TOKEN.findall(final)
    if not first and not second:
        return 0.0
    return _levenshtein(first, second) / max(len(first), len(second))


def _levenshtein(first: list[str], second: list[str]) -> int:
    previous = list(range(len(second) + 1))
    for row, token in enumerate(first, start=1):
        current = [row]
        for column, other in enumerate(second, start=1):
            current.append(min(previous[column] + 1, current[-1] + 1, previous[column - 1] + (token != other)))
        previous = current
    return previous[-1]
