"""Every measure on 79 Synthea patients through the lake, checked by plain loops over the NDJSON that share no code."""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from careplane._shelf import items, load
from careplane.evidence.rows import Extract, Rows, extract
from careplane.evidence.run_tables import RunRecord
from careplane.store.lake import load_path

pytestmark = pytest.mark.slow
JSON = dict[str, Any]
AGES = {
    "bp_control": (18, 85),
    "a1c_poor_control": (18, 75),
    "breast_screening": (42, 74),
    "colorectal_screening": (46, 75),
}


@pytest.fixture(scope="module")
def source(shared: Path) -> Path:
    folder = shared / "data/fhir-bulk/synthea79"
    if not folder.is_dir():
        pytest.skip("the 79 Synthea patients are not in the shared data")
    return folder


@pytest.fixture(scope="module")
def found(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Extract:
    """The rows of every measure of the shelf."""
    home = tmp_path_factory.mktemp("home")
    (home / "reference").mkdir()
    (home / "reference" / "expected_stays.csv").write_text("reason,days\n*,2\n", "utf-8")
    report = load_path(source, home)
    assert not report.problems_by_kind.get("bad_json")
    measures = {name: load("measures", name).MEASURE for name in items("measures")}
    return extract(home, measures, RunRecord())


def resources(source: Path, kind: str) -> Iterator[JSON]:
    with gzip.open(source / f"{kind}.ndjson.gz", "rt", encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines)


def times(encounter: JSON) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(encounter["period"]["start"]), datetime.fromisoformat(encounter["period"]["end"])


def by_patient(source: Path, *classes: str) -> dict[str, list[JSON]]:
    """Encounters of some classes by patient, in the order of their start."""
    found: dict[str, list[JSON]] = defaultdict(list)
    for one in resources(source, "Encounter"):
        if one["class"]["code"] in classes:
            found[one["subject"]["reference"]].append(one)
    return {who: sorted(of, key=lambda one: (*times(one), one["id"])) for who, of in found.items()}


def values(rows: Rows) -> dict[str, float]:
    return dict(zip(rows.key, rows.value.tolist(), strict=True))


def test_every_measure_runs_and_gives_rows_that_can_be(found: Extract) -> None:
    assert set(found.rows) == set(items("measures"))
    for name, rows in found.rows.items():
        kind = load("measures", name).MEASURE.info.kind
        known = rows.value[~np.isnan(rows.value)]
        assert len(set(rows.key)) == len(rows), name
        assert kind != "proportion" or np.isin(known, (0.0, 1.0)).all() or ((known >= 0) & (known <= 1)).all(), name


def test_readmissions(found: Extract, source: Path) -> None:
    """No stays of these data overlap or touch, none is elective, nobody died: the next stay within 30 days counts."""
    expected = {}
    for stays in by_patient(source, "IMP").values():
        for stay, later in zip(stays, [*stays[1:], None], strict=True):
            end = times(stay)[1]
            assert later is None or times(later)[0].date() > end.date() + timedelta(days=1)
            expected[stay["id"]] = float(later is not None and (times(later)[0].date() - end.date()).days <= 30)
    assert values(found.rows["readmit30"]) == expected
    assert len(expected) == 455
    assert 0.2 < np.mean(list(expected.values())) < 0.6


def test_lengths_of_stay(found: Extract, source: Path) -> None:
    nights = {
        stay["id"]: max(1, (times(stay)[1].date() - times(stay)[0].date()).days)
        for stays in by_patient(source, "IMP").values()
        for stay in stays
    }
    rows = found.rows["los_oe"]
    assert values(rows) == {key: count / 2 for key, count in nights.items()}
    assert rows.weight @ rows.value / rows.weight.sum() == pytest.approx(sum(nights.values()) / (2 * len(nights)))


def test_urgent_returns(found: Extract, source: Path) -> None:
    urgent = by_patient(source, "EMER", "IMP")
    expected = {}
    for who, visits in by_patient(source, "AMB").items():
        for visit in visits:
            end = times(visit)[1]
            starts = [times(one)[0] for one in urgent.get(who, ())]
            back = [start for start in starts if start >= end and (start.date() - end.date()).days <= 14]
            expected[visit["id"]] = float(bool(back))
    assert values(found.rows["revisit14"]) == expected
    assert len(expected) == 3546


@pytest.mark.parametrize("name", AGES)
def test_who_is_due_for_preventive_care(found: Extract, source: Path, name: str) -> None:
    """Nobody has a coded hypertension, diabetes, mammogram or colonoscopy here, so only the denominators say much."""
    people = {f"Patient/{one['id']}": one for one in resources(source, "Patient")}
    low, high = AGES[name]
    due = set()
    for who, visits in by_patient(source, "AMB").items():
        for year in {times(visit)[0].year for visit in visits}:
            age = year - date.fromisoformat(people[who]["birthDate"]).year
            if low <= age <= high and (name != "breast_screening" or people[who]["gender"] == "female"):
                due.add(f"{who.removeprefix('Patient/')}/{year}")
    if name in ("bp_control", "a1c_poor_control"):
        assert len(found.rows[name]) == 0
    else:
        assert values(found.rows[name]) == dict.fromkeys(due, 0.0)
        assert len(due) > 100


def test_what_these_data_do_not_have_gives_no_rows(found: Extract) -> None:
    empty = ("third_next", "coding_intensity", "pmpm_cost", "turnover", "run_cost", "readability", "cgcahps_comm")
    assert all(len(found.rows[name]) == 0 for name in (*empty, "wrvu_fte", "hcahps_doctors", "effect_gap"))
