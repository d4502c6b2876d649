"""What tells of patients is sealed at rest: nothing of it can be read in the database, moved, or opened elsewhere."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import select, text, update

from careplane.errors import StoreError
from careplane.records.run import Draft, Event, Permit, Run, Survey
from careplane.store import Store, open_store
from careplane.store.database import open_engine
from careplane.store.tables import metadata, runs
from careplane.workflow import find_runs, inbox
from careplane.workflow.records import change_run, find_run, replace_run, save_new_run

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
EVENT = Event(id="e1", app="portal_reply", kind="api", at=AT, patient="Patient/quill", user="Practitioner/p1")
RUN = Run(
    id="run-1",
    app="portal_reply",
    app_version="1.0.0",
    app_hash="",
    event=EVENT,
    status="draft",
    permit=Permit(allowed=True, reasons=()),
    created_at=AT,
    draft=Draft(text="Dear Maria Quill", sentences=("Dear Maria Quill",), sources=(), findings=()),
)


def raw(store: Store) -> str:
    """All that the database holds, as it is."""
    told = []
    with store.read() as connection:
        for table in metadata.sorted_tables:
            told += [str(tuple(row)) for row in connection.execute(text(f'SELECT * FROM "{table.name}"'))]
    return "\n".join(told)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def home_store(request: pytest.FixtureRequest, home: Path) -> tuple[Store, str]:
    """A store with the key of its home, and its URL."""
    on_sqlite = request.param == "sqlite"
    url = f"sqlite:///{home / 'careplane.db'}" if on_sqlite else str(request.getfixturevalue("postgres_url"))
    return open_store(url, home), url


def test_nothing_of_a_run_or_an_event_can_be_read_in_the_database(home_store: tuple[Store, str]) -> None:
    store, _ = home_store
    save_new_run(store, RUN)
    with store.write() as connection:
        inbox.receive(connection, EVENT, AT)
    assert find_run(store, "run-1") == RUN
    assert [kept.event for kept in inbox.find_events(store, "received")] == [EVENT]
    held = raw(store)
    assert "run-1" in held
    assert "quill" not in held.casefold()
    store.close()


def test_a_run_is_found_by_its_patient_and_changed(home_store: tuple[Store, str]) -> None:
    store, _ = home_store
    save_new_run(store, RUN)
    assert find_runs(store, patient="Patient/quill") == [RUN]
    assert find_runs(store, patient="Patient/qui") == []
    survey = Survey(like=5, performance=4, easier=3, at=AT)
    answered = replace(RUN, survey=survey)
    assert change_run(store, RUN, answered)
    assert not change_run(store, RUN, RUN), "it changed meanwhile"
    assert replace_run(store, answered, "draft")
    with store.read() as connection:
        assert connection.execute(select(runs.c.surveyed)).scalar_one() is True
    assert "quill" not in raw(store).casefold()
    store.close()


def test_a_body_opens_in_its_own_row_only(home_store: tuple[Store, str]) -> None:
    store, _ = home_store
    save_new_run(store, RUN)
    with store.write() as connection:
        connection.execute(update(runs).values(id="run-2"))
    with pytest.raises(StoreError, match="does not open"):
        find_run(store, "run-2")
    store.close()


def test_another_key_opens_nothing(home_store: tuple[Store, str], tmp_path: Path) -> None:
    store, url = home_store
    save_new_run(store, RUN)
    store.close()
    stranger = open_store(url, tmp_path / "another")
    with pytest.raises(StoreError, match="does not open"):
        find_run(stranger, "run-1")
    stranger.close()


def test_rows_from_before_are_sealed_when_the_database_is_opened(home_store: tuple[Store, str], home: Path) -> None:
    store, url = home_store
    store.close()
    before = Store(open_engine(url))
    save_new_run(before, RUN)
    with before.write() as connection:
        inbox.receive(connection, EVENT, AT)
    assert "Quill" in raw(before), "it was plain"
    before.close()
    after = open_store(url, home)
    assert "quill" not in raw(after).casefold()
    assert find_runs(after, patient="Patient/quill") == [RUN]
    assert [kept.event for kept in inbox.find_events(after, "received")] == [EVENT]
    after.close()


def test_without_a_home_sealed_rows_are_not_taken_for_others(home_store: tuple[Store, str]) -> None:
    store, url = home_store
    save_new_run(store, RUN)
    store.close()
    keyless = Store(open_engine(url))
    with pytest.raises(StoreError, match="opened without its home's key"):
        find_run(keyless, "run-1")
    keyless.close()
