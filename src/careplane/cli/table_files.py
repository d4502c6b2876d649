"""Files of tables that a command is given: CSV (plain or gzip) and Parquet, read whole.

Fields of a CSV are parted by the comma, the semicolon or the tab, whichever the first line has most of outside quotes.
A column is numeric when every value that is there reads as a number; else it is text. Empty fields, ``NA``, ``NaN`` and
``null`` are missing. Nothing is left out in silence: what cannot be read ends the command and names the line.
"""

import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.lib as pa
import pyarrow.parquet as pq

from careplane.errors import DataError
from careplane.estimators._frame import Column, Frame

MISSING = frozenset({"", "NA", "NaN", "nan", "null", "NULL", "None"})
MAX_COLUMNS = 10_000
DELIMITERS = (",", ";", "\t")


def read_table(path: Path) -> Frame:
    """The table of a file.

    Raises:
        DataError: there is no such file, it is not what its name says, or a line does not fit the header.
    """
    if not path.is_file():
        raise DataError("there is no such file", file=path)
    if path.suffix == ".parquet":
        return _parquet(path)
    if path.name.endswith((".csv", ".csv.gz")):
        return _csv(path)
    raise DataError("must end in .csv, .csv.gz or .parquet", file=path)


def _csv(path: Path) -> Frame:
    try:
        with _opened(path) as text:
            reader = csv.reader(text, strict=True, delimiter=_delimiter(text))
            header = next(reader, [])
            _check_header(header, path)
            rows, lines = _rows(reader, len(header), path)
    except UnicodeDecodeError as error:
        raise DataError("is not UTF-8; save it as CSV in UTF-8", file=path) from error
    except csv.Error as error:
        raise DataError(f"is not CSV: {error}", file=path) from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError("the compressed data is damaged or breaks off", file=path) from error
    columns = {name: _column([row[i] for row in rows]) for i, name in enumerate(header)}
    return Frame(columns, np.array(lines, dtype=np.int64), {})


def _opened(path: Path) -> Any:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _delimiter(text: Any) -> str:
    """What parts the fields of the first line; the text stands at its beginning again after."""
    head = text.readline()
    text.seek(0)
    bare = "".join(head.split('"')[::2])  # every second piece is quoted
    return max(DELIMITERS, key=bare.count)


def _check_header(header: Sequence[str], path: Path) -> None:
    if not header or not all(name.strip() for name in header):
        raise DataError("the first line must name every column", file=path, line=1)
    twice = next((name for i, name in enumerate(header) if name in header[:i]), None)
    if twice is not None:
        raise DataError("two columns have this name", file=path, line=1, field=twice)
    if len(header) > MAX_COLUMNS:
        raise DataError(f"has more than {MAX_COLUMNS} columns", file=path, line=1)


def _rows(reader: Any, width: int, path: Path) -> tuple[list[list[str]], list[int]]:
    rows: list[list[str]] = []
    lines: list[int] = []
    for row in reader:
        if not row:
            continue
        if len(row) != width:
            raise DataError(f"has {len(row)} fields where the header has {width}", file=path, line=reader.line_num)
        rows.append(row)
        lines.append(reader.line_num)
    if not rows:
        raise DataError("holds no row below the header", file=path)
    return rows, lines


def _column(values: Sequence[str]) -> Column:
    try:
        return np.array([np.nan if value in MISSING else float(value) for value in values], dtype=np.float64)
    except ValueError:
        return np.array([None if value.strip() in MISSING else value.strip() for value in values], dtype=object)


def _parquet(path: Path) -> Frame:
    reader: Any = pq.ParquetFile  # the library has no types
    try:
        table = reader(path).read()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"is not Parquet: {type(error).__name__}", file=path) from error
    if not table.num_rows:
        raise DataError("holds no row", file=path)
    columns = dict(_typed(table))
    return Frame(columns, np.arange(2, table.num_rows + 2, dtype=np.int64), {})


def _typed(table: Any) -> Iterator[tuple[str, Column]]:
    for name in table.column_names:
        values = table.column(name).to_pylist()
        numeric = all(value is None or isinstance(value, int | float | bool) for value in values)
        if numeric:
            yield name, np.array([np.nan if value is None else float(value) for value in values], dtype=np.float64)
        else:
            yield name, np.array([None if value is None else str(value) for value in values], dtype=object)
