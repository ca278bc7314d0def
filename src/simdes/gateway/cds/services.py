"""The services: which hooks they answer, and what they want to be sent along.

Hooks of the CDS Hooks Library (https://cds-hooks.hl7.org/hooks/): order-sign and order-select, and
medication-prescribe, which these two replace and which systems still call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

PREFIX: Final = "/cds-services"
_PATIENT: Final = "{{context.patientId}}"
_LOINC: Final = "http://loinc.org|"
_OBSERVED: Final = ("29463-7", "82810-3", "33914-3", "48642-3", "62238-1", "98979-8", "50044-7")

PREFETCH: Final = {
    "patient": f"Patient/{_PATIENT}",
    "allergies": f"AllergyIntolerance?patient={_PATIENT}",
    "conditions": f"Condition?patient={_PATIENT}",
    "medications": f"MedicationRequest?patient={_PATIENT}&status=active,on-hold,unknown",
    "statements": f"MedicationStatement?patient={_PATIENT}&status=active,intended,on-hold,unknown",
    "dispenses": f"MedicationDispense?patient={_PATIENT}&status=completed,in-progress&_count=200",
    "observations": (
        f"Observation?patient={_PATIENT}"
        f"&code={','.join(_LOINC + code for code in _OBSERVED)}&_sort=-date&_count=50"
    ),
}
"""What is asked for, by key."""

NEEDED: Final = ("patient", "allergies", "conditions", "medications")
"""Keys without which nothing is checked (412); the others' absence is said on a card."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service: ``orders`` is the context's member with the orders; ``selects``: only those that
    ``selections`` names are checked.
    """

    id: str
    hook: str
    title: str
    description: str
    orders: str = "draftOrders"
    selects: bool = False

    @property
    def path(self) -> str:
        """Where it is called."""
        return f"{PREFIX}/{self.id}"

    def described(self) -> dict[str, Any]:
        """Its entry in the discovery document."""
        return {
            "hook": self.hook,
            "id": self.id,
            "title": self.title,
            "description": self.description,
            "prefetch": PREFETCH,
            "usageRequirements": (
                "FHIR R4. Only what is sent as prefetch is used: fhirServer and fhirAuthorization "
                f"are neither needed nor used. Needed keys: {', '.join(NEEDED)}."
            ),
        }


_CHECKS: Final = "allergies, duplicates, interactions, contraindications, age and dose"

SERVICES: Final = (
    Service(
        id="simdes-order-sign",
        hook="order-sign",
        title="Pharmacist's checks at signing",
        description=f"Checks medication orders that are about to be signed: {_CHECKS}.",
    ),
    Service(
        id="simdes-order-select",
        hook="order-select",
        title="Pharmacist's checks at selecting",
        description=f"Checks medication orders that were just selected: {_CHECKS}.",
        selects=True,
    ),
    Service(
        id="simdes-medication-prescribe",
        hook="medication-prescribe",
        title="Pharmacist's checks (deprecated hook)",
        description=f"Checks medications that are being prescribed: {_CHECKS}. Use order-sign.",
        orders="medications",
    ),
)


def discovery() -> dict[str, Any]:
    """The discovery document."""
    return {"services": [one.described() for one in SERVICES]}
