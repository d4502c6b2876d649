"""Clinician minutes on messages worked out by hand."""

import duckdb
import orjson
import pytest

from careplane.codecs.views import duckdb_sql
from careplane.measures import REVIEWS, rows_sql
from careplane.measures.message_minutes import MEASURE
from careplane.records import JSON


def message(ident: str) -> JSON:
    return {
        "resourceType": "Communication",
        "id": ident,
        "status": "completed",
        "sent": "2026-03-02T09:00:00-06:00",
        "sender": {"reference": "Patient/x"},
        "recipient": [{"reference": "Practitioner/p001"}],
        "about": [{"reference": "Location/clinic-01"}],
    }


def handling(ident: str, of: list[str], start: str, end: str) -> JSON:
    entities = [{"what": {"reference": reference}} for reference in of]
    return {"resourceType": "AuditEvent", "id": ident, "period": {"start": start, "end": end}, "entity": entities}


def test_handling_and_review_add_up_and_nothing_recorded_is_missing() -> None:
    connection = duckdb.connect()
    resources = [
        message("both"),
        message("audited"),
        message("untouched"),
        handling("1", ["Communication/both"], "2026-03-02T10:00:00-06:00", "2026-03-02T10:02:00-06:00"),
        handling("2", ["Patient/x", "Communication/both"], "2026-03-02T11:00:00Z", "2026-03-02T11:00:30Z"),
        handling("3", ["Communication/audited"], "2026-03-02T10:59:00-06:00", "2026-03-02T17:00:00Z"),
        handling("4", ["Patient/x"], "2026-03-02T10:00:00Z", "2026-03-02T12:00:00Z"),
    ]
    for kind in ("Communication", "AuditEvent"):
        connection.execute(f'CREATE TABLE "{kind}" (resource VARCHAR)')
    for resource in resources:
        text = orjson.dumps(resource).decode()
        connection.execute(f'INSERT INTO "{resource["resourceType"]}" VALUES (?)', [text])
    schemas = {REVIEWS: {"run": "string", "focus": "string", "seconds": "float64"}}
    for name, view in MEASURE.views.items():
        connection.execute(f"CREATE TABLE {name} AS {duckdb_sql(view)}")
        schemas[name] = {row[0]: "string" for row in connection.execute(f"DESCRIBE {name}").fetchall()}
    connection.execute(f"CREATE TABLE {REVIEWS} (run VARCHAR, focus VARCHAR, seconds DOUBLE)")
    connection.execute(f"INSERT INTO {REVIEWS} VALUES ('r1', 'Communication/both', 45), ('r2', 'Patient/x', 900)")
    rows = connection.execute(rows_sql(MEASURE, schemas)).fetchall()
    minutes = {row[0]: row[-1] for row in rows}
    assert minutes["both"] == pytest.approx((120 + 30 + 45) / 60)
    assert minutes["audited"] == pytest.approx(1.0)
    assert minutes["untouched"] is None
