"""The rows of a view as JSON, CSV or Parquet."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import islice
from typing import Any, BinaryIO

import msgspec
import pyarrow.lib as pa
import pyarrow.parquet as pq

from careplane.codecs.views import View
from careplane.records import JSON

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_BATCH = 10_000
_ARROW: Mapping[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "decimal": pa.float64(),
    **dict.fromkeys(("integer", "integer64", "positiveInt", "unsignedInt"), pa.int64()),
}
"""Types of columns in Parquet; any other is text, and what is no text is written as JSON."""

Write = Callable[[BinaryIO, View, Iterable[JSON]], None]


def write_json(out: BinaryIO, _view: View, rows: Iterable[JSON]) -> None:
    """One JSON array with a row per line; numbers keep the digits that were written."""
    before = b"[\n"
    for row in rows:
        out.write(before + _ENCODER.encode(row))
        before = b",\n"
    out.write(b"[]\n" if before == b"[\n" else b"\n]\n")


def write_csv(out: BinaryIO, view: View, rows: Iterable[JSON]) -> None:
    """RFC 4180 with a header, UTF-8; what is not there is empty, collections and objects are JSON."""
    text = io.TextIOWrapper(out, encoding="utf-8", newline="")
    writer = csv.writer(text)
    writer.writerow(view.columns)
    writer.writerows([_cell(row[name]) for name in view.columns] for row in rows)
    text.flush()
    text.detach()  # the file stays open for who gave it


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _ENCODER.encode(value).decode() if isinstance(value, list | dict) else str(value)


def write_parquet(out: BinaryIO, view: View, rows: Iterable[JSON]) -> None:
    """Columns typed by what the view declares; decimals are doubles here."""
    columns = view.definition.columns
    schema = pa.schema([pa.field(name, _arrow(kind, many=many)) for name, kind, many in columns])
    kinds = {name: kind for name, kind, _ in columns}
    writer: Any = pq.ParquetWriter  # the library has no types
    with writer(out, schema) as file:
        source: Iterator[JSON] = iter(rows)
        while batch := list(islice(source, _BATCH)):
            cells = [{name: _typed(value, kinds[name]) for name, value in row.items()} for row in batch]
            file.write_table(pa.Table.from_pylist(cells, schema=schema))


def _arrow(kind: str, *, many: bool) -> pa.DataType:
    one = _ARROW.get(kind, pa.string())
    return pa.list_(one) if many else one


def _typed(value: Any, kind: str) -> Any:
    if isinstance(value, list):
        return [_typed(one, kind) for one in value]
    if kind in _ARROW:
        return float(value) if isinstance(value, Decimal) else value
    if value is None or isinstance(value, str):
        return value
    return _ENCODER.encode(value).decode()


WRITERS: Mapping[str, Write] = {"json": write_json, "csv": write_csv, "parquet": write_parquet}
