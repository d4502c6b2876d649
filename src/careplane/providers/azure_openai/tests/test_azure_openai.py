"""Settings of Azure OpenAI; how it speaks is in the contract suite (``tests/providers``)."""

import pytest

from careplane.errors import SettingsError, UpstreamError
from careplane.providers import azure_openai
from careplane.providers.azure_openai.tokens import read_token

NEEDED = {"endpoint": "https://clinic.openai.azure.com/openai/v1/", "model": "gpt", "api_key": "k"}


def test_the_endpoint_may_be_given_as_the_portal_shows_it() -> None:
    assert "clinic.openai.azure.com" in azure_openai.open(NEEDED).label


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"endpoint": "clinic.openai.azure.com"}, "endpoint"),
        ({"model": ""}, "model"),
        ({"api_version": "latest"}, "api_version"),
        ({"api_key": ""}, "api_key"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, str], field: str) -> None:
    with pytest.raises(SettingsError) as failed:
        azure_openai.open(NEEDED | settings)
    assert failed.value.field == field


def test_a_token_ends_when_it_says() -> None:
    assert read_token(b'{"access_token": "abc", "expires_in": "60"}', 1000.0) == ("abc", 1060.0)
    with pytest.raises(UpstreamError):
        read_token(b'{"access_token": ["abc"], "expires_in": 60}', 1000.0)
