"""The example of the page on routes and limits is a gateway's file, and means what the page says."""

import re
from pathlib import Path

import pytest

from careplane._shelf import load
from careplane.gateway.config import provider_settings, read_gateway_file
from careplane.gateway.routing import Need, Routes

PAGE = Path(__file__).resolve().parents[2] / "docs/explanation/routes-and-limits.md"


def test_the_example_is_read_and_routes_as_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = re.search(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    path = tmp_path / "gateway.toml"
    path.write_text(found[1], encoding="utf-8")
    file = read_gateway_file(path)
    routes = Routes(file.routes)
    general, strict = routes.find("default", "an_app", 2), routes.find("default", "an_app", 3)
    need = Need(key="run-1", phi="deidentified", regions=("us", "local"))
    assert [target.provider for target in routes.plan(general, need)] == ["azure", "azure", "inside"]
    assert [target.provider for target in routes.plan(strict, need)] == ["inside"]
    monkeypatch.setenv("AZURE_KEY", "a key")
    for name, given in file.providers.items():
        assert load("providers", str(given["kind"])).open(provider_settings(name, given)).model
    assert file.limits["app:portal_reply"].concurrent == 40
    assert file.budgets["site:north"].of("month") == 3000.0
