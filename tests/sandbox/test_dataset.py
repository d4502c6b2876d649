"""The data set: valid FHIR R4, whole, labelled, and the same bytes for the same seed."""

import hashlib
import importlib
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import fhirkit
import orjson
import pytest

from careplane.errors import Conflict, DataError, InputError
from careplane.sandbox import generate, read_manifest
from careplane.sandbox.scenario import Scenario

HTEST = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}


def resources(folder: Path, *kinds: str) -> Iterator[dict[str, Any]]:
    paths = [*sorted(folder.glob("fhir/*.ndjson")), folder / "inbox" / "Communication.ndjson"]
    for path in paths:
        if not kinds or path.stem in kinds:
            yield from map(orjson.loads, path.read_bytes().splitlines())


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def test_every_resource_is_valid_fhir_r4(dataset: Path) -> None:
    faults = [(body["id"], str(issue)) for body in resources(dataset) for issue in fhirkit.validate(body)]
    assert faults == []


def test_a_second_validator_agrees_on_a_sample(dataset: Path) -> None:
    for path in sorted((dataset / "fhir").glob("*.ndjson")):
        module = importlib.import_module(f"fhir.resources.R4B.{path.stem.lower()}")
        lines = path.read_bytes().splitlines()
        for line in lines[:: max(1, len(lines) // 15)]:
            getattr(module, path.stem).model_validate_json(line)


def test_ids_are_unique_and_no_reference_dangles(dataset: Path) -> None:
    ids = Counter(f"{body['resourceType']}/{body['id']}" for body in resources(dataset))
    assert max(ids.values()) == 1
    assert {target for body in resources(dataset) for target in references(body)} - set(ids) == set()


def test_every_resource_is_labelled_as_test_data(dataset: Path) -> None:
    for body in resources(dataset):
        assert HTEST.items() <= body["meta"]["tag"][0].items()


def test_telephone_numbers_and_domains_are_fictitious(dataset: Path) -> None:
    for body in resources(dataset, "Patient", "Practitioner"):
        contacts = body["telecom"] + [way for contact in body.get("contact", []) for way in contact["telecom"]]
        for way in contacts:
            assert way["value"].endswith(".example") if way["system"] == "email" else "555-01" in way["value"]


def test_the_organisation_has_the_promised_size(dataset: Path) -> None:
    manifest = read_manifest(dataset)
    kinds = Counter(body["physicalType"]["coding"][0]["code"] for body in resources(dataset, "Location"))
    assert manifest.resources["Practitioner"] == 150
    assert (kinds["bu"], kinds["wa"]) == (12, 8)
    sites = Counter(
        body["managingOrganization"]["reference"]
        for body in resources(dataset, "Location")
        if body["id"].startswith("clinic-")
    )
    assert sites == {"Organization/hospital-1": 6, "Organization/hospital-2": 6}


def test_wards_hold_patients_now_with_beds_of_their_own(dataset: Path) -> None:
    lying = [body for body in resources(dataset, "Encounter") if body["status"] == "in-progress"]
    beds = [body["location"][1]["location"]["reference"] for body in lying]
    assert len(lying) >= 10
    assert len(set(beds)) == len(beds)
    assert all("end" not in body["period"] for body in lying)


def test_history_ends_where_the_pilot_starts(dataset: Path) -> None:
    edge = f"{read_manifest(dataset).pilot_start}T00:00:00-06:00"
    inbox = [orjson.loads(line) for line in (dataset / "inbox/Communication.ndjson").read_bytes().splitlines()]
    assert [message["sent"] for message in inbox] == sorted(message["sent"] for message in inbox)
    assert inbox[0]["sent"] >= edge
    asked = [body for body in resources(dataset, "Communication") if "inResponseTo" not in body]
    assert len(asked) - len(inbox) == len([body for body in asked if body["sent"] < edge])
    assert all(body["effectiveDateTime"] < edge for body in resources(dataset, "Observation"))


def test_a_message_about_a_result_names_one_that_the_patient_had(dataset: Path) -> None:
    values: dict[str, set[str]] = {}
    for body in resources(dataset, "Observation"):
        if "valueQuantity" in body:
            value = f"{body['valueQuantity']['value']:g} {body['valueQuantity']['unit']}"
            values.setdefault(body["subject"]["reference"], set()).add(value)
    asked = [
        body
        for body in resources(dataset, "Communication")
        if body.get("topic", {}).get("text") == "Test result question" and "inResponseTo" not in body
    ]
    assert len(asked) > 10
    for body in asked:
        text = body["payload"][0]["contentString"]
        assert any(value in text for value in values[body["subject"]["reference"]])


def test_the_manifest_counts_and_hashes_what_is_there(dataset: Path) -> None:
    manifest = read_manifest(dataset)
    counts = Counter(body["resourceType"] for body in resources(dataset))
    counts["Communication"] -= manifest.inbox
    assert manifest.resources == dict(counts)
    for name, digest in manifest.sha256.items():
        assert hashlib.sha256((dataset / name).read_bytes()).hexdigest() == digest


def test_the_same_seed_gives_the_same_bytes_in_another_process(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "again"
    code = "import sys, pathlib, careplane.sandbox as s; s.generate(pathlib.Path(sys.argv[1]), 7, patients=240)"
    environment = {**os.environ, "PYTHONHASHSEED": "4242"}
    subprocess.run([sys.executable, "-c", code, str(out)], check=True, env=environment)
    assert (out / "manifest.json").read_bytes() == (dataset / "manifest.json").read_bytes()


def test_another_seed_gives_other_people(dataset: Path, tmp_path: Path) -> None:
    other = generate(tmp_path / "other", 8, patients=240)
    same = {name for name, digest in read_manifest(dataset).sha256.items() if other.sha256[name] == digest}
    assert not [name for name in same if name.startswith(("fhir/Patient", "inbox", "truth", "staff"))]


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(Conflict, match="not a sandbox data set"):
        generate(tmp_path, 7, patients=24)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_data_set_with_a_strange_file_is_left_alone(tmp_path: Path) -> None:
    generate(tmp_path, 7, patients=24, days=90)
    (tmp_path / "fhir" / "thesis.txt").write_text("mine")
    with pytest.raises(Conflict, match=r"fhir/thesis\.txt"):
        generate(tmp_path, 8, patients=24, days=90)
    assert read_manifest(tmp_path).seed == 7


def test_an_earlier_data_set_is_replaced(tmp_path: Path) -> None:
    generate(tmp_path / "data", 1, patients=24)
    assert generate(tmp_path / "data", 2, patients=24) == read_manifest(tmp_path / "data")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize(("patients", "days", "pilot"), [(5, 180, 84), (100, 80, 84), (100, 180, 3), (100, 5000, 84)])
def test_impossible_sizes_are_refused(patients: int, days: int, pilot: int) -> None:
    with pytest.raises(InputError):
        Scenario(1, patients, days, pilot, date(2026, 4, 6))


def test_a_folder_without_manifest_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"manifest\.json"):
        read_manifest(tmp_path)
