"""Rewritten surrogates come back; what only looks like one, and clean text, does not change."""

import itertools
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from careplane.shield import Protected, Shield
from careplane.shield.rewriting import OPEN_WINDOW

Rewrite = Callable[[str], str]


def _core(text: str) -> str:
    return text.removeprefix("[").removesuffix("]")


def _joined(text: str, joint: str) -> str:
    return f"[{_core(text).replace('-', joint)}]"


BRACKETED: Mapping[str, Rewrite] = {
    "as it was": lambda text: text,
    "lower case": str.lower,
    "title case": str.title,
    "brackets stripped": _core,
    "stripped and lower": lambda text: _core(text).lower(),
    "stripped and title": lambda text: _core(text).title(),
    "brackets escaped": lambda text: f"\\[{_core(text)}\\]",
    "brackets doubled": lambda text: f"[{text}]",
    "round brackets": lambda text: f"({_core(text)})",
    "angle brackets": lambda text: f"<{_core(text)}>",
    "curly brackets": lambda text: "{" + _core(text) + "}",
    "double curly": lambda text: "{{" + _core(text) + "}}",
    "full-width brackets": lambda text: f"\uff3b{_core(text)}\uff3d",
    "lenticular brackets": lambda text: f"\u3010{_core(text)}\u3011",
    "space inside": lambda text: f"[ {_core(text)} ]",
    "bold inside": lambda text: f"[**{_core(text)}**]",
    "code inside": lambda text: f"[`{_core(text)}`]",
    "HTML entities": lambda text: f"&#91;{_core(text)}&#93;",
    "HTML names": lambda text: f"&lbrack;{_core(text)}&rbrack;",
    "angle entities": lambda text: f"&lt;{_core(text)}&gt;",
    "URL-encoded": lambda text: f"%5B{_core(text)}%5D",
    "JSON escapes": lambda text: f"\\u005b{_core(text)}\\u005d",
    "non-breaking hyphen": lambda text: _joined(text, "\u2011"),
    "en dash": lambda text: _joined(text, "\u2013"),
    "minus sign": lambda text: _joined(text, "\u2212"),
    "hyphen entity": lambda text: _joined(text, "&#8209;"),
    "hyphen escape": lambda text: _joined(text, "\\u002d"),
    "non-breaking space": lambda text: _joined(text, "\u00a0"),
    "space": lambda text: _joined(text, " "),
    "underscore": lambda text: _joined(text, "_"),
    "escaped underscore": lambda text: _joined(text, "\\_"),
    "nothing between": lambda text: _joined(text, ""),
    "number sign": lambda text: _joined(text, " #"),
    "colon": lambda text: _joined(text, ": "),
    "line break": lambda text: _joined(text, "-\n"),
    "line break for hyphen": lambda text: _joined(text, "\n"),
    "zero-width space": lambda text: _joined(text, "-\u200b"),
    "zero-width in the word": lambda text: text[:3] + "\u200b" + text[3:],
    "soft hyphen in the word": lambda text: text[:3] + "\u00ad" + text[3:],
    "abbreviation": lambda text: _joined(text, " no. "),
    "number in brackets": lambda text: _core(text).replace("-", " [", 1) + "]",
    "hex escapes": lambda text: f"\\x5b{_core(text)}\\x5d",
    "leading zero": lambda text: _joined(text, "-0"),
    "stripped, space": lambda text: _core(text).replace("-", " ", 1),
    "stripped, no space": lambda text: _core(text).replace("-", "", 1),
    "stripped, underscore": lambda text: _core(text).replace("-", "_", 1),
    "stripped, number sign": lambda text: _core(text).replace("-", " #", 1).title(),
    "stripped, en dash": lambda text: _core(text).replace("-", "\u2013"),
    "the word number": lambda text: _core(text).replace("-", " number ", 1),
    "the word number in brackets": lambda text: _joined(text, " number "),
    "abbreviated number": lambda text: _core(text).replace("-", " num. ", 1),
    "numero sign": lambda text: _core(text).replace("-", " \u2116", 1),
    "turned round": lambda text: "-".join(reversed(_core(text).split("-", 1))),
    "turned round in brackets": lambda text: f"[{'-'.join(reversed(_core(text).split('-', 1)))}]",
    "spaced digits": lambda text: f"{text.partition('-')[0]}-{' '.join(text.partition('-')[2][:-1])}]",
    "spaced digits, stripped": lambda text: (
        f"{_core(text).partition('-')[0]} {' '.join(_core(text).partition('-')[2])}"
    ),
    "element": lambda text: "<{0}>{2}</{0}>".format(*_core(text).partition("-")),
    "empty element": lambda text: f"<{_core(text)}/>",
    "word break": lambda text: _core(text).replace("-", "-<wbr>", 1),
    "quoted line": lambda text: _core(text).replace("-", "-\n> ", 1),
    "semicolon": lambda text: _joined(text, ";"),
    "middle dot": lambda text: _joined(text, "\u00b7"),
    "arrow": lambda text: _joined(text, "->"),
    "URL-encoded twice": lambda text: f"%255B{_core(text)}%255D",
    "Arabic digits": lambda text: re.sub(r"\d", lambda digit: chr(0x660 + int(digit[0])), text),
    "full-width letters": lambda text: "[" + "".join(chr(ord(c) + 0xFEE0) if c.isalpha() else c for c in text[1:]),
}
"""After the first hyphen a number follows; a second hyphen only stands in another spelling of the same thing."""

