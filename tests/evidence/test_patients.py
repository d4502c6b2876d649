"""The groups of patients, on records written by hand and on the sandbox's, read from a real lake."""

import gzip
import json
from collections import Counter
from contextlib import closing
from datetime import date
from pathlib import Path

import duckdb
import orjson
import pytest

from careplane.evidence.patients import DIMENSIONS, Groups, read_groups
from careplane.records import JSON
from careplane.store.lake import connect, load_path

CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
DAY = date(2026, 2, 28)


def read(*resources: JSON, on: date | None = DAY, ruca: dict[str, int] | None = None) -> Groups:
    """The groups of patients among some resources."""
    with duckdb.connect() as connection:
        for kind in ("Patient", "Coverage", "Observation", "Organization"):
            connection.execute(f'CREATE TABLE "{kind}" (resource VARCHAR)')
        for one in resources:
            connection.execute(f'INSERT INTO "{one["resourceType"]}" VALUES (?)', [orjson.dumps(one).decode()])
        return read_groups(connection, on, ruca)


def patient(ident: str, **elements: object) -> JSON:
    return {"resourceType": "Patient", "id": ident, **elements}


def omb(name: str, *codes: str) -> JSON:
    return {
        "url": CORE + name,
        "extension": [{"url": "ombCategory", "valueCoding": {"code": code}} for code in codes],
    }


def coverage(ident: str, of: str, **elements: object) -> JSON:
    body = {"resourceType": "Coverage", "id": ident, "status": "active", "beneficiary": {"reference": f"Patient/{of}"}}
    return body | {"payor": [{"display": "Some Payor"}], **elements}


def sopt(code: str) -> JSON:
    return {"coding": [{"system": "https://nahdo.org/sopt", "code": code}]}


def answer(ident: str, of: str, **value: object) -> JSON:
    category = {"system": "http://hl7.org/fhir/us/core/CodeSystem/us-core-category", "code": "disability-status"}
    return {
        "resourceType": "Observation", "id": ident, "status": "final", "subject": {"reference": f"Patient/{of}"},
        "category": [{"coding": [category]}], "code": {"coding": [{"system": "http://loinc.org", "code": "69856-3"}]},
        **value,
    }  # fmt: skip


def test_race_and_ethnicity_follow_the_omb_categories() -> None:
    found = read(
        patient("one", extension=[omb("race", "2028-9"), omb("ethnicity", "2186-5")]),
        patient("two", extension=[omb("race", "2106-3", "2054-5"), omb("ethnicity", "2135-2")]),
        patient("asked", extension=[omb("race", "ASKU"), omb("ethnicity", "UNK")]),
        patient("none"),
    )
    assert found["race"] == {"one": "Asian", "two": "More than one race"}
    assert found["ethnicity"] == {"one": "Not Hispanic or Latino", "two": "Hispanic or Latino"}


def test_the_preferred_language_counts_without_its_region() -> None:
    def spoken(code: str, **more: object) -> JSON:
        return {"language": {"coding": [{"code": code}]}, **more}

    found = read(
        patient("first", communication=[spoken("zh-TW"), spoken("en")]),
        patient("preferred", communication=[spoken("en-US"), spoken("es-MX", preferred=True)]),
        patient("text", communication=[{"language": {"text": "a language without a code"}}]),
    )
    assert found["language"] == {"first": "zh", "preferred": "es"}


def test_interpreter_needed_of_us_core_comes_before_that_of_fhir() -> None:
    needed = {"url": CORE + "interpreter-needed", "valueCoding": {"code": "373066001"}}
    no_need = {"url": CORE + "interpreter-needed", "valueCoding": {"code": "373067005"}}
    old = {"url": "http://hl7.org/fhir/StructureDefinition/patient-interpreterRequired", "valueBoolean": True}
    found = read(
        patient("core", extension=[needed]),
        patient("both", extension=[no_need, old]),
        patient("old", extension=[old]),
        patient("none"),
    )
    assert found["interpreter"] == {"core": "needed", "both": "not needed", "old": "needed"}


