"""The closed table of categories, labels, purposes, roles and kinds.

Consent is spoken in these words and enforced in these numbers, on chain and off it, so both sides
are fixed here once (docs/formats/sealed-record.md, "Category and labels"). A resource's category
comes from its type and, for a few types, from one coded element; its labels come from
``meta.security`` (https://hl7.org/fhir/R4/security-labels.html). What is not known is closed:
an unlisted type is ``other``, an unlisted sensitivity code is ``R`` (restricted).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from functools import lru_cache
from typing import Any

from simdes.errors import Invalid
from simdes.ledger.accounts import OrganisationKind as Kind
from simdes.ledger.accounts import Role, State

__all__ = [
    "ACT_CODE",
    "CATEGORY_OF_TYPE",
    "CLINICIANS",
    "CONFIDENTIALITY",
    "DOCUMENT_SYSTEM",
    "EMERGENCY_CATEGORIES",
    "OWN_PURPOSES",
    "PRESCRIPTION_CODE",
    "SOURCE_CODE",
    "SOURCE_SYSTEM",
    "STAFF",
    "Category",
    "Kind",
    "Label",
    "Purpose",
    "Role",
    "State",
    "categories_of",
    "category_mask",
    "classify",
    "codes",
    "kind_of",
    "label_mask",
    "labels_of",
    "mask",
    "members",
    "purpose_mask",
    "role_of",
]


class Category(IntEnum):
    """What kind of record it is; the number is the bit of the ``categories`` mask of a consent."""

    DEMOGRAPHICS = 0
    ENCOUNTERS = 1
    CONDITIONS = 2
    OBSERVATIONS = 3
    MEDICATIONS = 4
    ALLERGIES = 5
    IMMUNIZATIONS = 6
    PROCEDURES = 7
    DOCUMENTS = 8
    IMAGING = 9
    CARE_PLANS = 10
    CLAIMS = 11
    FAMILY_SOCIAL = 12
    ADMINISTRATIVE = 13
    RESEARCH = 14
    OTHER = 15
    SOURCES = 16
    PRESCRIPTIONS = 17
    DISCLOSURES = 18

    @property
    def label(self) -> str:
        """The name people type and read: ``care-plans`` for ``CARE_PLANS``."""
        return self.name.lower().replace("_", "-")


class Label(IntEnum):
    """Sensitivity (HL7 v3 ActCode, Confidentiality); the number is the bit of the mask."""

    ETH = 0
    HIV = 1
    PSY = 2
    SEX = 3
    SDV = 4
    GDIS = 5
    STD = 6
    R = 7
    V = 8


class Purpose(IntEnum):
    """Why somebody asks (HL7 v3 PurposeOfUse); the number is the bit of the ``purposes`` mask."""

    TREAT = 0
    HPAYMT = 1
    HOPERAT = 2
    HRESCH = 3
    ETREAT = 4
    PATRQT = 5


CLINICIANS = frozenset({Role.DOCTOR, Role.NURSE})
"""Who may look for an unknown patient or break glass, as in the contract."""
STAFF = CLINICIANS | {Role.PHARMACIST, Role.INSURER}
"""Who reads what their own organisation wrote, for these purposes, without asking the patient."""
OWN_PURPOSES = frozenset({Purpose.TREAT, Purpose.HPAYMT, Purpose.HOPERAT})
"""What they read it for."""

EMERGENCY_CATEGORIES = sum(
    1 << category
    for category in (
        Category.DEMOGRAPHICS,
        Category.CONDITIONS,
        Category.OBSERVATIONS,
        Category.MEDICATIONS,
        Category.ALLERGIES,
        Category.IMMUNIZATIONS,
    )
)

# Every R4 resource type stands in exactly one line; a test compares this with the definitions.
_TYPES: dict[Category, str] = {
    Category.DEMOGRAPHICS: "Patient Person RelatedPerson",
    Category.ENCOUNTERS: "Encounter EpisodeOfCare Appointment AppointmentResponse",
    Category.CONDITIONS: "Condition ClinicalImpression DetectedIssue RiskAssessment Flag "
    "AdverseEvent",
    Category.OBSERVATIONS: "Observation DiagnosticReport Specimen MolecularSequence",
    Category.MEDICATIONS: "MedicationRequest MedicationAdministration MedicationDispense "
    "MedicationStatement Medication VisionPrescription",
    Category.ALLERGIES: "AllergyIntolerance",
    Category.IMMUNIZATIONS: "Immunization ImmunizationEvaluation ImmunizationRecommendation",
    Category.PROCEDURES: "Procedure ServiceRequest DeviceRequest DeviceUseStatement Device "
    "DeviceMetric BodyStructure SupplyRequest SupplyDelivery BiologicallyDerivedProduct",
    Category.DOCUMENTS: "DocumentReference DocumentManifest Composition Binary Communication "
    "CommunicationRequest QuestionnaireResponse",
    Category.IMAGING: "ImagingStudy Media",
    Category.CARE_PLANS: "CarePlan CareTeam Goal NutritionOrder RequestGroup GuidanceResponse",
    Category.CLAIMS: "Account ChargeItem Claim ClaimResponse Coverage CoverageEligibilityRequest "
    "CoverageEligibilityResponse EnrollmentRequest EnrollmentResponse ExplanationOfBenefit Invoice "
    "PaymentNotice PaymentReconciliation InsurancePlan Contract",
    Category.FAMILY_SOCIAL: "FamilyMemberHistory",
    Category.ADMINISTRATIVE: "Practitioner PractitionerRole Organization OrganizationAffiliation "
    "Location HealthcareService Endpoint MessageHeader Provenance AuditEvent Consent Schedule Slot "
    "Task Linkage VerificationResult OperationOutcome",
    Category.RESEARCH: "ResearchStudy ResearchSubject ResearchDefinition "
    "ResearchElementDefinition Evidence EvidenceVariable EffectEvidenceSynthesis "
    "RiskEvidenceSynthesis Measure MeasureReport",
    Category.OTHER: "ActivityDefinition Basic Bundle CapabilityStatement CatalogEntry "
    "ChargeItemDefinition CodeSystem CompartmentDefinition ConceptMap DeviceDefinition "
    "EventDefinition ExampleScenario GraphDefinition Group ImplementationGuide Library List "
    "MedicationKnowledge MedicinalProduct MedicinalProductAuthorization "
    "MedicinalProductContraindication MedicinalProductIndication MedicinalProductIngredient "
    "MedicinalProductInteraction MedicinalProductManufactured MedicinalProductPackaged "
    "MedicinalProductPharmaceutical MedicinalProductUndesirableEffect MessageDefinition "
    "NamingSystem ObservationDefinition OperationDefinition Parameters PlanDefinition "
    "Questionnaire SearchParameter SpecimenDefinition StructureDefinition StructureMap "
    "Subscription SubscriptionStatus Substance SubstanceNucleicAcid SubstancePolymer "
    "SubstanceProtein SubstanceReferenceInformation SubstanceSourceMaterial SubstanceSpecification "
    "TerminologyCapabilities TestReport TestScript ValueSet",
}
CATEGORY_OF_TYPE: Mapping[str, Category] = {
    name: category for category, names in _TYPES.items() for name in names.split()
}

SOURCE_SYSTEM = DOCUMENT_SYSTEM = "urn:simdes:document"
SOURCE_CODE = "simdes-source"
"""Marks a document that is a message as it came in: it holds everything that the message says."""
PRESCRIPTION_CODE = "simdes-prescription"
"""Marks the opening of a prescription's statement: who reads it can dispense."""
CLAIM_CODE = "simdes-claim"
"""Marks the opening of a claim, which goes to its insurer."""