AROUND: Mapping[str, tuple[str, str]] = {
    "plain": ("Seen ", " today."),
    "alone": ("", ""),
    "bold": ("Seen **", "** today."),
    "italic": ("Seen _", "_ today."),
    "code": ("Seen `", "` today."),
    "possessive": ("This is ", "'s chart."),
    "curly possessive": ("This is ", "\u2019s chart."),
    "quoted": ('He said "', '" twice.'),
    "list": ("- ", "\n- next"),
    "sentence end": ("It was ", "."),
    "before a comma": ("Ask ", ", then call."),
    "table": ("| ", " | 10 mg |"),
}

NAMES: Mapping[str, tuple[Callable[[str, str], str], Callable[[str, str], str]]] = {
    "as it was": (lambda first, last: f"{first} {last}", lambda given, family: f"{given} {family}"),
    "upper case": (lambda first, last: f"{first} {last}".upper(), lambda given, family: f"{given} {family}"),
    "lower case": (lambda first, last: f"{first} {last}".lower(), lambda given, family: f"{given} {family}"),
    "no-break space": (lambda first, last: f"{first}\u00a0{last}", lambda given, family: f"{given} {family}"),
    "two spaces": (lambda first, last: f"{first}  {last}", lambda given, family: f"{given} {family}"),
    "line break": (lambda first, last: f"{first}\n{last}", lambda given, family: f"{given} {family}"),
    "underscore": (lambda first, last: f"{first}_{last}", lambda given, family: f"{given} {family}"),
    "zero-width": (
        lambda first, last: f"{first[:2]}\u200b{first[2:]} {last}",
        lambda given, family: f"{given} {family}",
    ),
    "space entity": (lambda first, last: f"{first}&nbsp;{last}", lambda given, family: f"{given} {family}"),
    "URL-encoded": (lambda first, last: f"{first}%20{last}", lambda given, family: f"{given} {family}"),
    "no space": (lambda first, last: f"{first}{last}", lambda given, family: f"{given} {family}"),
    "bold parts": (lambda first, last: f"**{first}** **{last}**", lambda given, family: f"**{given}** **{family}**"),
    "last, first": (lambda first, last: f"{last}, {first}", lambda given, family: f"{family}, {given}"),
    "LAST, FIRST": (lambda first, last: f"{last}, {first}".upper(), lambda given, family: f"{family}, {given}"),
    "last first": (lambda first, last: f"{last} {first}", lambda given, family: f"{family}, {given}"),
    "surname": (lambda first, last: last, lambda given, family: family),
    "surname upper": (lambda first, last: last.upper(), lambda given, family: family),
    "surname lower": (lambda first, last: last.lower(), lambda given, family: family),
    "first name": (lambda first, last: first, lambda given, family: given),
    "first name lower": (lambda first, last: first.lower(), lambda given, family: given),
    "initial": (lambda first, last: f"{first[0]}. {last}", lambda given, family: f"{given[0]}. {family}"),
    "initial, no dot": (lambda first, last: f"{first[0]} {last}", lambda given, family: f"{given[0]}. {family}"),
    "initial, no space": (lambda first, last: f"{first[0]}.{last}", lambda given, family: f"{given[0]}. {family}"),
    "last, initial": (lambda first, last: f"{last}, {first[0]}.", lambda given, family: f"{family}, {given[0]}."),
    "title": (lambda first, last: f"Ms. {last}", lambda given, family: f"Ms. {family}"),
    "doctor": (lambda first, last: f"Dr. {first} {last}", lambda given, family: f"Dr. {given} {family}"),
    "plural": (lambda first, last: f"the {last}s", lambda given, family: f"the {family}s"),
}
"""A rewritten invented name, and what should come back for the original."""

PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "name": [{"family": "Quesenberry", "given": ["Theodora"]}],
    "birthDate": "1961-07-19",
    "telecom": [{"system": "phone", "value": "(413) 867-5309"}],
    "identifier": [{"type": {"coding": [{"code": "MR"}]}, "value": "00731946"}],
    "address": [{"line": ["81 Tamarack Lane"], "city": "Chicopee", "state": "MA", "postalCode": "01013"}],
}
SENT = {
    "NAME": "Theodora Quesenberry",
    "PHONE": "413-867-5309",
    "MRN": "00731946",
    "GEO": "Chicopee",
    "STREET": "81 Tamarack Lane",
    "DATE": "07/19/1961",
}
RUNS = 5
"""Each measurement is repeated with other random surrogates."""


def protected(text: str, **options: Any) -> tuple[Protected, str]:
    out = Shield([PATIENT], **options).texts([text])
    return out, out.texts[0]


def streamed(given: Protected, reply: str, size: int) -> str:
    restorer = given.restorer()
    return "".join(restorer.feed(reply[at : at + size]) for at in range(0, len(reply), size)) + restorer.finish()


def test_rewritten_brackets_come_back() -> None:
    missed, count = [], 0
    for _ in range(RUNS):
        for words in SENT.values():
            given, surrogate = protected(words)
            for how, rewrite in BRACKETED.items():
                for where, (before, after) in AROUND.items():
                    reply = f"{before}{rewrite(surrogate)}{after}"
                    count += 1
                    assert streamed(given, reply, 1 + secrets.randbelow(9)) == given.restore(reply), reply
                    if given.restore(reply) != f"{before}{words}{after}":
                        missed.append((how, where, given.restore(reply)))
    assert len(missed) <= 0.01 * count, missed[:20]


@pytest.mark.parametrize("how", NAMES)
def test_rewritten_names_come_back_in_their_parts(how: str) -> None:
    written, expected = NAMES[how]
    missed, count = [], 0
    for _ in range(RUNS):
        given, surrogate = protected("Theodora Quesenberry", surrogates="realistic")
        first, last = surrogate.split()
        for before, after in AROUND.values():
            reply = f"{before}{written(first, last)}{after}"
            count += 1
            assert streamed(given, reply, 1 + secrets.randbelow(9)) == given.restore(reply), reply
            if given.restore(reply) != f"{before}{expected('Theodora', 'Quesenberry')}{after}":
                missed.append(given.restore(reply))
    assert len(missed) <= 0.05 * count, missed[:5]


LIFELIKE: Mapping[str, Mapping[str, Rewrite]] = {
    "413-867-5309": {
        "dots": lambda text: text.replace("-", "."),
        "spaces": lambda text: text.replace("-", " "),
        "brackets": lambda text: f"({text[:3]}) {text[4:]}",
        "digits": lambda text: text.replace("-", ""),
        "no-break hyphens": lambda text: text.replace("-", "\u2011"),
        "country": lambda text: f"+1 {text}",
        "tel link": lambda text: f"tel:{text}",
    },
    "00731946": {
        "bold": lambda text: f"**{text}**",
        "number sign": lambda text: f"#{text}",
        "spaced": lambda text: f"{text[:4]} {text[4:]}",
        "grouped": lambda text: f"{text[:3]}-{text[3:]}",
    },
    "Chicopee": {"upper": str.upper, "lower": str.lower, "possessive": lambda text: f"{text}'s"},
    "81 Tamarack Lane": {
        "upper": str.upper,
        "no-break": lambda text: text.replace(" ", "\u00a0"),
        "line break": lambda text: text.replace(" ", "\n", 1),
    },
    "tq77@fastmail.example": {
        "upper": str.upper,
        "mailto": lambda text: f"mailto:{text}",
        "brackets": lambda text: f"<{text}>",
    },
}
"""Other lifelike surrogates: the original (or the same digits in the layout that the model chose) comes back."""


