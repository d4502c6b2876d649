"""Records in and out of tables, the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from careplane.records import Record
from careplane.store import Store, count, fetch, find, insert_new, save, stamp
from careplane.store.tables import goals


class Aim(Record, frozen=True):
    """A small record of the test's own."""

    id: str
    text: str
    weight: float = 0.5


def _put(store: Store, *aims: Aim, year: int = 2026) -> None:
    with store.write() as connection:
        for aim in aims:
            save(connection, goals, aim, id=aim.id, year=year)


def test_saved_record_comes_back_equal(store: Store) -> None:
    aim = Aim(id="g1", text='Größe "7" — 患者 \\ \n', weight=0.1 + 0.2)
    _put(store, aim)
    with store.read() as connection:
        assert fetch(connection, goals, Aim, goals.c.id == "g1") == aim
        assert fetch(connection, goals, Aim, goals.c.id == "g2") is None


def test_save_replaces_body_and_columns(store: Store) -> None:
    _put(store, Aim(id="g1", text="old"), year=2025)
    _put(store, Aim(id="g1", text="new"), year=2026)
    with store.read() as connection:
        assert [aim.text for aim in find(connection, goals, Aim, goals.c.year == 2026)] == ["new"]
        assert count(connection, goals) == 1


def test_insert_new_keeps_the_first(store: Store) -> None:
    with store.write() as connection:
        assert insert_new(connection, goals, Aim(id="g1", text="first"), id="g1", year=2026)
        assert not insert_new(connection, goals, Aim(id="g1", text="second"), id="g1", year=2026)
    with store.read() as connection:
        kept = fetch(connection, goals, Aim, goals.c.id == "g1")
    assert kept is not None
    assert kept.text == "first"


def test_find_orders_and_pages(store: Store) -> None:
    _put(store, *(Aim(id=f"g{n}", text=str(n)) for n in range(5)))
    with store.read() as connection:
        page = find(connection, goals, Aim, order_by=(goals.c.id.desc(),), limit=2, offset=1)
    assert [aim.id for aim in page] == ["g3", "g2"]


def test_failed_transaction_leaves_nothing(store: Store) -> None:
    class Stop(Exception):
        pass

    try:
        with store.write() as connection:
            save(connection, goals, Aim(id="g1", text="x"), id="g1", year=2026)
            raise Stop
    except Stop:
        pass
    with store.read() as connection:
        assert count(connection, goals) == 0


@given(
    st.lists(
        st.datetimes(
            min_value=datetime(1990, 1, 1),  # noqa: DTZ001 - hypothesis wants the bounds naive
            max_value=datetime(2100, 1, 1),  # noqa: DTZ001
            timezones=st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
        ),
        min_size=2,
        max_size=5,
    )
)
def test_stamps_sort_as_times(times: list[datetime]) -> None:
    assert sorted(map(stamp, times)) == list(map(stamp, sorted(times)))
    assert all(datetime.fromisoformat(stamp(at)) == at.astimezone(UTC) for at in times)