# (resource type, code in its category element) -> category, where the type alone does not say it.
_RULES: Mapping[tuple[str, str], Category] = {
    ("Observation", "social-history"): Category.FAMILY_SOCIAL,
    ("Observation", "imaging"): Category.IMAGING,
    ("Observation", "procedure"): Category.PROCEDURES,
    ("DiagnosticReport", "RAD"): Category.IMAGING,
    ("DiagnosticReport", "RX"): Category.IMAGING,
    ("DiagnosticReport", "CT"): Category.IMAGING,
    ("DiagnosticReport", "NMR"): Category.IMAGING,
    ("DiagnosticReport", "RUS"): Category.IMAGING,
    ("DocumentReference", SOURCE_CODE): Category.SOURCES,
    ("DocumentReference", PRESCRIPTION_CODE): Category.PRESCRIPTIONS,
    ("DocumentReference", CLAIM_CODE): Category.CLAIMS,
}

ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"

# Codes narrower than one of our labels close under it; wider ones under R.
_LABEL_OF_CODE: Mapping[str, Mapping[str, Label]] = {
    ACT_CODE: {
        "ETH": Label.ETH,
        "SUD": Label.ETH,
        "ETHUD": Label.ETH,
        "OPIOIDUD": Label.ETH,
        "HIV": Label.HIV,
        "PSY": Label.PSY,
        "PSYTHPN": Label.PSY,
        "MH": Label.PSY,
        "BH": Label.PSY,
        "COGN": Label.PSY,
        "DVD": Label.PSY,
        "EMOTDIS": Label.PSY,
        "SEX": Label.SEX,
        "SDV": Label.SDV,
        "MST": Label.SDV,
        "VIO": Label.SDV,
        "GDIS": Label.GDIS,
        "SCA": Label.GDIS,
        "SICKLE": Label.GDIS,
        "STD": Label.STD,
    },
    CONFIDENTIALITY: {
        "R": Label.R,
        "V": Label.V,
        "ETH": Label.ETH,
        "HIV": Label.HIV,
        "PSY": Label.PSY,
        "SDV": Label.SDV,
    },
}
_OPEN_CODES = frozenset({"U", "L", "M", "N"})


