"""``careplane smart``: which EHRs may launch, and what to register there."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from careplane.cli import careplane
from careplane.errors import CareplaneError

ADD = ("smart", "add", "main", "--iss", "https://ehr.example.org/fhir", "--client-id", "careplane")
CHART = "https://ehr.example.org/fhir"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Runs a command on an installation of its own; an expected error is raised."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CAREPLANE_FHIR_BASE_URL", CHART)

    def act(*arguments: str) -> Result:
        return CliRunner().invoke(careplane, [*arguments, "--home", str(tmp_path / "home")], catch_exceptions=False,
                                  standalone_mode=False)  # fmt: skip

    return act


def test_an_ehr_is_added_listed_and_removed(run) -> None:  # type: ignore[no-untyped-def]
    said = run(*ADD, "--frame", "https://EHR.example.org:443/page").output
    for text in ("/smart/launch", "/smart/callback/main", "/.well-known/jwks.json", "ES384"):
        assert text in said
    (row,) = json.loads(run("smart", "list", "--json").output)
    assert (row["name"], row["issuer"], row["frames"]) == (
        "main", "https://ehr.example.org/fhir", ["https://ehr.example.org"])  # fmt: skip
    assert row["redirect_uri"] == "http://127.0.0.1:8470/smart/callback/main"
    assert "0 of its sessions ended" in run("smart", "remove", "main").output
    assert "No EHR may launch" in run("smart", "list").output


@pytest.mark.parametrize(("change", "told"), [
    ({"--iss": "http://ehr.example.org/fhir"}, "must be an https"), ({"main": "Main!"}, "lower case"),
    ({"--client-id": " "}, "client_id"), ({"--iss": "https://ehr.example.org/fhir#x"}, "fragment"),
])  # fmt: skip
def test_what_cannot_be_registered_is_refused_by_field(run, change: dict[str, str], told: str) -> None:  # type: ignore[no-untyped-def]
    words = list(ADD)
    for name, value in change.items():
        words[words.index(name) + name.startswith("--")] = value
    with pytest.raises(CareplaneError, match=told) as caught:
        run(*words)
    assert caught.value.exit_code == 2
    assert json.loads(run("smart", "list", "--json").output) == []


def test_the_same_again_is_a_conflict_and_an_unknown_one_is_named(run) -> None:  # type: ignore[no-untyped-def]
    run(*ADD)
    with pytest.raises(CareplaneError, match="registered already"):
        run(*ADD)
    with pytest.raises(CareplaneError, match="Registered: main"):
        run("smart", "remove", "other")


def test_another_chart_needs_a_word_for_it(run, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    for chart in ("https://chart.example.org/fhir", ""):
        monkeypatch.setenv("CAREPLANE_FHIR_BASE_URL", chart)
        with pytest.raises(CareplaneError, match="may be somebody else"):
            run(*ADD)
    assert "may launch" in run(*ADD, "--same-chart").output


def test_scopes_of_an_app_and_of_all(run) -> None:  # type: ignore[no-untyped-def]
    one = json.loads(run("smart", "scopes", "previsit_summary", "--json").output)
    assert one[:3] == ["launch", "openid", "fhirUser"]
    assert "patient/Observation.rs" in one
    assert set(one) < set(json.loads(run("smart", "scopes", "--json").output))
    system = run("smart", "scopes", "previsit_summary", "--system").output.split()
    assert all(scope.startswith("system/") for scope in system)
    with pytest.raises(CareplaneError, match="previsit_summary"):
        run("smart", "scopes", "previsit_sumary")


def test_our_keys_are_printed_without_their_private_half(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    keys = json.loads(run("smart", "jwks").output)["keys"]
    assert sorted(key["alg"] for key in keys) == ["ES384", "RS384"]
    assert json.loads(run("smart", "jwks").output)["keys"] == keys, "made once"
    for path in (tmp_path / "home" / "secrets").glob("smart-*.pem"):
        assert path.stat().st_mode & 0o077 == 0
        path.chmod(0o644)
    with pytest.raises(CareplaneError, match="chmod 600"):
        run("smart", "jwks")
