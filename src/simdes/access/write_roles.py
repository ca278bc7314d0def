"""Which role may write which resource types over the FHIR API: a closed table.

Reading follows consent and needs no table by type; writing adds to a record in an organisation's
name and follows the work that a role does. What stands nowhere is refused. Types that the system
itself writes (`SYSTEM_TYPES`) nobody may write over the API.
"""

from __future__ import annotations

from collections.abc import Mapping

from simdes.access.categories import CATEGORY_OF_TYPE, Category, Role

SYSTEM_TYPES = frozenset(
    {"AuditEvent", "OperationOutcome", "Parameters", "Provenance", "SubscriptionStatus"}
)
"""What only the system writes: evidence, answers, and what it sends to subscribers.

Parameters are what operations take and give; R4 has no place where they are kept.
"""


def _of(*categories: Category) -> frozenset[str]:
    return frozenset(name for name, one in CATEGORY_OF_TYPE.items() if one in categories)


def _types(names: str) -> frozenset[str]:
    return frozenset(names.split())


_CARE = _of(
    Category.DEMOGRAPHICS,
    Category.ENCOUNTERS,
    Category.CONDITIONS,
    Category.OBSERVATIONS,
    Category.MEDICATIONS,
    Category.ALLERGIES,
    Category.IMMUNIZATIONS,
    Category.PROCEDURES,
    Category.DOCUMENTS,
    Category.IMAGING,
    Category.CARE_PLANS,
    Category.FAMILY_SOCIAL,
)
PRESCRIBING = _types("MedicationRequest VisionPrescription")
"""What prescribers write: doctors, and nurses where their organisation allows it."""
_PROVIDING = _types(
    "Account ChargeItem Claim Contract Coverage CoverageEligibilityRequest EnrollmentRequest "
    "Invoice PaymentNotice"
)
"""Of claims what those say who treat and bill."""
_PAYING = _types(
    "Account ClaimResponse Contract Coverage CoverageEligibilityResponse EnrollmentRequest "
    "EnrollmentResponse ExplanationOfBenefit InsurancePlan Invoice PaymentNotice "
    "PaymentReconciliation"
)
"""Of claims what those say who insure: their decisions are nobody else's to write."""
_WARD = _types("ChargeItem Coverage CoverageEligibilityRequest")
"""Of claims what is noted where patients lie: what was used, and by whom they are insured."""
_EVERYDAY = _types("Basic Bundle Communication CommunicationRequest List Subscription Task")
_DIRECTORY = _types(
    "Endpoint HealthcareService Location Organization OrganizationAffiliation Practitioner "
    "PractitionerRole"
)
_NAMED = _types("Location Organization Practitioner PractitionerRole")
"""Of the directory what a record names that comes from elsewhere: a referrer, a laboratory."""
_PLANNING = _types("Group Questionnaire Schedule Slot Substance")
_IDENTITY = _types("Linkage Person VerificationResult")
"""Who is who, and that it was checked: said by patient administration."""
_KNOWLEDGE = _types(
    "ActivityDefinition CapabilityStatement ChargeItemDefinition CodeSystem CompartmentDefinition "
    "ConceptMap DeviceDefinition EventDefinition ExampleScenario GraphDefinition "
    "ImplementationGuide Library MedicationKnowledge MessageDefinition NamingSystem "
    "ObservationDefinition OperationDefinition PlanDefinition SearchParameter SpecimenDefinition "
    "StructureDefinition StructureMap TerminologyCapabilities TestReport TestScript ValueSet"
)

_CLINICIAN = (_CARE - _IDENTITY) | _NAMED | _PLANNING | _EVERYDAY
_STUDY = _of(Category.RESEARCH) | _types("Group Library List Subscription")

_WRITES: Mapping[Role, frozenset[str]] = {
    Role.PATIENT: _types(
        "AppointmentResponse Communication Consent MedicationStatement Observation "
        "QuestionnaireResponse Subscription"
    ),
    Role.DOCTOR: _CLINICIAN | _PROVIDING,
    Role.NURSE: (_CLINICIAN - PRESCRIBING) | _WARD,
    Role.PHARMACIST: _EVERYDAY
    | _types(
        "AllergyIntolerance Binary Claim Coverage CoverageEligibilityRequest DetectedIssue "
        "DocumentReference Immunization Medication MedicationAdministration MedicationDispense "
        "MedicationStatement Observation Organization Patient Practitioner PractitionerRole "
        "RelatedPerson SupplyDelivery"
    ),
    Role.INSURER: _EVERYDAY | _PAYING | _types("Organization Patient RelatedPerson"),
    Role.RESEARCHER: _STUDY,
    Role.ADMINISTRATOR: _of(Category.DEMOGRAPHICS)
    | _DIRECTORY
    | _PLANNING
    | _IDENTITY
    | _EVERYDAY
    | _KNOWLEDGE
    | _of(Category.RESEARCH),
    Role.AGENT: frozenset(CATEGORY_OF_TYPE) - {"Consent"},
}
_DELETES_OF_PATIENTS = frozenset({"Consent", "Subscription"})
"""A patient ends what they gave; what they told stays, and is corrected by what they tell next."""

PUBLIC_TYPES = _DIRECTORY | _KNOWLEDGE | _types("Questionnaire Schedule Slot Substance")
"""What everybody of an organisation, its patients included, may read of its own directory."""


_KEEPS: Mapping[Role, frozenset[str]] = {
    Role.RESEARCHER: _STUDY | PUBLIC_TYPES | {"Provenance"},
    Role.ADMINISTRATOR: _PLANNING
    | _IDENTITY
    | _of(Category.RESEARCH)
    | PUBLIC_TYPES
    | _types("Provenance Subscription"),
}
"""What those who see no patient's records see of the organisation's own vault."""


def keeps(role: Role) -> frozenset[str]:
    """The types in the organisation's own vault that a role works with, besides public ones."""
    return _KEEPS.get(role, frozenset())


def writes(role: Role) -> frozenset[str]:
    """The types that a role may create, update and patch."""
    return _WRITES.get(role, frozenset()) - SYSTEM_TYPES


REGISTRARS = frozenset({Role.ADMINISTRATOR, Role.AGENT})
"""Who says that two records are one person's: patient administration and the interfaces it runs.

Whoever adds an identifier to a patient decides where later messages go, and a merge moves records;
clinicians, pharmacists and insurers treat and bill patients as they find them.
"""


def deletes(role: Role) -> frozenset[str]:
    """The types that a role may delete.

    What the directory says only those take away who keep it, and a Patient they or a doctor, who
    registered somebody by mistake: everybody else corrects it.
    """
    its = writes(role)
    if role is Role.PATIENT:
        return its & _DELETES_OF_PATIENTS
    if role in REGISTRARS:
        return its
    return its - _DIRECTORY - (frozenset() if role is Role.DOCTOR else {"Patient"})
