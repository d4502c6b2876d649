"""The scopes that one app needs: what its manifest declares to read, its write-back, and no more."""

from collections.abc import Iterable
from urllib.parse import parse_qsl

from careplane.codecs.smart.scopes import Level, ResourceScope, Scopes, joined
from careplane.records.app import AppSpec, ContextRule

_OF_A_PATIENT_TEXT = """
Account AdverseEvent AllergyIntolerance Appointment AppointmentResponse AuditEvent Basic BodyStructure CarePlan
CareTeam ChargeItem Claim ClaimResponse ClinicalImpression Communication CommunicationRequest Composition Condition
Consent Coverage CoverageEligibilityRequest CoverageEligibilityResponse DetectedIssue DeviceRequest
DeviceUseStatement DiagnosticReport DocumentManifest DocumentReference Encounter EnrollmentRequest EpisodeOfCare
    ExplanationOfBenefit FamilyMemberHistory Flag Goal Group ImagingStudy Immunization ImmunizationEvaluation
ImmunizationRecommendation Invoice List MeasureReport Media MedicationAdministration MedicationDispense
MedicationRequest MedicationStatement MolecularSequence NutritionOrder Observation Patient Person Procedure
Provenance QuestionnaireResponse RelatedPerson RequestGroup ResearchSubject RiskAssessment Schedule ServiceRequest
Specimen SupplyDelivery SupplyRequest VisionPrescription Task
"""

OF_A_PATIENT = frozenset(_OF_A_PATIENT_TEXT.split())
"""Types of the patient compartment (hl7.org/fhir/R4/compartmentdefinition-patient.html), and Task, whose subject is
``for``: EHRs grant it by patient though the compartment leaves it out."""

WRITTEN_BESIDE = ("Provenance", "Device")
"""What a signed artefact is accompanied by (:mod:`careplane.workflow.resources`)."""

IDENTITY = ("openid", "fhirUser")


def app_scopes(spec: AppSpec, level: Level = "patient", *, writes: bool = True) -> tuple[ResourceScope, ...]:
    """What an app may ask for.

    A rule of ``context`` becomes ``.rs`` of its type: a search finds, a read shows the source. A category that the rule
    narrows to stays in the scope. Types that belong to no patient (a Library, a Location) are asked for at the level
    ``user`` when the launch is about a patient. A signed artefact is created with its Provenance and Device.

    Args:
        spec: the manifest.
        level: ``patient`` or ``user`` for a launch, ``system`` for a backend service.
        writes: whether the write-back goes the same way.
    """
    wanted = [_read(rule, level) for rule in spec.context]
    if writes and spec.output.kind != "text":
        wanted += [_scope(level, kind, "c") for kind in (spec.output.kind, *WRITTEN_BESIDE)]
    return joined(wanted)


def launch_scopes(specs: Iterable[AppSpec], *, standalone: bool = False, writes: bool = False) -> Scopes:
    """The scopes of a launch for some apps: who it is, the context of the EHR (or a choice of patient), their reads.

    The write-back of a signed draft runs as a backend service, so a launch asks for it only where ``writes`` says so.
    """
    resources = joined(scope for spec in specs for scope in app_scopes(spec, writes=writes))
    context = "launch/patient" if standalone else "launch"
    return Scopes(resources=resources, others=(context, *IDENTITY))


def _read(rule: ContextRule, level: Level) -> ResourceScope:
    narrowed = [(name, value) for name, value in parse_qsl(rule.search) if name == "category" and "{" not in value]
    return _scope(level, rule.resource, "rs", tuple(sorted(narrowed)))


def _scope(level: Level, kind: str, letters: str, params: tuple[tuple[str, str], ...] = ()) -> ResourceScope:
    at: Level = "user" if level == "patient" and kind not in OF_A_PATIENT else level
    return ResourceScope(level=at, type=kind, interactions=letters, params=params)