def _alnum(text: str) -> str:
    return "".join(char for char in text.lower() if char.isalnum())


@pytest.mark.parametrize("words", LIFELIKE)
def test_rewritten_lifelike_surrogates_come_back(words: str) -> None:
    for _ in range(RUNS):
        given, surrogate = protected(words, surrogates="realistic")
        assert not surrogate.startswith("[")
        for rewrite in LIFELIKE[words].values():
            for before, after in AROUND.values():
                reply = f"{before}{rewrite(surrogate)}{after}"
                back = given.restore(reply)
                assert _alnum(words) in _alnum(back), (reply, back)
                assert _alnum(surrogate) not in _alnum(back), (reply, back)
                assert streamed(given, reply, 1 + secrets.randbelow(9)) == back


FORMATS = (
    "%Y-%m-%d",
    "%m/%d/%Y",
    "%m/%d/%y",
    "%m-%d-%Y",
    "%B %d, %Y",
    "%b %d, %Y",
    "%d %B %Y",
    "%Y%m%d",
    "%B %d",
    "%-m/%-d/%Y",
)


def unpadded(text: str) -> str:
    return re.sub(r"(?<!\d)0(?=\d\b)", "", text).replace("March", "Mar")


@pytest.mark.parametrize("sent_as", FORMATS[:7])
@pytest.mark.parametrize("rewritten_as", FORMATS)
def test_a_shifted_date_comes_back_in_the_format_in_which_the_model_wrote_it(sent_as: str, rewritten_as: str) -> None:
    original = date(2024, 3, 5)
    given, outgoing = protected(f"Seen on {original:{sent_as}}, then.", dates="shifted")
    moved = next(
        date.fromordinal(original.toordinal() + 7 * weeks)
        for weeks in range(-52, 53)
        if f"{date.fromordinal(original.toordinal() + 7 * weeks):{sent_as}}" in outgoing
    )
    assert moved != original
    for before, after in AROUND.values():
        reply = f"{before}{moved:{rewritten_as}}{after}"
        back = given.restore(reply)
        # of 11/12 nobody can tell whether 3/5 would have a zero, and of May whether March would be cut
        assert unpadded(back) == unpadded(f"{before}{original:{rewritten_as}}{after}")
        assert streamed(given, reply, 1 + secrets.randbelow(9)) == back


LOOKALIKES = (
    "[{kind}-{other}]",
    "{kind}-{other}",
    "{kind} {other}",
    "RE{kind}-{number}",
    "{kind}-{number}0",
    "{kind}-1{number}",
    "[{kind}-{number}-9]",
    "{kind}-{number}-9",
    "{kind}-{number}.5",
    "{kind}{number}mg",
    "[{kind}]",
    "{kind} {kind}",
    "[{number}]",
    "{number} mg",
    "x{kind}-{number}x",
    "{number} {kind}",
    "{number}, {kind}",
    "{other}-{kind}",
    "{kind} northern {number}",
    "{kind} <i>of</i> {number}",
    "{kind} <{number}",
    "{kind}, {first} {rest}",
)


def test_what_only_looks_like_a_surrogate_stays() -> None:
    for _ in range(RUNS):
        for words in SENT.values():
            given, surrogate = protected(words)
            kind, number = surrogate[1:-1].split("-")
            other = str(int(number) + 1)
            for shape in LOOKALIKES:
                text = shape.format(kind=kind, number=number, other=other, first=number[0], rest=number[1:])
                for before, after in AROUND.values():
                    reply = before + text + after
                    assert given.restore(reply) == reply
                    assert streamed(given, reply, 1 + secrets.randbelow(9)) == reply


