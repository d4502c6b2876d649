"""What was said in a visit, as a recorder writes it down: for ambient notes."""

from datetime import datetime, timedelta
from random import Random

from careplane.records import JSON
from careplane.sandbox.content import read
from careplane.sandbox.notes import document
from careplane.sandbox.people import Patient

KIND = "Visit transcript"
SHARE = 0.06
"""Share of visits that were recorded."""


def transcript(draw: Random, ident: str, patient: Patient, encounter: str, at: datetime, reason: str | None) -> JSON:
    """The transcript of one visit; its first line says whether the patient agreed to the recording."""
    spoken, terms = read("phrases")["transcript"], read("terms")
    problem = terms["conditions"][reason]["text"].lower() if reason else "the annual check-up"
    drugs = terms["conditions"][reason]["drugs"] if reason else []
    fields = {
        "given": patient.given,
        "relative": patient.relative,
        "problem": problem,
        "drug": (drugs or ["ibuprofen"])[0],
    }
    lines = [
        "Consent to record: given.",
        *(line.format(**fields) for line in (*spoken["opening"], *draw.choice(spoken["story"]), *spoken["closing"])),
    ]
    body = document(f"{ident}-talk", patient, encounter, at + timedelta(minutes=20), ("", KIND), lines)
    return {**body, "type": {"text": KIND}}
