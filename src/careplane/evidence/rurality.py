"""Rural-Urban Commuting Area codes by postal code: the file that the USDA Economic Research Service publishes, as CSV.

An installation that wants effects by rurality puts that file at ``reference/ruca.csv`` in its home. Of its columns the
postal code (``ZIP_CODE`` in the 2010 file, ``ZIPCode`` in that of 2020) and the primary code (``RUCA1``,
``PrimaryRUCA``; 1-10, 99 not coded) are read, the others passed over.
"""

import csv
from collections.abc import Mapping
from pathlib import Path

from careplane.errors import DataError

RUCA_FILE = Path("reference") / "ruca.csv"
_POSTAL, _CODE = ("zip_code", "zipcode"), ("ruca1", "primaryruca")


def read_ruca(home: Path) -> Mapping[str, int]:
    """Primary RUCA code by five-digit postal code; empty when the home has no table.

    Raises:
        DataError: the file is no such table; says where.
    """
    file = home / RUCA_FILE
    if not file.exists():
        return {}
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            rows = csv.reader(text, strict=True)
            header = [name.strip().strip("'").lower() for name in next(rows, [])]
            postal, code = _place(file, header, _POSTAL), _place(file, header, _CODE)
            return dict(_pair(file, rows.line_num, row, postal, code) for row in rows if row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot be read as UTF-8 CSV: {error}", file=file) from error


def _place(file: Path, header: list[str], names: tuple[str, ...]) -> int:
    found = next((header.index(name) for name in names if name in header), None)
    if found is None:
        raise DataError(f"the header must have one of the columns {', '.join(names)}", file=file, line=1)
    return found


def _pair(file: Path, line: int, row: list[str], postal: int, code: int) -> tuple[str, int]:
    cells = [row[place].strip().strip("'") if place < len(row) else "" for place in (postal, code)]
    try:
        ruca = int(float(cells[1]))
    except ValueError:
        ruca = -1
    if len(cells[0]) != 5 or not cells[0].isdecimal() or not (1 <= ruca <= 10 or ruca == 99):
        raise DataError("needs a postal code of five digits and a RUCA code of 1 to 10, or 99", file=file, line=line)
    return cells[0], ruca
