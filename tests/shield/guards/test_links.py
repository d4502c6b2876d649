"""Links out of a reply: every spelling that a renderer follows, and prose that only looks like one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplane.shield.guards import LinkStripper, strip_links

ALLOWED = ("good.example.edu", ".clinic.example.org")
FOREIGN = (
    "![x](http://a.example/c?d)",
    '[x](https://a.example/a b "title")',
    "[x]( <https://a.example/a b> )",
    "[x](\nhttps://a.example )",
    "[x](java\nscript:alert(1))",
    "[x](/stop?app=all)",
    "[x](//a.example/x)",
    "[x](a.example/x)",
    '[x](https://good.example.edu "//a.example/x")',
    "[r]: https://a.example/x",
    "[r]: <//a.example/x>",
    "<https://a.example/x>",
    "<img src=//a.example/x>",
    "<img\nsrc = 'x'\nonerror=alert(1)>",
    "<svg/onload=fetch(1)>",
    "<style>@import url(//a.example/x)</style>",
    '<a href="&#106;avascript:alert(1)">x</a>',
    "<!-- https://a.example -->",
    "https://a.example/x",
    "HTTPS://A.EXAMPLE",
    "www.a.example",
    "a.com",
    "a.example/x?d=1",
    "//a.example/x",
    "http://10.0.0.1/x",
    "10.0.0.1/x",
    "http://[::1]/x",
    "javascript:alert(1)",
    "data:text/html;base64,PHNjcmlwdD4=",
    "mailto:x@a.example",
    "ftp://a.example",
    "hxxps://a.example",
    "&#104;ttps://a.example/x",
    "https&colon;//a.example",
    "h\u200bttps://a.example",
    "ｈｔｔｐｓ：／／a.example",
    "https:\\\\a.example\\x",
    "a%2Eexample%2Fx",
    "https://good.example.edu@a.example",
    "https://a.example\\@good.example.edu",
    "https://good.example.edu.a.example",
    "https://good.example.edu:8443/x",
    "https://gооd.example.edu/x",  # Cyrillic o
    "https://xclinic.example.org/x",
)
HARMLESS = (
    "See https://good.example.edu/a and [here](https://a.clinic.example.org/b?c=d).",
    "<https://good.example.edu/a>",
    "Take 5 mg/kg/day b.i.d. (e.g. 1.5mg/kg), and/or a.m./p.m. as needed.",
    "A1c 7.2%/6.9%; BP 128/72 <140/90, <normal range>, x < y > z.",
    "Lab data: sodium 140. Note: the plan:continue. Ratio 1:2, 10:30 a.m.",
    "Please call 911.Thanks.Dr.Smith, St. Mary's, No.5, vs.the other.",
    "Source [1], [2, 3] and [note](see above) and [x](#part) and [call](tel:+1-555-0100).",
    "<b>Bold</b><br/>\n- item [4].\n\n| a | b |\n|---|---|",
    "Schreiben Sie uns. 请按时吃药。 Привет, пациент.",
    "",
)  # fmt: skip


@pytest.mark.parametrize("link", FOREIGN)
def test_foreign_links_are_taken_out(link: str) -> None:
    stripper = LinkStripper(ALLOWED)
    shown = stripper.strip(f"Before {link} after")
    assert stripper.removed
    assert "removed)" in shown
    assert shown.startswith("Before ")
    assert shown.endswith(" after")
    assert not any(part in shown.lower() for part in ("a.example", "alert", "fetch", "10.0.0.1", "://[", "%2f"))


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_text_stays_as_it_is(text: str) -> None:
    stripper = LinkStripper(ALLOWED)
    assert stripper.strip(text) == text
    assert stripper.removed == 0


@pytest.mark.parametrize("chunk", [1, 3, 7])
@pytest.mark.parametrize("text", [*FOREIGN, *HARMLESS])
def test_any_cutting_of_a_stream_gives_the_same_and_shows_no_part(text: str, chunk: int) -> None:
    whole = f"Before {text} after"
    stripper, out = LinkStripper(ALLOWED), ""
    for i in range(0, len(whole), chunk):
        out += stripper.feed(whole[i : i + chunk])
        assert strip_links(whole, ALLOWED).startswith(out)
    assert out + stripper.finish() == strip_links(whole, ALLOWED)


@given(
    st.lists(st.sampled_from([*FOREIGN, *HARMLESS, "](", "](<", "<", "[", "!", ")", " ", "\n", "ab", "."])), st.data()
)
def test_streams_of_any_mixture(parts: list[str], data: st.DataObject) -> None:
    text = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    stripper, out = LinkStripper(ALLOWED), ""
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        out += stripper.feed(text[start:end])
    assert out + stripper.finish() == strip_links(text, ALLOWED)


def test_little_is_held_back() -> None:
    stripper = LinkStripper()
    shown = stripper.feed("You take lisinopril 10 mg once daily [1]. Please ca")
    assert shown == "You take lisinopril 10 mg once daily [1]. Please "
    long = LinkStripper().feed("请" * 5000)
    assert len(long) >= 4900


def test_images_are_told_apart() -> None:
    assert (
        strip_links("see ![x](http://a.b/c?d) or https://e.f now") == "see ![x] (image removed) or (link removed) now"
    )
