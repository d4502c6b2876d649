"""Rows of views and of the run record that are valid and hostile: nulls, ties, zones, DST, partial dates, odd texts.

What a measure compares with (status codes, prefixes of references) is found in its own expression, so every branch is
met without a word about any measure here.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ibis.expr.operations as ops
import numpy as np
import pyarrow.lib as pa

from careplane.codecs.views import compile_view
from careplane.measures import Measure, expression, schemas_of

ODD = ("", " ", "O'Hara", 'a "b"', "ä\u0301", "漢字", "k1", "K1", "%", "_", "\\", "a\tb", "null", "NaN", "0", "-1.5")
ZONES = ("Z", "+00:00", "-06:00", "-05:00", "+05:45", "+14:00", "-12:00")
INSTANTS = (
    *("2026-03-08T01:59:59-06:00", "2026-03-08T02:30:00-06:00", "2026-03-08T03:00:00-05:00"),  # DST begins
    *("2026-11-01T01:30:00-05:00", "2026-11-01T01:30:00-06:00"),  # the hour that comes twice
    *("2026-03", "2026", "2026-03-08", "2024-02-29", "2016-12-31T23:59:60Z", "2026-03-02T09:00:00.999999Z"),
    *("0001-01-01", "9999-12-31T23:59:59-12:00", "2026-02-30", "2026-03-02T09:00:00", "soon", ""),
)
_ARROW = {"string": pa.string(), "int64": pa.int64(), "float64": pa.float64(), "boolean": pa.bool_()}
Make = Callable[[int], list[Any]]


class Hostile:
    """Tables for one measure."""

    def __init__(self, measure: Measure, rows: int, seed: int) -> None:
        self.measure = measure
        self.rows = rows
        self.random = np.random.default_rng(seed)
        self.schemas = schemas_of(measure)
        self.texts = [*_literals(measure), *ODD]
        self.compared, self.asked = _compared(measure), _asked(measure)
        self.keys = [f"k{number}" for number in range(rows)]

    def tables(self) -> dict[str, pa.Table]:
        """By name; ids of a resource are unique where its view gives one row for each."""
        return {name: self._table(name) for name in self.schemas}

    def _table(self, name: str) -> pa.Table:
        kinds = {column: kind for column, kind, _ in self._columns(name)}
        made = {}
        for column, kind in self.schemas[name].items():
            made[column] = pa.array(self._values(name, column, kind, kinds.get(column, "")), type=_ARROW[kind])
        return pa.table(made)

    def _columns(self, name: str) -> Sequence[tuple[str, str, bool]]:
        return compile_view(self.measure.views[name]).definition.columns if name in self.measure.views else ()

    def _values(self, table: str, column: str, kind: str, declared: str) -> list[Any]:
        if self._is_key(table, column):
            return list(self.random.permutation(self.keys))
        make: Mapping[str, Make] = {
            "boolean": lambda n: self.random.integers(0, 2, n).astype(bool).tolist(),
            "int64": self._ints(column),
            "float64": self._floats,
            "string": {"dateTime": self._instants, "instant": self._instants, "date": self._dates}.get(
                declared, lambda n: self._strings(n, self.compared.get(column, ()))
            ),
        }
        values = make[kind](self.rows)
        absent = self.random.random(self.rows) < (0.5 if column in self.asked else 0.08)
        return [None if gone else value for value, gone in zip(values, absent, strict=True)]

    def _is_key(self, table: str, column: str) -> bool:
        """The one column that names the row: the id of a view without ``forEach``, the run of the run record."""
        if table not in self.measure.views:
            return (table, column) in (("runs", "run"), ("reports", "report"))
        selects = self.measure.views[table]["select"]
        flat = not any(
            key in select for select in selects for key in ("forEach", "forEachOrNull", "unionAll", "repeat")
        )
        paths = {one["name"]: one["path"] for select in selects for one in select.get("column", [])}
        return flat and paths.get(column) in ("id", "getResourceKey()")

    def _ints(self, column: str) -> Make:
        low, high = (1_767_225_600, 1_772_323_200) if column in ("at", "reviewed_at") else (-3, 8)
        return lambda n: self.random.integers(low, high, n).tolist()

    def _floats(self, n: int) -> list[Any]:
        scale = 10.0 ** self.random.integers(-6, 7, n)
        found = np.where(
            self.random.random(n) < 0.3, self.random.integers(-5, 200, n), self.random.normal(size=n) * scale
        )
        return [float(value) for value in found]

    def _instants(self, n: int) -> list[Any]:
        """Mostly within sixty days, many of them the same, in all zones; some at the edges of what is a time."""
        days = (
            np.datetime64("2026-02-01T00:00:00")
            + self.random.integers(0, 60 * 24 * 4, n).astype("timedelta64[s]") * 900
        )
        zones = self.random.choice(ZONES, n)
        parts = self.random.choice(["", "", ".5", ".123456"], n)
        plain = [f"{day}{part}{zone}" for day, part, zone in zip(days, parts, zones, strict=True)]
        odd = self.random.choice(INSTANTS, n)
        return [
            str(o) if hostile else p for o, p, hostile in zip(odd, plain, self.random.random(n) < 0.15, strict=True)
        ]

    def _dates(self, n: int) -> list[Any]:
        """Days over eighty years, as dates of birth are, some without their day or month; and hostile instants."""
        days = np.datetime64("1936-01-01") + self.random.integers(0, 80 * 365, n)
        lengths = self.random.choice([10, 10, 10, 7, 4], n)
        kept = self.random.random(n) < 0.7
        mixed = zip(days, lengths, self._instants(n), kept, strict=True)
        return [str(day)[:length] if keep else other for day, length, other, keep in mixed]

    def _strings(self, n: int, compared: Sequence[str]) -> list[Any]:
        """Ids of other rows, what the measure compares with, references made of both, and odd texts; of a column that
        is compared itself, half are what it is compared with."""
        if compared:
            half, of = self.random.random(n) < 0.5, self.random.choice(list(compared), n)
            return [str(a) if own else b for a, b, own in zip(of, self._strings(n, ()), half, strict=True)]
        keys, texts = self.random.choice(self.keys, n), self.random.choice(self.texts, n)
        which = self.random.random(n)
        return [
            str(key) if w < 0.45 else f"{text}{key}" if w < 0.6 and text.endswith("/") else str(text)
            for key, text, w in zip(keys, texts, which, strict=True)
        ]


def _compared(measure: Measure) -> dict[str, list[str]]:
    """What each column is compared with, by its name."""
    found: dict[str, set[str]] = {}
    for node in expression(measure).op().find((ops.Equals, ops.InValues, ops.StartsWith)):
        column, *others = node.args
        if isinstance(column, ops.Field):
            flat = [one for other in others for one in (other if isinstance(other, tuple) else (other,))]
            texts = {one.value for one in flat if isinstance(one, ops.Literal) and isinstance(one.value, str)}
            found.setdefault(column.name, set()).update(texts - {""})
    return {name: sorted(texts) for name, texts in found.items() if texts}


def _asked(measure: Measure) -> set[str]:
    """The columns of which a measure asks whether they are there."""
    found = expression(measure).op().find((ops.IsNull, ops.NotNull))
    return {node.arg.name for node in found if isinstance(node.arg, ops.Field)}


def _literals(measure: Measure) -> list[str]:
    """What the measure compares with, thrice, so that it is met more often than what is odd."""
    found = {one.value for one in expression(measure).op().find(ops.Literal) if isinstance(one.value, str)}
    return sorted(found) * 3
