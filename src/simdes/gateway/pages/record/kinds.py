"""What is shown of each type of resource: one table from elements to a line people can read.

A type that is not listed gets a line all the same, by what most types have. Paths are those of
`saying.dig`; dates stand apart because they are written by the reader's locale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from simdes.gateway.pages.languages import mark as _

PROBLEMS, ALLERGIES, MEDICINES = "problems", "allergies", "medicines"
RESULTS, VACCINES, VISITS = "results", "vaccines", "visits"
PROCEDURES, DOCUMENTS, IMAGES = "procedures", "documents", "images"
PLANS, INSURANCE, FAMILY, OTHER = "plans", "insurance", "family", "other"

PARTS: Final[Mapping[str, str]] = {
    PROBLEMS: _("Problems"),
    ALLERGIES: _("Allergies"),
    MEDICINES: _("Medicines"),
    RESULTS: _("Results"),
    VACCINES: _("Vaccinations"),
    VISITS: _("Visits"),
    PROCEDURES: _("Procedures and orders"),
    DOCUMENTS: _("Documents"),
    IMAGES: _("Images"),
    PLANS: _("Care plans"),
    INSURANCE: _("Insurance and bills"),
    FAMILY: _("Family history"),
    OTHER: _("Other"),
}
"""The parts of a record by their name in addresses, in the order of the page."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How a type is read: its part, its name, and where title, date and facts stand."""

    part: str
    name: str
    title: str
    when: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    dates: tuple[tuple[str, str], ...] = ()


_MEDICATION: Final = "medicationCodeableConcept|medicationReference"
_DOSAGE: Final = (_("How to take it"), "dosageInstruction|dosage")
_NOTE: Final = (_("Note"), "note.text")
_WHO: Final = (_("By"), "performer.actor|performer|author|participant.individual|requester")

KINDS: Final[Mapping[str, Kind]] = {
    "Condition": Kind(
        PROBLEMS,
        _("Problem"),
        "code",
        "onsetDateTime|onsetPeriod.start|recordedDate",
        ((_("Severity"), "severity"), (_("Body site"), "bodySite"), _NOTE),
        ((_("Ended"), "abatementDateTime|abatementPeriod.end"),),
    ),
    "AllergyIntolerance": Kind(
        ALLERGIES,
        _("Allergy"),
        "code",
        "onsetDateTime|recordedDate",
        (
            (_("Reaction"), "reaction.manifestation"),
            (_("Risk"), "criticality"),
            (_("Substance"), "reaction.substance"),
            _NOTE,
        ),
    ),
    "MedicationRequest": Kind(
        MEDICINES,
        _("Prescribed"),
        _MEDICATION,
        "authoredOn",
        (
            _DOSAGE,
            (_("Amount"), "dispenseRequest.quantity"),
            (_("Reason"), "reasonCode"),
            (_("By"), "requester"),
            _NOTE,
        ),
    ),
    "MedicationStatement": Kind(
        MEDICINES,
        _("Medicine taken"),
        _MEDICATION,
        "effectiveDateTime|effectivePeriod.start|dateAsserted",
        (_DOSAGE, (_("Reason"), "reasonCode"), _NOTE),
    ),
    "MedicationDispense": Kind(
        MEDICINES,
        _("Handed out"),
        _MEDICATION,
        "whenHandedOver|whenPrepared",
        (
            (_("Amount"), "quantity"),
            _DOSAGE,
            (_("By"), "performer.actor"),
            (_("Reason"), "statusReasonCodeableConcept"),
        ),
    ),
    "MedicationAdministration": Kind(
        MEDICINES,
        _("Given"),
        _MEDICATION,
        "effectiveDateTime|effectivePeriod.start",
        ((_("Dose"), "dosage.dose"), (_("Route"), "dosage.route"), _WHO),
    ),
    "Observation": Kind(
        RESULTS,
        _("Measurement"),
        "code",
        "effectiveDateTime|effectivePeriod.start|effectiveInstant|issued",
        ((_("Meaning"), "interpretation"), (_("By"), "performer"), _NOTE),
    ),
    "DiagnosticReport": Kind(
        RESULTS,
        _("Report"),
        "code",
        "effectiveDateTime|effectivePeriod.start|issued",
        ((_("Conclusion"), "conclusion|conclusionCode"), (_("By"), "performer")),
    ),
    "Immunization": Kind(
        VACCINES,
        _("Vaccination"),
        "vaccineCode",
        "occurrenceDateTime|recorded",
        (
            (_("Dose"), "protocolApplied.doseNumberPositiveInt|protocolApplied.doseNumberString"),
            (_("Batch"), "lotNumber"),
            (_("By"), "performer.actor"),
        ),
    ),
    "Encounter": Kind(
        VISITS,
        _("Visit"),
        "type|serviceType|class",
        "period.start|statusHistory.period.start",
        (
            (_("Where"), "location.location|serviceProvider"),
            (_("Reason"), "reasonCode"),
            (_("With"), "participant.individual"),
        ),
        ((_("Until"), "period.end"),),
    ),
    "Appointment": Kind(
        VISITS,
        _("Appointment"),
        "serviceType|appointmentType|description",
        "start|created",
        ((_("With"), "participant.actor"), (_("Reason"), "reasonCode")),
    ),
    "EpisodeOfCare": Kind(VISITS, _("Episode of care"), "type", "period.start"),
    "Procedure": Kind(
        PROCEDURES,
        _("Procedure"),
        "code",
        "performedDateTime|performedPeriod.start",
        ((_("Body site"), "bodySite"), (_("Outcome"), "outcome"), _WHO, _NOTE),
    ),
    "ServiceRequest": Kind(
        PROCEDURES,
        _("Order"),
        "code",
        "authoredOn|occurrenceDateTime",
        ((_("Reason"), "reasonCode"), (_("By"), "requester"), _NOTE),
    ),
    "DocumentReference": Kind(
        DOCUMENTS,
        _("Document"),
        "description|type|content.attachment.title",
        "date|context.period.start",
        ((_("By"), "author"),),
    ),
    "Composition": Kind(DOCUMENTS, _("Document"), "title|type", "date", ((_("By"), "author"),)),
    "Communication": Kind(
        DOCUMENTS,
        _("Message"),
        "topic|category|payload.contentString",
        "sent|received",
        ((_("Text"), "payload.contentString"), (_("By"), "sender")),
    ),
    "ImagingStudy": Kind(
        IMAGES,
        _("Imaging"),
        "description|procedureCode|series.modality|modality",
        "started",
        ((_("Body site"), "series.bodySite"), (_("Reason"), "reasonCode")),
    ),
    "CarePlan": Kind(
        PLANS,
        _("Care plan"),
        "title|category",
        "period.start|created",
        ((_("About"), "description"), (_("By"), "author")),
    ),
    "Goal": Kind(PLANS, _("Goal"), "description", "startDate|statusDate"),
    "Claim": Kind(
        INSURANCE,
        _("Bill"),
        "item.productOrService|type",
        "created",
        ((_("To"), "insurer"), (_("From"), "provider")),
    ),
    "ClaimResponse": Kind(
        INSURANCE, _("Answer to a bill"), "type", "created", ((_("From"), "insurer"),)
    ),
    "ExplanationOfBenefit": Kind(
        INSURANCE, _("Settlement"), "type", "created", ((_("From"), "insurer"),)
    ),
    "Coverage": Kind(
        INSURANCE, _("Insurance"), "payor|type", "period.start", ((_("Number"), "subscriberId"),)
    ),
    "FamilyMemberHistory": Kind(
        FAMILY, _("Family history"), "relationship", "date", ((_("Problem"), "condition.code"),)
    ),
    "DetectedIssue": Kind(
        PROBLEMS,
        _("Warning"),
        "code|detail",
        "identifiedDateTime",
        ((_("About"), "detail"), (_("Severity"), "severity")),
    ),
}

