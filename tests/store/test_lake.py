"""The lake: what is good loads once and stays as written, what is bad is named with file and line."""

import gzip
import json
import multiprocessing
from collections.abc import Iterable
from pathlib import Path

import pytest

from careplane.codecs.fhir import patient_of, references
from careplane.errors import InputError
from careplane.records import JSON
from careplane.store import lake
from careplane.store.lake import LoadReport, TypeCount, connect, load_path, tables

PATIENT: JSON = {"resourceType": "Patient", "id": "p1", "identifier": [{"system": "urn:mrn", "value": "7"}]}


def observation(ident: str, **elements: object) -> JSON:
    return {"resourceType": "Observation", "id": ident, "subject": {"reference": "Patient/p1"}, **elements}


def write(file: Path, lines: Iterable[JSON | str | bytes]) -> Path:
    """Write NDJSON (gzip when the name says so); a text or bytes line is written as it is."""
    raw = [line if isinstance(line, (str, bytes)) else json.dumps(line) for line in lines]
    data = b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in raw)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(gzip.compress(data) if file.suffix == ".gz" else data)
    return file


def many_observations() -> list[JSON]:
    return [observation(f"o{n}", note=[{"text": str(n**9)}]) for n in range(3000)]


def ids(home: Path, kind: str) -> list[str]:
    rows = connect(home).execute(f'SELECT id FROM "{kind}" ORDER BY id').fetchall()
    return [row[0] for row in rows]


def problems(report: LoadReport) -> list[tuple[str, int | None]]:
    return [(problem.kind, problem.line) for problem in report.problems]


def count(report: LoadReport, kind: str) -> TypeCount:
    return next(found for found in report.types if found.type == kind)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_every_bad_line_is_named_and_every_good_one_loads(tmp_path: Path, home: Path) -> None:
    file = write(
        tmp_path / "in" / "mixed.ndjson",
        [
            PATIENT,
            '{"resourceType":"Observation","id":"cut"',
            "[1, 2]",
            {"resourceType": "Observatoin", "id": "typo"},
            {"id": "typeless"},
            {"resourceType": "Observation"},
            {"resourceType": "Observation", "id": 5},
            {"resourceType": "Observation", "id": "no spaces please"},
            b'{"resourceType":"Observation","id":"\xff"}',
            '{"resourceType":"Observation","id":"comma",}',
            '{"resourceType":"Observation","id":"nan","valueDecimal":NaN}',
            "",
            "  \t ",
            observation("o1", note=[{"text": "a list, ] and , } in a text: NaN"}]),
        ],
    )
    report = load_path(file, home)
    assert problems(report) == [
        ("invalid_utf8", 9),
        ("broken_json", 2),
        ("not_an_object", 3),
        ("unknown_type", 4),
        ("unknown_type", 5),
        ("missing_id", 6),
        ("missing_id", 7),
        ("missing_id", 8),
        ("broken_json", 10),
        ("broken_json", 11),
    ]
    assert all(problem.file == str(file) for problem in report.problems)
    assert report.quarantined == 10
    assert sum(found.lines for found in report.types) == 12
    assert ids(home, "Observation") == ["o1"]
    assert ids(home, "Patient") == ["p1"]
    assert report.problems_file is not None
    assert len(Path(report.problems_file).read_text().splitlines()) == 10


def test_a_good_line_after_a_bad_one_is_kept_in_the_same_chunk(tmp_path: Path, home: Path) -> None:
    lines: list[JSON | str] = [observation(f"o{n}") for n in range(5000)]
    for n in range(0, 5000, 50):
        lines[n] = "{broken"
    report = load_path(write(tmp_path / "o.ndjson", [PATIENT, *lines]), home)
    assert [line for _, line in problems(report)] == [n + 2 for n in range(0, 5000, 50)]
    assert len(ids(home, "Observation")) == 4900


def test_loading_again_adds_nothing(tmp_path: Path, home: Path) -> None:
    file = write(tmp_path / "o.ndjson.gz", [PATIENT, observation("o1"), observation("o1"), observation("o2")])
    first, second = load_path(file, home), load_path(file, home)
    assert count(first, "Observation") == TypeCount(type="Observation", new=2, already=1)
    assert count(second, "Observation") == TypeCount(type="Observation", already=3)
    assert second.new == 0
    assert ids(home, "Observation") == ["o1", "o2"]


