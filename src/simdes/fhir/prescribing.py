"""What a MedicationRequest allows to dispense: how much in all and at once, when, by whom (pure).

https://hl7.org/fhir/R4/medicationrequest-definitions.html#MedicationRequest.dispenseRequest.
Amounts become whole units, 10,000 at most, so that a part of them tells exactly how many were
dispensed (docs/formats/statements.md). Days count from 1970-01-01.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from simdes.errors import Invalid

Resource = Mapping[str, Any]

TYPE: Final = "MedicationRequest"
MOST_UNITS: Final = 10_000
LONGEST_INTERVAL_DAYS: Final = 2**14 - 1
CATEGORY_SYSTEM: Final = "urn:simdes:prescription"
CONTROLLED: Final = "controlled"
"""The category coding (of `CATEGORY_SYSTEM`) of a controlled substance."""
ORGANISATION: Final = "urn:simdes:organisation"
"""The identifier system by which a performer names an organisation of the network."""

_INTENTS: Final = frozenset(("order", "original-order"))
_ESSENCE: Final = (
    "contained",
    "dispenseRequest",
    "dosageInstruction",
    "medicationCodeableConcept",
    "medicationReference",
    "resourceType",
    "subject",
    "substitution",
)
"""What may not change between the statement and the counter."""
_DAYS: Final[Mapping[str, int]] = {"h": 0, "d": 1, "wk": 7, "mo": 30, "a": 365}
_HOURS: Final = 24
_STEPS: Final = (1, 2, 5)
_LARGEST_STEP: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is allowed: ``total`` units in fills of ``per_fill``, a unit being ``unit`` of the
    quantity's own unit (``quantity`` without its value). ``performer`` is the one organisation's
    id, b"" for any; the days from ``first_day`` to ``last_day``."""

    total: int
    per_fill: int
    unit: Decimal
    quantity: Mapping[str, Any]
    interval_days: int
    first_day: int
    last_day: int
    performer: bytes
    controlled: bool

    def units(self, amount: Decimal) -> int:
        """An amount in units. Raises Invalid for what is no whole number of them, or none."""
        units = amount / self.unit
        if units != int(units) or units < 1:
            raise Invalid(
                f"The quantity must be a multiple of {self.unit:f}.",
                advice="Dispense whole units of what was prescribed.",
            )
        return int(units)

    def amount(self, units: int) -> dict[str, Any]:
        """Units as a FHIR Quantity."""
        value = self.unit * units
        whole = int(value) if value == int(value) else value.normalize()
        return {"value": whole, **self.quantity}


def is_order(resource: Resource) -> bool:
    """Whether it orders something that is to be dispensed: a prescription, not a plan or report."""
    return (
        resource.get("resourceType") == TYPE
        and resource.get("status") == "active"
        and resource.get("intent") in _INTENTS
        and resource.get("doNotPerform") is not True
        and resource.get("reportedBoolean") is not True
        and bool(_mapping(resource.get("dispenseRequest")).get("quantity"))
    )


def is_controlled(resource: Resource) -> bool:
    """Whether it is marked as one of a controlled substance."""
    concepts = resource.get("category")
    return any(
        isinstance(coding, Mapping)
        and (coding.get("system"), coding.get("code")) == (CATEGORY_SYSTEM, CONTROLLED)
        for one in (concepts if isinstance(concepts, list) else ())
        for coding in (_mapping(one).get("coding") or ())
    )


