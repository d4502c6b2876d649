"""The ways a chart's identifiers are written in prose. Pure functions from a value to its variants."""

import re
from collections.abc import Iterator, Sequence
from datetime import date

_MONTHS = (
    ("January", "Jan"), ("February", "Feb"), ("March", "Mar"), ("April", "Apr"), ("May", "May"), ("June", "Jun"),
    ("July", "Jul"), ("August", "Aug"), ("September", "Sep"), ("October", "Oct"), ("November", "Nov"),
    ("December", "Dec"),
)  # fmt: skip
_TITLES = frozenset({"mr", "mrs", "ms", "miss", "dr", "md", "do", "phd", "rn", "np", "pa", "jr", "sr", "ii", "iii"})
_STREETS = {
    "street": "st", "avenue": "ave", "road": "rd", "drive": "dr", "lane": "ln", "boulevard": "blvd", "court": "ct",
    "place": "pl", "circle": "cir", "highway": "hwy", "parkway": "pkwy", "terrace": "ter", "apartment": "apt",
}  # fmt: skip


def name_variants(given: Sequence[str], family: str) -> Iterator[str]:
    """Full names in both orders, with middle names and initials; each part alone when it has three letters or more."""
    given = [part for part in given if part.strip()]
    if given and family:
        first, middle = given[0], given[1:]
        initials = [f"{part[0]}." for part in middle] + [part[0] for part in middle]
        for inner in ("", *middle, *initials, " ".join(middle)):
            front = f"{first} {inner}".strip()
            yield from (f"{front} {family}", f"{family}, {front}", f"{family} {front}", f"{family},{front}")
        yield from (f"{first[0]}.{family[0]}.", f"{first[0]}. {family[0]}.")
        yield from (f"{first[0]}. {family}", f"{first[0]} {family}", f"{family}, {first[0]}.", f"{family}, {first[0]}")
    yield from _alone((*given, family))


def _alone(parts: Sequence[str]) -> Iterator[str]:
    for part in parts:
        pieces = {part, *re.split(r"[\s-]+", part)}
        yield from (piece for piece in pieces if len(piece) >= 3 and piece.lower().strip(".") not in _TITLES)


def text_name_variants(text: str) -> Iterator[str]:
    """Variants of a name that a chart gives only as text."""
    words = [word.strip(",") for word in text.split() if word.strip(".,").lower() not in _TITLES]
    if not words:
        return
    if "," in text and len(words) > 1:
        words = [*words[1:], words[0]]
    yield text
    yield from name_variants(words[:-1], words[-1])


def date_variants(text: str) -> Iterator[str]:
    """A FHIR date or dateTime in the formats that notes use (US order), full dates only."""
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        return
    y, m, d = day.year, day.month, day.day
    yield day.isoformat()
    for year in (f"{y}", f"{y % 100:02d}"):
        for month, number in ((f"{m}", f"{d}"), (f"{m:02d}", f"{d:02d}"), (f"{m}", f"{d:02d}"), (f"{m:02d}", f"{d}")):
            yield from (f"{month}{sep}{number}{sep}{year}" for sep in "/-.")
    for month in _MONTHS[m - 1]:
        for number in (f"{d}", f"{d:02d}", f"{d}{_ordinal(d)}"):
            yield from (
                f"{month} {number}, {y}",
                f"{month} {number} {y}",
                f"{number} {month} {y}",
                f"{number}-{month}-{y}",
            )
            yield from (f"{month}. {number}, {y}", f"{number} of {month} {y}", f"{number} de {month} de {y}")
        yield f"{month} {d}"
    yield from (f"{m}/{d}", f"{m:02d}/{d:02d}")
    yield f"{y}{m:02d}{d:02d}"
    yield f"{m:02d}{d:02d}{y}"


def _ordinal(day: int) -> str:
    return "th" if 10 <= day % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def phone_variants(text: str) -> Iterator[str]:
    """A phone number as its digits grouped in the usual ways (North American when it has ten digits)."""
    yield text
    digits = re.sub(r"\D", "", text)
    local = digits[-10:]
    if len(local) < 10:
        return
    a, b, c = local[:3], local[3:6], local[6:]
    shapes = (f"{a}-{b}-{c}", f"({a}) {b}-{c}", f"({a}){b}-{c}", f"{a}.{b}.{c}", f"{a} {b} {c}", f"{a}/{b}-{c}", local)
    for shape in shapes:
        yield from (shape, f"+1 {shape}", f"1-{shape}", f"+1{shape}", f"+1-{shape}")
    yield from (f"{b}-{c}", f"{b}.{c}")


def number_variants(text: str) -> Iterator[str]:
    """An identifier as given, without its punctuation, without leading zeros, and with the usual grouping."""
    yield text
    bare = re.sub(r"[^0-9A-Za-z]", "", text)
    for form in {bare, bare.lstrip("0")}:
        if len(form) < 4:
            continue
        yield form
        for size in (2, 3, 4):
            yield from (f"{form[:size]}{sep}{form[size:]}" for sep in "- ")
        for sep in "- ":
            yield sep.join((form[:3], form[3:6], form[6:])) if len(form) > 6 else form
            yield sep.join(form[i : i + 4] for i in range(0, len(form), 4))
    if bare.isdigit():
        yield from (bare.zfill(width) for width in (8, 10) if len(bare) < width)
    if len(bare) == 9 and bare.isdigit():
        yield from (f"{bare[:3]}{sep}{bare[3:5]}{sep}{bare[5:]}" for sep in "- ")


def street_variants(line: str) -> Iterator[str]:
    """A street address line, also with its suffix written out or abbreviated."""
    yield line
    words = line.split()
    longer = {short: full for full, short in _STREETS.items()}
    for table in (_STREETS, longer):
        changed = [table.get(word.lower().strip(".,"), word) for word in words]
        if changed != words:
            yield " ".join(changed)
            yield f"{' '.join(changed)}."
