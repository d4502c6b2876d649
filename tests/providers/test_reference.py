"""The example of ``docs/reference/gateway-file.md`` is a gateway's file that opens."""

import re
from pathlib import Path

import pytest

from careplane.gateway.config import read_gateway_file
from careplane.server.models import open_file_models

PAGE = Path(__file__).resolve().parents[2] / "docs/reference/gateway-file.md"


def test_the_example_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    (secret,) = re.findall(r'_file = "([^"]+)"', example)
    Path(secret).parent.mkdir(parents=True)
    Path(secret).write_text("synthetic-secret")
    Path(secret).chmod(0o600)
    Path("gateway.toml").write_text(example)
    providers, routes = open_file_models(read_gateway_file(Path("gateway.toml")))
    assert set(providers) == {"inside", "azure"}
    assert routes.aliases == ("default",)
