"""The sandbox EHR answers FHIR reads, searches and writes, and leaves no process behind."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from careplane.errors import DataError, MissingExtra
from careplane.sandbox import Ehr, generate, read_manifest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Ehr, httpx.Client]]:
    folder = tmp_path_factory.mktemp("ehr")
    generate(folder / "data", 7, patients=24)
    with Ehr(folder / "data", folder / "ehr") as ehr, httpx.Client(base_url=ehr.base_url, trust_env=False) as client:
        yield folder, ehr, client


def test_it_serves_every_patient(served: tuple[Path, Ehr, httpx.Client]) -> None:
    folder, _, client = served
    answer = client.get("/Patient", params={"_count": "5"}).json()
    assert answer["total"] == read_manifest(folder / "data").patients
    assert client.get("/Patient/pt-00001").json()["meta"]["tag"][0]["code"] == "HTEST"


def test_search_follows_the_patient(served: tuple[Path, Ehr, httpx.Client]) -> None:
    _, _, client = served
    found = client.get("/Condition", params={"patient": "pt-00003"}).json().get("entry", [])
    assert found
    assert {entry["resource"]["subject"]["reference"] for entry in found} == {"Patient/pt-00003"}


def test_a_ward_can_be_searched_for_who_lies_in_it(served: tuple[Path, Ehr, httpx.Client]) -> None:
    _, _, client = served
    query = {"status": "in-progress", "location": "Location/ward-1a"}
    found = client.get("/Encounter", params=query).json()
    assert found["total"] == 1


def test_it_takes_a_write(served: tuple[Path, Ehr, httpx.Client]) -> None:
    _, _, client = served
    body = {"resourceType": "Communication", "status": "completed", "subject": {"reference": "Patient/pt-00001"}}
    created = client.post("/Communication", json=body)
    assert created.status_code == 201
    assert client.get(f"/Communication/{created.json()['id']}").json()["status"] == "completed"


def test_it_binds_to_loopback_only_and_ends_with_the_context(served: tuple[Path, Ehr, httpx.Client]) -> None:
    folder, _, _ = served
    with Ehr(folder / "data", folder / "second", types=("Patient",)) as ehr:
        assert ehr.base_url.startswith("http://127.0.0.1:")
        assert httpx.get(f"{ehr.base_url}/Encounter", trust_env=False).json()["total"] == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{ehr.base_url}/metadata", trust_env=False)
    ehr.close()


def test_it_ends_when_its_parent_is_killed(served: tuple[Path, Ehr, httpx.Client]) -> None:
    folder, _, _ = served
    code = (
        "import sys, pathlib, os, signal; from careplane.sandbox import Ehr\n"
        "data, out = map(pathlib.Path, sys.argv[1:])\n"
        "with Ehr(data, out, types=('Patient',)) as ehr:\n"
        "    print(ehr.base_url, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    command = [sys.executable, "-c", code, str(folder / "data"), str(folder / "orphan")]
    url = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    assert url.startswith("http://127.0.0.1:")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and "Finished server process" not in (folder / "orphan/ehr.log").read_text():
        time.sleep(0.05)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/metadata", trust_env=False)


def test_a_folder_without_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError), Ehr(tmp_path, tmp_path / "ehr"):
        pass


def test_a_missing_package_names_the_extra(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['sekmet'] = None\n"
        "from pathlib import Path; from careplane.sandbox import Ehr\n"
        "from careplane.errors import MissingExtra\n"
        "try: Ehr(Path('.'), Path('.'))\n"
        "except MissingExtra as error: print(error)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "uv sync --extra sandbox" in answer.stdout
    assert MissingExtra.exit_code == 3
