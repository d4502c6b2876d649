"""What the chart knows is found however it is hidden; each way of hiding with 60 random identifiers."""

import base64
import html
import random
import secrets
import urllib.parse
from collections.abc import Callable
from typing import Any

import pytest

from careplane.shield.detect import Detector
from careplane.shield.identifiers import known_identifiers

GIVEN = [
    "Maria",
    "John",
    "Patrick",
    "Svetlana",
    "Ingrid",
    "Carlos",
    "Beatrice",
    "Hannah",
    "Walter",
    "Priya",
    "Dmitri",
    "Eleanor",
    "Tobias",
    "Yolanda",
    "Marcus",
]
FAMILY = [
    "Okafor",
    "Lindqvist",
    "Castellano",
    "Whitfield",
    "Nakamura",
    "Abernathy",
    "Petrov",
    "Sandoval",
    "Brightwater",
    "Kowalski",
    "Delacroix",
    "Hargrove",
    "Ibsen",
    "Thorne",
    "Mueller",
]
TOWNS = ["Springfield", "Lakewood", "Brookhaven", "Fairmount", "Clearwater", "Ashford"]
STREETS = ["Elm", "Maple", "Juniper", "Willowbrook", "Sycamore"]
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
CARRIERS = (
    "The note says {} again, and the plan stays as it is.",
    "Patient seen today. {} was mentioned in the record; vitals stable, continue metformin 500 mg.",
    "Follow up with {} next week. No chest pain, BP 120/80.",
    "{}",
    "Please forward the results (HbA1c 7.2) concerning {}.\nThank you.",
)
_CYRILLIC = str.maketrans("aceopxyijsABCEHKMOPTXSIJ", "асеорхуіјѕАВСЕНКМОРТХЅІЈ")
_LEET = str.maketrans("oieastOIEAST", "013457013457")
_SMALL = str.maketrans("abcdefghijklmnoprstuvwyz", "ᴀʙᴄᴅᴇғɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ")


def chart(rng: random.Random) -> tuple[list[dict[str, Any]], dict[str, list[str]]]:
    """A chart, and its identifiers by kind as a note may write them."""
    given, family, town = rng.choice(GIVEN), rng.choice(FAMILY), rng.choice(TOWNS)
    doctor = f"{rng.choice(GIVEN)} {rng.choice(FAMILY)}"
    year, month, day = rng.randint(1930, 2015), rng.randint(1, 12), rng.randint(1, 28)
    phone = f"{rng.randint(200, 989)}{rng.randint(200, 999)}{rng.randint(1000, 9999)}"
    mrn, member = (
        f"{rng.randint(10**6, 10**8):08d}",
        f"{rng.choice('ABXYZ')}{rng.choice('HKQ')}W{rng.randint(10**8, 10**9 - 1)}",
    )
    street = f"{rng.randint(100, 9999)} {rng.choice(STREETS)} Street"
    email = f"{given[0]}{family}{rng.randint(10, 99)}@example.com".lower()
    resources: list[dict[str, Any]] = [
        {
            "resourceType": "Patient",
            "name": [{"family": family, "given": [given]}],
            "birthDate": f"{year}-{month:02d}-{day:02d}",
            "identifier": [{"type": {"coding": [{"code": "MR"}]}, "value": mrn}],
            "telecom": [{"system": "phone", "value": phone}, {"system": "email", "value": email}],
            "address": [{"line": [street], "city": town, "state": "OH", "postalCode": "43001"}],
        },
        {"resourceType": "Practitioner", "name": [{"text": f"Dr. {doctor}"}]},
        {"resourceType": "Coverage", "subscriberId": member},
    ]
    written = {
        "name": [f"{given} {family}", f"{family}, {given}", f"{given[0]}. {family}", family, doctor],
        "mrn": [mrn, mrn.lstrip("0")],
        "phone": [f"{phone[:3]}-{phone[3:6]}-{phone[6:]}", f"({phone[:3]}) {phone[3:6]}-{phone[6:]}", phone],
        "date": [f"{month}/{day}/{year}", f"{year}-{month:02d}-{day:02d}", f"{MONTHS[month - 1]} {day}, {year}"],
        "email": [email],
        "street": [street],
        "member": [member],
    }
    return resources, written


def _spaced(text: str, rng: random.Random) -> str:
    return " ".join(text)


def _broken(text: str, rng: random.Random) -> str:
    places = [i for i in range(2, len(text) - 1) if text[i - 1].isalnum() and text[i].isalnum()]
    at = rng.choice(places)
    return f"{text[:at]}-\n{text[at:]}"


def _inside(mark: str) -> Callable[[str, random.Random], str]:
    return lambda text, rng: mark.join(text)


def _mixed_case(text: str, rng: random.Random) -> str:
    return "".join(rng.choice((char.upper(), char.lower())) for char in text)


def _entities(text: str, rng: random.Random) -> str:
    return "".join(f"&#{ord(char)};" for char in text)


def _some_entities(text: str, rng: random.Random) -> str:
    shown = (f"&#x{ord(char):x};" if i % 2 else html.escape(char) for i, char in enumerate(text))
    return "".join(shown).replace(" ", "&nbsp;")