CLEAN = (
    "The date of the next visit is open; her name is on the list, the plan stands, and the phone is off. "
    "Vitals 120/80, HR 72, A1c 7.2 % (up from 6.9 %), eGFR >60; take 2 tablets 3-4 times a day [1][2]. "
    "Name two foods. Age 45. Street drugs: none. **Plan**: 1. metformin 500 mg 2x/day; 2. recheck in 3 months. "
    "A. fib, T. bili, Mr. Right, Sidney the dog &amp; 50% of AT&T \\[x\\] {json: [1]} <b>bold</b> \u2014 na\u00efve. "
)


@pytest.mark.parametrize("style", ["bracketed", "realistic"])
def test_clean_text_stays_byte_for_byte_and_is_hardly_held_back(style: str) -> None:
    given, _ = protected(". ".join(SENT.values()), surrogates=style)
    for size in (1, 3, 7):
        restorer = given.restorer()
        out = []
        for at in range(0, len(CLEAN), size):
            out.append(restorer.feed(CLEAN[at : at + size]))
            assert restorer.held <= given.aliases.longest
        assert "".join(out) + restorer.finish() == CLEAN


def test_what_is_held_back_of_an_exact_reply_is_shorter_than_the_longest_surrogate() -> None:
    for style in ("bracketed", "realistic"):
        for size in (1, 3, 7):
            given, outgoing = protected(". ".join(SENT.values()), surrogates=style, dates="shifted")
            longest = max(map(len, given.aliases.exact))
            restorer = given.restorer()
            for at in range(0, len(outgoing), size):
                restorer.feed(outgoing[at : at + size])
                # only a closing bracket says at once that nothing follows
                assert restorer.held < longest + (style == "realistic")


@cache
def same(style: str) -> tuple[Protected, str]:
    """The same surrogates for every example, so that a failing one can be found again."""
    text = "Theodora Quesenberry. Theodora. 07/19/1961, 413-867-5309"
    return protected(text, surrogates=style, dates="shifted")


ANYTHING = st.text(
    st.sampled_from("NAME-417[](){}<>\\&#;%5Bb \u200b\u2011*_`'.,\n0129sTAvery\u00e9\u0130"), max_size=30
)
ATOMS = (
    *(
        "[",
        "[[",
        "]",
        "\\",
        "\\u005b",
        "\\u005d",
        "\\x5b",
        "&#91;",
        "&lbrack;",
        "&",
        "%5B",
        "%5",
        "-2",
        "\u200b",
        "A.",
        " no. ",
    ),
    *("DATE", "NAME", "PHONE-", "05/1", "March", "Quesen", "s", "'s", "T10:00", "00", "\n", "**", "`"),
)
"""What surrogates, brackets and escapes begin with or go on with."""
PARTS = st.sampled_from([*BRACKETED]) | st.sampled_from(ATOMS) | ANYTHING


@settings(max_examples=300, deadline=None)
@drawn(
    st.lists(PARTS, max_size=8),
    st.lists(st.integers(1, 9), min_size=1, max_size=6),
    st.sampled_from(["bracketed", "realistic"]),
    st.booleans(),
)
def test_any_cutting_of_any_reply_gives_the_whole(
    parts: list[str], steps: list[int], style: str, as_json: bool
) -> None:
    given, outgoing = same(style)
    pieces = outgoing.split(". ")
    written = [BRACKETED[part](pieces[0]) if part in BRACKETED else part for part in parts]
    reply = "".join(itertools.chain.from_iterable(zip(written, itertools.cycle((outgoing, "", " ")), strict=False)))
    restorer = given.json_restorer() if as_json else given.restorer()
    whole = given.restore_json(reply) if as_json else given.restore(reply)
    out, at = "", 0
    for step in itertools.cycle(steps):
        out += restorer.feed(reply[at : at + step])
        assert restorer.held <= given.aliases.longest + OPEN_WINDOW
        at += step
        if at >= len(reply):
            break
    assert out + restorer.finish() == whole
