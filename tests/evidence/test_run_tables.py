"""The run record as tables: every column from a run, its review, its survey and what was reported of it."""

from datetime import UTC, date, datetime
from decimal import Decimal

import msgspec

from careplane.change import post_request
from careplane.evidence.run_tables import RunRecord, read_record, record_tables
from careplane.measures import RECORD
from careplane.records.erp import Employment, ErpBatch, Rate
from careplane.records.money import CostLine
from careplane.records.people import Person
from careplane.records.quality import Adjudication
from careplane.records.run import Draft, Event, Finding, Permit, Review, Run, Survey
from careplane.store import Store, insert_new, save
from careplane.store.tables import people, runs
from careplane.value.erp import take

AT = datetime(2026, 3, 2, 15, tzinfo=UTC)
EPOCH = 1772463600


def run(ident: str, **more: object) -> Run:
    event = Event(
        id=f"e-{ident}",
        app="portal_reply",
        kind="Communication.created",
        at=AT,
        patient="Patient/x",
        encounter="Encounter/v1",
        focus="Communication/m1",
        unit="Location/clinic-01",
        site="Organization/h1",
        user="Practitioner/p001",
    )
    fields: dict[str, object] = {
        "id": ident,
        "app": "portal_reply",
        "app_version": "1.2.0",
        "app_hash": "0" * 64,
        "event": event,
        "status": "refused",
        "permit": Permit(allowed=False, reasons=()),
        "created_at": AT,
        **more,
    }
    return Run(**fields)  # type: ignore[arg-type]


REVIEWED = run(
    "r2",
    status="edited",
    plan="pilot",
    arm="intervention",
    draft=Draft(
        text="One. Two.",
        sentences=("One.", "Two."),
        sources=(),
        findings=(
            Finding(check="length", severity="info", text="short"),
            Finding(check="grounding", severity="critical", text="not in the chart", sentence=1),
            Finding(check="reading", severity="caution", text="hard to read"),
        ),
    ),
    review=Review(action="edit", by="Practitioner/p002", at=AT, seconds=42.5, final_text="One.", distance=0.5),
    written=("Communication/c9", "Provenance/p9"),
    survey=Survey(like=4, performance=5, easier=3, at=AT),
)
REJECTED = run("r3", status="rejected", review=Review(action="reject", by="Practitioner/p002", at=AT, seconds=5.0))


def test_a_run_is_one_row_whether_or_not_the_app_spoke() -> None:
    tables = record_tables(RunRecord([REVIEWED, REJECTED, run("r1")]))
    silent, edited, rejected = tables["runs"].to_pylist()
    assert silent == {
        "run": "r1",
        "app": "portal_reply",
        "version": "1.2.0",
        "plan": None,
        "arm": None,
        "status": "refused",
        "kind": "Communication.created",
        "focus": "Communication/m1",
        "patient": "x",
        "encounter": "v1",
        "clinician": "p001",
        "unit": "Location/clinic-01",
        "site": "Organization/h1",
        "at": EPOCH,
        "drafted": 0,
        "severity": None,
        "reviewed_at": None,
        "review_seconds": None,
        "edit_distance": None,
        "cost_usd": 0.0,
    }
    assert (edited["clinician"], edited["severity"], edited["drafted"]) == ("p002", "critical", 1)
    assert (edited["review_seconds"], edited["edit_distance"], edited["reviewed_at"]) == (42.5, 0.5, EPOCH)
    assert (rejected["review_seconds"], rejected["edit_distance"]) == (5.0, None)
    assert tables["written"].to_pylist() == [
        {"run": "r2", "reference": "Communication/c9"},
        {"run": "r2", "reference": "Provenance/p9"},
    ]
    assert tables["surveys"].to_pylist() == [
        {"run": "r2", "app": "portal_reply", "person": "p002", "at": EPOCH, "like": 4, "performance": 5, "easier": 3}
    ]


