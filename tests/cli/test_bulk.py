"""``careplane bulk`` against a real FHIR server: export, load, what changed since, and the way out of trouble."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from careplane.cli import main
from careplane.sandbox.ehr_server import EhrServer
from careplane.store.lake import connect

pytest.importorskip("sekmet", reason="needs the extra 'sandbox' (sekmet-fhir)")


@pytest.fixture(scope="module")
def ehr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    quick = {"simulator": {"enabled": False, "delay_seconds": 0.1}}
    with EhrServer(tmp_path_factory.mktemp("ehr"), options=quick) as server:
        for n in range(3):
            put(server.base_url, "Patient", f"p{n}")
        yield server.base_url


@pytest.fixture(autouse=True)
def home(ehr: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CAREPLANE_FHIR_BASE_URL", ehr)
    monkeypatch.setenv("CAREPLANE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def put(base: str, kind: str, ident: str) -> None:
    body = {"resourceType": kind, "id": ident, "active": True}
    httpx.put(f"{base}/{kind}/{ident}", json=body, trust_env=False).raise_for_status()


def bulk(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["bulk", *arguments])
    return int(ended.value.code or 0)


def test_an_export_lies_in_its_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bulk("export", "x", "--type", "Patient") == 0
    out = capsys.readouterr().out
    assert "3 resource(s) in x, as they were at" in out
    assert max(map(len, out.splitlines())) <= 80
    assert len((tmp_path / "x/Patient.1.ndjson").read_text().splitlines()) == 3
    assert bulk("export", "x", "--type", "Patient", "--json") == 0
    assert json.loads(capsys.readouterr().out)["counts"] == {"Patient": 3}
    assert bulk("cancel", "x") == 0
    assert "nothing to end" in capsys.readouterr().out


def test_what_changed_since_the_last_load_is_loaded(ehr: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bulk("load", "--type", "Patient", "--since", "last", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["export"]["counts"] == {"Patient": 3}
    time.sleep(1.1)  # the server counts in whole seconds
    put(ehr, "Patient", "p-late")
    assert bulk("load", "--type", "Patient", "--since", "last", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["export"]["counts"] == {"Patient": 1}
    with connect(home) as connection:
        assert connection.sql('SELECT count(*) FROM "Patient"').fetchone() == (4,)
    assert [path.name for path in (home / "bulk").iterdir()] == ["last.json"]
    time.sleep(1.1)
    assert bulk("load", "--type", "Patient", "--since", "last") == 0
    assert "nothing was loaded" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("export", "x", "--type", "Smith"), "type Smith"),
        (("export", "x", "--group", "g", "--patients"), "--patients"),
        (("export", "x", "--since", "yesterday"), "since"),
        (("cancel", "nowhere"), "no export in nowhere"),
    ],
)
def test_what_is_wrong_ends_with_2(arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert bulk(*arguments) == 2
    assert told in capsys.readouterr().err


def test_without_an_endpoint_it_says_which_setting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CAREPLANE_FHIR_BASE_URL")
    assert bulk("load") == 2
    assert "fhir_base_url" in capsys.readouterr().err


def test_a_server_that_is_away_ends_with_4(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CAREPLANE_FHIR_BASE_URL", "http://127.0.0.1:9/fhir")
    assert bulk("export", "x") == 4
    assert "no connection to the EHR" in capsys.readouterr().err