def test_resources_stay_exactly_as_written(tmp_path: Path, home: Path) -> None:
    text = '{"resourceType": "Observation", "id":"d","valueQuantity":{"value":1.10, "x":12345678901234567890.50}}'
    load_path(write(tmp_path / "o.ndjson", [text + "\r", "\r"]), home)
    assert connect(home).execute('SELECT resource, line FROM "Observation"').fetchall() == [(text, 1)]


@pytest.mark.parametrize("newest_first", [True, False])
def test_the_newest_version_wins_in_either_order(tmp_path: Path, home: Path, newest_first: bool) -> None:
    old = observation("o1", status="preliminary", meta={"lastUpdated": "2026-01-01T10:00:00-06:00"})
    new = observation("o1", status="final", meta={"lastUpdated": "2026-01-01T15:00:00-06:00"})
    load_path(write(tmp_path / "a.ndjson", [PATIENT, observation("o0"), new if newest_first else old]), home)
    report = load_path(write(tmp_path / "b.ndjson", [old if newest_first else new]), home)
    fate = {"older": 1} if newest_first else {"updated": 1}
    assert report.types == (TypeCount(type="Observation", **fate),)
    held = connect(home).execute('SELECT id, resource FROM "Observation" ORDER BY id').fetchall()
    assert [row[0] for row in held] == ["o0", "o1"]
    assert json.loads(held[1][1])["status"] == "final"


def test_versions_inside_one_file_are_settled_too(tmp_path: Path, home: Path) -> None:
    versions = [observation("o1", meta={"lastUpdated": f"2026-01-0{n}T00:00:00Z"}) for n in (1, 3, 2)]
    report = load_path(write(tmp_path / "o.ndjson", [PATIENT, *versions]), home)
    assert count(report, "Observation") == TypeCount(type="Observation", new=1, older=2)
    assert connect(home).execute('SELECT last_updated FROM "Observation"').fetchall() == [("2026-01-03T00:00:00Z",)]


def test_a_different_content_of_no_newer_version_is_a_conflict(tmp_path: Path, home: Path) -> None:
    load_path(write(tmp_path / "a.ndjson", [PATIENT, observation("o1", status="final")]), home)
    report = load_path(write(tmp_path / "b.ndjson", [observation("o1", status="amended")]), home)
    assert problems(report) == [("version_conflict", 1)]
    assert count(report, "Observation").quarantined == 1
    assert "final" in connect(home).execute('SELECT resource FROM "Observation"').fetchall()[0][0]


def test_a_gzip_that_breaks_off_gives_what_came_before(tmp_path: Path, home: Path) -> None:
    file = write(tmp_path / "o.ndjson.gz", [PATIENT, *many_observations()])
    file.write_bytes(file.read_bytes()[:-2000])
    report = load_path(file, home)
    kinds = [problem.kind for problem in report.problems]
    assert kinds == ["broken_gzip", "broken_json"]
    loaded = ids(home, "Observation")
    assert 1000 < len(loaded) < 3000
    assert report.problems[1].line == len(loaded) + 2


def test_damage_inside_a_gzip_keeps_the_lines_before_it(tmp_path: Path, home: Path) -> None:
    file = write(tmp_path / "o.ndjson.gz", [PATIENT, *many_observations()])
    data = bytearray(file.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 64] = b"\xff" * 64
    file.write_bytes(bytes(data))
    report = load_path(file, home)
    assert report.problems_by_kind["broken_gzip"] == 1
    assert "o0" in ids(home, "Observation")


