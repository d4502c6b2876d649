"""Reference tables that a site puts into the folder ``reference`` of its home, as CSV (UTF-8, a header, commas).

====================  ==========================================================================================
``ruca.csv``          Rural-Urban Commuting Area code by postal code, as the USDA Economic Research Service
                      publishes it: ``ZIP_CODE`` (2010) or ``ZIPCode`` (2020), and ``RUCA1`` or ``PrimaryRUCA`` (1-10;
                      99: not coded)
``expected_stays.csv``  ``reason`` (code of the first reason of a stay; ``*``: any other), ``days`` expected
``rvus.csv``          ``code`` (or ``HCPCS``), ``wrvu`` (or ``WORK RVU``): from the CMS physician fee schedule
====================  ==========================================================================================

Other columns are passed over. A table that is not there is empty.
"""

import csv
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow.lib as pa

from careplane.errors import DataError

FOLDER = Path("reference")
_RUCA = (("zip_code", "zipcode"), ("ruca1", "primaryruca"))
_STAYS = (("reason",), ("days",))
_RVUS = (("code", "hcpcs"), ("wrvu", "work rvu"))


def read_ruca(home: Path) -> Mapping[str, int]:
    """Primary RUCA code by five-digit postal code.

    Raises:
        DataError: the file is no such table; says where.
    """
    file, codes = home / FOLDER / "ruca.csv", {}
    for line, (postal, code) in _cells(file, _RUCA):
        ruca = _number(code)
        if len(postal) != 5 or not postal.isdecimal() or not (1 <= ruca < 11 or ruca == 99):
            raise DataError(
                "needs a postal code of five digits and a RUCA code of 1 to 10, or 99", file=file, line=line
            )
        codes[postal] = int(ruca)
    return codes


def reference_tables(home: Path) -> dict[str, pa.Table]:
    """The reference tables that measures read (:data:`careplane.measures.REFERENCE`) by name.

    Raises:
        DataError: a file is no such table; says where.
    """
    stays = _numbers(home / FOLDER / "expected_stays.csv", _STAYS, "a reason", least=1e-9)
    rvus = _numbers(home / FOLDER / "rvus.csv", _RVUS, "a code", least=0.0)
    return {"expected_stays": _table(stays, "reason", "days"), "rvus": _table(rvus, "code", "wrvu")}


def _numbers(file: Path, columns: tuple[tuple[str, ...], ...], what: str, least: float) -> dict[str, float]:
    found: dict[str, float] = {}
    for line, (name, cell) in _cells(file, columns):
        if not name or name in found or not least <= _number(cell) < 10_000:
            raise DataError(f"needs {what} that was not there before, and a number that can be", file=file, line=line)
        found[name] = _number(cell)
    return found


def _table(numbers: Mapping[str, float], name: str, value: str) -> pa.Table:
    arrays = [pa.array(list(numbers), pa.string()), pa.array(list(numbers.values()), pa.float64())]
    return pa.Table.from_arrays(arrays, names=[name, value])


def _cells(file: Path, columns: tuple[tuple[str, ...], ...]) -> Iterator[tuple[int, list[str]]]:
    """The cells of some columns, each by any of its names, row by row with the number of the line."""
    if not file.exists():
        return
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            rows = csv.reader(text, strict=True)
            header = [_plain(name).lower() for name in next(rows, [])]
            places = [_place(file, header, names) for names in columns]
            for row in rows:
                if row:
                    yield rows.line_num, [_plain(row[place]) if place < len(row) else "" for place in places]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot be read as UTF-8 CSV: {error}", file=file) from error


def _plain(cell: str) -> str:
    """Without blanks, and without the single quotes of the USDA's files."""
    return cell.strip().strip("'")


def _place(file: Path, header: list[str], names: tuple[str, ...]) -> int:
    found = next((header.index(name) for name in names if name in header), None)
    if found is None:
        raise DataError(f"the header must have the column {' or '.join(names)}", file=file, line=1)
    return found


def _number(cell: str) -> float:
    """A number, or NaN, which no comparison holds for."""
    try:
        return float(cell)
    except ValueError:
        return math.nan
