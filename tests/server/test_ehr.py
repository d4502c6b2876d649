"""Who we are at the EHR: backend services from the settings, and no scope that no app declares."""

import re
import textwrap
from pathlib import Path

import orjson
import pytest
from joserfc.jwk import ECKey

from careplane._shelf import load
from careplane.connectors.fhir_files import FilesConnector
from careplane.connectors.fhir_r4 import R4Connector
from careplane.errors import SettingsError
from careplane.server.client_keys import client_key
from careplane.server.ehr import backend_scopes, declared_scopes, open_fhir, published_keys
from careplane.server.entitling import read_apps
from careplane.server.subscribing import topics
from careplane.settings import Settings, default_settings, read_settings

APPS = tuple(read_apps(Path("no-apps-of-a-site")).values())
KEY = ECKey.generate_key("P-384")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    key = tmp_path / "key.pem"
    key.touch(0o600)
    key.write_bytes(KEY.as_pem(private=True))
    return default_settings(
        home=str(tmp_path),
        fhir_base_url="https://ehr.example.org/fhir",
        fhir_client_id="careplane",
        fhir_key_file=str(key),
    )


def test_the_settings_open_the_endpoint_or_the_loaded_data(settings: Settings, tmp_path: Path) -> None:
    assert isinstance(open_fhir(settings, APPS), R4Connector)
    assert isinstance(open_fhir(default_settings(home=str(tmp_path)), APPS), FilesConnector)
    assert load("connectors", "fhir_r4") is not None


def test_what_is_asked_for_is_what_the_apps_declare(settings: Settings) -> None:
    portal = [app for app in APPS if app.id == "portal_reply"]
    words = backend_scopes(settings, portal).split()
    read = {f"system/{rule.resource}" for rule in portal[0].spec.context}
    assert {word.partition(".")[0] for word in words} >= read
    assert all(word.startswith("system/") for word in words)
    assert "system/Subscription.crus" in words  # it starts by a Subscription
    assert not any("*" in word for word in words)
    manual = [app for app in APPS if app.runnable and all(one.kind == "schedule" for one in app.spec.starts)]
    assert "Subscription" not in backend_scopes(settings, manual)


def test_more_than_the_apps_declare_is_refused_by_name(settings: Settings) -> None:
    first = str(declared_scopes(APPS)).split()[0]
    assert backend_scopes(settings.replace(fhir_scopes=first), APPS) == first
    with pytest.raises(SettingsError, match=r"fhir_scopes: asks for more than the apps declare: system/\*\.rs"):
        open_fhir(settings.replace(fhir_scopes="system/*.rs"), APPS)
    with pytest.raises(SettingsError, match="fhir_scopes"):
        open_fhir(settings.replace(fhir_scopes="system/Nothing.rs"), APPS)


def test_the_key_is_published_by_its_public_half_alone(settings: Settings) -> None:
    key, *own = published_keys(settings)["keys"]
    assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("EC", "P-384", "ES384", "sig")
    assert key["kid"] == KEY.thumbprint()
    assert "d" not in key
    assert str(KEY.as_dict(private=True)["d"]) not in orjson.dumps(published_keys(settings)).decode()
    assert [one["alg"] for one in own] == ["RS384", "ES384"]
    assert not any("d" in one for one in own)


def test_without_a_file_the_key_of_the_home_signs_and_is_published(settings: Settings) -> None:
    assert isinstance(open_fhir(settings.replace(fhir_key_file=""), APPS), R4Connector)
    names = [one["kid"] for one in published_keys(settings.replace(fhir_key_file=""))["keys"]]
    assert client_key(settings.home, "RS384").kid in names
    assert len(names) == 2


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"fhir_client_id": ""}, "fhir_client_id"),
        ({"fhir_base_url": "ftp://ehr"}, "fhir_base_url"),
        ({"fhir_base_url": "http://ehr.example.org/fhir"}, "fhir_base_url"),
        ({"fhir_token_url": "http://ehr.example.org/token"}, "fhir_token_url"),
    ],
)
def test_a_wrong_setting_is_told_by_its_own_name(settings: Settings, changes: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        open_fhir(settings.replace(**changes), APPS)


def test_a_key_that_others_can_read_is_refused(settings: Settings) -> None:
    Path(settings.text("fhir_key_file")).chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        open_fhir(settings, APPS)
    with pytest.raises(SettingsError, match="chmod 600"):
        published_keys(settings)


def test_a_file_that_is_no_key_is_refused(settings: Settings) -> None:
    Path(settings.text("fhir_key_file")).write_text("not a key")
    with pytest.raises(SettingsError, match="fhir_key_file"):
        published_keys(settings)


def test_the_settings_of_the_how_to_are_settings(tmp_path: Path) -> None:
    page = Path(__file__).resolve().parents[2] / "docs/how-to/connect-an-ehr.md"
    blocks = re.findall(r"^ *```toml\n(.*?)^ *```", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        file = tmp_path / "careplane.toml"
        file.write_text(textwrap.dedent(block))
        assert read_settings({}, file).text("fhir_base_url") in ("", "https://ehr.example.org/fhir/r4")
    assert topics(read_settings({}, None, subscription_topics="Communication=https://ehr.example.org/t"))
