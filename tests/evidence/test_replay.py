"""A stored result comes out the same, bit for bit, whatever runs it; and what has changed since is named."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import orjson
import pytest
from msgspec.structs import replace
from sqlalchemy import update

from careplane.evidence import amend_plan, find_results, load_result, replay, save_draft
from careplane.evidence.extracts import path_of
from careplane.evidence.replay import differences
from careplane.ledger import Ledger, open_ledger
from careplane.records.evidence import Result
from careplane.store import Store, open_store, save, stamp
from careplane.store.lake import load_path
from careplane.store.tables import assignments, plans, results

from .synthetic_trial import START, exchange
from .test_analysis import ESTIMATORS, MEASURES, run, study

ANEW = """
import sys
from pathlib import Path
from careplane._shelf import items, load
from careplane.estimators._item import item
from careplane.evidence import replay
from careplane.store import open_store
home = Path(sys.argv[1])
store = open_store(f"sqlite:///{home / 'careplane.db'}")
measures = {name: load("measures", name).MEASURE for name in items("measures")}
shelf = {name: item(load("estimators", name)) for name in items("estimators")}
print(replay(store, home, measures, shelf, "trial").same)
store.close()
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A home with one analysed plan."""
    home = tmp_path_factory.mktemp("home")
    store = open_store(f"sqlite:///{home / 'careplane.db'}")
    locked = study(store, open_ledger(home / "ledger"), home, hours=-1.5, minutes=0.2)
    result = run(store, home, locked)
    store.close()
    return home, result


def test_it_comes_out_the_same_under_any_hash_seed_and_number_of_threads(kept: tuple[Path, Result]) -> None:
    home, _result = kept
    for seed, threads in (("0", "1"), ("5", "4")):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "OPENBLAS_NUM_THREADS": threads,
            "OMP_NUM_THREADS": threads,
        }
        told = subprocess.run(
            [sys.executable, "-c", ANEW, str(home)], capture_output=True, text=True, check=True, env=environment
        )
        assert told.stdout.strip() == "True", told.stderr


def test_it_is_kept_for_its_owner_only_and_under_its_hash(kept: tuple[Path, Result]) -> None:
    home, result = kept
    path = path_of(home, result.data_hash)
    assert path.stat().st_mode & 0o077 == 0
    assert [one.name for one in path.parent.iterdir()] == [f"{result.data_hash}.parquet"]


def test_what_changed_is_named(store: Store, ledger: Ledger, home: Path) -> None:
    locked = study(store, ledger, home, hours=-1.0, minutes=0.0)
    result = run(store, home, locked)
    again = replay(store, home, MEASURES, ESTIMATORS, result.id)
    assert (again.same, again.differences) == (True, ())
    assert "as it was locked" in again.plan
    assert "the same code" in again.code
    assert "the same: hash" in again.data

    with store.write() as connection:
        forged = replace(result, effects=(replace(result.effects[0], estimate=-9.0), *result.effects[1:]))
        save(connection, results, forged, plan=locked.id, computed_at=stamp(result.computed_at))
    found = replay(store, home, MEASURES, ESTIMATORS, result.id)
    assert not found.same
    assert [one.path for one in found.differences] == ["effects[0].estimate"]
    assert found.differences[0].then == "-9.0"


def test_code_that_changed_is_told_and_numbers_that_did_not_are_the_same(
    store: Store, ledger: Ledger, home: Path
) -> None:
    locked = study(store, ledger, home, hours=-1.0, minutes=0.0)
    result = run(store, home, locked)
    with store.write() as connection:
        older = replace(result, code_version="0.0.9+abc", libraries={**result.libraries, "numpy": "1.0"})
        save(connection, results, older, plan=locked.id, computed_at=stamp(result.computed_at))
    found = replay(store, home, MEASURES, ESTIMATORS, result.id)
    assert found.same
    assert "0.0.9+abc then" in found.code
    assert "numpy 1.0 then" in found.code


def test_data_that_moved_on_do_not_change_a_result(store: Store, ledger: Ledger, home: Path) -> None:
    locked = study(store, ledger, home, hours=-1.0, minutes=0.0)
    result = run(store, home, locked)
    load_more(home)
    again = replay(store, home, MEASURES, ESTIMATORS, result.id)
    assert again.same
    assert "it differs: rows of" in again.data
    assert "1 new" in again.data


def load_more(home: Path) -> None:
    """One more message of the pilot, which came late."""
    sent = datetime(START.year, START.month, START.day, 9, tzinfo=UTC)
    late = exchange("late-1", "Location/clinic-01", "x1", sent, 2.0, 3.0)
    source = home / "late.ndjson"
    source.write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in late))
    load_path(source, home)


def test_a_changed_plan_arm_or_extract_is_not_computed(store: Store, ledger: Ledger, home: Path) -> None:
    locked = study(store, ledger, home, hours=-1.0, minutes=0.0)
    result = run(store, home, locked)
    with store.write() as connection:
        row = connection.execute(assignments.select().limit(1)).one()
        turned = row.body.replace('"arm":"control"', '"arm":"x"').replace('"arm":"intervention"', '"arm":"control"')
        turned = turned.replace('"arm":"x"', '"arm":"intervention"')
        where = (assignments.c.plan == row.plan) & (assignments.c.unit == row.unit)
        connection.execute(update(assignments).where(where).values(body=turned))
    found = replay(store, home, MEASURES, ESTIMATORS, result.id)
    assert not found.same
    assert "they were changed. Nothing was computed." in found.kept

    path_of(home, result.data_hash).write_bytes(b"not parquet")
    assert "is not an extract" in replay(store, home, MEASURES, ESTIMATORS, result.id).kept
    path_of(home, result.data_hash).unlink()
    assert "is not kept here" in replay(store, home, MEASURES, ESTIMATORS, result.id).kept

    with store.write() as connection:
        body = connection.execute(plans.select()).one().body
        connection.execute(update(plans).values(body=body.replace('"alpha":0.05', '"alpha":0.5')))
    assert "it was changed" in replay(store, home, MEASURES, ESTIMATORS, result.id).plan


def test_a_result_of_an_earlier_version_is_replayed_from_that_version(store: Store, ledger: Ledger, home: Path) -> None:
    locked = study(store, ledger, home, hours=-1.0, minutes=0.0)
    result = run(store, home, locked)
    save_draft(store, amend_plan(locked, decision_rule="another"))
    assert replay(store, home, MEASURES, ESTIMATORS, result.id).same
    assert load_result(store, "trial") == result
    assert [one.id for one in find_results(store)] == [result.id]


def test_differences_name_the_leaf() -> None:
    then = {"a": [1, {"b": 2.0}], "c": None}
    assert differences(then, msgspec.json.decode(msgspec.json.encode(then))) == []
    found = differences(then, {"a": [1, {"b": 2.5}, 3], "c": "x"})
    assert [(one.path, one.then, one.now) for one in found] == [
        ("a[1].b", "2.0", "2.5"),
        ("a[2]", "nothing", "3"),
        ("c", "nothing", "x"),
    ]
