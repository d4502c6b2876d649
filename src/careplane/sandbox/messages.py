"""Portal messages of patients over the whole calendar, in time order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from random import Random

from careplane.records import JSON
from careplane.sandbox.chart import Measured
from careplane.sandbox.content import read
from careplane.sandbox.people import Patient
from careplane.sandbox.resources import concept, reference, resource
from careplane.sandbox.scenario import Scenario, instant, midnight
from careplane.sandbox.staffing import Organisation

Results = Mapping[str, Sequence[Measured]]
"""Lab results by patient id, in time order."""

PER_PATIENT_DAY = 4000 / (3000 * 180)
WEEKDAY_WEIGHTS = (1.25, 1.15, 1.1, 1.05, 1.0, 0.45, 0.4)
CATEGORIES = "https://sandbox.example/communication-category"


@dataclass(frozen=True, slots=True)
class Message:
    """A portal message with what the author of the sandbox knows about it and the record does not say."""

    id: str
    patient: Patient
    topic: str
    sent: datetime
    text: str

    @property
    def resource(self) -> JSON:
        """The FHIR Communication."""
        subject = read("messages")["topics"][self.topic]["subject"]
        return resource(
            "Communication", self.id, status="completed", subject=reference(self.patient.id),
            category=[concept(CATEGORIES, "patient-message", "Patient message", "portal")],
            topic={"text": subject}, about=[reference(self.patient.clinic.id)],
            sender=reference(self.patient.id, self.patient.name),
            recipient=[reference(self.patient.clinician)], sent=instant(self.sent),
            payload=[{"contentString": self.text}],
        )  # fmt: skip


def messages(
    scenario: Scenario, organisation: Organisation, patients: Sequence[Patient], results: Results
) -> list[Message]:
    """All messages in time order; a question about a result names the latest one the patient had by then."""
    count = round(len(patients) * scenario.days * PER_PATIENT_DAY)
    weights = list(accumulate(0.3 + len(patient.conditions) for patient in patients))
    first = scenario.start.weekday()
    days = list(accumulate(WEEKDAY_WEIGHTS[day % 7] for day in range(first, first + scenario.days)))
    names = {member.person.id: member.person.name for member in organisation.staff}
    written = []
    for n in range(count):
        draw = scenario.draw("message", n)
        patient = draw.choices(patients, cum_weights=weights)[0]
        day = draw.choices(range(scenario.days), cum_weights=days)[0]
        sent = midnight(scenario.start) + timedelta(days=day, seconds=_second_of_day(draw))
        written.append((sent, n, patient, draw))
    written.sort(key=lambda row: row[:2])
    return [
        _message(f"msg-{rank:05d}", sent, patient, draw, names, results)
        for rank, (sent, _, patient, draw) in enumerate(written, start=1)
    ]


def _second_of_day(draw: Random) -> int:
    """Mostly daytime, with a hump in the evening."""
    hour = draw.gauss(19.5, 1.3) if draw.random() < 0.3 else draw.gauss(12, 3)
    return int(min(23.99, max(0.0, hour)) * 3600)


def _message(
    ident: str,
    sent: datetime,
    patient: Patient,
    draw: Random,
    names: dict[str, str],
    results: Results,
) -> Message:
    topics = read("messages")["topics"]
    topic = draw.choices(list(topics), [row["share"] for row in topics.values()])[0]
    known = [result for result in results.get(patient.id, ()) if result.at < sent]
    if topic == "result" and not known:
        topic = "symptom"
    language = "es" if patient.language == "es" and draw.random() < 0.7 else "en"
    fields = _fields(draw, patient, language, names, known[-1] if known else None)
    text = draw.choice(topics[topic][language]).format(**fields)
    return Message(ident, patient, topic, sent, text)


def _fields(
    draw: Random, patient: Patient, language: str, names: dict[str, str], result: Measured | None
) -> dict[str, str]:
    terms = read("terms")
    drugs = [drug for key in patient.conditions for drug in terms["conditions"][key]["drugs"]] or ["ibuprofen"]
    problems = [terms["conditions"][key]["text"].lower() for key in patient.conditions] or ["a check-up"]
    lab = terms["labs"][result.key] if result else {"name": "", "unit": ""}
    return {
        "first": patient.given,
        "name": patient.name,
        "relative": patient.relative,
        "phone": patient.phone,
        "drug": draw.choice(drugs),
        "problem": draw.choice(problems),
        "lab": lab["name"],
        "value": f"{result.value:g}" if result else "",
        "unit": lab["unit"],
        "clinician": names[patient.clinician],
        "day": draw.choice(read("messages")["days"][language]),
    }
