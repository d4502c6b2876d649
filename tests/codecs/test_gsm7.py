"""Parts of a text message, after 3GPP TS 23.038 and 23.040."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplane.codecs.gsm7 import BASIC, parts_of, plainer


@pytest.mark.parametrize(
    ("text", "alphabet", "units", "parts"),
    [
        ("", "GSM-7", 0, 1),
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("a" * 306, "GSM-7", 306, 2),
        ("a" * 307, "GSM-7", 307, 3),
        ("€" * 80, "GSM-7", 160, 1),
        ("a" * 152 + "€" + "a" * 10, "GSM-7", 164, 2),
        ("a" * 152 + "€" + "a" * 151, "GSM-7", 305, 2),
        ("a" * 152 + "€" + "a" * 152, "GSM-7", 306, 3),
        ("ñÑäÖ¿¡", "GSM-7", 6, 1),
        ("á", "UCS-2", 1, 1),
        ("á" * 70, "UCS-2", 70, 1),
        ("á" * 71, "UCS-2", 71, 2),
        ("😀" * 35, "UCS-2", 70, 1),
        ("😀" * 36, "UCS-2", 72, 2),
        ("á" + "😀" * 66, "UCS-2", 133, 2),
        ("😀" * 67, "UCS-2", 134, 3),
    ],
)
def test_alphabet_and_parts(text: str, alphabet: str, units: int, parts: int) -> None:
    assert parts_of(text) == (alphabet, units, parts)


def test_the_default_alphabet_has_127_characters_beside_the_escape() -> None:
    assert len(BASIC) == 127


def test_typographic_characters_become_plain() -> None:
    assert plainer("“It’s fine” – call…") == '"It\'s fine" - call...'
    assert parts_of(plainer("“It’s fine” – call…")).alphabet == "GSM-7"


@given(st.text(max_size=800))
def test_more_text_never_needs_fewer_parts(text: str) -> None:
    assert parts_of(text).parts <= parts_of(text + "a").parts
    assert parts_of(text).parts >= 1
