"""The rows of a view as JSON, CSV or Parquet."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, BinaryIO

import msgspec
import pyarrow.parquet as pq

from careplane.codecs.views import View
from careplane.codecs.views.arrow_rows import arrow_schema, arrow_table
from careplane.records import JSON

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_BATCH = 10_000
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
    writer: Any = pq.ParquetWriter  # the library has no types
    with writer(out, arrow_schema(view)) as file:
        source: Iterator[JSON] = iter(rows)
        while batch := list(islice(source, _BATCH)):
            file.write_table(arrow_table(view, batch))


WRITERS: Mapping[str, Write] = {"json": write_json, "csv": write_csv, "parquet": write_parquet}