def _encoded(text: str, rng: random.Random) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def _full_width(text: str, rng: random.Random) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else "\u3000" for char in text)


def _bold(text: str, rng: random.Random) -> str:
    return "".join(
        chr(0x1D400 + ord(c) - 65) if c.isupper() and c.isascii() else chr(0x1D41A + ord(c) - 97) if c.islower() else c
        for c in text
    )


def _marked(text: str, rng: random.Random) -> str:
    return "".join(
        f"{char}{rng.choice(chr(0x301) + chr(0x308) + chr(0x336))}" if char.isalpha() else char for char in text
    )


def _mixed(text: str, rng: random.Random) -> str:
    return _cyrillic(_inside("\u200b")(_mixed_case(text, rng), rng), rng).replace(" ", "\u00a0")


def _cyrillic(text: str, rng: random.Random) -> str:
    return text.translate(_CYRILLIC)


KINDS: dict[str, Callable[[str, random.Random], str]] = {
    "upper case": lambda text, rng: text.upper(),
    "lower case": lambda text, rng: text.lower(),
    "mixed case": _mixed_case,
    "zero width": _inside("\u200b"),
    "zero width joiner": _inside("\u200d"),
    "soft hyphen": _inside("\u00ad"),
    "no-break space": lambda text, rng: text.replace(" ", "\u00a0"),
    "full width": _full_width,
    "underscores": lambda text, rng: text.replace(" ", "_"),
    "more space": lambda text, rng: text.replace(" ", "  \t "),
    "look-alikes": _cyrillic,
    "spaced": _spaced,
    "dotted": _inside("."),
    "dashed": _inside("-"),
    "underscored letters": _inside("_"),
    "entities": _entities,
    "some entities": _some_entities,
    "URL encoding": _encoded,
    "URL quoting": lambda text, rng: urllib.parse.quote(text),
    "URL plus": lambda text, rng: urllib.parse.quote_plus(text),
    "base64": lambda text, rng: base64.b64encode(text.encode()).decode(),
    "base64 for URLs": lambda text, rng: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "hexadecimal": lambda text, rng: text.encode().hex(),
    "escapes": lambda text, rng: "".join(f"\\u{ord(char):04x}" for char in text),
    "reversed": lambda text, rng: text[::-1],
    "broken line": _broken,
    "combining marks": _marked,
    "bold letters": _bold,
    "small capitals": lambda text, rng: text.lower().translate(_SMALL),
    "mixed": _mixed,
    "base64 in URL encoding": lambda text, rng: urllib.parse.quote(base64.b64encode(text.encode()).decode()),
    "entities full width": lambda text, rng: _entities(_full_width(text, rng), rng),
}
LEET: dict[str, Callable[[str, random.Random], str]] = {"digits for letters": lambda text, rng: text.translate(_LEET)}

TRIES, REACH = 60, 58


@pytest.mark.parametrize("kind", [*KINDS, *LEET])
def test_hidden_identifiers_are_covered(kind: str) -> None:
    seed = secrets.randbelow(10**6)
    rng = random.Random(f"{kind}{seed}")
    missed = [text for i in range(TRIES) if (text := _missed(kind, i, rng)) is not None]
    assert len(missed) <= TRIES - REACH, (seed, missed[:5])


def _missed(kind: str, i: int, rng: random.Random) -> str | None:
    resources, written = chart(rng)
    chosen = "name" if kind in LEET else list(written)[i % len(written)]
    hidden = {**KINDS, **LEET}[kind](rng.choice(written[chosen]), rng)
    carrier = rng.choice(CARRIERS)
    text, at = carrier.format(hidden), carrier.index("{}")
    spans = Detector(known_identifiers(resources), tagger=False).find(text)
    covered = {place for span in spans for place in range(span.start, span.end)}
    whole = all(place in covered for place in range(at, at + len(hidden)) if text[place].isalnum())
    return None if whole else text


def test_hiding_leaves_the_rest_of_the_text_alone() -> None:
    rng = random.Random(5)
    for kind, hide in KINDS.items():
        resources, written = chart(rng)
        hidden = hide(written["name"][0], rng)
        text = f"Metoprolol 25 mg twice daily; {hidden} agrees. HbA1c 7.2 %, SpO2 98 %, see plan."
        spans = Detector(known_identifiers(resources), tagger=False).find(text)
        outside = [text[span.start : span.end] for span in spans if span.start < 30 or span.end > 30 + len(hidden)]
        assert outside == [], kind


def test_an_address_in_digits_for_letters_is_covered() -> None:
    chart = [{"resourceType": "Patient", "telecom": [{"system": "email", "value": "tobias.lindqvist93@mail.example"}]}]
    for hidden in ("t0b145.l1ndqv15t93@m41l.3x4mpl3", "r054.d3lg4d031@m41l.3x4mpl3"):
        text = f"re: {hidden} today, 500 mg bid@8.30am"
        spans = Detector(known_identifiers(chart), tagger=False).find(text)
        assert [text[span.start : span.end] for span in spans] == [hidden]