@pytest.mark.parametrize(
    ("born", "on", "band"),
    [
        ("2008-02-29", date(2026, 2, 28), "0-17"),  # a leap-day child is 18 on 1 March of a common year
        ("2008-02-29", date(2026, 3, 1), "18-44"),
        ("1961-02-28", date(2026, 2, 28), "65-74"),  # the birthday itself counts
        ("1961-03-01", date(2026, 2, 28), "45-64"),
        ("1951", date(2026, 1, 1), "75 and over"),  # year alone: as if born on 1 January
        ("1981-06", date(2026, 5, 31), "18-44"),
        ("2026-02-28", date(2026, 2, 28), "0-17"),
    ],
)
def test_age_is_in_completed_years(born: str, on: date, band: str) -> None:
    assert read(patient("x", birthDate=born), on=on)["age"] == {"x": band}


def test_age_without_a_day_or_a_birth_date_or_before_birth_is_not_recorded() -> None:
    assert "age" not in read(patient("x", birthDate="1980-01-01"), on=None)
    assert read(patient("none"), patient("later", birthDate="2027-01-01"))["age"] == {}


def test_payer_is_the_first_coverage_of_the_day() -> None:
    past = {"start": "2024-01-01", "end": "2025-12-31"}
    found = read(
        *(patient(name) for name in ("old", "two", "own", "plan", "ended", "text", "charity")),
        coverage("c1", "old", type=sopt("111"), period={"start": "2025-01-01"}),
        coverage("c2", "two", type=sopt("5"), order=2),
        coverage("c3", "two", type=sopt("21"), order=1),
        coverage("c4", "own", payor=[{"reference": "Patient/own"}]),
        coverage("c5", "plan", type=sopt("5"), period=past),
        coverage("c6", "plan", type=sopt("2"), period={"start": "2026-01-01"}),
        coverage("c7", "ended", type=sopt("1"), period=past),
        coverage("c8", "text", type={"text": "Village plan"}),
        coverage("c9", "charity", type=sopt("821")),
        coverage("c10", "charity", type=sopt("1"), status="cancelled", order=1),
    )
    assert found["payer"] == {
        "old": "Medicare", "two": "Medicaid", "own": "Self-pay", "plan": "Medicaid", "text": "Village plan",
        "charity": "No charge",
    }  # fmt: skip


def test_any_yes_is_a_disability_and_no_answer_is_not_recorded() -> None:
    yes, no = ({"valueCodeableConcept": {"coding": [{"code": code}]}} for code in ("LA33-6", "LA32-8"))
    found = read(
        *(patient(name) for name in ("some", "never", "asked", "flag")),
        answer("o1", "some", **no),
        answer("o2", "some", **yes),
        answer("o3", "never", **no),
        answer("o4", "asked", dataAbsentReason={"text": "declined"}),
        answer("o5", "flag", valueBoolean=True),
    )
    assert found["disability"] == {"some": "disability", "never": "no disability", "flag": "disability"}


def test_rurality_is_read_from_the_table_that_is_given() -> None:
    table = {"50001": 1, "50002": 10, "50003": 99}
    found = read(
        *(patient(code, address=[{"postalCode": f"{code}-1234"}]) for code in table), patient("none"), ruca=table
    )
    assert found["rurality"] == {"50001": "metropolitan", "50002": "rural"}
    assert not read(patient("x"))["rurality"]


def test_site_has_the_name_of_the_organisation() -> None:
    found = read(
        {"resourceType": "Organization", "id": "north", "name": "North Hospital"},
        patient("named", managingOrganization={"reference": "Organization/north"}),
        patient("unnamed", managingOrganization={"reference": "Organization/south"}),
    )
    assert found["site"] == {"named": "North Hospital", "unnamed": "Organization/south"}


def test_groups_of_synthea(shared: Path, home: Path) -> None:
    source = shared / "data/fhir-bulk/synthea79/Patient.ndjson.gz"
    load_path(source, home)
    with closing(connect(home)) as connection:
        found = read_groups(connection, date(2021, 10, 1))
    with gzip.open(source, "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    languages = Counter(one["communication"][0]["language"]["coding"][0]["code"][:2] for one in records)
    assert Counter(found["language"].values()) == languages
    assert Counter(found["sex"].values()) == Counter(one["gender"] for one in records)
    assert Counter(found["race"].values()) == Counter(
        one["extension"][0]["extension"][0]["valueCoding"]["display"] for one in records
    )
    minors = sum(one["birthDate"] > "2003-10-01" for one in records)
    assert Counter(found["age"].values())["0-17"] == minors
    assert set(found) == set(DIMENSIONS)
