"""Replies to patients with their reading grade, whoever wrote them: what no query over the chart can work out.

A reply is a completed Communication that answers another one and is not from a patient. Its grade is that of the
platform's own check; it is null when ``Communication.language`` is not English, and where the check gives none (Spanish
by its words, fewer than 20 words).
"""

from datetime import UTC, datetime

import duckdb
import pyarrow.lib as pa

from careplane.codecs.views import duckdb_sql
from careplane.measures import DERIVED
from careplane.records import JSON
from careplane.workflow.messaging.composing import reading_grade

_TYPES = {"string": pa.string(), "int64": pa.int64(), "float64": pa.float64()}

REPLIES: JSON = {
    "resourceType": "ViewDefinition",
    "name": "reply_texts",
    "status": "active",
    "resource": "Communication",
    "where": [
        {"path": "status = 'completed'"},
        {"path": "sender.getReferenceKey(Patient).empty()"},
        {"path": "inResponseTo.exists()"},
        {"path": "sent.exists()"},
        {"path": "payload.contentString.exists()"},
    ],
    "select": [
        {
            "column": [
                {"name": "id", "path": "id", "type": "id"},
                {"name": "patient", "path": "recipient.getReferenceKey(Patient).first()", "type": "id"},
                {"name": "clinician", "path": "sender.getReferenceKey(Practitioner)", "type": "id"},
                {"name": "unit", "path": "about.reference.first()", "type": "string"},
                {"name": "sent", "path": "sent", "type": "dateTime"},
                {"name": "language", "path": "language", "type": "code"},
                {"name": "text", "path": "payload.contentString.first()", "type": "string"},
            ]
        }
    ],
}


def read_texts(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """The table ``texts`` of measures, in the order of its references."""
    found = connection.execute(f"SELECT * FROM ({duckdb_sql(REPLIES)}) ORDER BY id").fetchall()  # noqa: S608 - a view of ours
    rows = [
        (f"Communication/{ident}", patient, clinician, unit, _epoch(sent), _grade(language, text))
        for ident, patient, clinician, unit, sent, language, text in found
    ]
    types = DERIVED["texts"]
    columns = zip(*rows, strict=True) if rows else [()] * len(types)
    arrays = [pa.array(list(column), type=_TYPES[kind]) for column, kind in zip(columns, types.values(), strict=True)]
    return pa.Table.from_arrays(arrays, names=list(types))


def _epoch(sent: str) -> int:
    """Seconds since 1970; a time without an offset, or a day alone, is taken as UTC, as measures take it."""
    at = datetime.fromisoformat(sent)
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())


def _grade(language: str | None, text: str) -> float | None:
    return None if language and language.partition("-")[0] != "en" else reading_grade(text)
