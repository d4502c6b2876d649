"""Orders that a payer must authorise, claims, and what the payers answer: for prior authorisation and appeals."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from careplane.records import JSON
from careplane.sandbox.chart import office_time
from careplane.sandbox.content import read
from careplane.sandbox.people import Patient
from careplane.sandbox.resources import ICD10, concept, identifier, quantity, reference, resource, terminology
from careplane.sandbox.scenario import Scenario, instant
from careplane.sandbox.stays import Stay

CLAIMS = ("claim_id", "posted_on", "event", "patient", "claim", "claim_response", "payer", "amount_usd", "reason")
"""The columns of ``erp/claims.csv``; ``event`` is what happened (``claim.denied``)."""

IMAGING = "MRI of the lumbar spine without contrast"


def orders(scenario: Scenario, patients: Sequence[Patient]) -> Iterator[JSON]:
    """An MRI for about every second patient with back pain: some in draft now, the others asked for and answered."""
    for patient in patients:
        draw = scenario.draw("imaging", patient.id)
        if "low_back_pain" not in patient.conditions or draw.random() > 0.5:
            continue
        waits = patient.payer == "Self-pay" or draw.random() < 0.5
        at = (
            scenario.now
            if waits
            else office_time(scenario, draw, draw.randrange((scenario.pilot_start - scenario.start).days))
        )
        yield _imaging(patient, at, waits=waits)
        if not waits:
            yield from _authorisation(patient, at, draw.choices(("approved", "denied", "queued"), (70, 20, 10))[0])


def _imaging(patient: Patient, at: datetime, *, waits: bool) -> JSON:
    number = patient.id.split("-")[1]
    term = read("terms")["conditions"]["low_back_pain"]
    return resource(
        "ServiceRequest", f"order-{number}", status="draft" if waits else "active", intent="order", priority="routine",
        code={"text": IMAGING}, subject=reference(patient.id), requester=reference(patient.physician),
        authoredOn=instant(at), reasonCode=[{"text": term["text"]}], insurance=[reference(f"Coverage/cov-{number}")],
        note=[{"text": "Pain for ten weeks. Six weeks of physical therapy and ibuprofen without relief. "
                       "No fever, no weakness, no trouble with bladder or bowel."}],
    )  # fmt: skip


def _authorisation(patient: Patient, at: datetime, answer: str) -> Iterator[JSON]:
    number = patient.id.split("-")[1]
    ident = f"pa-{number}"
    yield _claim(ident, patient, at + timedelta(hours=4), "preauthorization", "professional", IMAGING, 1180.0, None)
    approved = answer == "approved"
    texts = {
        "approved": "Approved as asked",
        "denied": "Denied: conservative treatment not documented",
        "queued": "Pended",
    }
    yield _answer(
        ident, patient, at + timedelta(days=2), "preauthorization", "professional",
        outcome="queued" if answer == "queued" else "complete", disposition=texts[answer],
        preAuthRef=f"AUTH{number}" if approved else None,
    )  # fmt: skip


def stay_claims(stays: Iterable[Stay], scenario: Scenario) -> Iterator[JSON]:
    """The claims for past stays; the payer denied about one in eight."""
    for stay in _billed(stays):
        term, end = read("terms")["acute"][stay.diagnosis], stay.end or scenario.now
        ident, amount = f"bill-{stay.ident}", _amount(stay)
        denied = is_denied(scenario, stay)
        yield _claim(ident, stay.patient, end + timedelta(days=3), "claim", "institutional", term["text"], amount, stay)
        yield _answer(
            ident, stay.patient, end + timedelta(days=9), "claim", "institutional", outcome="complete",
            disposition="Denied" if denied else "Paid as billed",
            processNote=[{"number": 1, "type": "display", "text": DENIAL}] if denied else None,
        )  # fmt: skip


DENIAL = (
    "The records sent do not show that an inpatient level of care was needed. An appeal may be filed within 180 days."
)


def is_denied(scenario: Scenario, stay: Stay) -> bool:
    """Whether the payer denied the claim for a stay."""
    return scenario.draw("denial", stay.ident).random() < 0.125


def claim_rows(stays: Iterable[Stay], scenario: Scenario) -> Iterator[Sequence[object]]:
    """The rows of ``erp/claims.csv``: one for each claim, when its answer was posted."""
    for stay in _billed(stays):
        answered = (stay.end or scenario.now) + timedelta(days=9)
        denied = is_denied(scenario, stay)
        ident = f"bill-{stay.ident}"
        yield (
            f"CLM-{stay.ident}", answered.date().isoformat(), "claim.denied" if denied else "claim.paid",
            stay.patient.id, f"Claim/{ident}", f"ClaimResponse/answer-{ident}", stay.patient.payer,
            f"{_amount(stay):.2f}", DENIAL if denied else "",
        )  # fmt: skip


def _billed(stays: Iterable[Stay]) -> Iterator[Stay]:
    return (stay for stay in stays if stay.end is not None and stay.patient.payer != "Self-pay")


def _amount(stay: Stay) -> float:
    days = ((stay.end or stay.begin) - stay.begin).days + 1
    return 4200.0 + 2650.0 * days


def _claim(
    ident: str, patient: Patient, at: datetime, use: str, kind: str, item: str, usd: float, stay: Stay | None
) -> JSON:
    number = patient.id.split("-")[1]
    term = read("terms")["acute"][stay.diagnosis] if stay else read("terms")["conditions"]["low_back_pain"]
    return resource(
        "Claim", ident, status="active", use=use, type=concept(terminology("claim-type"), kind),
        patient=reference(patient.id), created=instant(at), provider=reference(patient.clinic.site),
        priority=concept(terminology("processpriority"), "normal"),
        insurance=[{"sequence": 1, "focal": True, "coverage": reference(f"Coverage/cov-{number}")}],
        diagnosis=[{"sequence": 1, "diagnosisCodeableConcept": concept(ICD10, term["icd10"], term["text"])}],
        item=[{
            "sequence": 1, "productOrService": {"text": item}, "quantity": quantity(1, "1"),
            **({"encounter": [reference(stay.encounter)]} if stay else {}),
        }],
        total={"value": usd, "currency": "USD"}, identifier=[identifier("claim", ident.upper())],
    )  # fmt: skip


def _answer(ident: str, patient: Patient, at: datetime, use: str, kind: str, **elements: object) -> JSON:
    return resource(
        "ClaimResponse", f"answer-{ident}", status="active", use=use, type=concept(terminology("claim-type"), kind),
        patient=reference(patient.id), created=instant(at), insurer=reference(patient.payer_id),
        request=reference(f"Claim/{ident}"), **elements,
    )  # fmt: skip
