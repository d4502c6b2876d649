"""A CSV file as rows: encoding, header and shape are checked before any cell is looked at.

UTF-8, with or without a byte-order mark, RFC 4180 quoting. Another encoding is refused with the command that mends it.
"""

import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from careplane.connectors._drop import read_whole
from careplane.errors import DataError

MOST_ROWS = 500_000
SHOWN = 20

_MARKS = {b"\xff\xfe\x00\x00": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


class Fault(NamedTuple):
    """What is wrong at a line, in a field."""

    line: int
    field: str
    why: str


class Sheet(NamedTuple):
    """A file's rows by column, with the number of the line that each ends on, and the hash of its bytes."""

    file: Path
    hash: str
    columns: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str]], ...]


def read_sheet(file: Path, needed: Sequence[str], optional: Sequence[str] = (), *, others: bool = False) -> Sheet:
    """Read a file whose header has the ``needed`` columns, in any order, and perhaps ``optional`` ones.

    Args:
        file: the file.
        needed: columns without which it is refused.
        optional: columns that may be there.
        others: whether further columns are passed over rather than refused.

    Raises:
        DataError: it is missing, empty, in another encoding, no CSV, or of another shape.
    """
    content = read_whole(file)
    reader = csv.reader(io.StringIO(_decoded(content, file), newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(file, header, needed, None if others else {*needed, *optional})
        rows = tuple(_rows(file, reader, header))
    except csv.Error as error:
        raise DataError(f"is not CSV: {error}", file=file, line=reader.line_num) from error
    return Sheet(file, hashlib.sha256(content).hexdigest(), tuple(header), rows)


def refuse(file: Path, faults: Sequence[Fault]) -> None:
    """Refuse a file that has faults.

    Raises:
        DataError: lists ``file:line: field: why``, the first twenty.
    """
    if not faults:
        return
    shown = "\n".join(f"  {file}:{fault.line}: {fault.field}: {fault.why}" for fault in faults[:SHOWN])
    more = f"\n  ... and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
    raise DataError(f"{len(faults)} bad field(s); nothing was taken.\n{shown}{more}", file=file)


def _decoded(content: bytes, file: Path) -> str:
    found = next((name for mark, name in _MARKS.items() if content.startswith(mark)), None)
    if found is None and b"\x00" in content[:4096]:
        found = "UTF-16"
    if found is not None:
        way_out = f"save it as UTF-8, or: iconv -f {found} -t UTF-8 OLD.csv > NEW.csv"
        raise DataError(f"is {found}, not UTF-8; {way_out}", file=file)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        way_out = "if it is Windows-1252 or Latin-1: iconv -f WINDOWS-1252 -t UTF-8 OLD.csv > NEW.csv"
        raise DataError(f"is not UTF-8 (byte 0x{content[error.start]:02x}); {way_out}", file=file, line=line) from error


def _check_header(file: Path, header: Sequence[str], needed: Sequence[str], known: set[str] | None) -> None:
    twice = sorted({name for name in header if header.count(name) > 1})
    missing = [name for name in needed if name not in header]
    unknown = [name for name in header if known is not None and name not in known]
    for names, what in ((twice, "more than once"), (missing, "missing"), (unknown, "not known")):
        if names:
            listed = ", ".join(name if name.isascii() and len(name) < 60 else "a name" for name in names[:5])
            told = f"the header must have {','.join(needed)}; {what}: {listed or 'a name'}"
            raise DataError(told, file=file, line=1)


def _rows(file: Path, reader: Any, header: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    for count, row in enumerate(reader):
        if not row:
            continue
        if count >= MOST_ROWS:
            raise DataError(f"has more than {MOST_ROWS:,} rows; split it by month", file=file, line=reader.line_num)
        if len(row) != len(header):
            raise DataError(f"has {len(row)} fields instead of {len(header)}", file=file, line=reader.line_num)
        yield reader.line_num, dict(zip(header, (cell.strip() for cell in row), strict=True))
