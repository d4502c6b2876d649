"""A FHIR resource as rows that a person can read, and what differs between two versions of one."""

import re
from collections.abc import Iterator

from careplane.codecs.fhir import datatypes as dt
from careplane.codecs.fhir.elements import as_list
from careplane.records import JSON

DEEPEST = 8
MOST_ROWS = 300
LONGEST = 4000
TECHNICAL = frozenset({"resourceType", "id", "meta", "text", "contained", "implicitRules", "language"})
"""Elements that are about the record, not about the patient; a language alone is a Patient's ``communication``."""

_QUANTITY = frozenset({"value", "unit", "code", "system", "comparator", "currency"})
_CONCEPT = frozenset({"coding", "text"})
_CODING = frozenset({"system", "version", "code", "display", "userSelected"})
_REFERENCE = frozenset({"reference", "display", "type", "identifier"})
_PERIOD = frozenset({"start", "end"})
_NAME = frozenset({"use", "text", "family", "given", "prefix", "suffix", "period"})
_ADDRESS = frozenset({"use", "type", "text", "line", "city", "district", "state", "postalCode", "country", "period"})
_HUMP = re.compile(r"(?<!^)(?=[A-Z])")


def rows_of(resource: JSON) -> list[tuple[str, str]]:
    """``(path, value)`` for what a resource says, in document order: ``("dosage instruction", "1 daily")``.

    Elements of the record itself (id, meta, narrative) are left out; at most 300 rows, 4,000 characters a value.
    """
    found = []
    for name, value in resource.items():
        if name not in TECHNICAL and not name.startswith("_"):
            for row in _rows(_words(name), value, 1):
                found.append(row)
                if len(found) >= MOST_ROWS:
                    return found
    return found


def differences(before: JSON, after: JSON) -> list[tuple[str, str, str]]:
    """``(path, before, after)`` of the rows that differ; an empty text means that it is not there."""
    old, new = _by_path(before), _by_path(after)
    paths = dict.fromkeys((*old, *new))
    return [(path, old.get(path, ""), new.get(path, "")) for path in paths if old.get(path) != new.get(path)]


def _by_path(resource: JSON) -> dict[str, str]:
    joined: dict[str, str] = {}
    for path, value in rows_of(resource):
        joined[path] = f"{joined[path]}; {value}" if path in joined else value
    return joined


def _rows(path: str, value: object, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for number, item in enumerate(value, start=1):
            yield from _rows(path if len(value) == 1 else f"{path} {number}", item, depth)
        return
    text = _text(value)
    if text:
        yield path, text[:LONGEST]
    elif isinstance(value, dict) and depth < DEEPEST:
        for name, inner in value.items():
            if not name.startswith("_") and name != "extension":
                # a text stands for what it is in, so its path stays when what stands beside it goes
                yield from _rows(path if name == "text" else f"{path} › {_words(name)}", inner, depth + 1)


def _text(value: object) -> str:
    """A value that reads as one text; empty when its parts have to be shown."""
    if not isinstance(value, dict):
        return "" if value is None or isinstance(value, list) else dt.plain(value)
    names = {name for name in value if not name.startswith("_") and name not in ("id", "extension")}
    if not names:
        return ""
    if names <= _CONCEPT or (names <= _CODING and names & {"code", "display"}):
        return dt.concept(value)
    if names <= _REFERENCE:
        return dt.joined((dt.plain(value.get("display")), dt.plain(value.get("reference"))))
    if names <= _QUANTITY and "value" in names:
        return dt.quantity(value)
    if names <= _PERIOD:
        return dt.period(value)
    if names <= _NAME and names & {"family", "given"}:
        return dt.human_name(value)
    if names <= _ADDRESS and names & {"line", "city", "postalCode"}:
        return dt.address(value)
    if "contentType" in names or "data" in names:
        return dt.attachment_text(as_list(value))
    return ""


def _words(name: str) -> str:
    return _HUMP.sub(" ", name).lower()
