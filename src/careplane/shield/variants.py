"""The ways in which a chart's identifiers are written. Pure functions from a value to its variants.

Variants are compared in canonical form (:func:`careplane.shield.folding.canonical`): case, accents, punctuation and
spacing make no difference, so ``3/5/2024`` stands for ``3-5-2024`` and ``Cruz, Ana`` for ``CRUZ ANA``.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import pairwise

from careplane.shield.folding import canonical
from careplane.shield.nicknames import nicknames

MONTHS = (
    ("january", "jan"), ("february", "feb"), ("march", "mar"), ("april", "apr"), ("may",), ("june", "jun"),
    ("july", "jul"), ("august", "aug"), ("september", "sep", "sept"), ("october", "oct"), ("november", "nov"),
    ("december", "dec"),
)  # fmt: skip
_SPANISH = ("enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre")  # fmt: skip # noqa: E501
_ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
    "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth",
    "twentieth", "twenty first", "twenty second", "twenty third", "twenty fourth", "twenty fifth", "twenty sixth",
    "twenty seventh", "twenty eighth", "twenty ninth", "thirtieth", "thirty first",
)  # fmt: skip
TITLES = frozenset(
    {"mr", "mrs", "ms", "miss", "mx", "dr", "doctor", "prof", "md", "do", "phd", "rn", "np", "pa", "jr", "sr", "ii",
     "iii", "iv", "esq", "dds", "msw", "lcsw", "mister", "sir", "madam"}
)  # fmt: skip
_PARTICLES = frozenset({"de", "la", "las", "los", "del", "der", "den", "van", "von", "da", "di", "du", "le", "el", "al",
                        "bin", "ben", "ibn", "st", "y", "e", "dos", "das", "ter", "ten", "mac", "mc", "o", "d"})  # fmt: skip # noqa: E501
_STREETS = {
    "street": ("st", "str"), "avenue": ("ave", "av"), "road": ("rd",), "drive": ("dr",), "lane": ("ln",),
    "boulevard": ("blvd",), "court": ("ct",), "place": ("pl",), "circle": ("cir",), "highway": ("hwy",),
    "parkway": ("pkwy",), "terrace": ("ter",), "trail": ("trl",), "square": ("sq",), "apartment": ("apt",),
    "suite": ("ste",), "north": ("n",), "south": ("s",), "east": ("e",), "west": ("w",), "mount": ("mt",),
    "fort": ("ft",), "saint": ("st",), "crossing": ("xing",), "heights": ("hts",), "plaza": ("plz",),
    "route": ("rt", "rte"), "northeast": ("ne",), "northwest": ("nw",), "southeast": ("se",), "southwest": ("sw",),
    "extension": ("ext",), "point": ("pt",), "ridge": ("rdg",), "springs": ("spgs",), "valley": ("vly",),
    "junction": ("jct",), "mountain": ("mtn",), "creek": ("crk",), "view": ("vw",), "village": ("vlg",),
}  # fmt: skip
_PLACES = {
    "saint": ("st",), "mount": ("mt",), "fort": ("ft",), "center": ("ctr", "centre"), "hospital": ("hosp",),
    "medical": ("med",), "university": ("univ", "u"), "regional": ("reg",), "clinic": ("clin",), "county": ("co",),
    "children": ("childrens",), "associates": ("assoc",), "health": ("hlth",), "department": ("dept",),
    "general": ("gen",), "memorial": ("mem",), "north": ("n",), "south": ("s",), "east": ("e",), "west": ("w",),
}  # fmt: skip
_KINDS_OF_PLACE = frozenset(
    {"hospital", "hospitals", "clinic", "clinics", "medical", "center", "centre", "health", "healthcare", "system",
     "group", "associates", "surgical", "family", "practice", "care", "urgent", "regional", "general", "memorial",
     "community", "university", "primary", "services", "partners", "inc", "llc", "pc", "the", "of", "and", "for",
     "medicine", "physicians", "department", "office", "institute", "school", "company", "corp", "corporation", "ltd",
     "pediatrics", "cardiology", "oncology", "orthopedics", "dental", "pharmacy", "laboratory", "lab", "nursing",
     "home", "rehabilitation", "rehab", "hospice", "network", "specialists", "county", "state", "national", "city"}
)  # fmt: skip
_STATES = {
    "al": "alabama", "ak": "alaska", "az": "arizona", "ar": "arkansas", "ca": "california", "co": "colorado",
    "ct": "connecticut", "de": "delaware", "fl": "florida", "ga": "georgia", "hi": "hawaii", "id": "idaho",
    "il": "illinois", "in": "indiana", "ia": "iowa", "ks": "kansas", "ky": "kentucky", "la": "louisiana",
    "me": "maine", "md": "maryland", "ma": "massachusetts", "mi": "michigan", "mn": "minnesota", "ms": "mississippi",
    "mo": "missouri", "mt": "montana", "ne": "nebraska", "nv": "nevada", "nh": "new hampshire", "nj": "new jersey",
    "nm": "new mexico", "ny": "new york", "nc": "north carolina", "nd": "north dakota", "oh": "ohio",
    "ok": "oklahoma", "or": "oregon", "pa": "pennsylvania", "ri": "rhode island", "sc": "south carolina",
    "sd": "south dakota", "tn": "tennessee", "tx": "texas", "ut": "utah", "vt": "vermont", "va": "virginia",
    "wa": "washington", "wv": "west virginia", "wi": "wisconsin", "wy": "wyoming", "dc": "district of columbia",
}  # fmt: skip


def name_variants(given: Sequence[str], family: str) -> Iterator[str]:
    """Full names in both orders with middle names, initials and short forms, joined names, and each part alone."""
    firsts = [part for part in given if canonical(part)]
    lasts = list(_last_names(family))
    for first in firsts[:1]:
        forms = (first, *nicknames(first))
        for last in lasts:
            for form in forms:
                yield from _full(form, firsts[1:], last)
        yield from forms
        yield " ".join(firsts)
        yield from (f"{form} {middle}" for form in forms for middle in firsts[1:])
    for part in (*firsts, *lasts):
        yield from _alone(part)


def _full(first: str, middle: Sequence[str], last: str) -> Iterator[str]:
    letters = [part[0] for part in middle]
    inner = dict.fromkeys(("", *middle, *letters, " ".join(middle), "".join(letters)))
    for between in inner:
        for front in (f"{first} {between}", f"{first[0]} {between}"):
            yield from (f"{front} {last}", f"{last} {front}")
    yield from (f"{first}{last}", f"{last}{first}", f"{first[0]}{last}", f"{last}{first[0]}")
    yield from (f"{first[0]} {last[0]}", *(f"{first[0]} {letter} {last[0]}" for letter in letters))


def _last_names(family: str) -> Iterator[str]:
    """The whole, the parts of a double name, and a name with an apostrophe or hyphen written as one word."""
    words = [word for word in re.split(r"[\s-]+", family) if word]
    whole = canonical(family)
    if not whole:
        return
    yield family
    joined = re.sub(r"[\s'’`-]", "", family)
    if joined != family:
        yield joined
    if len(words) > 1:
        yield from (word for word in words if canonical(word) not in _PARTICLES)


def _alone(part: str) -> Iterator[str]:
    yield part
    for piece in re.split(r"[\s-]+", part):
        if canonical(piece) not in TITLES | _PARTICLES:
            yield piece
            yield piece.replace("'", "").replace("’", "")


def text_name_variants(text: str) -> Iterator[str]:
    """Variants of a name that a chart gives only as text."""
    words = [word.strip(",") for word in text.split() if canonical(word) not in TITLES and canonical(word)]
    if not words:
        return
    if "," in text and len(words) > 1 and canonical(text.partition(",")[2]) not in TITLES:
        words = [*words[1:], words[0]]
    yield " ".join(words)
    if len(words) > 1:
        yield from name_variants(words[:-1], words[-1])
    else:
        yield from _alone(words[0])


def date_variants(text: str) -> Iterator[str]:
    """A FHIR date or dateTime in the formats that notes use (US order first), with the month and year of a date that
    has no day, and month and day without a year."""
    month_only = re.fullmatch(r"(\d{4})-(\d\d)", text)
    if month_only and 1 <= int(month_only[2]) <= 12:
        yield from (f"{name} {month_only[1]}" for name in MONTHS[int(month_only[2]) - 1])
        return
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        return
    y, m, d = day.year, day.month, day.day
    years = (f"{y}", f"{y % 100:02d}")
    numbers = dict.fromkeys((f"{d}", f"{d:02d}"))
    months = dict.fromkeys((f"{m}", f"{m:02d}"))
    yield from (f"{y} {month} {number}" for month in months for number in numbers)
    for year in years:
        yield from (f"{month} {number} {year}" for month in months for number in numbers)
        yield from (f"{number} {month} {year}" for month in months for number in numbers)
    yield from (f"{y}{m:02d}{d:02d}", f"{m:02d}{d:02d}{y}", f"{d:02d}{m:02d}{y}", f"{m:02d}{d:02d}{y % 100:02d}")
    yield from (f"{month}/{number}" for month in months for number in numbers)
    yield from _in_words(m, d, (*years, ""))


def _in_words(m: int, d: int, years: Sequence[str]) -> Iterator[str]:
    numbers = (*dict.fromkeys((f"{d}", f"{d:02d}")), f"{d}{_ordinal(d)}", _ORDINALS[d - 1])
    for month in MONTHS[m - 1]:
        for number in numbers:
            yield from (f"{month} the {number}", f"{number} of {month}")
            for year in years:
                yield from (f"{month} {number} {year}", f"{number} {month} {year}")
        yield f"{d:02d}{month}{years[0]}"
    yield f"{d} de {_SPANISH[m - 1]}"


def _ordinal(day: int) -> str:
    return "th" if 10 <= day % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def phone_variants(text: str) -> Iterator[str]:
    """A phone number as its digits grouped in the usual ways (North American when it has ten digits)."""
    yield text
    digits = re.sub(r"\D", "", text)
    yield digits
    local = digits[-10:]
    if len(local) < 10:
        return
    a, b, c = local[:3], local[3:6], local[6:]
    country = digits[:-10] or "1"
    for shape in (f"{a} {b} {c}", f"{a} {b}{c}", f"{a}{b} {c}", local):
        yield from (shape, f"{country} {shape}", f"{country}{shape}", f"00{country} {shape}", f"0{shape}")
    yield from (f"{b} {c}", f"{a} {b} {c[:2]} {c[2:]}", f"{b}{c}")


def number_variants(text: str) -> Iterator[str]:
    """An identifier as given, without its punctuation, without leading zeros, and with the usual grouping."""
    yield text
    bare = re.sub(r"[\W_]", "", text)
    letters = re.match(r"[^\W\d]*", bare)
    head = letters[0] if letters else ""
    rest = bare[len(head) :]
    if head and len(rest) >= 5:
        yield from (f"{head} {rest}", rest, rest.lstrip("0"))
    parts = re.findall(r"\d+|[^\W\d]+", bare)
    yield " ".join(parts)
    forms = dict.fromkeys((bare, bare.lstrip("0")))
    if bare.isdigit():
        forms |= dict.fromkeys(bare.lstrip("0").zfill(width) for width in range(len(bare), 13))
    for form in forms:
        if len(form) >= 4:
            yield from _grouped(form)


def _grouped(form: str) -> Iterator[str]:
    yield form
    yield from (f"{form[:size]} {form[size:]}" for size in range(2, len(form) - 1))
    for a, b in ((3, 2), (3, 3), (2, 2), (4, 4), (2, 3), (2, 4)):
        if len(form) > a + b + 1:
            yield f"{form[:a]} {form[a : a + b]} {form[a + b :]}"
    for size in (2, 3, 4):
        yield " ".join(form[i : i + size] for i in range(0, len(form), size))


def email_variants(text: str) -> Iterator[str]:
    """An e-mail address, spoken as well, and its part before the at sign when it is telling."""
    yield text
    local, at, domain = text.partition("@")
    if at:
        yield from (f"{local} at {domain}", f"{local} at {domain.replace('.', ' dot ')}")
        yield f"{local.replace('.', ' dot ')} at {domain.replace('.', ' dot ')}"
        if len(local) >= 6 and (re.search(r"\d", local) or "." in local or "_" in local):
            yield local


def url_variants(text: str) -> Iterator[str]:
    """An address of the web with and without its scheme."""
    yield text
    yield re.sub(r"^\w+://(?:www\.)?", "", text).rstrip("/")


def address_variants(lines: Sequence[str], town: str, state: str, code: str) -> Iterator[tuple[str, str]]:
    """Each way to write an address or a part of it, with its category: STREET or GEO."""
    streets = [form for line in lines for form in _swapped(line, _STREETS)]
    if len(lines) > 1:
        streets += [f"{first} {second}" for first, second in pairwise(lines)]
        streets += _swapped(" ".join(lines), _STREETS)
    towns = list(_swapped(town, _PLACES)) if town else []
    states = [state, _STATES.get(canonical(state), "")]
    states += [short for short, full in _STATES.items() if full == canonical(state)]
    codes = dict.fromkeys((code, code[:5], "")) if code else {"": None}
    ends = [f"{place} {region} {number}" for place in towns for region in (*states, "") for number in codes]
    ends += [f"{region} {number}" for region in states if region for number in codes if number]
    for street in streets:
        yield "STREET", street
        shorter = canonical(street).split()
        if len(shorter) > 2 and shorter[0].isdigit() and shorter[-1] in _SUFFIXES:
            yield "STREET", " ".join(shorter[:-1])
    for end in (*ends, *(number for number in codes if number)):
        yield "GEO", end
        if len(code) > 5:
            yield "GEO", code


_SUFFIXES = frozenset(form for full, short in _STREETS.items() for form in (full, *short))


def place_variants(name: str) -> Iterator[str]:
    """The name of an institution: written out or abbreviated, without its kind, and as an acronym."""
    words = canonical(name).split()
    yield from _swapped(name, _PLACES)
    yield " ".join(word for word in words if word != "and")
    telling = [word for word in words if word not in _KINDS_OF_PLACE]
    start = _telling_start(words)
    if len(start) >= 2 or (len(start) == 1 and len(telling) == 1 and len(start[0]) >= 5):
        yield from _swapped(" ".join(start), _PLACES)
    if len(words) >= 3:
        yield "".join(word[0] for word in words if word not in ("of", "the", "and", "for"))
        yield "".join(word[0] for word in words)


def _telling_start(words: Sequence[str]) -> list[str]:
    out: list[str] = []
    for word in words:
        if word in _KINDS_OF_PLACE:
            break
        out.append(word)
    return out


def _swapped(text: str, table: dict[str, tuple[str, ...]]) -> Iterable[str]:
    """The text, and the text with the words of a table all written out or all abbreviated, or one of them."""
    words = canonical(text).split()
    longer = {short: full for full, shorts in table.items() for short in shorts}
    forms = {" ".join(words): None}
    forms[" ".join(table.get(word, (word,))[0] for word in words)] = None
    forms[" ".join(longer.get(word, word) for word in words)] = None
    for i, word in enumerate(words):
        for other in (*table.get(word, ()), *((longer[word],) if word in longer else ())):
            forms[" ".join((*words[:i], other, *words[i + 1 :]))] = None
    return forms
