"""Kept rows of views: after any loads, updates, deletions and kills, what a run from nothing gives."""

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from careplane.codecs.views import compile_view
from careplane.errors import DataError, InputError
from careplane.records import JSON
from careplane.store.lake import connect, load_path
from careplane.store.lake_removal import remove
from careplane.store.lake_views import FOLDER, Kept, forget_rows, kept_rows

FAST: JSON = {
    "resourceType": "ViewDefinition",
    "name": "stays",
    "status": "active",
    "resource": "Encounter",
    "where": [{"path": "status = 'finished'"}],
    "select": [
        {
            "column": [
                {"name": "id", "path": "id", "type": "id"},
                {"name": "ended", "path": "period.end", "type": "dateTime"},
            ]
        },
        {"forEachOrNull": "location", "column": [{"name": "place", "path": "location.reference", "type": "string"}]},
    ],
}
PYTHON_ONLY: JSON = {
    **FAST,
    "where": [{"path": "status != 'planned'"}],
    "select": [
        {
            "column": [
                {"name": "hash", "path": "id.join('-')", "type": "string"},
                {"name": "places", "path": "location.location.reference", "collection": True},
                {"name": "cost", "path": "length.value", "type": "decimal"},
            ]
        }
    ],
}
VIEWS = {"fast": FAST, "in_python": PYTHON_ONLY}


def encounter(number: int, version: int, status: str, places: int) -> JSON:
    return {
        "resourceType": "Encounter",
        "id": f"e{number}",
        "meta": {"lastUpdated": f"2026-01-{version:02}T00:00:00Z"},
        "status": status,
        "period": {"end": f"2026-03-{version:02}T09:00:00-06:00"},
        "length": {"value": version + 0.25, "unit": "h"},
        "location": [{"location": {"reference": f"Location/{place}"}} for place in range(places)],
    }


def load(home: Path, resources: list[JSON]) -> None:
    source = home.parent / f"{time.monotonic_ns()}.ndjson"
    source.write_bytes(b"".join(orjson.dumps(resource) + b"\n" for resource in resources))
    load_path(source, home)


def rows_of(kept: Kept) -> Counter[str]:
    found = duckdb.sql(kept.sql)
    return Counter(repr(dict(zip(found.columns, row, strict=True))) for row in found.fetchall())


def incremental(home: Path) -> dict[str, Counter[str]]:
    with kept_rows(home, VIEWS) as kept:
        return {name: rows_of(one) for name, one in kept.items()}


def from_the_lake(home: Path) -> dict[str, Counter[str]]:
    """The rows by the evaluator in Python over what the lake shows now: no part of what is tested."""
    texts = [text for (text,) in connect(home).execute('SELECT resource FROM "Encounter"').fetchall()]
    rows = {}
    for name, view in VIEWS.items():
        compiled = compile_view(view)
        found = [dict(row) for text in texts for row in compiled.rows(orjson.loads(text))]
        rows[name] = Counter(map(repr, found))
    return rows


encounters = st.builds(
    encounter,
    number=st.integers(0, 9),
    version=st.integers(1, 5),
    status=st.sampled_from(["finished", "planned", "cancelled"]),
    places=st.integers(0, 3),
)
loads = st.tuples(st.just("load"), st.lists(encounters, min_size=1, max_size=8, unique_by=lambda one: str(one["id"])))
steps = st.one_of(
    loads,
    loads,
    st.tuples(st.just("delete"), st.lists(st.integers(0, 9).map("Encounter/e{}".format), min_size=1, max_size=4)),
    st.tuples(st.just("run"), st.none()),
    st.tuples(st.just("killed run"), st.integers(0, 2**16)),
)


def killed(home: Path, choice: int) -> None:
    """Leave the folder as a run leaves it that is killed after some files: those of before, some new, half a draft."""
    before = {file: file.read_bytes() for file in (home / FOLDER).glob("*/*.parquet")}
    incremental(home)
    after = sorted((home / FOLDER).glob("*/*.parquet"))
    fresh = [file for file in after if file not in before]
    for place, file in enumerate(fresh):
        if choice >> place & 1:
            file.with_suffix(".new").write_bytes(file.read_bytes()[: choice % 50])
            file.unlink()
    for file, content in before.items():
        file.write_bytes(content)


@settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.lists(steps, min_size=2, max_size=9))
def test_any_history_gives_what_a_run_from_nothing_gives(history: list[tuple[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        for what, value in history:
            if what == "load":
                load(home, value)
            elif what == "delete":
                remove(home, value)
            elif what == "run":
                incremental(home)
            else:
                killed(home, value)
        found = incremental(home)
        assert found == from_the_lake(home)
        forget_rows(home)
        assert incremental(home) == found


def test_a_run_reads_only_what_changed(home: Path) -> None:
    load(home, [encounter(number, 1, "finished", 1) for number in range(500)])
    with kept_rows(home, {"fast": FAST}) as kept:
        assert kept["fast"].refreshed.resources_read == 500
    load(home, [encounter(number, 2, "planned", 1) for number in range(3)])
    load(home, [encounter(number, 1, "finished", 1) for number in range(500, 510)])
    remove(home, ["Encounter/e7"])
    with kept_rows(home, {"fast": FAST}) as kept:
        told = kept["fast"].refreshed
        assert (told.resources_read, told.taken_over) == (13, 496)
        assert sum(rows_of(kept["fast"]).values()) == 506
    with kept_rows(home, {"fast": FAST}) as kept:
        assert (kept["fast"].refreshed.parts_read, kept["fast"].refreshed.resources_read) == (0, 0)


def test_a_lake_made_anew_under_the_same_names_is_read_anew(home: Path) -> None:
    load(home, [encounter(1, 1, "finished", 1)])
    incremental(home)
    shutil.rmtree(home / "fhir")
    load(home, [encounter(2, 1, "finished", 1)])
    assert incremental(home) == from_the_lake(home)


@pytest.mark.slow
def test_a_run_killed_at_any_moment_loses_nothing(home: Path) -> None:
    for file in range(6):
        load(home, [encounter(file * 1000 + number, 1, "finished", 2) for number in range(1000)])
    program = (
        "import sys; from pathlib import Path; from careplane.store.lake_views import kept_rows\n"
        "import orjson; views = orjson.loads(sys.argv[2])\n"
        "print('ready', flush=True)\n"
        "with kept_rows(Path(sys.argv[1]), views): print('done', flush=True)\n"
    )
    for delay in (0.02, 0.1, 0.25, 0.5):
        command = [sys.executable, "-c", program, str(home), orjson.dumps(VIEWS).decode()]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
    assert incremental(home) == from_the_lake(home)


def test_what_does_not_fit_names_the_view_and_keeps_nothing(home: Path) -> None:
    load(home, [encounter(1, 1, "finished", 2)])
    many = {**FAST, "select": [{"column": [{"name": "x", "path": "location.location.reference"}]}]}
    with pytest.raises(DataError, match=r"^stays: a resource of the lake does not fit the view"):
        kept_rows(home, {"stays": many}).__enter__()
    assert list((home / FOLDER).glob("*/*.parquet")) == []


def test_an_empty_lake_gives_typed_columns(home: Path) -> None:
    with kept_rows(home, VIEWS) as kept:
        assert duckdb.sql(kept["fast"].sql).columns == ["id", "ended", "place"]
        assert [str(kind) for kind in duckdb.sql(kept["in_python"].sql).types] == ["VARCHAR", "VARCHAR[]", "DOUBLE"]


def test_what_is_deleted_leaves_the_lake(home: Path) -> None:
    load(home, [encounter(number, 1, "finished", 0) for number in range(3)])
    assert remove(home, ["Encounter/e1", "Encounter/e9", "Patient/e1"]) == 1
    assert remove(home, ["Encounter/e1"]) == 0
    assert connect(home).execute('SELECT id FROM "Encounter" ORDER BY id').fetchall() == [("e0",), ("e2",)]
    assert remove(home, ["Encounter/e0", "Encounter/e2"]) == 2
    assert connect(home).execute('SELECT id FROM "Encounter"').fetchall() == []
    with pytest.raises(InputError, match="Type/id"):
        remove(home, ["Nothing/1"])
