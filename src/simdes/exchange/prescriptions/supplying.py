"""MedicationDispense as a pharmacy writes it: handed out, or declined with a coded reason.

https://hl7.org/fhir/R4/medicationdispense.html. Accounts and organisations are named by their ids
on the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simdes.access.categories import labels_of
from simdes.access.requests import hexed
from simdes.errors import Conflict, Invalid
from simdes.exchange.prescriptions.holding import Held
from simdes.exchange.provenance import instant, security_of
from simdes.fhir.prescribing import ORGANISATION
from simdes.proofs.prescriptions import Step

Json = dict[str, Any]

REASONS: Final[Mapping[str, str]] = {
    "altchoice": "Try another treatment first",
    "clarif": "Prescription/Request requires clarification",
    "drughigh": "Drug level too high",
    "hospadm": "Admission to hospital",
    "labint": "Lab interference issues",
    "non-avail": "Patient not available",
    "preg": "Parent is pregnant/breast feeding",
    "saig": "Allergy",
    "sddi": "Drug interacts with another drug",
    "sdupther": "Duplicate therapy",
    "sintol": "Suspected intolerance",
    "surg": "Patient scheduled for surgery",
    "washout": "Washout",
    "outofstock": "Drug not available - out of stock",
    "offmarket": "Drug not available - off market",
}
"""Codes of http://terminology.hl7.org/CodeSystem/medicationdispense-status-reason by which it is
refused; its others are of a renewal by fax (FRR01 to FRR06)."""
_REASON_SYSTEM: Final = "http://terminology.hl7.org/CodeSystem/medicationdispense-status-reason"
_ACT_CODE: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_SUBSTITUTION: Final = "http://terminology.hl7.org/CodeSystem/v3-substanceAdminSubstitution"


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """What a MedicationDispense is made from; ``step`` None: nothing is handed out."""

    id: str
    held: Held
    step: Step | None
    now_ms: int
    pharmacist: bytes
    pharmacy: str
    organisation: bytes

    @property
    def now(self) -> str:
        """The moment as a FHIR instant."""
        return instant(self.now_ms)

    @property
    def performer(self) -> Json:
        """The pharmacist, as a Reference."""
        return {
            "type": "Practitioner",
            "identifier": {"system": "urn:simdes:account", "value": hexed(self.pharmacist)},
            "display": "pharmacist",
        }


def supplied(supply: Supply, *, medication: Json | None, why: str, issues: Sequence[Json]) -> Json:
    """What is handed out. Raises Conflict for a substitution that the prescriber forbade."""
    held, step = supply.held, supply.step
    assert step is not None  # noqa: S101 (something is handed out)
    return {
        **_begun(supply, "completed"),
        **_medication(held.request, medication),
        "type": {"coding": [{"system": _ACT_CODE, "code": _kind(held, step)}]},
        "quantity": held.amount(step.after - step.before),
        "whenHandedOver": supply.now,
        **({"dosageInstruction": held.request["dosageInstruction"]} if _doses(held) else {}),
        **_substitution(held.request, medication, why),
        **(
            {"detectedIssue": [{"reference": f"DetectedIssue/{one['id']}"} for one in issues]}
            if issues
            else {}
        ),
    }


def declined(supply: Supply, *, code: str, text: str) -> Json:
    """What is refused. Raises Invalid for a reason that is none of `REASONS`."""
    if code not in REASONS:
        raise Invalid(f"The reason must be one of {', '.join(REASONS)}.")
    reason: Json = {"coding": [{"system": _REASON_SYSTEM, "code": code, "display": REASONS[code]}]}
    if text:
        reason["text"] = text
    return {
        **_begun(supply, "declined"),
        **_medication(supply.held.request, None),
        "statusReasonCodeableConcept": reason,
    }


def _begun(supply: Supply, status: str) -> Json:
    held = supply.held
    return {
        "resourceType": "MedicationDispense",
        "id": supply.id,
        **_labels(held.request),
        "status": status,
        "subject": held.request["subject"],
        "performer": [
            {"actor": supply.performer},
            {
                "actor": {
                    "type": "Organization",
                    "identifier": {
                        "system": ORGANISATION,
                        "value": hexed(supply.organisation),
                    },
                    "display": supply.pharmacy,
                }
            },
        ],
        "authorizingPrescription": [{"reference": held.opening.request}],
    }


def _labels(request: Json) -> Json:
    """What is as sensitive as the order bears the order's labels."""
    return security_of(labels_of(request))


def _medication(request: Json, instead: Json | None) -> Json:
    source = request if instead is None else {"medicationCodeableConcept": instead}
    return {
        name: source[name]
        for name in ("contained", "medicationCodeableConcept", "medicationReference")
        if name in source
    }


def _doses(held: Held) -> bool:
    return bool(held.request.get("dosageInstruction"))


def _kind(held: Held, step: Step) -> str:
    """First fill or refill, whole or part (v3 ActPharmacySupplyType)."""
    terms = held.terms
    whole = step.after - step.before == terms.per_fill
    if terms.fills(step.before) == 0:
        return "FF" if whole else "FFP"
    return "RF" if whole and step.begins(terms) else "RFP"


def _substitution(request: Json, medication: Json | None, why: str) -> Json:
    if medication is None:
        return {}
    rule = request.get("substitution") or {}
    allowed = rule.get("allowedBoolean")
    coded = [
        one.get("code") for one in (rule.get("allowedCodeableConcept") or {}).get("coding", ())
    ]
    if allowed is False or "N" in coded:
        raise Conflict(
            "The prescriber allows no substitution.", advice="Ask the prescriber for another order."
        )
    if not why:
        raise Invalid("A substitution needs its reason.")
    return {
        "substitution": {
            "wasSubstituted": True,
            "type": {"coding": [{"system": _SUBSTITUTION, "code": "E"}]},
            "reason": [{"text": why}],
        }
    }
