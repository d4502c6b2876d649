"""The run record as tables: every column from a run, its review, its survey and what was reported of it."""

from datetime import UTC, datetime

from careplane.change import post_request
from careplane.evidence.run_tables import RunRecord, read_record, record_tables
from careplane.measures import RECORD
from careplane.records.quality import Adjudication
from careplane.records.run import Draft, Event, Finding, Permit, Review, Run, Survey
from careplane.store import Store, insert_new
from careplane.store.tables import runs

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