def terms_of(resource: Resource, *, today: int, valid_days: int) -> Terms:
    """The terms of an order (`is_order`); ``valid_days`` from its first where it names no end.

    Raises Invalid, saying why, for what can't be dispensed in whole units.
    """
    dispense = _mapping(resource.get("dispenseRequest"))
    quantity = _mapping(dispense.get("quantity"))
    per_fill = _amount(quantity)
    repeats = dispense.get("numberOfRepeatsAllowed") or 0
    if not isinstance(repeats, int) or not 0 <= repeats < MOST_UNITS:
        raise Invalid("numberOfRepeatsAllowed can't be that many.")
    first = _mapping(_mapping(dispense.get("initialFill")).get("quantity"))
    if first and _amount(first) != per_fill:
        raise Invalid("A first fill of another size than the others can't be stated.")
    unit = _unit(per_fill, fills=repeats + 1)
    period = _mapping(dispense.get("validityPeriod"))
    begins = _day(period.get("start")) or _day(resource.get("authoredOn")) or today
    ends = _day(period.get("end")) or begins + valid_days
    if ends < begins:
        raise Invalid("The prescription ends before it begins.")
    return Terms(
        total=int(per_fill / unit) * (repeats + 1),
        per_fill=int(per_fill / unit),
        unit=unit,
        quantity={name: quantity[name] for name in ("unit", "system", "code") if name in quantity},
        interval_days=_interval(_mapping(dispense.get("dispenseInterval"))),
        first_day=begins,
        last_day=ends,
        performer=_performer(_mapping(dispense.get("performer"))),
        controlled=is_controlled(resource),
    )


def essence(resource: Resource) -> bytes:
    """What was prescribed, in one form: members in order, no white space, decimals as written."""
    kept = {name: resource[name] for name in _ESSENCE if name in resource}
    text = json.dumps(
        kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_written
    )
    return text.encode()


def day_of(text: str) -> int:
    """The day of a FHIR date or dateTime; of a month or year its first. Raises Invalid."""
    try:
        year, month, day = (*map(int, text[:10].split("-")), 1, 1)[:3]
        return date(year, month, day).toordinal() - _EPOCH
    except ValueError:
        raise Invalid("A date of the prescription can't be read.") from None


_EPOCH: Final = date(1970, 1, 1).toordinal()


def _written(value: object) -> str:
    """A decimal, told apart from a text that looks like it."""
    return f"\x00{value}"


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _amount(quantity: Mapping[str, Any]) -> Decimal:
    value = quantity.get("value")
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or value <= 0:
        raise Invalid("dispenseRequest.quantity must say how much, above zero.")
    if quantity.get("comparator"):
        raise Invalid("dispenseRequest.quantity must be exact.")
    return Decimal(str(value))


def _unit(per_fill: Decimal, *, fills: int) -> Decimal:
    """The smallest unit, 1, 2 or 5 times a power of ten, of which a fill is a whole number and all
    fills are 10,000 at most."""
    exponent = per_fill.normalize().as_tuple().exponent
    lowest = min(int(exponent), 0)
    for power in range(lowest, _LARGEST_STEP + 1):
        for step in _STEPS:
            unit = Decimal(step).scaleb(power)
            if per_fill % unit == 0 and per_fill / unit * fills <= MOST_UNITS:
                return unit
    raise Invalid(
        f"What is prescribed can't be counted in {MOST_UNITS} units or fewer.",
        advice="Prescribe a rounder quantity, or fewer repeats.",
    )


def _interval(duration: Mapping[str, Any]) -> int:
    if not duration:
        return 0
    value, code = duration.get("value"), duration.get("code") or duration.get("unit")
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or code not in _DAYS:
        raise Invalid("dispenseInterval must be a number of h, d, wk, mo or a (UCUM).")
    days = int(value) // _HOURS if code == "h" else int(value * _DAYS[str(code)])
    if not 0 <= days <= LONGEST_INTERVAL_DAYS:
        raise Invalid("dispenseInterval is too long.")
    return days


def _day(text: object) -> int:
    """The day of a date that may be missing: 0."""
    return day_of(text) if isinstance(text, str) else 0


def _performer(reference: Mapping[str, Any]) -> bytes:
    identifier = _mapping(reference.get("identifier"))
    if identifier.get("system") != ORGANISATION:
        return b""
    try:
        found = bytes.fromhex(str(identifier.get("value", "")).removeprefix("0x"))
    except ValueError:
        found = b""
    if len(found) != 32:
        raise Invalid("The performer's identifier is no organisation's id.")
    return found