UNKNOWN: Final = Kind(
    OTHER,
    "",
    "code|type|title|name|description|category",
    "date|created|authoredOn|recorded|period.start|sent",
)
"""How a type is read that is not listed; its name is FHIR's."""

LEFT_OUT: Final = frozenset(
    (
        *("Patient", "Medication", "Practitioner", "PractitionerRole", "Organization"),
        *("Location", "Provenance", "AuditEvent", "Binary", "Consent", "MessageHeader", "Specimen"),
        *(
            "RelatedPerson",
            "Device",
            "OperationOutcome",
            "List",
            "Subscription",
            "Linkage",
            "Group",
        ),
    )
)
"""What stands in the lines of others, or on pages of its own."""

STATUS: Final[Mapping[str, str]] = {
    "active": _("active"),
    "recurrence": _("came back"),
    "relapse": _("came back"),
    "inactive": _("not active"),
    "remission": _("in remission"),
    "resolved": _("over"),
    "completed": _("completed"),
    "finished": _("over"),
    "in-progress": _("in progress"),
    "arrived": _("arrived"),
    "planned": _("planned"),
    "booked": _("booked"),
    "cancelled": _("cancelled"),
    "stopped": _("stopped"),
    "on-hold": _("paused"),
    "draft": _("draft"),
    "preliminary": _("preliminary"),
    "final": "",
    "registered": _("registered"),
    "amended": _("amended"),
    "corrected": _("corrected"),
    "entered-in-error": _("entered in error"),
    "declined": _("not handed out"),
    "not-done": _("not done"),
    "not-taken": _("not taken"),
    "superseded": _("superseded"),
    "current": "",
    "unknown": _("status unknown"),
}
"""Codes of status elements in words; "" where it goes without saying, others as they are."""

OVER: Final = frozenset(
    (
        *("inactive", "remission", "resolved", "cancelled", "stopped", "entered-in-error"),
        *("not-done", "not-taken", "declined", "superseded", "completed", "finished"),
    )
)
"""States of what does not go on."""
