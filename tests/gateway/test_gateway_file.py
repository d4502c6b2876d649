"""The gateway's file: what does not hold is refused at the start by name, not at the first request."""

from pathlib import Path

import pytest

from careplane.errors import SettingsError
from careplane.gateway.config import read_gateway_file

PROVIDER = '[providers.main]\nkind = "scripted"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "gateway.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "field", "says"),
    [
        ('log_level = "chatty"\n' + PROVIDER, "log_level", "Invalid enum value"),
        (PROVIDER + '[apps.a]\nmodels = ["nothere"]', "apps.a.models", "default"),
        (PROVIDER + '[apps.a]\nsurrogates = "blurred"', "apps.a.surrogates", "Invalid enum value"),
        (PROVIDER + '[apps.a]\ndates = "gone"', "apps.a.dates", "Invalid enum value"),
        (PROVIDER + '[apps.a]\ninjection = "perhaps"', "apps.a.injection", "Invalid enum value"),
        (PROVIDER + '[apps."a b"]', "apps", "regex"),
        (PROVIDER + '[apps.a]\nsite = "north wing"', "site", "regex"),
        (PROVIDER + '[[routes]]\nalias = "d"\ntargets = [{provider = "main"}]\n' * 2, "routes", "two routes 'd'"),
    ],
)
def test_what_does_not_hold_is_named(tmp_path: Path, text: str, field: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says) as caught:
        read_gateway_file(written(tmp_path, text))
    assert field in str(caught.value)


def test_what_an_app_of_the_file_says_holds(tmp_path: Path) -> None:
    text = PROVIDER + '[apps.a]\nsurrogates = "realistic"\ndates = "shifted"\ninjection = "refuse"\ncache = true\n'
    entitled = read_gateway_file(written(tmp_path, text)).apps["a"].entitlement("a")
    policy = entitled.data_policy
    assert (policy.surrogates, policy.dates, entitled.guards.injection) == ("realistic", "shifted", "refuse")
    assert entitled.cache


def test_routes_of_one_alias_for_different_apps_stand_together(tmp_path: Path) -> None:
    routes = '[[routes]]\nalias = "d"\ntargets = [{provider = "main"}]\n'
    file = read_gateway_file(written(tmp_path, PROVIDER + routes + routes + "tiers = [3]\n"))
    assert len(file.routes) == 2
