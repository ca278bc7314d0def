"""What of a record the checks are about: allergies, problems, observations, drugs in use.

Whose record it is, the caller knows: copies from other organisations call the patient by other ids.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from simdes.fhir.checks import reading
from simdes.fhir.checks.knowledge import Drug, Tables
from simdes.fhir.checks.reading import Resource
from simdes.fhir.checks.recognising import recognise

_NOT_REAL: Final = frozenset({"refuted", "entered-in-error"})
_OVER: Final = frozenset({"inactive", "resolved", "remission"})
_IN_USE: Final[dict[str, frozenset[str]]] = {
    "MedicationRequest": frozenset({"active", "on-hold", "unknown"}),
    "MedicationStatement": frozenset({"active", "intended", "on-hold", "unknown"}),
    "MedicationDispense": frozenset({"completed", "in-progress", "preparation", "on-hold"}),
    "MedicationAdministration": frozenset({"completed", "in-progress", "on-hold"}),
}
"""In which statuses a resource says that a drug is in use."""
_NOT_ORDERED: Final = frozenset({"proposal"})
_ADMINISTERED_DAYS: Final = 2
_DISPENSED_DAYS: Final = 90
"""How long a supply lasts of which nobody says how many days it is for."""


@dataclass(frozen=True, slots=True)
class InUse:
    """A drug that the patient takes, and where that is said."""

    drug: Drug
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The parts of a record that count, each in an order of its own."""

    patient: Resource | None
    allergies: tuple[Resource, ...]
    conditions: tuple[Resource, ...]
    past_conditions: tuple[Resource, ...]
    observations: tuple[Resource, ...]
    in_use: tuple[InUse, ...]
    ordered: Drug
    medication: Resource | None
    """The Medication that the order refers to."""


def gather(tables: Tables, order: Resource, resources: Iterable[Any], *, today: date) -> Record:
    """Sort a record for the checks of ``order``, a MedicationRequest."""
    kinds: dict[str, list[Resource]] = {}
    for one in resources:
        if isinstance(one, dict):
            kinds.setdefault(reading.text(one.get("resourceType")), []).append(one)
    known = {reading.reference(one): one for one in reading.rank(kinds.get("Medication", []))}
    real = [one for one in kinds.get("Condition", ()) if _is_real(one)]
    patients = reading.rank(kinds.get("Patient", []))
    return Record(
        patient=_born(patients) or next(iter(patients), None),
        allergies=_ranked(
            one
            for one in kinds.get("AllergyIntolerance", ())
            if _is_real(one) and not _is_over(one)
        ),
        conditions=_ranked(one for one in real if not _is_over(one)),
        past_conditions=_ranked(one for one in real if _is_over(one)),
        observations=_ranked(
            one
            for one in kinds.get("Observation", ())
            if one.get("status") not in ("entered-in-error", "cancelled")
        ),
        in_use=tuple(
            InUse(drug_of(tables, one, known), reading.reference(one))
            for kind in _IN_USE
            for one in reading.rank(kinds.get(kind, []))
            if _is_in_use(one, today) and not _is_the_same(order, one)
        ),
        ordered=drug_of(tables, order, known),
        medication=medication_of(order, known),
    )


def medication_of(holder: Resource, known: dict[str, Resource]) -> Resource | None:
    """The Medication that a resource refers to: contained, or of the record."""
    target = reading.points_to(holder.get("medicationReference"))
    if target.startswith("#"):
        held = reading.objects(holder.get("contained"))
        return next((one for one in held if one.get("id") == target[1:]), None)
    return known.get(target)


def drug_of(tables: Tables, holder: Resource, known: dict[str, Resource]) -> Drug:
    """The drug that a request, statement, dispense or administration is about."""
    concepts = [holder.get("medicationCodeableConcept")]
    medication = medication_of(holder, known)
    if medication is not None:
        concepts.append(medication.get("code"))
        concepts += [
            one.get("itemCodeableConcept") for one in reading.objects(medication.get("ingredient"))
        ]
    elif "medicationReference" in holder:
        concepts.append({"text": reading.member(holder, "medicationReference", "display")})
    return recognise(tables, [one for one in concepts if isinstance(one, dict)])


def _ranked(resources: Iterable[Resource]) -> tuple[Resource, ...]:
    return tuple(reading.rank(list(resources)))


def _born(patients: list[Resource]) -> Resource | None:
    return next((one for one in patients if reading.day(one.get("birthDate"))), None)


def _is_real(resource: Resource) -> bool:
    return reading.coded(resource.get("verificationStatus")).isdisjoint(_NOT_REAL)


def _is_over(resource: Resource) -> bool:
    return not reading.coded(resource.get("clinicalStatus")).isdisjoint(_OVER)


def _is_in_use(one: Resource, today: date) -> bool:
    kind = one["resourceType"]
    if reading.text(one.get("status")) not in _IN_USE[kind]:
        return False
    if reading.text(one.get("intent")) in _NOT_ORDERED:
        return False
    if kind == "MedicationDispense":
        given = reading.day(one.get("whenHandedOver")) or reading.day(one.get("whenPrepared"))
        supply = reading.quantity(one.get("daysSupply"))
        days = _DISPENSED_DAYS if supply is None else min(max(supply.value, 0), 3650)
        return given is None or given + timedelta(days=days) >= today
    if kind == "MedicationAdministration":
        given = reading.day(one.get("effectiveDateTime")) or _ended(one)
        return given is None or given + timedelta(days=_ADMINISTERED_DAYS) >= today
    ended = _ended(one)
    return ended is None or ended >= today


def _ended(one: Resource) -> date | None:
    return reading.day(reading.member(one, "effectivePeriod", "end"))


def _is_the_same(order: Resource, other: Resource) -> bool:
    """Whether the other is the order itself, what it replaces, or was dispensed under it."""
    own = reading.reference(order)
    replaced = reading.points_to(order.get("priorPrescription"))
    if other is order or (reading.reference(other) or None) in (own, replaced):
        return True
    under = [
        reading.points_to(one)
        for name in ("authorizingPrescription", "basedOn", "derivedFrom")
        for one in reading.objects(other.get(name))
    ]
    under.append(reading.points_to(other.get("request")))
    return bool({own, replaced} & set(under) - {""})