def test_gzip_members_in_a_row_are_one_file(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "o.ndjson.gz"
    members = [gzip.compress(json.dumps(item).encode() + b"\n") for item in (PATIENT, observation("o1"))]
    file.write_bytes(b"".join(members))
    assert load_path(file, home).new == 2


def test_an_over_long_line_is_left_out_and_the_rest_keeps_its_numbers(tmp_path: Path, home: Path) -> None:
    huge = observation("huge", note=[{"text": "x" * (17 * 1024 * 1024)}])
    report = load_path(write(tmp_path / "o.ndjson", [PATIENT, huge, observation("o1"), "{"]), home)
    assert problems(report) == [("line_too_long", 2), ("broken_json", 4)]
    assert ids(home, "Observation") == ["o1"]


def test_an_empty_file_is_a_warning(tmp_path: Path, home: Path) -> None:
    write(tmp_path / "in" / "a.ndjson", [])
    write(tmp_path / "in" / "b.ndjson", [PATIENT])
    report = load_path(tmp_path / "in", home)
    assert problems(report) == [("empty_file", None)]
    assert report.quarantined == 0


def test_dangling_references_are_warnings_with_their_first_line(tmp_path: Path, home: Path) -> None:
    lines = [
        PATIENT,
        observation("o1", encounter={"reference": "Encounter/gone"}),
        observation("o2", encounter={"reference": "Encounter/gone"}),
        observation("o3", performer=[{"reference": "Patient?identifier=urn:mrn|7"}]),
        observation("o4", performer=[{"reference": "Patient?identifier=urn:mrn%7C8"}]),
        observation("o5", performer=[{"reference": "Practitioner?name=Ann"}]),
        observation("o6", performer=[{"reference": "https://other.test/Practitioner/1"}, {"reference": "#in"}]),
    ]
    report = load_path(write(tmp_path / "o.ndjson", lines), home)
    assert sorted((problem.line or 0, problem.kind) for problem in report.problems) == [
        (2, "dangling_reference"),
        (5, "dangling_reference"),
        (6, "dangling_reference"),
    ]
    assert report.quarantined == 0
    assert any("2 times" in problem.text for problem in report.problems)


def test_a_reference_to_an_earlier_load_does_not_dangle(tmp_path: Path, home: Path) -> None:
    load_path(write(tmp_path / "p.ndjson", [PATIENT]), home)
    assert load_path(write(tmp_path / "o.ndjson", [observation("o1")]), home).problems == ()


def test_the_patient_column_holds_the_id_wherever_the_patient_stands(tmp_path: Path, home: Path) -> None:
    lines: list[JSON] = [
        {"resourceType": "Appointment", "id": "a", "participant": [{"actor": {"reference": "Patient/p1"}}]},
        {"resourceType": "Account", "id": "b", "subject": [{"reference": "Patient/p1"}]},
        {"resourceType": "Coverage", "id": "c", "beneficiary": {"reference": "https://ehr.test/fhir/Patient/p1"}},
        {"resourceType": "Task", "id": "t", "for": {"reference": "Patient/p1/_history/3"}},
        PATIENT,
    ]
    load_path(write(tmp_path / "x.ndjson", lines), home)
    connection = connect(home)
    for kind in ("Appointment", "Account", "Coverage", "Task", "Patient"):
        assert connection.execute(f'SELECT patient FROM "{kind}"').fetchall() == [("p1",)]


def test_types_never_loaded_are_empty_views(home: Path) -> None:
    assert connect(home).execute('SELECT count(*) FROM "Communication"').fetchall() == [(0,)]
    assert tables(home) == {}


@pytest.mark.parametrize("make", [False, True])
def test_a_path_without_ndjson_is_refused(tmp_path: Path, home: Path, make: bool) -> None:
    if make:
        (tmp_path / "nothing").mkdir()
    with pytest.raises(InputError):
        load_path(tmp_path / "nothing", home)
    assert not home.exists()


def test_leftovers_of_a_load_that_was_cut_off_are_invisible_and_cleared(tmp_path: Path, home: Path) -> None:
    file = write(tmp_path / "o.ndjson", [PATIENT, observation("o1")])
    load_path(file, home)
    part = tables(home)["Observation"][0]
    orphan = part.with_name("part-99999999.parquet")
    orphan.write_bytes(part.read_bytes()[:100])
    (home / "fhir" / ".staging").mkdir()
    (home / "fhir" / ".staging" / "000001.parquet").write_bytes(b"half")
    assert ids(home, "Observation") == ["o1"]
    assert load_path(file, home).new == 0
    assert not orphan.exists()
    assert not (home / "fhir" / ".staging").exists()


@pytest.mark.parametrize("renames", range(4))
def test_a_load_cut_off_at_any_rename_leaves_whole_files(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    write(tmp_path / "in" / "a.ndjson", [PATIENT])
    write(tmp_path / "in" / "b.ndjson", [observation("o1")])
    replace = Path.replace
    done: list[Path] = []

    def cut_off(self: Path, target: Path) -> Path:
        if len(done) == renames:
            raise KeyboardInterrupt
        done.append(target)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", cut_off)
    with pytest.raises(KeyboardInterrupt):
        load_path(tmp_path / "in", home)
    monkeypatch.undo()
    assert len(tables(home)) == renames // 2
    assert all(len(ids(home, kind)) == 1 for kind in tables(home))
    load_path(tmp_path / "in", home)
    assert (ids(home, "Patient"), ids(home, "Observation")) == (["p1"], ["o1"])


def test_concurrent_loads_do_not_disturb_each_other(tmp_path: Path, home: Path) -> None:
    files = []
    for n in range(2):
        own = [observation(f"o{n}-{m}") for m in range(200)]
        files.append(write(tmp_path / f"{n}.ndjson", [PATIENT, *own]))
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=load_path, args=(file, home)) for file in files]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(ids(home, "Observation")) == 400
    assert ids(home, "Patient") == ["p1"]


