"""Surrogates that look real and are nobody's: drawn at random, in the shape and case of what they stand for.

Phones use the exchange 555-01xx, addresses of the net the ranges and names that are reserved for documentation
(RFC 5737, RFC 2606), social security numbers an area that is never issued. ``None`` means: no lifelike one, take a
bracketed one.
"""

import re
import string
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from careplane.shield import chance, pools
from careplane.shield.spans import Category

_ZIP = re.compile(r"\d{5}(?:-\d{4})?")
_TOWN = re.compile(r"(?P<town>[^\d,]+?)(?P<state>,? ?\b[A-Za-z]{2})?(?P<gap>,? )?(?P<zip>\d{5}(?:-\d{4})?)?")
_STREET = re.compile(r"(?P<number>\d{1,6})(?P<gap> +)(?P<name>.+?)(?P<suffix> +(?P<word>[A-Za-z]+)\.?)?")


@dataclass(frozen=True, slots=True)
class Persona:
    """An invented person."""

    given: str
    family: str


@dataclass(frozen=True, slots=True)
class Name:
    """The parts of a written name; empty where it has none. ``order`` is ``given family``, ``family, given`` ..."""

    given: str
    family: str
    comma: bool = False
    initial: bool = False
    cut: bool = False
    """The family name is an initial."""

    @property
    def shape(self) -> str:
        """What is written: ``full``, ``given``, ``family`` ..."""
        kind = "initial" if self.initial or self.cut else "full" if self.given and self.family else ""
        return f"{kind or ('given' if self.given else 'family')}{',' if self.comma else ''}"


def fold_word(word: str) -> str:
    """Lower case without accents."""
    plain = unicodedata.normalize("NFKD", word)
    return "".join(char for char in plain if not unicodedata.combining(char)).lower()


def read_name(words: str, givens: frozenset[str] = frozenset()) -> Name:
    """The parts of a name; a single word is a given name only where ``givens`` (folded) says so."""
    before, comma, after = words.partition(",")
    first, second = _name_words(before), _name_words(after)
    if comma and first and second:
        return Name(second[0], " ".join(first), comma=True, initial=len(second[0].rstrip(".")) == 1)
    tokens = first or second
    if not tokens:
        return Name("", words)
    if len(tokens) == 1:
        return Name(tokens[0], "") if fold_word(tokens[0]) in givens else Name("", tokens[0])
    at = len(tokens) - 1
    while at > 1 and tokens[at - 1].lower() in pools.PARTICLES:
        at -= 1
    if tokens[0].lower() in pools.PARTICLES:
        return Name("", " ".join(tokens))
    if len(tokens[-1].rstrip(".")) == 1:
        return Name(tokens[0], tokens[-1], cut=True)
    return Name(tokens[0], " ".join(tokens[at:]), initial=len(tokens[0].rstrip(".")) == 1)


def _name_words(text: str) -> list[str]:
    words = [word for word in re.split(r"[\s_]+", text.strip()) if word]
    return [word for word in words if word.rstrip(".").lower() not in pools.TITLES]


def written_name(persona: Persona, name: Name, words: str, middle: str = "") -> str:
    """The invented name in the shape and case of a written one; ``middle`` is an initial that tells two apart."""
    given = persona.given[0] + "." if name.initial else persona.given
    if name.comma:
        text = f"{persona.family}, {given}"
    elif name.cut:
        text = f"{given} {persona.family[0]}"
    elif name.given and name.family:
        text = f"{given} {middle}. {persona.family}" if middle else f"{given} {persona.family}"
    else:
        text = persona.given if name.given else persona.family
    return in_case_of(words, text)


def in_case_of(sample: str, text: str) -> str:
    """All capitals or all small letters, where the sample is."""
    if sample.isupper() and len(sample) > 2:
        return text.upper()
    return text.lower() if sample.islower() else text


def draw_persona(free: Callable[[str], bool]) -> Persona | None:
    """A name of which no part is in use."""
    given = _draw(pools.GIVEN, free)
    family = _draw(pools.FAMILY, free)
    return Persona(given, family) if given and family else None


def _draw(pool: Sequence[str], free: Callable[[str], bool]) -> str | None:
    for _ in range(60):
        word = chance.choice(pool)
        if free(word.lower()):
            return word
    return None


def draw(category: Category, words: str, free: Callable[[str], bool]) -> str | None:
    """A lifelike surrogate; ``free`` says of a word or number in lower case whether it is in no text and no use."""
    make = _MAKERS.get(category)
    return make(words, free) if make else None


