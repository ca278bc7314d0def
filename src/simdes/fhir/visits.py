"""A visit as FHIR: Encounter, vital signs with units and ranges, problems, orders (pure).

https://hl7.org/fhir/R4/encounter.html, https://hl7.org/fhir/R4/observation-vitalsigns.html. What is
typed at a bedside is checked twice: outside of what a living person can have it is refused, outside
of what is often seen it has to be confirmed. What is usual at an age is for the person who reads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from simdes.errors import Invalid

Json = dict[str, Any]

LOINC: Final = "http://loinc.org"
UCUM: Final = "http://unitsofmeasure.org"
ICD10: Final = "http://hl7.org/fhir/sid/icd-10"
SNOMED: Final = "http://snomed.info/sct"
_ACT_CODE: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_CATEGORY: Final = "http://terminology.hl7.org/CodeSystem/observation-category"
_PROBLEM: Final = "http://terminology.hl7.org/CodeSystem/condition-category"
_CLINICAL: Final = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_CERTAIN: Final = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_ICD10_CODE: Final = re.compile(r"[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?")
_NUMBER: Final = re.compile(r"[0-9]{1,4}([.,][0-9]{1,2})?")
MOST_TEXT: Final = 400
MOST_ROWS: Final = 3
"""Problems, and orders, of one form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vital:
    """A vital sign: LOINC code and name, unit as people and as UCUM write it, what is possible and
    what is often seen, both ends included."""

    code: str
    display: str
    unit: str
    ucum: str
    possible: tuple[Decimal, Decimal]
    often: tuple[Decimal, Decimal]


def _vital(code: str, display: str, unit: str, ucum: str, *ends: str) -> Vital:
    low, high, usual_low, usual_high = map(Decimal, ends)
    return Vital(
        code=code,
        display=display,
        unit=unit,
        ucum=ucum,
        possible=(low, high),
        often=(usual_low, usual_high),
    )


VITALS: Final[Mapping[str, Vital]] = {
    "temperature": _vital("8310-5", "Body temperature", "°C", "Cel", "20", "46", "35", "40"),
    "pulse": _vital("8867-4", "Heart rate", "/min", "/min", "10", "350", "40", "150"),
    "breathing": _vital("9279-1", "Respiratory rate", "/min", "/min", "2", "150", "8", "40"),
    "oxygen": _vital("2708-6", "Oxygen saturation", "%", "%", "30", "100", "90", "100"),
    "systolic": _vital("8480-6", "Systolic blood pressure", "mmHg", "mm[Hg]", "30", "320", "80", "200"),  # noqa: E501
    "diastolic": _vital("8462-4", "Diastolic blood pressure", "mmHg", "mm[Hg]", "10", "220", "40", "120"),  # noqa: E501
    "weight": _vital("29463-7", "Body weight", "kg", "kg", "0.2", "650", "2", "200"),
    "height": _vital("8302-2", "Body height", "cm", "cm", "20", "280", "40", "220"),
}  # fmt: skip
_PRESSURE: Final = ("systolic", "diastolic")

CLASSES: Final[Mapping[str, str]] = {
    "AMB": "ambulatory",
    "EMER": "emergency",
    "IMP": "inpatient encounter",
    "HH": "home health",
    "VR": "virtual",
}
"""Kinds of visits (https://terminology.hl7.org/ValueSet-v3-ActEncounterCode.html)."""

ORDERS: Final[Mapping[str, tuple[str, str]]] = {
    "laboratory": ("108252007", "Laboratory procedure"),
    "imaging": ("363679005", "Imaging"),
    "referral": ("3457005", "Patient referral"),
    "counselling": ("409063005", "Counselling"),
    "education": ("409073007", "Education"),
}
"""Kinds of orders: codes of SNOMED CT (https://hl7.org/fhir/R4/valueset-servicerequest-category.html)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What was typed. ``readings`` are by the names of `VITALS`, as numbers; ``problems`` (text,
    ICD-10 code or ""); ``orders`` (kind of `ORDERS`, text)."""

    kind: str
    reason: str
    readings: Mapping[str, Decimal] = field(default_factory=dict)
    problems: Sequence[tuple[str, str]] = ()
    orders: Sequence[tuple[str, str]] = ()


def reading(name: str, typed: str) -> Decimal | None:
    """A vital sign as it was typed, None for nothing.

    Raises Invalid, naming neither patient nor value, for what is no number or not possible.
    """
    text = typed.strip()
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise Invalid("A measurement is no number.", advice="Type it in the unit beside the field.")
    value = Decimal(text.replace(",", "."))
    low, high = VITALS[name].possible
    if not low <= value <= high:
        raise Invalid(
            "A measurement is not possible in the unit beside its field.",
            advice="Compare number and unit.",
        )
    return value


