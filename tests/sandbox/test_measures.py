"""The measures of the shelf read from the sandbox's FHIR exactly what its staff did."""

from pathlib import Path

import pytest

from careplane import _shelf
from careplane.evidence.rows import Rows, extract
from careplane.sandbox import Staff
from careplane.store.lake import load_path

MEASURES = ("msg_turnaround", "message_minutes")


@pytest.fixture(scope="module")
def found(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rows]:
    """The rows of both measures over the history, by measure."""
    home = tmp_path_factory.mktemp("home")
    report = load_path(dataset / "fhir", home)
    assert report.quarantined == 0
    measures = {name: _shelf.load("measures", name).MEASURE for name in MEASURES}
    return dict(extract(home, measures, []).rows)


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