def _code(words: str, free: Callable[[str], bool]) -> str | None:
    """The same shape: a digit for a digit, a letter for a letter."""
    if not words.isascii() or sum(char.isalnum() for char in words) < 5 or not any(map(str.isdigit, words)):
        return None
    for _ in range(20):
        drawn = "".join(_like(char) for char in words)
        start = next(i for i, char in enumerate(drawn) if char.isalnum())
        if drawn[start] == "0":
            drawn = f"{drawn[:start]}{1 + chance.below(9)}{drawn[start + 1 :]}"
        if all(free(run) for run in re.findall(r"[a-z]{3,}|\d{3,}", drawn.lower())):
            return drawn
    return None


def _like(char: str) -> str:
    if char.isdigit():
        return chance.choice(string.digits)
    if char.isalpha():
        return chance.choice("BCDFGHJKLMNPQRTVWXZ" if char.isupper() else "bcdfghjklmnpqrtvwxz")
    return char


def _ssn(words: str, _free: Callable[[str], bool]) -> str | None:
    """Areas 900 to 999 are never issued, and the groups below 50 are no taxpayer numbers either."""
    digits = f"9{chance.below(100):02d}{1 + chance.below(49):02d}{1 + chance.below(9999):04d}"
    return with_digits(words, digits)


def _phone(words: str, free: Callable[[str], bool]) -> str | None:
    count = sum(char.isdigit() for char in words)
    if not words.isascii() or count not in (7, 10):
        return None
    for _ in range(60):
        area, line = str(201 + chance.below(788)), f"01{chance.below(100):02d}"
        if free(area) and free(f"{area}555{line}") and area[1:] != "11":
            return with_digits(words, f"{area}555{line}"[-count:])
    return None


_PHONE_CORE = re.compile(r"(?:\+?1[ .-]{0,2})?\(?(?P<core>\d{3}\D{0,3}(?:\d{3}\D{0,3})?\d{4})")


def phone_core(words: str) -> tuple[int, int] | None:
    """Where the digits of a phone number lie that change: what stands before (country code, bracket) stays."""
    found = _PHONE_CORE.fullmatch(words) if words.isascii() else None
    return found.span("core") if found else None


def with_digits(layout: str, digits: str) -> str | None:
    """Other digits in the places of the digits of a text; ``None`` when there are more or fewer."""
    if sum(char.isdigit() for char in layout) != len(digits):
        return None
    fresh = iter(digits)
    return "".join(next(fresh) if char.isdigit() else char for char in layout)


def _word(free: Callable[[str], bool]) -> str | None:
    for _ in range(60):
        word = "".join(chance.choice(part) for part in ("bdfgklmnprstvz", "aeiou") * 3)
        if free(word):
            return word
    return None


def _email(words: str, free: Callable[[str], bool]) -> str | None:
    word = _word(free)
    return word and in_case_of(words, f"{word}{10 + chance.below(90)}@example.org")


def _url(words: str, free: Callable[[str], bool]) -> str | None:
    word = _word(free)
    scheme = "https://" if "://" in words else "www."
    return word and f"{scheme}example.org/{word}{10 + chance.below(90)}"


def _ip(words: str, _free: Callable[[str], bool]) -> str | None:
    if words.count(".") != 3 or not words.isascii():
        return None
    return f"{chance.choice(('192.0.2', '198.51.100', '203.0.113'))}.{1 + chance.below(254)}"


def _zip(free: Callable[[str], bool]) -> str | None:
    for _ in range(60):
        drawn = f"{10_000 + chance.below(90_000)}"
        if free(drawn):
            return drawn
    return None


def _geo(words: str, free: Callable[[str], bool]) -> str | None:
    if _ZIP.fullmatch(words):
        return _zip(free)
    town = _draw(pools.TOWNS, free)
    parts = _TOWN.fullmatch(words)
    if town is None or parts is None or not words.strip():
        return None
    last = words.split()[-1].strip(".,").lower()
    if last in pools.FACILITY_WORDS:
        return in_case_of(words, f"{town} {words.split()[-1]}")
    code = _zip(free) if parts["zip"] else ""
    if code is None or (parts["zip"] and not parts["state"]):
        return None
    return in_case_of(parts["town"], town) + (parts["state"] or "") + (parts["gap"] or "") + code


def _street(words: str, free: Callable[[str], bool]) -> str | None:
    parts, name = _STREET.fullmatch(words), _draw(pools.TOWNS, free)
    if parts is None or name is None or (parts["word"] or "").lower() not in pools.STREET_WORDS:
        return None
    return in_case_of(parts["name"], f"{100 + chance.below(9900)} {name}") + parts["suffix"]


_MAKERS: Mapping[Category, Callable[[str, Callable[[str], bool]], str | None]] = {
    "PHONE": _phone,
    "EMAIL": _email,
    "URL": _url,
    "IP": _ip,
    "GEO": _geo,
    "STREET": _street,
    "SSN": _ssn,
    **dict.fromkeys(("MRN", "PLAN", "ACCOUNT", "LICENSE", "DEVICE", "VEHICLE", "OTHERID"), _code),
}
