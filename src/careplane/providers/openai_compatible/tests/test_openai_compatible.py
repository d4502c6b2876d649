"""Settings of an OpenAI-compatible endpoint; how it speaks is in the contract suite (``tests/providers``)."""

from pathlib import Path

import pytest

from careplane.errors import SettingsError
from careplane.providers import Price, openai_compatible

NEEDED = {"base_url": "http://127.0.0.1:9/v1", "model": "m"}


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"base_url": ""}, "base_url"),
        ({"base_url": "ftp://x"}, "base_url"),
        ({"base_url": "https://user:secret@x/v1"}, "base_url"),
        ({"base_url": "https://x/v1?key=secret"}, "base_url"),
        ({"base_url": "https://x/a b"}, "base_url"),
        ({"model": " "}, "model"),
        ({"timeout": "soon"}, "timeout"),
        ({"timeout": "nan"}, "timeout"),
        ({"stream": "maybe"}, "stream"),
        ({"max_tokens_field": "max_output_tokens"}, "max_tokens_field"),
        ({"api_key": "line\nbreak"}, "api_key"),
        ({"api_key": "schlüssel"}, "api_key"),
        ({"api_key": "a", "api_key_file": __file__}, "api_key"),
        ({"api_key_file": "/no/such/file"}, "api_key_file"),
        ({"api_key_file": __file__}, "api_key_file"),
        ({"api_keys": "a"}, "api_keys"),
        ({"usd_per_million_input": "-1"}, "usd_per_million_input"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, str], field: str) -> None:
    with pytest.raises(SettingsError) as failed:
        openai_compatible.open(NEEDED | settings)
    assert failed.value.field == field
    assert "secret" not in str(failed.value)


def test_the_nearest_setting_is_named() -> None:
    with pytest.raises(SettingsError, match="base_url"):
        openai_compatible.open({"baseurl": "http://x/v1", "model": "m"})


def test_what_was_given_is_what_it_says() -> None:
    prices = {"usd_per_million_input": "1.5", "usd_per_million_output": "6", "usd_per_million_cached_input": "0.5"}
    provider = openai_compatible.open(NEEDED | prices)
    assert provider.price == Price(input=1.5, output=6.0, cached_input=0.5, source="settings")
    assert provider.embed is None
    assert "127.0.0.1" in provider.label
    assert openai_compatible.open(NEEDED).price is None


def test_a_key_may_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("sk-from-a-file\n")
    path.chmod(0o600)
    assert openai_compatible.open(NEEDED | {"api_key_file": str(path)})
