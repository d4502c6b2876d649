"""No package that a user installs is under a licence that would bind the whole: read from ``uv.lock`` and metadata."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

LOCK = Path(__file__).resolve().parents[1] / "uv.lock"
COPYLEFT = re.compile(r"\bA?GPL|\bLGPL|\bMPL|\bEUPL|\bSSPL|GNU |Mozilla Public|Business Source|\bBUSL", re.IGNORECASE)
REVIEWED = {
    "certifi": "MPL-2.0, a list of certificates, used unchanged",
    "orjson": "MPL-2.0 for part of its files, used unchanged",
    "psycopg": "LGPL-3.0, used unchanged as a library, loaded only for PostgreSQL",
    "psycopg-binary": "LGPL-3.0, the compiled part of psycopg",
    "tqdm": "MPL-2.0 for part of its files, used unchanged, comes with spaCy in the extra 'presidio'",
    "pyphen": "GPL, LGPL or MPL-1.1 at the user's choice: taken under MPL-1.1, used unchanged, extra 'pdf'",
}
"""Copyleft licences that somebody looked at, and why they do not bind us; see docs/decisions/0001-licence.md."""


def shipped() -> set[str]:
    """Names of all packages that the package and its extras pull in; development groups are not among them."""
    packages: dict[str, dict[str, Any]] = {one["name"]: one for one in tomllib.loads(LOCK.read_text())["package"]}
    extras = tuple(packages["careplane"]["optional-dependencies"])
    found: set[tuple[str, tuple[str, ...]]] = set()
    waiting = [("careplane", extras)]
    while waiting:
        name, wanted = waiting.pop()
        optional = packages[name].get("optional-dependencies", {})
        needed = [
            *packages[name].get("dependencies", []),
            *(one for extra in wanted for one in optional.get(extra, [])),
        ]
        new = {(one["name"], tuple(one.get("extra", ()))) for one in needed} - found
        found |= new
        waiting += new
    return {name for name, _ in found}


def licence(name: str) -> str | None:
    """The licence that a package states; the classifiers where it gives no expression; ``None`` if not installed."""
    try:
        stated = metadata(name)
    except PackageNotFoundError:  # for another platform, or left out by an override
        return None
    if "License-Expression" in stated:
        return stated["License-Expression"]
    classifiers = [one for one in stated.get_all("Classifier") or [] if one.startswith("License ::")]
    return " ".join(classifiers) or (stated.get_all("License") or [""])[0].split("\n", 1)[0]


def test_no_copyleft_that_nobody_reviewed() -> None:
    found = {name: licence(name) or "" for name in sorted(shipped())}
    assert len(found) > 50
    assert {name: text for name, text in found.items() if COPYLEFT.search(text) and name not in REVIEWED} == {}


def test_every_reviewed_exception_is_still_needed() -> None:
    installed = {name for name in REVIEWED if licence(name) is not None}
    assert sorted(installed - shipped()) == []
    assert sorted(name for name in installed if not COPYLEFT.search(licence(name) or "")) == []
