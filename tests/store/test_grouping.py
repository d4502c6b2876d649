"""Writes that share a transaction: each is durable when its caller goes on, and a fault of one is its own."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.exc import SQLAlchemyError

from careplane.errors import StoreError
from careplane.store import Store
from careplane.store.grouping import GroupedWrites
from careplane.store.tables import goals


def test_all_are_written_and_a_fault_stays_with_its_caller(store: Store) -> None:
    writes = GroupedWrites(store)

    def keep(number: int) -> int:
        def write(connection: Connection) -> int:
            if number == 13:
                connection.execute(text("INSERT INTO goals (id) VALUES (NULL)"))
            connection.execute(insert(goals).values(id=f"g{number}", body="{}"))
            return number

        return writes.run(write)

    with ThreadPoolExecutor(max_workers=20) as callers:
        futures: list[Any] = [callers.submit(keep, number) for number in range(60)]
    writes.close()
    faults = [number for number, future in enumerate(futures) if future.exception()]
    assert faults == [13]
    assert isinstance(futures[13].exception(), SQLAlchemyError)
    assert [future.result() for future in futures if not future.exception()] == [n for n in range(60) if n != 13]
    with store.read() as connection:
        assert len(connection.execute(select(goals.c.id)).all()) == 59


def test_a_database_that_is_away_is_told_to_all(sqlite_store: Store) -> None:
    writes = GroupedWrites(sqlite_store)

    def fail(_connection: Connection) -> None:
        raise StoreError("It is away.")

    with pytest.raises(StoreError):
        writes.run(fail)
    assert writes.run(lambda connection: connection.execute(text("SELECT 1")).scalar_one()) == 1
    writes.close()
