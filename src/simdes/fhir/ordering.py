"""A prescription as it is typed becomes a MedicationRequest (pure).

https://hl7.org/fhir/R4/medicationrequest.html. What it must say to be dispensed from is in
`simdes.fhir.prescribing`; here is what a form asks for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from simdes.errors import Invalid
from simdes.fhir.prescribing import CATEGORY_SYSTEM, CONTROLLED, TYPE

Json = dict[str, Any]

RXNORM: Final = "http://www.nlm.nih.gov/research/umls/rxnorm"
UCUM: Final = "http://unitsofmeasure.org"
UNITS: Final = ("tablet", "capsule", "mL", "g", "puff", "drop", "patch", "unit")
"""What is counted; UCUM has its own codes of two, the others are annotations."""
_OWN_CODES: Final = frozenset({"mL", "g"})
DAYS: Final = ("30", "90", "180", "365")
MOST_REPEATS: Final = 12
_AMOUNT: Final = re.compile(r"[0-9]{1,5}([.,][0-9]{1,3})?")
_CODE: Final = re.compile(r"[0-9]{1,8}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A form's fields as text; ``code`` is an RxNorm code or ""."""

    medicine: str
    code: str
    dosage: str
    amount: str
    unit: str
    repeats: str
    days: str
    substitution: bool
    controlled: bool
    note: str = ""


def order(typed: Typed, *, patient: str, author: Mapping[str, str], now: str) -> Json:
    """The MedicationRequest, without id. ``now`` is a dateTime.

    Raises Invalid for what is missing or no number.
    """
    if not typed.medicine or not typed.dosage:
        raise Invalid(
            "A prescription says what to take, and how.", advice="Fill in medicine and dosage."
        )
    if typed.code and not _CODE.fullmatch(typed.code):
        raise Invalid("The code is none of RxNorm.", advice="It is a number; or leave it out.")
    if typed.unit not in UNITS or typed.days not in DAYS:
        raise Invalid("Choose a unit, and how long it is good for.")
    controlled = {"coding": [{"system": CATEGORY_SYSTEM, "code": CONTROLLED}]}
    coding = {"coding": [{"system": RXNORM, "code": typed.code}]} if typed.code else {}
    day = date.fromisoformat(now[:10])
    period = {"start": str(day), "end": str(day + timedelta(days=int(typed.days)))}
    return {
        "resourceType": TYPE,
        "status": "active",
        "intent": "order",
        **({"category": [controlled]} if typed.controlled else {}),
        "medicationCodeableConcept": {**coding, "text": typed.medicine},
        "subject": {"reference": f"Patient/{patient}"},
        "authoredOn": now,
        "requester": dict(author),
        **({"note": [{"text": typed.note}]} if typed.note else {}),
        "dosageInstruction": [{"text": typed.dosage}],
        "dispenseRequest": {
            "validityPeriod": period,
            "numberOfRepeatsAllowed": _repeats(typed.repeats),
            "quantity": _quantity(typed.amount, typed.unit),
        },
        "substitution": {"allowedBoolean": typed.substitution},
    }


def _repeats(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text[:4]) > MOST_REPEATS:
        raise Invalid("It is dispensed again twelve times at most.", advice="Type a whole number.")
    return int(text)


def _quantity(amount: str, unit: str) -> Json:
    if not _AMOUNT.fullmatch(amount):
        raise Invalid("The quantity is no number.", advice="Type how much is dispensed at once.")
    value = Decimal(amount.replace(",", "."))
    code = unit if unit in _OWN_CODES else f"{{{unit}}}"
    whole = int(value) if value == int(value) else value
    return {"value": whole, "unit": unit, "system": UCUM, "code": code}
