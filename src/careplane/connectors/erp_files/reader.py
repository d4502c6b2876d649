"""Rows of ``costs.csv`` as cost lines; every bad row is named by file, line and field."""

import csv
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

from careplane.errors import DataError
from careplane.records.money import CostLine

COLUMNS = ("line_id", "posted_on", "cost_centre", "vendor", "category", "item", "description", "amount_usd")
_REQUIRED = ("line_id", "cost_centre", "category", "item")
_SHOWN = 20

Fault = tuple[int, str, str]
"""Line, field, what is wrong with it."""


class CsvCosts:
    """A :class:`careplane.connectors.CostReader` over one CSV file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read_costs(self) -> Sequence[CostLine]:
        """All cost lines in file order, each with ``file:line`` as its source; a repeated identical line counts once.

        Raises:
            DataError: the file is missing, its header differs, or some rows are bad; lists ``file:line: field: why``.
        """
        rows, faults = self._read_rows(), []
        lines: dict[str, CostLine] = {}
        seen: dict[str, tuple[int, dict[str, str]]] = {}
        for number, row in rows:
            found = [(number, field, why) for field, why in _check(row)]
            earlier = seen.setdefault(row["line_id"], (number, row))
            if not found and earlier[1] != row:
                found = [(number, "line_id", f"is also on line {earlier[0]} with other content")]
            faults += found
            if not found and earlier[0] == number:
                lines[row["line_id"]] = _line(row, f"{self._file}:{number}")
        if faults:
            raise DataError(_told(self._file, faults), file=self._file)
        return tuple(lines.values())

    def _read_rows(self) -> list[tuple[int, dict[str, str]]]:
        """Line number and fields of each row; the number is that of the row's last line, blank lines are skipped."""
        try:
            with self._file.open(encoding="utf-8-sig", newline="") as text:
                reader = csv.reader(text, strict=True)
                header = next(reader, [])
                if tuple(header) != COLUMNS:
                    raise DataError(f"the header must be {','.join(COLUMNS)}", file=self._file, line=1)
                return [(reader.line_num, self._named(row, reader.line_num)) for row in reader if row]
        except FileNotFoundError as error:
            raise DataError("there is no such file", file=self._file) from error
        except (csv.Error, UnicodeDecodeError) as error:
            raise DataError(f"not CSV in UTF-8: {error}", file=self._file) from error

    def _named(self, row: list[str], line: int) -> dict[str, str]:
        if len(row) != len(COLUMNS):
            raise DataError(f"has {len(row)} fields instead of {len(COLUMNS)}", file=self._file, line=line)
        return dict(zip(COLUMNS, (field.strip() for field in row), strict=True))


def _check(row: dict[str, str]) -> list[tuple[str, str]]:
    """Field and reason of everything that is wrong in a row."""
    found = [(field, "is empty") for field in _REQUIRED if not row[field]]
    checks: tuple[tuple[str, Callable[[str], object], str], ...] = (
        ("posted_on", date.fromisoformat, "is not a date such as 2026-01-31"),
        ("amount_usd", _amount, "is not an amount such as 1234.50"),
    )
    for field, parse, why in checks:
        try:
            parse(row[field])
        except (ValueError, InvalidOperation):
            found.append((field, why))
    return found


def _amount(text: str) -> Decimal:
    amount = Decimal(text)
    if not amount.is_finite():
        raise ValueError(text)
    return amount


def _line(row: dict[str, str], source: str) -> CostLine:
    vendor, description = row["vendor"], row["description"]
    return CostLine(
        id=row["line_id"],
        item=row["item"],
        category=row["category"],
        usd=float(_amount(row["amount_usd"])),
        on=date.fromisoformat(row["posted_on"]),
        cost_centre=row["cost_centre"],
        source=source,
        description=f"{vendor}: {description}" if vendor and description else vendor or description,
    )


def _told(file: Path, faults: Sequence[Fault]) -> str:
    shown = "\n".join(f"  {file}:{line}: {field}: {why}" for line, field, why in faults[:_SHOWN])
    more = f"\n  ... and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
    return f"{len(faults)} bad field(s); nothing was taken.\n{shown}{more}"
