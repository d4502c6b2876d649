"""A signed prior-authorisation run as the request that leaves for a payer; what it needs comes from the chart."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from careplane.codecs.x12_278 import AuthorisationRequest
from careplane.connectors import FhirReader
from careplane.errors import Conflict, InputError
from careplane.records.run import Run
from careplane.workflow.resources import without_citations


@dataclass(frozen=True, slots=True)
class Given:
    """What the chart does not know: identifiers of payer and requester, and the service where the order has no code."""

    payer_id: str
    npi: str
    sender_id: str
    service_type: str
    procedure: str
    requester: str


async def authorisation(fhir: FhirReader, run: Run, given: Given) -> AuthorisationRequest:
    """The request of a run.

    Raises:
        Conflict: nobody has signed it, or it was withdrawn.
        InputError: the chart lacks something that a request needs; the field is named.
        UpstreamError: the record system does not answer.
    """
    text, reference = run.signed_text, run.event.patient
    if text is None or reference is None:
        raise Conflict("Only a text about a patient that a person has signed is requested from a payer.")
    patient = await fhir.read(reference) or {}
    coverage = next(iter(await fhir.search("Coverage", {"patient": reference}, 5)), {})
    conditions = await fhir.search("Condition", {"patient": reference, "clinical-status": "active"}, 12)
    focus = await fhir.read(run.event.focus) if run.event.focus else None
    name = next(iter(_dicts(patient.get("name"))), {})
    return AuthorisationRequest(
        trace=run.id,
        payer=_payer(coverage),
        payer_id=given.payer_id,
        requester=given.requester,
        requester_npi=given.npi,
        sender_id=given.sender_id,
        family=str(name.get("family") or ""),
        given=" ".join(str(one) for one in name.get("given") or ()),
        member_id=str(coverage.get("subscriberId") or _identifier(coverage)),
        born=_born(patient),
        gender=str(patient.get("gender") or ""),
        service_type=given.service_type,
        text=without_citations(text),
        diagnoses=tuple(code for one in conditions if (code := _coded(one.get("code"), "icd-10"))),
        procedure=given.procedure or _coded((focus or {}).get("code"), "cpt") or "",
    )


def _born(patient: Mapping[str, Any]) -> date:
    try:
        return date.fromisoformat(str(patient.get("birthDate"))[:10])
    except ValueError as error:
        raise InputError("The chart has no whole date of birth.", field="birthDate") from error


def _payer(coverage: Mapping[str, Any]) -> str:
    payor = next(iter(_dicts(coverage.get("payor"))), {})
    return str(payor.get("display") or payor.get("reference") or "")


def _identifier(coverage: Mapping[str, Any]) -> str:
    return str(next(iter(_dicts(coverage.get("identifier"))), {}).get("value") or "")


def _coded(concept: object, system: str) -> str:
    codings = _dicts(concept.get("coding")) if isinstance(concept, dict) else []
    return next((str(one["code"]) for one in codings if system in str(one.get("system")) and one.get("code")), "")


def _dicts(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
