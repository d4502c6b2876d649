"""The examples of ``docs/how-to/connect-a-model.md`` are a gateway's file that opens."""

import re
from pathlib import Path

import pytest

from careplane.errors import SettingsError
from careplane.gateway.config import read_gateway_file
from careplane.server.models import open_file_models, open_models
from careplane.settings import default_settings

from .shelf import ITEMS

PAGE = Path(__file__).resolve().parents[2] / "docs/how-to/connect-a-model.md"


def test_every_example_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "\n".join(re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL))
    for name in re.findall(r'_env = "(\w+)"', text):
        monkeypatch.setenv(name, "from-the-environment")
    for path in re.findall(r'"/run/secrets/([^"]+)"', text):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("[careplane]\naws_access_key_id = A\naws_secret_access_key = s\n")
        file.chmod(0o600)
    written = tmp_path / "gateway.toml"
    written.write_text(text.replace("/run/secrets", str(tmp_path)))
    file_given = read_gateway_file(written)
    providers, routes = open_file_models(file_given)
    assert routes.aliases == ("default",)
    assert {str(given["kind"]) for given in file_given.providers.values()} == set(ITEMS) - {"local"}
    assert all(provider.model for provider in providers.values())


def test_a_wrong_setting_is_named_as_its_writer_knows_it(tmp_path: Path) -> None:
    written = tmp_path / "gateway.toml"
    written.write_text('[providers.clinic]\nkind = "openai_compatible"\nmodel = "m"\nbase_urls = "http://x/v1"\n')
    with pytest.raises(SettingsError, match=r"providers\.clinic\.base_urls: .*'base_url'"):
        open_file_models(read_gateway_file(written))
    with pytest.raises(SettingsError, match="openai_base_url"):
        open_models(default_settings(model="openai_compatible", openai_model="m"), None)
