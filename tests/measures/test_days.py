"""Days and months in portable arithmetic on DuckDB, against the calendar of Python."""

from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import date, timedelta
from typing import Any

import duckdb
import ibis
import pyarrow.lib as pa

from careplane.measures._days import first_day, month_of, wall_day, year_of
from careplane.measures._weeks import monday

EPOCH = date(1970, 1, 1)


def computed(values: Sequence[Any], kind: str, *of: Callable[[Any], Any]) -> list[tuple[Any, ...]]:
    """Some functions of each value, computed by DuckDB, in the order of the values."""
    table = ibis.table({"place": "int64", "given": kind}, name="given")
    columns = {f"c{n}": function(table.given) for n, function in enumerate(of)}
    query = ibis.to_sql(table.select("place", **columns).order_by("place"), dialect="duckdb")
    rows = pa.Table.from_arrays([pa.array(range(len(values))), pa.array(values)], names=["place", "given"])
    with closing(duckdb.connect()) as connection:
        connection.register("given", rows)
        return [row[1:] for row in connection.execute(str(query)).fetchall()]


def test_first_days_of_months_and_years_and_mondays_of_days() -> None:
    months = list(range(1890 * 12, 2110 * 12))
    firsts = [date(month // 12, month % 12 + 1, 1) for month in months]
    assert computed(months, "int64", first_day) == [((day - EPOCH).days,) for day in firsts]
    days = list(range(-30_000, 60_000, 7)) + list(range(-400, 400))
    expected = [EPOCH + timedelta(days=day) for day in days]
    weeks = [(day - timedelta(days=day.weekday()) - EPOCH).days for day in expected]
    assert computed(days, "int64", year_of, monday) == [
        (day.year, week) for day, week in zip(expected, weeks, strict=True)
    ]


def test_the_wall_date_of_what_fhir_allows() -> None:
    texts = ["2026-03-02", "2026-03-02T23:30:00-06:00", "2026-03-02T00:10:00.5+05:30", "2026-03", "2024", "1969-12-31"]
    days = [EPOCH + timedelta(days=day) for (day,) in computed(texts, "string", wall_day)]
    assert days == [*([date(2026, 3, 2)] * 3), date(2026, 3, 1), date(2024, 1, 1), date(1969, 12, 31)]
    assert computed(["2026-01-31", "2026-12"], "string", month_of) == [(24312,), (24323,)]
