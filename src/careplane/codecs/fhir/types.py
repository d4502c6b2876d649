"""The names FHIR R4 fixes: resource types, data types of choice elements, the form of an id (hl7.org/fhir/R4)."""

ID_PATTERN = r"[A-Za-z0-9\-.]{1,64}"
"""Regular expression of a resource id (hl7.org/fhir/R4/datatypes.html#id)."""

_RESOURCE_TYPES_TEXT = """
Account ActivityDefinition AdverseEvent AllergyIntolerance Appointment AppointmentResponse AuditEvent Basic
Binary BiologicallyDerivedProduct BodyStructure Bundle CapabilityStatement CarePlan CareTeam CatalogEntry
ChargeItem ChargeItemDefinition Claim ClaimResponse ClinicalImpression CodeSystem Communication
CommunicationRequest CompartmentDefinition Composition ConceptMap Condition Consent Contract Coverage
CoverageEligibilityRequest CoverageEligibilityResponse DetectedIssue Device DeviceDefinition DeviceMetric
DeviceRequest DeviceUseStatement DiagnosticReport DocumentManifest DocumentReference EffectEvidenceSynthesis
Encounter Endpoint EnrollmentRequest EnrollmentResponse EpisodeOfCare EventDefinition Evidence EvidenceVariable
ExampleScenario ExplanationOfBenefit FamilyMemberHistory Flag Goal GraphDefinition Group GuidanceResponse
HealthcareService ImagingStudy Immunization ImmunizationEvaluation ImmunizationRecommendation
ImplementationGuide InsurancePlan Invoice Library Linkage List Location Measure MeasureReport Media Medication
MedicationAdministration MedicationDispense MedicationKnowledge MedicationRequest MedicationStatement
MedicinalProduct MedicinalProductAuthorization MedicinalProductContraindication MedicinalProductIndication
MedicinalProductIngredient MedicinalProductInteraction MedicinalProductManufactured MedicinalProductPackaged
MedicinalProductPharmaceutical MedicinalProductUndesirableEffect MessageDefinition MessageHeader
MolecularSequence NamingSystem NutritionOrder Observation ObservationDefinition OperationDefinition
OperationOutcome Organization OrganizationAffiliation Parameters Patient PaymentNotice PaymentReconciliation
Person PlanDefinition Practitioner PractitionerRole Procedure Provenance Questionnaire QuestionnaireResponse
RelatedPerson RequestGroup ResearchDefinition ResearchElementDefinition ResearchStudy ResearchSubject
RiskAssessment RiskEvidenceSynthesis Schedule SearchParameter ServiceRequest Slot Specimen SpecimenDefinition
StructureDefinition StructureMap Subscription Substance SubstanceNucleicAcid SubstancePolymer SubstanceProtein
SubstanceReferenceInformation SubstanceSourceMaterial SubstanceSpecification SupplyDelivery SupplyRequest Task
TerminologyCapabilities TestReport TestScript ValueSet VerificationResult VisionPrescription
"""

RESOURCE_TYPES = frozenset(_RESOURCE_TYPES_TEXT.split())

_CHOICE_TYPES_TEXT = """
Address Age Annotation Attachment Base64Binary Boolean Canonical Code CodeableConcept Coding ContactDetail
ContactPoint Contributor Count DataRequirement Date DateTime Decimal Distance Dosage Duration Expression
HumanName Id Identifier Instant Integer Markdown Meta Money Oid ParameterDefinition Period PositiveInt Quantity
Range Ratio Reference RelatedArtifact SampledData Signature String Time Timing TriggerDefinition UnsignedInt Uri
Url UsageContext Uuid
"""

CHOICE_TYPES = frozenset(_CHOICE_TYPES_TEXT.split())
"""What may follow the name of a choice element such as ``value[x]``."""
