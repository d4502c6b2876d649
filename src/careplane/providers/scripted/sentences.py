"""Turning a source line into one plain sentence that cites it."""

import re

from careplane.providers.scripted.prompt import Line

_PREFIX = re.compile(r"^(?:\S*\d{4}-\d\d-\d\d\S*|\[DATE-[\d-]+\])?\s*(?P<kind>[A-Z][A-Za-z ]+?)?\s*:\s*(?P<body>.+)$")
_STOP = re.compile(r"[.!?]+(?=\s|$)")
_LONGEST = 220


def quote(line: Line, limit: int = _LONGEST) -> str:
    """The source without its kind, on one line, with no sentence end inside."""
    found = _PREFIX.match(line.text)
    body = found["body"] if found else line.text
    body = _STOP.sub(";", body).rstrip("; ").strip()
    if len(body) > limit:
        body = body[:limit].rsplit(" ", 1)[0].rstrip(",;: ")
    return body


def cite(opening: str, line: Line) -> str:
    """``opening source [n].``"""
    return f"{opening} {quote(line)} [{line.n}]."


def bullet(line: Line) -> str:
    """One line of a list: the source with its date and its citation."""
    return f"- {_STOP.sub(';', line.text[:_LONGEST]).rstrip('; ')} [{line.n}]."
