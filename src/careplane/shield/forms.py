"""The written forms in which each kind of surrogate may come back, and what each of them stands for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from careplane.shield import dates, lifelike
from careplane.shield.branches import Form, Meaning, Original
from careplane.shield.lifelike import Name, Persona
from careplane.shield.rewriting import NAME, SPACED, TOKEN, TURNED, plain_token

if TYPE_CHECKING:
    from careplane.shield.surrogates import Entry


@dataclass(frozen=True, slots=True)
class _Phone(Original):
    """A phone number; digits written in another layout come back in that layout."""

    def told(self, matched: str) -> str:
        digits = "".join(char for char in self.words if char.isdigit())
        return lifelike.with_digits(matched, digits) or self.words


@dataclass(frozen=True, slots=True)
class _Day(Original):
    """A date that was moved; written in another format it comes back in that format."""

    day: date = date.min

    def told(self, matched: str) -> str:
        read = dates.read_date(matched, self.day.year, datetime.now(UTC).date())
        return read.written(self.day) if read else self.words

    def told_in_json(self, matched: str) -> str:
        return self.told(matched)


def meaning(entry: "Entry") -> Meaning:
    """What the surrogate itself, as it was sent, stands for."""
    return Original(entry.words, entry.source, entry.bare)


def of_entry(entry: "Entry", known: Meaning) -> Iterator[Form]:
    """The forms of a code, a phone, a date or anything lifelike but a name."""
    if entry.kind == "code":
        number = (str(entry.number),) if entry.spelling == 1 else (str(entry.number), str(entry.spelling))
        word = entry.category.lower()
        yield Form((word, *number), known, bracketed=True)
        if entry.spelling == 1:
            yield Form((word, *number[0]), known, bracketed=True, after=SPACED)
            yield Form((number[0], word), known, TURNED, bracketed=True)
        return
    if entry.kind == "day":
        day = _Day(entry.words, entry.source, entry.bare, date.fromisoformat(entry.day))
        for tokens in dates.token_forms(date.fromisoformat(entry.moved), entry.written):
            yield Form(tokens, day, dated=True)
        return
    tokens = _tokens(entry.surrogate)
    if entry.kind == "phone":
        phone = _Phone(entry.words, entry.source, entry.bare)
        digits = "".join(char for char in entry.surrogate if char.isdigit())
        split = ((digits,),) if len(digits) == 7 else ((digits[:3], digits[3:]), (digits,))
        yield from (Form(form, phone) for form in (tokens, *split))
        return
    yield Form(tokens, known)
    if entry.category not in _WRITTEN_OUT:
        yield from (Form(form, known) for form in _regrouped(tokens, entry.surrogate))


_WRITTEN_OUT = frozenset({"GEO", "STREET", "EMAIL", "URL", "IP"})
_SHORTEST_GROUP = 3


def _regrouped(tokens: tuple[str, ...], surrogate: str) -> Iterator[tuple[str, ...]]:
    """A record number without its separators, or with one where it had none."""
    together = _tokens("".join(char for char in surrogate if char.isalnum()))
    if together != tokens:
        yield together
    for i, token in enumerate(together):
        for at in range(_SHORTEST_GROUP, len(token) - _SHORTEST_GROUP + 1) if token.isdigit() else ():
            yield (*together[:i], token[:at], token[at:].lstrip("0") or "0", *together[i + 1 :])


def _tokens(text: str) -> tuple[str, ...]:
    found = [plain_token(token) for token in TOKEN.findall(text)]
    return (found[0], *(token.lstrip("0") or "0" for token in found[1:]))


def of_persona(persona: Persona, entries: Sequence["Entry"], givens: frozenset[str]) -> Iterator[Form]:
    """The forms of an invented name: what was sent first, then its parts and other orders."""
    for entry in entries:
        known = meaning(entry)
        tokens = _tokens(entry.surrogate)
        turned = "," in entry.surrogate
        if len(tokens[0]) > 1:
            yield Form(tokens, known, NAME, letter=turned and len(tokens[-1]) == 1)
    yield from _parts(persona, [lifelike.read_name(entry.words, givens) for entry in entries], entries[0].words)


def _parts(persona: Persona, names: Sequence[Name], whole: str) -> Iterator[Form]:
    """Parts of the invented name and the corresponding parts of the original, where it has them."""
    given = max((name.given for name in names if not name.initial), key=len, default="")
    given = given or next((name.given for name in names if name.given), "")
    family = next((name.family for name in names if name.family and not name.cut and not name.family.isupper()), "")
    family = family or next((name.family for name in names if name.family and not name.cut), "")
    first, last = persona.given.lower(), persona.family.lower()
    both = f"{given} {family}" if given and family else whole
    turned = f"{family}, {given}" if given and family else whole
    if any(name.family and not name.cut for name in names):
        yield Form((last,), Original(family or whole), NAME)
    if any(name.given and not name.initial for name in names):
        yield Form((first,), Original(given or whole), NAME)
    if not any(name.given and name.family for name in names):
        return  # the model has seen one part only
    letter = first[0].upper()
    yield Form((first, last), Original(both), NAME)
    yield Form((last, first), Original(turned), NAME)
    yield Form((first + last,), Original(both), NAME)
    yield Form((last,), Original(family or whole), NAME, initial=(letter, Original(_short(given, family) or whole)))
    initialled = f"{family}, {given[:1]}" if given and family else whole
    yield Form((last, letter.lower()), Original(initialled), NAME, letter=True)


def _short(given: str, family: str) -> str:
    return f"{given[0]}. {family}" if given and family else ""
