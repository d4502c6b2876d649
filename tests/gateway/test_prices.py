"""Prices: which one counts, what a call costs, what is not known."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplane.errors import DataError
from careplane.gateway.prices import FILE, Prices, cost, most_tokens, shipped, with_site, worst_cost
from careplane.records.model import Price


@pytest.mark.parametrize(
    ("provider", "model", "found"),
    [
        ("openai", "gpt-4o", True),
        ("openai", "gpt-4o-2024-08-06", True),
        ("azure_openai", "gpt-4o", True),
        ("anthropic", "claude-haiku-4-5-20251001", True),
        ("bedrock", "us.anthropic.claude-haiku-4-5-20251001-v1:0", True),
        ("openai", "gpt-5-pro", False),
        ("openai", "gpt-4", False),
        ("openai", "gpt-4o-realtime-preview", False),
        ("anthropic", "gpt-4o", False),
        ("openai", "", False),
    ],
)
def test_a_release_has_the_price_of_its_family_and_no_other(provider: str, model: str, found: bool) -> None:
    price = shipped().find(provider, model)
    assert (price is not None) == found
    if price is not None:
        assert price.as_of
        assert price.source.startswith("https://")


def test_every_row_says_whether_it_was_verified() -> None:
    assert shipped().verified("anthropic", "claude-3-7-sonnet")
    assert not shipped().verified("openai", "gpt-5")
    assert not shipped().verified("openai", "no such model")


def test_a_sites_file_wins_and_keeps_the_rest(tmp_path: Path) -> None:
    own = tmp_path / "prices.toml"
    own.write_text(
        'as_of = 2026-11-01\n[[price]]\nprovider = "openai"\nmodel = "gpt-4o"\ninput = 1.5\noutput = 6\n'
        'verified = true\nsource = "our contract"\n'
    )
    prices = with_site(own)
    assert prices.find("openai", "gpt-4o") == Price(input=1.5, output=6.0, as_of="2026-11-01", source="our contract")
    assert prices.verified("openai", "gpt-4o")
    assert prices.find("openai", "gpt-5") == shipped().find("openai", "gpt-5")
    assert with_site(None) is shipped()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("as_of = ", "is not valid TOML"),
        ('as_of = 2026-01-01\n[[price]]\nprovider = "x"\nmodel = "y"\ninput = -1', "does not have the shape"),
        ('as_of = 2026-01-01\n[[price]]\nprovider = "x"\nmodel = "y"\nimput = 1', "does not have the shape"),
    ],
)
def test_a_bad_file_is_told_by_name(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(DataError, match=told) as error:
        Prices((FILE, path))
    assert str(path) in str(error.value)
    with pytest.raises(DataError, match="cannot be read"):
        Prices((tmp_path / "none.toml",))


def test_cached_tokens_are_a_part_of_the_input() -> None:
    price = Price(input=2.0, output=8.0, cached_input=0.5)
    assert cost(price, 1_000_000, 500_000) == pytest.approx(6.0)
    assert cost(price, 1_000_000, 0, 400_000) == pytest.approx(1.2 + 0.2)
    assert cost(Price(input=2.0), 1_000_000, 0, 400_000) == pytest.approx(2.0)
    assert cost(price, 10, 0, 99) == pytest.approx(10 * 0.5 / 1e6)


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=2000), st.integers(0, 3))
def test_a_reservation_covers_prose_tools_and_images(text: str, images: int) -> None:
    parts = [{"type": "image_url", "image_url": {"url": "data:" + "A" * 50_000}} for _ in range(images)]
    body = {
        "messages": [{"role": "user", "content": [{"type": "text", "text": text}, *parts]}],
        "tools": [{"type": "function", "function": {"name": "f", "description": text}}],
    }
    assert most_tokens(body) >= 2 * len(text) / 4 + images * 1000
    assert most_tokens(body) < 2 * len(text) + images * 3000 + 200
    assert worst_cost(Price(input=1, output=1), body, 1_000_000) > 1.0
