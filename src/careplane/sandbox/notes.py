"""Clinical notes as DocumentReference: short, realistic, and full of identifiers that a PHI shield has to find."""

import base64
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

from careplane.records import JSON
from careplane.sandbox.content import read
from careplane.sandbox.people import Patient
from careplane.sandbox.resources import LOINC, concept, reference, resource
from careplane.sandbox.scenario import instant


def visit_note(
    draw: Random,
    ident: str,
    patient: Patient,
    encounter: str,
    at: datetime,
    reason: str | None,
    labs: Sequence[tuple[str, float]],
) -> JSON:
    """The progress note of a clinic visit; names what was measured in that visit and nothing else."""
    phrases, terms = read("phrases")["visit"], read("terms")
    problem = terms["conditions"][reason]["text"].lower() if reason else "annual check-up"
    results = "; ".join(f"{terms['labs'][key]['name']} {value:g} {terms['labs'][key]['unit']}" for key, value in labs)
    lines = [
        f"{patient.name} ({patient.mrn}, born {patient.born.isoformat()}) seen at {patient.clinic.name} for {problem}.",
        draw.choice(phrases["history"]).format(relative=patient.relative, given=patient.given),
        f"Results: {results}." if results else "No laboratory tests today.",
        draw.choice(phrases["plan"]).format(problem=problem),
        draw.choice(phrases["close"]).format(phone=patient.phone, relative=patient.relative, family=patient.family),
    ]
    return document(ident, patient, encounter, at + timedelta(minutes=35), ("11506-3", "Progress note"), lines)


def document(
    ident: str, patient: Patient, encounter: str, at: datetime, kind: tuple[str, str], lines: Sequence[str]
) -> JSON:
    """A current, final DocumentReference; ``lines`` become its base64 plain text, ``kind`` is LOINC code and name."""
    data = base64.b64encode("\n".join(lines).encode()).decode()
    return resource(
        "DocumentReference", f"doc-{ident}", status="current", docStatus="final", type=concept(LOINC, *kind),
        subject=reference(patient.id), date=instant(at), author=[reference(patient.physician)],
        content=[{"attachment": {"contentType": "text/plain; charset=utf-8", "data": data, "title": kind[1]}}],
        context={"encounter": [reference(encounter)]},
    )  # fmt: skip
