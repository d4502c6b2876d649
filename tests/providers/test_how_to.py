"""The examples of ``docs/how-to/connect-a-model.md`` are a gateway's file that opens."""

import re
from pathlib import Path

import pytest

from careplane.gateway.config import read_gateway_file
from careplane.server.models import open_file_models

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
