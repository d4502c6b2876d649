"""FHIR instants as numbers, on DuckDB: offsets, fractions, dates without a time, the hour that happens twice."""

from contextlib import closing

import duckdb
import ibis
import pytest

from careplane.measures import epoch_seconds, offset_seconds, wall_seconds

CASES = {
    # instant: (seconds since 1970 in UTC, offset in seconds)
    "1970-01-01T00:00:00Z": (0, 0),
    "2026-03-02T09:00:00-06:00": (1772463600, -21600),
    "2026-03-02T15:00:00Z": (1772463600, 0),
    "2026-03-02T20:30:00+05:30": (1772463600, 19800),
    "2026-03-02T15:00:00.999Z": (1772463600, 0),
    "2026-03-02T09:00:00.5-06:00": (1772463600, -21600),
    "2024-02-29T23:59:59-05:00": (1709269199, -18000),
    # clocks go back on 1 November 2026: half past one comes twice, an hour apart
    "2026-11-01T01:30:00-05:00": (1793514600, -18000),
    "2026-11-01T01:30:00-06:00": (1793518200, -21600),
    "2026-03-02": (1772409600, 0),
}


def numbers(instant: str) -> tuple[int, int, int]:
    """Epoch, offset and wall seconds of an instant, computed by DuckDB."""
    table = ibis.table({"instant": "string"}, name="given")
    of = table.instant
    query = ibis.to_sql(table.select(epoch=epoch_seconds(of), offset=offset_seconds(of), wall=wall_seconds(of)))
    with closing(duckdb.connect()) as connection:
        connection.execute("CREATE TABLE given AS SELECT ? AS instant", [instant])
        epoch, offset, wall = connection.execute(str(query)).fetchall()[0]
    return epoch, offset, wall


@pytest.mark.parametrize("instant", CASES)
def test_an_instant_is_seconds_in_utc_and_an_offset(instant: str) -> None:
    assert numbers(instant)[:2] == CASES[instant]


def test_wall_time_is_what_the_instant_shows() -> None:
    assert numbers("2026-03-02T09:00:00-06:00")[2] == 1772442000
