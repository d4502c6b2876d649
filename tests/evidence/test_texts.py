"""Replies with their reading grade, from a real table of resources."""

import duckdb
import orjson

from careplane.evidence.texts import read_texts
from careplane.records import JSON

PLAIN = (
    "Your test is fine. You do not need to do a thing now. Call us if you feel bad. "
    "We are here to help you day and night."
)
SPANISH = (
    "Los resultados de su prueba son buenos y no hay que hacer nada por ahora, pero llame a la clínica si está mal."
)


def reply(ident: str, text: str | None, **more: object) -> JSON:
    payload = [] if text is None else [{"contentString": text}]
    return {
        "resourceType": "Communication", "id": ident, "status": "completed", "sent": "2026-03-02T09:00:00-06:00",
        "sender": {"reference": "Practitioner/p1"}, "recipient": [{"reference": "Patient/x"}],
        "about": [{"reference": "Location/clinic-1"}], "inResponseTo": [{"reference": "Communication/m"}],
        "payload": payload, **more,
    }  # fmt: skip


def texts(*resources: JSON) -> dict[str, dict[str, object]]:
    with duckdb.connect() as connection:
        connection.execute('CREATE TABLE "Communication" (resource VARCHAR)')
        for one in resources:
            connection.execute('INSERT INTO "Communication" VALUES (?)', [orjson.dumps(one).decode()])
        return {row["reference"]: row for row in read_texts(connection).to_pylist()}


def test_a_grade_worked_out_by_hand() -> None:
    """28 words of one syllable in 4 sentences: 0.39 * 7 + 11.8 * 1 - 15.59 = -1.06, told as -1.1."""
    row = texts(reply("a", PLAIN))["Communication/a"]
    assert row["grade"] == -1.1
    assert row == {
        "reference": "Communication/a", "patient": "x", "clinician": "p1", "unit": "Location/clinic-1",
        "at": 1772463600, "grade": row["grade"],
    }  # fmt: skip


def test_what_the_formula_does_not_hold_for_has_no_grade() -> None:
    found = texts(
        reply("short", "All is well."),
        reply("es", PLAIN, language="es-MX"),
        reply("en", PLAIN, language="en-US"),
        reply("words", SPANISH),
    )
    assert {key.partition("/")[2] for key, row in found.items() if row["grade"] is None} == {"short", "es", "words"}


def test_messages_of_patients_drafts_and_first_messages_are_no_replies() -> None:
    assert (
        texts(
            reply("a", PLAIN, sender={"reference": "Patient/x"}),
            reply("b", PLAIN, status="preparation"),
            reply("c", PLAIN, inResponseTo=None),
            reply("d", None),
        )
        == {}
    )


def test_no_replies_give_an_empty_table_with_its_columns() -> None:
    with duckdb.connect() as connection:
        connection.execute('CREATE TABLE "Communication" (resource VARCHAR)')
        assert read_texts(connection).column_names == ["reference", "patient", "clinician", "unit", "at", "grade"]