def unusual(readings: Mapping[str, Decimal]) -> list[str]:
    """The names of what is seldom seen, and so may be a slip."""
    return [
        name
        for name, value in readings.items()
        if not VITALS[name].often[0] <= value <= VITALS[name].often[1]
    ]


def check(visit: Visit) -> None:
    """Raise Invalid for what no form of ours sends, and for what does not fit together."""
    if visit.kind not in CLASSES:
        raise Invalid("Choose what kind of visit it was.")
    systolic, diastolic = (visit.readings.get(one) for one in _PRESSURE)
    if (systolic is None) != (diastolic is None):
        raise Invalid("A blood pressure has two numbers.", advice="Type both, or none.")
    if systolic is not None and diastolic is not None and diastolic >= systolic:
        raise Invalid(
            "The lower blood pressure is not below the upper one.", advice="Compare the two."
        )
    for text, code in visit.problems:
        if not text:
            raise Invalid("A code needs words beside it.", advice="Say what the problem is.")
        if code and not _ICD10_CODE.fullmatch(code):
            raise Invalid("A code is none of ICD-10.", advice="For example J45.9, or leave it out.")
    for kind, text in visit.orders:
        if kind not in ORDERS or not text:
            raise Invalid("Say what is ordered.", advice="Choose its kind, and say what.")
    if not (visit.reason or visit.readings or visit.problems or visit.orders):
        raise Invalid("Nothing is written yet.", advice="Say why the patient came, at least.")


def resources(
    visit: Visit, *, patient: str, author: Mapping[str, str], now: str
) -> list[tuple[str, Json]]:
    """The visit as (full URL, resource); ``author`` is a Reference, ``now`` a dateTime.

    Raises as `check`.
    """
    check(visit)
    subject = {"reference": f"Patient/{patient}"}
    begun = {"subject": subject, "encounter": {"reference": "urn:uuid:visit"}}
    made: list[Json] = [_encounter(visit, subject, author, now)]
    signs = {"effectiveDateTime": now, "issued": now, "performer": [dict(author)]}
    made += [{**one, **begun, **signs} for one in _observations(visit.readings)]
    made += [
        {**_condition(*one), **begun, "recordedDate": now, "recorder": dict(author)}
        for one in visit.problems
    ]
    made += [
        {**_order(*one), **begun, "authoredOn": now, "requester": dict(author)}
        for one in visit.orders
    ]
    return [("urn:uuid:visit" if at == 0 else "", one) for at, one in enumerate(made)]


def _encounter(visit: Visit, subject: Json, author: Mapping[str, str], now: str) -> Json:
    coding = {"system": _ACT_CODE, "code": visit.kind, "display": CLASSES[visit.kind]}
    return {
        "resourceType": "Encounter",
        "status": "finished",
        "class": coding,
        "subject": subject,
        "participant": [{"individual": dict(author)}],
        "period": {"start": now, "end": now},
        **({"reasonCode": [{"text": visit.reason}]} if visit.reason else {}),
    }


def _observations(readings: Mapping[str, Decimal]) -> list[Json]:
    made = [
        {**_sign(VITALS[name].code, VITALS[name].display), "valueQuantity": _amount(name, value)}
        for name, value in readings.items()
        if name not in _PRESSURE
    ]
    if _PRESSURE[0] in readings:
        panel = _sign("85354-9", "Blood pressure panel with all children optional")
        panel["component"] = [
            {
                "code": _coded(VITALS[name].code, VITALS[name].display),
                "valueQuantity": _amount(name, readings[name]),
            }
            for name in _PRESSURE
        ]
        made.append(panel)
    return made


def _sign(code: str, display: str) -> Json:
    category = {"system": _CATEGORY, "code": "vital-signs", "display": "Vital Signs"}
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [category]}],
        "code": _coded(code, display),
    }


def _coded(code: str, display: str) -> Json:
    return {"coding": [{"system": LOINC, "code": code, "display": display}], "text": display}


def _amount(name: str, value: Decimal) -> Json:
    its = VITALS[name]
    return {"value": value, "unit": its.unit, "system": UCUM, "code": its.ucum}


def _condition(text: str, code: str) -> Json:
    coding = {"coding": [{"system": ICD10, "code": code}]} if code else {}
    return {
        "resourceType": "Condition",
        "clinicalStatus": {"coding": [{"system": _CLINICAL, "code": "active"}]},
        "verificationStatus": {"coding": [{"system": _CERTAIN, "code": "confirmed"}]},
        "category": [{"coding": [{"system": _PROBLEM, "code": "encounter-diagnosis"}]}],
        "code": {**coding, "text": text},
    }


def _order(kind: str, text: str) -> Json:
    code, display = ORDERS[kind]
    return {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "category": [{"coding": [{"system": SNOMED, "code": code, "display": display}]}],
        "code": {"text": text},
    }