def test_progress_ends_at_the_whole(tmp_path: Path, home: Path) -> None:
    steps: list[lake.Progress] = []
    load_path(write(tmp_path / "o.ndjson", [PATIENT, observation("o1")]), home, progress=steps.append)
    assert steps[-1].bytes_done == steps[-1].bytes_total
    assert steps[-1].resources == 2


def test_rows_tell_what_the_codec_tells_of_every_published_example(shared: Path, tmp_path: Path, home: Path) -> None:
    folder = shared / "data/fhir-examples"
    examples = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))]
    load_path(write(tmp_path / "all.ndjson", examples), home)
    held: dict[str, tuple[str | None, list[str], str]] = {}
    for kind, parts in tables(home).items():
        rows = connect(home).read_parquet([str(part) for part in parts]).project("id, patient, refs, resource")
        held |= {f"{kind}/{ident}": (patient, refs, text) for ident, patient, refs, text in rows.fetchall()}
    assert len(held) >= 70
    for patient, refs, text in held.values():
        resource = json.loads(text)
        told = patient_of(resource)
        assert patient == (told.removeprefix("Patient/") if told else None)
        assert sorted(refs) == sorted(references(resource))


def test_the_79_published_patients_load_whole(shared: Path, home: Path) -> None:
    folder = shared / "data/fhir-bulk/synthea79"
    report = load_path(folder, home)
    expected = {}
    for file in folder.glob("*.ndjson.gz"):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            expected[file.name.partition(".")[0]] = sum(1 for line in lines if line.strip())
    assert {found.type: found.new for found in report.types} == expected
    assert report.problems == ()
    assert sum(expected.values()) == 38384


def test_a_folder_is_read_once_whatever_links_into_it_or_the_case_of_names(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "in"
    write(folder / "A.NDJSON", [PATIENT])
    (folder / "again.ndjson").symlink_to("A.NDJSON")
    (folder / "round").symlink_to(".")
    (folder / "nowhere.ndjson").symlink_to("gone")
    report = load_path(folder, home)
    assert report.files == 1
    assert count(report, "Patient") == TypeCount(type="Patient", new=1)


def test_the_home_is_not_read_as_an_export(tmp_path: Path) -> None:
    home = tmp_path / ".careplane"
    write(tmp_path / "export.ndjson", ["{", PATIENT])
    assert load_path(tmp_path, home).quarantined == 1
    again = load_path(tmp_path, home)
    assert (again.files, again.quarantined) == (1, 1)


def test_a_line_nested_too_deep_to_be_read_again_is_left_out(tmp_path: Path, home: Path) -> None:
    def nested(ident: str, levels: int) -> str:
        return f'{{"resourceType":"Patient","id":"{ident}","x":{"[" * levels}{"]" * levels}}}'

    wide = {**PATIENT, "id": "wide", "x": [{}] * 5000}
    report = load_path(write(tmp_path / "a.ndjson", [nested("deep", 5000), nested("less", 1000), wide]), home)
    assert problems(report) == [("broken_json", 1)]
    assert ids(home, "Patient") == ["less", "wide"]
