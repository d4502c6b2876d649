"""The measures of the shelf read from the sandbox's FHIR exactly what its staff did."""

from pathlib import Path

import orjson
import pytest

from careplane import _shelf
from careplane.evidence.rows import Rows, extract
from careplane.evidence.run_tables import RunRecord
from careplane.records import JSON
from careplane.sandbox import Staff
from careplane.store.lake import load_path

MEASURES = ("msg_turnaround", "message_minutes")
OTHERS = ("first_pass_approval", "note_closure", "discharge_before_noon")


@pytest.fixture(scope="module")
def found(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rows]:
    """The rows of both measures over the history, by measure."""
    home = tmp_path_factory.mktemp("home")
    report = load_path(dataset / "fhir", home)
    assert report.quarantined == 0
    measures = {name: _shelf.load("measures", name).MEASURE for name in (*MEASURES, *OTHERS)}
    return dict(extract(home, measures, RunRecord()).rows)


@pytest.mark.parametrize(
    ("measure", "truth", "tolerance"),
    [("msg_turnaround", "y0_hours", 2e-4), ("message_minutes", "minutes0", 0.6 / 60)],
)
def test_a_measure_recovers_the_baseline(
    dataset: Path, found: dict[str, Rows], measure: str, truth: str, tolerance: float
) -> None:
    """Times in FHIR are whole seconds, so hours agree to half a second and minutes to half a second."""
    rows, staff = found[measure], Staff.open(dataset)
    expected = {row.message: getattr(row, truth) for row in staff.rows.values() if not row.pilot}
    assert dict(zip(rows.key.tolist(), rows.value.tolist(), strict=True)) == pytest.approx(expected, abs=tolerance)
    assert dict(zip(rows.key.tolist(), rows.cluster.tolist(), strict=True)) == {
        row.message: row.unit for row in staff.rows.values() if not row.pilot
    }


def test_the_measures_of_other_apps_read_what_the_sandbox_wrote(dataset: Path, found: dict[str, Rows]) -> None:
    """Counted again from the resources, without views."""
    claims = [body for body in read(dataset, "Claim") if body["use"] == "preauthorization"]
    answers = {body["request"]["reference"]: body for body in read(dataset, "ClaimResponse")}
    final = [
        answers[f"Claim/{body['id']}"] for body in claims if answers[f"Claim/{body['id']}"]["outcome"] == "complete"
    ]
    values = found["first_pass_approval"].value
    assert len(values) == len(claims) >= 3
    assert values[values == values].tolist().count(1.0) == sum("preAuthRef" in body for body in final)
    visits = [body for body in read(dataset, "Encounter") if body["class"]["code"] == "AMB"]
    assert found["note_closure"].value.tolist() == [1.0] * len(visits)
    ends = [
        body["period"]["end"]
        for body in read(dataset, "Encounter")
        if body["class"]["code"] == "IMP" and "end" in body["period"]
    ]
    assert sum(found["discharge_before_noon"].value) == sum(end[11:13] < "12" for end in ends)
    assert len(found["discharge_before_noon"].value) == len(ends) > 5


def read(dataset: Path, kind: str) -> list[JSON]:
    return [orjson.loads(line) for line in (dataset / "fhir" / f"{kind}.ndjson").read_bytes().splitlines()]
