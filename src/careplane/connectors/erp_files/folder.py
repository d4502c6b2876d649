"""A folder into which an ERP (or an SFTP server in its name) drops files: which are whole, and what each says."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from datetime import time as clock_time
from pathlib import Path
from zoneinfo import ZoneInfo

from careplane.connectors._drop import Drop
from careplane.connectors.erp_files import focus
from careplane.connectors.erp_files.sheet import Fault, Sheet, read_sheet, refuse
from careplane.connectors.erp_files.tables import Table, tables
from careplane.errors import NotFound
from careplane.records.erp import ErpBatch, ErpFact, events_in
from careplane.records.money import CostLine

CLOUD_BILL = "cloud_bill"


class ErpFolder:
    """Reads an export. A :class:`careplane.connectors.CostReader`, and a reader of all other tables."""

    def __init__(
        self, folder: Path, zone: ZoneInfo, settle_seconds: float = 10.0, now: Callable[[], float] = time.time
    ) -> None:
        """``settle_seconds`` is how long a file must have been left alone; ``now`` gives seconds since 1970."""
        self._drop = Drop(folder, (".csv",), settle_seconds, now)
        self._zone = zone
        self._tables = tables(zone)

    def read_costs(self) -> Sequence[CostLine]:
        """The lines of ``costs.csv``, each with ``file:line`` as its source; an identical repeat counts once.

        Raises:
            DataError: the file is missing, or something in it is wrong; lists ``file:line: field: why``.
        """
        return self.read(self._drop.folder / "costs.csv").costs

    def ready(self) -> list[Path]:
        """The files that are whole, by name: left alone for a while, or with a ``.done`` file beside them.

        Raises:
            DataError: there is no such folder.
        """
        return self._drop.ready()

    def unfinished(self) -> list[Path]:
        """The files that are not whole yet.

        Raises:
            DataError: there is no such folder.
        """
        return self._drop.unfinished()

    def read(self, file: Path) -> ErpBatch:
        """One file, whole and good.

        Raises:
            NotFound: its name is none of a table.
            DataError: something in it is wrong; nothing is taken.
        """
        name = self.table_of(file)
        if name == CLOUD_BILL:
            sheet = read_sheet(file, focus.NEEDED, others=True)
            facts: tuple[ErpFact, ...] = focus.cost_lines(sheet)
        else:
            table = self._tables[name]
            sheet = read_sheet(file, tuple(table.needed), tuple(table.optional))
            facts = _facts(sheet, table)
        return ErpBatch(name=file.name, hash=sheet.hash, facts=facts, events=events_in(facts, self._midnight))

    def table_of(self, file: Path) -> str:
        """The table that a file holds, by its name: ``roster-2026-03.csv`` and ``roster3.csv`` are of ``roster``.

        Raises:
            NotFound: none.
        """
        stem = file.name.removesuffix(".csv")
        names = (*self._tables, CLOUD_BILL)
        found = [name for name in names if stem.startswith(name)]
        if file.suffix != ".csv" or not found:
            raise NotFound(f"{file.name} is none of the files that are read: {', '.join(f'{n}*.csv' for n in names)}.")
        return max(found, key=len)

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, clock_time(), tzinfo=self._zone)


def _facts(sheet: Sheet, table: Table) -> tuple[ErpFact, ...]:
    """The records of a sheet; one that is told twice in the same words counts once, in other words is a fault."""
    faults: list[Fault] = []
    seen: dict[str, tuple[int, dict[str, str], ErpFact]] = {}
    for number, row in sheet.rows:
        values, found = _values(number, row, table)
        if found:
            faults += found
            continue
        fact = table.make(values, f"{sheet.file}:{number}")
        key = fact.id if isinstance(fact, CostLine) else fact.key
        earlier = seen.setdefault(key, (number, row, fact))
        if earlier[1] != row:
            first = next(iter(table.needed))
            faults.append(Fault(number, first, f"is also on line {earlier[0]} with other content"))
    refuse(sheet.file, faults)
    return tuple(fact for _, _, fact in seen.values())


def _values(number: int, row: Mapping[str, str], table: Table) -> tuple[dict[str, object], list[Fault]]:
    values: dict[str, object] = {}
    faults: list[Fault] = []
    for name, parse in {**table.needed, **table.optional}.items():
        cell = row.get(name, "")
        if not cell:
            if name in table.needed and name not in table.may_be_empty:
                faults.append(Fault(number, name, "is empty"))
            elif name in table.needed:
                values[name] = ""
            continue
        try:
            values[name] = parse(cell)
        except ValueError as error:
            faults.append(Fault(number, name, str(error)))
    if not faults and (wrong := table.check(values)) is not None:
        faults.append(Fault(number, *wrong))
    return values, faults