def test_reports_of_a_run_come_from_the_store_and_requests_without_one_do_not(store: Store) -> None:
    with store.write() as connection:
        for one in (REVIEWED, REJECTED):
            columns = {"app": one.app, "event": f"{one.event.id}", "status": one.status, "at": "2026-03-02"}
            insert_new(connection, runs, one, id=one.id, plan=one.plan, **columns)
    made = post_request(store, "portal_reply", "p.lee", "problem", "It could harm somebody. x", AT, "r2", "unsafe")
    post_request(store, "portal_reply", "p.lee", "idea", "Make it shorter", AT)
    record = read_record(store, "portal_reply")
    assert [one.id for one in record.runs] == ["r2", "r3"]
    assert record_tables(record, ["reports"])["reports"].to_pylist() == [
        {"report": made.id, "run": "r2", "app": "portal_reply", "what": "unsafe", "at": EPOCH}
    ]
    assert [one.id for one in read_record(store, "portal_reply", "pilot").runs] == ["r2"]
    assert read_record(store, "another").runs == []


def test_tables_without_rows_have_their_columns_and_types() -> None:
    tables = record_tables(RunRecord())
    assert {name: tables[name].column_names for name in RECORD} == {name: list(RECORD[name]) for name in RECORD}
    assert all(table.num_rows == 0 for table in tables.values())


def test_an_adjudication_keeps_its_counts_apart() -> None:
    one = Adjudication(
        sample="s1",
        output="r2",
        run="r2",
        app="portal_reply",
        version="1.2.0",
        hash="0" * 64,
        model="scripted",
        reader="agreed",
        at=AT,
        marks=(),
        scores={},
        fabrications=1,
        omissions=2,
        inaccuracies=0,
        others=0,
        probability=0.25,
        stratum="all",
        stratum_size=4,
    )
    (row,) = record_tables(RunRecord(adjudications=[one]))["adjudications"].to_pylist()
    assert [row[name] for name in ("fabrications", "omissions", "inaccuracies", "probability", "at")] == [
        1,
        2,
        0,
        0.25,
        EPOCH,
    ]


def test_what_the_erp_told_is_costs_by_month_the_roster_in_days_and_rates_of_people(store: Store) -> None:
    line = CostLine(
        id="l1", item="portal_reply", category="licence", usd=12.5, on=date(2026, 12, 31), cost_centre="c", source="s"
    )
    other = msgspec.structs.replace(line, id="l2", item="ambient_note")
    person = Person(
        id="Practitioner/p1", name="A", job="nurse", unit="Location/c", site="Organization/s", department="d"
    )
    employed = Employment(
        person="Practitioner/p1", job="nurse", unit="Location/c", fte=Decimal("0.8"), hired_on=date(1970, 1, 3),
        as_of=date(1971, 1, 1), source="s",
    )  # fmt: skip
    batch = ErpBatch(name="x", hash="h", facts=(line, other, employed, Rate("nurse", Decimal("61.5"), "s")))
    take(store, batch, AT)
    with store.write() as connection:
        save(connection, people, person, id=person.id, unit=person.unit, job=person.job)
    tables = record_tables(read_record(store, "portal_reply"), ["costs", "staff", "rates"])
    december, january = (int(datetime(2026 + n, 12 - 11 * n, 1, tzinfo=UTC).timestamp()) for n in (0, 1))
    assert tables["costs"].to_pylist() == [
        {"line": "l1", "item": "portal_reply", "category": "licence", "usd": 12.5, "starts": december, "ends": january}
    ]
    assert tables["staff"].to_pylist() == [
        {
            "person": "p1",
            "unit": "Location/c",
            "job": "nurse",
            "fte": 0.8,
            "hired_day": 2,
            "left_day": None,
            "as_of_day": 365,
        }
    ]
    assert tables["rates"].to_pylist() == [{"clinician": "p1", "per_hour": 61.5}]
    assert len(read_record(store).costs) == 2
