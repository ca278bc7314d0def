"""Read a dosage: how much at once, how often a day, how much a day.

Dosage and Timing (https://hl7.org/fhir/R4/dosage.html, https://hl7.org/fhir/R4/datatypes.html#Timing).
Amounts are kept in milligrams, millilitres or pieces; pieces and volumes become milligrams by the
strength that the Medication or an RxNorm name gives.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from simdes.fhir.checks import reading
from simdes.fhir.checks.knowledge import Tables
from simdes.fhir.checks.reading import Quantity, Resource
from simdes.fhir.checks.recognising import of_name, parts
from simdes.fhir.units import canonical_unit

SECONDS_A_DAY: Final = 86_400.0
_CODES: Final = {
    "QD": 1.0, "AM": 1.0, "PM": 1.0, "BED": 1.0, "BID": 2.0, "TID": 3.0, "QID": 4.0,
    "Q1H": 24.0, "Q2H": 12.0, "Q3H": 8.0, "Q4H": 6.0, "Q6H": 4.0, "Q8H": 3.0, "QOD": 0.5,
    "WK": 1 / 7, "MO": 12 / 365.25,
}  # fmt: skip
"""HL7 v3 GTSAbbreviation: times a day."""
_STRENGTH = re.compile(
    r"(?P<value>\d+(?:\.\d+)?) (?P<unit>MCG|MG|G)(?:/(?:(?P<per>\d+(?:\.\d+)?) )?(?P<volume>ML))?"
)
_MILLIGRAMS: Final = {"MCG": 0.001, "MG": 1.0, "G": 1000.0}
_DIMENSIONS: Final = {"g": ("mg", 1000.0), "m3": ("mL", 1e6), "1": ("piece", 1.0)}
"""Base unit: ours, and how many of ours it is."""


@dataclass(frozen=True, slots=True)
class Amount:
    """So many mg, mL or pieces."""

    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Strength:
    """Milligrams of a substance in a piece or a millilitre; None where nobody says."""

    per_piece: float | None = None
    per_ml: float | None = None


@dataclass(frozen=True, slots=True)
class Instruction:
    """One dosage. ``low`` and ``high`` at once; ``times_a_day``; None where it is not said."""

    low: Quantity | None
    high: Quantity | None
    times_a_day: float | None
    as_needed: bool
    is_rate: bool
    sequence: float


def instruction(dosage: Resource) -> Instruction:
    """Read one Dosage."""
    low, high, is_rate = None, None, False
    for one in (*reading.objects(dosage.get("doseAndRate")), dosage):
        quantity = reading.quantity(one.get("doseQuantity"))
        most = reading.quantity(reading.member(one, "doseRange", "high"))
        least = reading.quantity(reading.member(one, "doseRange", "low"))
        high = high or quantity or most or least
        low = low or quantity or least or most
        is_rate = is_rate or any(name.startswith("rate") for name in one)
    needed = dosage.get("asNeededBoolean") is True or "asNeededCodeableConcept" in dosage
    return Instruction(
        low=low,
        high=high,
        times_a_day=times_a_day(dosage.get("timing")),
        as_needed=needed,
        is_rate=is_rate,
        sequence=reading.number(dosage.get("sequence")) or 0.0,
    )


def times_a_day(timing: Any) -> float | None:
    """How often a day at most; a period of zero or less reads as not said."""
    repeat = reading.member(timing, "repeat")
    found = _of_repeat(repeat) if isinstance(repeat, dict) else None
    if found is not None:
        return found
    known = [_CODES[one] for one in reading.coded(reading.member(timing, "code")) if one in _CODES]
    return max(known, default=None)


def _of_repeat(repeat: Resource) -> float | None:
    days = _listed(repeat, "dayOfWeek")
    share = len(set(days)) / 7 if days else 1.0
    for name in ("timeOfDay", "when"):
        if listed := _listed(repeat, name):
            return len(set(listed)) * share
    period = reading.number(repeat.get("period"))
    seconds = _seconds(reading.text(repeat.get("periodUnit")))
    often = reading.number(repeat.get("frequencyMax")) or reading.number(repeat.get("frequency"))
    if period is None and days:
        return (often or 1.0) * share
    if period is None or seconds is None or period <= 0:
        return None
    return (1.0 if often is None else often) * share * SECONDS_A_DAY / (period * seconds)


def _listed(repeat: Resource, name: str) -> list[str]:
    value = repeat.get(name)
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _seconds(unit: str) -> float | None:
    found = canonical_unit(unit) if unit in ("s", "min", "h", "d", "wk", "mo", "a") else None
    return None if found is None else found.factor


def days(value: Any) -> float | None:
    """A Duration in days."""
    found = reading.quantity(value)
    unit = canonical_unit(found.unit) if found and found.unit else None
    if found is None or unit is None or unit.code != "s":
        return None
    return found.value * unit.factor / SECONDS_A_DAY


def amount(quantity: Quantity) -> Amount | None:
    """A quantity in mg, mL or pieces; None for a unit that is none of UCUM's for these."""
    if not quantity.unit:
        return Amount(quantity.value, "piece")
    unit = canonical_unit(quantity.unit)
    if unit is None or unit.code not in _DIMENSIONS:
        return None
    name, factor = _DIMENSIONS[unit.code]
    return Amount(quantity.value * unit.factor * factor, name)


def milligrams(given: Amount, strength: Strength) -> float | None:
    """An amount in mg of the substance; None where the strength that it takes is not known."""
    each = {"mg": 1.0, "mL": strength.per_ml, "piece": strength.per_piece}[given.unit]
    return None if each is None else given.value * each


def strength(
    tables: Tables, substance: str, medication: Resource | None, concepts: Iterable[Any]
) -> Strength:
    """How much of a substance is in a piece or millilitre of the medicine."""
    for one in reading.objects(reading.member(medication, "ingredient")):
        found = _of_ratio(one.get("strength"))
        names = reading.names(one.get("itemCodeableConcept"))
        if found and any(substance in of_name(tables, name)[0] for name in names):
            return found
    for concept in concepts:
        for piece in parts(concept):
            if substance in of_name(tables, piece)[0] and (found := _of_name(piece)):
                return found
    return Strength()


def _of_ratio(ratio: Any) -> Strength | None:
    over = reading.quantity(reading.member(ratio, "numerator"))
    under = reading.quantity(reading.member(ratio, "denominator"))
    if over is None:
        return None
    mass = amount(over)
    base = amount(under) if under is not None else Amount(1.0, "piece")
    if mass is None or mass.unit != "mg" or base is None or base.value <= 0:
        return None
    each = mass.value / base.value
    return {"mL": Strength(per_ml=each), "piece": Strength(per_piece=each)}.get(base.unit)


def _of_name(piece: str) -> Strength | None:
    match = _STRENGTH.search(piece.upper())
    if match is None:
        return None
    mass = float(match["value"]) * _MILLIGRAMS[match["unit"]]
    per = float(match["per"] or 1)
    if match["volume"]:
        return Strength(per_ml=mass / per) if per > 0 else None
    return Strength(per_piece=mass)
