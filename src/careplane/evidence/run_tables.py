"""The run record as the tables that measures read beside their views (:data:`careplane.measures.RECORD`)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow.lib as pa

from careplane.measures import RECORD
from careplane.records.erp import Employment, Rate
from careplane.records.money import CostLine
from careplane.records.people import Person, Request
from careplane.records.quality import Adjudication
from careplane.records.run import Run
from careplane.store import Store, find
from careplane.store.tables import adjudications as adjudications_table
from careplane.store.tables import costs as costs_table
from careplane.store.tables import erp_records
from careplane.store.tables import people as people_table
from careplane.store.tables import requests as requests_table
from careplane.store.tables import runs as runs_table

_SEVERITIES = ("info", "caution", "critical")
_DAY_0 = date(1970, 1, 1)
_TYPES = {"string": pa.string(), "int64": pa.int64(), "float64": pa.float64()}


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What the platform itself recorded: runs with their reviews and surveys, reports, adjudications; and what the ERP
    told: cost lines, the HR roster, the loaded hourly rate of each person (by reference) from the rate of their job."""

    runs: Sequence[Run] = ()
    reports: Sequence[Request] = ()
    adjudications: Sequence[Adjudication] = ()
    costs: Sequence[CostLine] = ()
    staff: Sequence[Employment] = ()
    rates: Mapping[str, Decimal] = field(default_factory=dict)


def read_record(store: Store, app: str | None = None, plan: str | None = None) -> RunRecord:
    """The record of an app, or of one plan of it; of everything by default. Reports and adjudications of other runs,
    and those of none, are left out."""
    of_app = () if app is None else (runs_table.c.app == app,)
    of_plan = () if plan is None else (runs_table.c.plan == plan,)
    asked = () if app is None else (requests_table.c.app == app,)
    settled = () if app is None else (adjudications_table.c.app == app,)
    spent = () if app is None else (costs_table.c.item == app,)
    with store.read() as connection:
        runs = find(connection, runs_table, Run, *of_app, *of_plan, order_by=(runs_table.c.id,))
        reports = find(connection, requests_table, Request, *asked, order_by=(requests_table.c.id,))
        read = find(connection, adjudications_table, Adjudication, *settled, order_by=(adjudications_table.c.output,))
        posted = find(connection, costs_table, CostLine, *spent, order_by=(costs_table.c.id,))
        staff = find(connection, erp_records, Employment, erp_records.c.kind == "employment")
        rates = find(connection, erp_records, Rate, erp_records.c.kind == "rate")
        known_people = find(connection, people_table, Person)
    known = {run.id for run in runs}
    per_hour = {rate.job: rate.per_hour for rate in rates}
    return RunRecord(
        runs,
        [report for report in reports if report.run in known],
        [one for one in read if one.run in known],
        posted,
        staff,
        {person.id: per_hour[person.job] for person in known_people if person.job in per_hour},
    )


def record_tables(record: RunRecord, names: Iterable[str] = tuple(RECORD)) -> dict[str, pa.Table]:
    """The tables of a run record by name, each in the order of its first column."""
    return {name: _table(name, _ROWS[name](record)) for name in names}


def _table(name: str, rows: Iterable[tuple[Any, ...]]) -> pa.Table:
    ordered = sorted(rows, key=lambda row: row[:3])
    types = RECORD[name]
    columns = zip(*ordered, strict=True) if ordered else [()] * len(types)
    arrays = [pa.array(list(column), type=_TYPES[kind]) for column, kind in zip(columns, types.values(), strict=True)]
    return pa.Table.from_arrays(arrays, names=list(types))


def _runs(record: RunRecord) -> Iterable[tuple[Any, ...]]:
    for run in record.runs:
        event, review = run.event, run.review
        signed = review is not None and review.final_text is not None
        yield (
            run.id,
            run.app,
            run.app_version,
            run.plan,
            run.arm,
            run.status,
            event.kind,
            event.focus,
            _bare(event.patient),
            _bare(event.encounter),
            _bare(review.by if review else event.user),
            event.unit,
            event.site,
            _epoch(event.at),
            int(run.draft is not None),
            _severity(run),
            _epoch(review.at) if review else None,
            review.seconds if review else None,
            review.distance if review and signed else None,
            run.cost_usd,
        )


def _written(record: RunRecord) -> Iterable[tuple[Any, ...]]:
    return ((run.id, reference) for run in record.runs for reference in run.written)


def _reports(record: RunRecord) -> Iterable[tuple[Any, ...]]:
    return ((one.id, one.run, one.app, one.what, _epoch(one.at)) for one in record.reports if one.run)


def _adjudications(record: RunRecord) -> Iterable[tuple[Any, ...]]:
    for one in record.adjudications:
        counts = one.fabrications, one.omissions, one.inaccuracies
        named = one.sample, one.run, one.output, one.app, one.version, one.reader
        yield (*named, *counts, one.probability, _epoch(one.at))


def _surveys(record: RunRecord) -> Iterable[tuple[Any, ...]]:
    for run in record.runs:
        answer = run.survey
        if answer is not None:
            person = _bare(run.review.by if run.review else run.event.user)
            at = _epoch(answer.at or run.created_at)
            yield run.id, run.app, person, at, answer.like, answer.performance, answer.easier


def _costs(record: RunRecord) -> Iterable[tuple[Any, ...]]:
    for line in record.costs:
        starts = datetime(line.on.year, line.on.month, 1, tzinfo=UTC)
        ends = datetime(line.on.year + line.on.month // 12, line.on.month % 12 + 1, 1, tzinfo=UTC)
        yield line.id, line.item, line.category, line.usd, _epoch(starts), _epoch(ends)


def _staff(record: RunRecord) -> Iterable[tuple[Any, ...]]:
    for line in record.staff:
        days = (_day(line.hired_on), _day(line.left_on), _day(line.as_of))
        yield _bare(line.person), line.unit, line.job, float(line.fte), *days


def _rates(record: RunRecord) -> Iterable[tuple[Any, ...]]:
    return ((_bare(person), float(rate)) for person, rate in record.rates.items())


_ROWS: Mapping[str, Callable[[RunRecord], Iterable[tuple[Any, ...]]]] = {
    "runs": _runs,
    "written": _written,
    "reports": _reports,
    "adjudications": _adjudications,
    "surveys": _surveys,
    "costs": _costs,
    "staff": _staff,
    "rates": _rates,
}


def _bare(reference: str | None) -> str | None:
    """``p001`` of ``Practitioner/p001``, as views give keys."""
    return reference.rpartition("/")[2] or None if reference else None


def _epoch(at: datetime) -> int:
    return int(at.timestamp())


def _day(on: date | None) -> int | None:
    return None if on is None else (on - _DAY_0).days


def _severity(run: Run) -> str | None:
    found = [finding.severity for finding in run.draft.findings] if run.draft else []
    return max(found, key=_SEVERITIES.index, default=None)