def classify(resource: Mapping[str, Any]) -> tuple[int, int]:
    """The (category number, label mask) of a FHIR resource given as parsed JSON.

    Only ``resourceType``, ``meta.security`` and ``category`` are read, so an
    otherwise invalid resource still gets a category. Raises `Invalid` without a resource type.
    """
    name = resource.get("resourceType")
    if not isinstance(name, str) or not name:
        raise Invalid("A resource without resourceType has no category.")
    category = CATEGORY_OF_TYPE.get(name, Category.OTHER)
    ruled = (_RULES.get((name, code)) for _, code in codes(resource.get("category")))
    category = next((rule for rule in ruled if rule is not None), category)
    return int(category), labels_of(resource)


@lru_cache(maxsize=256)  # asked of each type that a caller may see, for every search
def categories_of(type_: str) -> int:
    """The mask of every category that a resource of a type may be sealed in.

    Anything may be sealed once more for an insurer to see (`Category.DISCLOSURES`).
    """
    ruled = (category for (name, _), category in _RULES.items() if name == type_)
    return mask((CATEGORY_OF_TYPE.get(type_, Category.OTHER), Category.DISCLOSURES, *ruled))


def labels_of(resource: Mapping[str, Any]) -> int:
    """The label mask of ``meta.security``; a sensitivity code we do not know closes as R."""
    meta = resource.get("meta")
    security = meta.get("security") if isinstance(meta, Mapping) else None
    mask = 0
    for system, code in codes([{"coding": security}] if security else None):
        known = _LABEL_OF_CODE.get(system)
        if known is None or (system == CONFIDENTIALITY and code in _OPEN_CODES):
            continue
        mask |= 1 << known.get(code, Label.R)
    return mask


def codes(concepts: Any) -> Iterator[tuple[str, str]]:
    """(system, code) of every coding in a CodeableConcept or a list of them; garbage is skipped."""
    listed = concepts if isinstance(concepts, list) else [concepts]
    for concept in listed:
        coding = concept.get("coding") if isinstance(concept, Mapping) else None
        for entry in coding if isinstance(coding, list) else []:
            if isinstance(entry, Mapping) and isinstance(entry.get("code"), str):
                yield str(entry.get("system", "")), entry["code"]


def mask(numbers: Iterable[int]) -> int:
    """The bit mask of numbers: ``mask([Category.OBSERVATIONS])`` is 8."""
    total = 0
    for number in numbers:
        total |= 1 << number
    return total


def members(bits: int, table: type[IntEnum]) -> tuple[IntEnum, ...]:
    """The members of a table whose bit is set, in their order."""
    return tuple(member for member in table if bits >> member & 1)


def category_mask(names: Sequence[str]) -> int:
    """The mask of category names as people write them; `Invalid` names the unknown one."""
    return _named(names, {category.label: category for category in Category}, "category")


def purpose_mask(names: Sequence[str]) -> int:
    """The mask of PurposeOfUse codes; `Invalid` names the unknown one."""
    return _named(names, {purpose.name: purpose for purpose in Purpose}, "purpose")


def label_mask(names: Sequence[str]) -> int:
    """The mask of sensitivity codes; `Invalid` names the unknown one."""
    return _named(names, {label.name: label for label in Label}, "label")


def role_of(name: str) -> Role:
    """The role of a name such as ``doctor``; `Invalid` when there is none."""
    try:
        role = Role[name.upper()]
    except KeyError:
        role = Role.NONE
    if role is Role.NONE:
        raise Invalid(f"Unknown role; one of {_listed(list(Role)[1:])}.")
    return role


def kind_of(name: str) -> Kind:
    """The kind of organisation of a name such as ``hospital``; `Invalid` when there is none."""
    try:
        kind = Kind[name.upper()]
    except KeyError:
        kind = Kind.NONE
    if kind is Kind.NONE:
        raise Invalid(f"Unknown kind of organisation; one of {_listed(list(Kind)[1:])}.")
    return kind


def _listed(table: Sequence[IntEnum]) -> str:
    return ", ".join(member.name.lower() for member in table)


def _named(names: Sequence[str], table: Mapping[str, IntEnum], word: str) -> int:
    unknown = [name for name in names if name not in table]
    if unknown:
        raise Invalid(f"Unknown {word} {unknown[0]!r}; one of {', '.join(table)}.")
    return mask(table[name] for name in names)
