"""A patient of hospital north with a record worth reading, for tests of pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simdes.access.consent import Grantee
from simdes.exchange import consents, fhir_users
from simdes.exchange.signin import Session
from simdes.index.vaults import Identifier, find
from support.consortium import Consortium
from support.fhir_api import Api, Json

SYSTEM = "urn:oid:2.16.840.1.113883.4.1"
LOINC = "http://loinc.org"


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A patient with an account: their user name, Patient, vault and session."""

    user: str
    patient: Json
    vault: bytes
    session: Session


def enrolled(
    network: Consortium, doctor: Api, number: str, *, user: str, given: str = "Rosa", **others: Any
) -> Enrolled:
    """Register a patient over the API, seal and anchor, and give them an account."""
    patient = doctor.create(
        {
            "resourceType": "Patient",
            "identifier": [{"system": SYSTEM, "value": number}],
            "name": [{"family": "Okafor", "given": [given]}],
            "gender": "female",
            "birthDate": "1974-11-30",
            "address": [{"line": ["12 Harbour Road"], "city": "Portsea"}],
            **others,
        }
    )
    network.settle()
    with network["north"].node.database.read() as tx:
        vault = find(tx, Identifier(SYSTEM, number))
    assert vault is not None
    session = network.enrol(vault, user)
    assert fhir_users.own_records(network["north"].node, session.actor.account)
    return Enrolled(user, patient, vault, session)


def written_elsewhere(
    network: Consortium, who: Enrolled, lee: Api, day: str, **others: Any
) -> Json:
    """A value that a doctor of clinic south wrote under a consent that then ended."""
    north, south = network["north"].node, network["south"].node
    granted = consents.grant(
        north,
        who.session,
        vault=who.vault,
        grantee=Grantee.role_in(south.organisation, "doctor"),
        categories=["demographics", "observations"],
        purposes=["TREAT"],
        valid_seconds=3600,
    )
    south.following.catch_up()
    assert lee.get(f"Patient/{who.patient['id']}").status_code == 200
    entry = lee.create(measured(who.patient["id"], day, 4.1, **others))
    network.settle()
    consents.revoke(north, who.session, vault=who.vault, handle=granted.handle)
    south.following.catch_up()
    assert lee.get(f"Patient/{who.patient['id']}").status_code == 404, "nothing is open"
    return entry


def concept(system: str, code: str, text: str) -> Json:
    """A CodeableConcept of one coding."""
    return {"coding": [{"system": system, "code": code, "display": text}], "text": text}


def measured(patient: str, day: str, value: float, **others: Any) -> Json:
    """A potassium with its reference range."""
    unit = {"unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"}
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": concept(LOINC, "2823-3", "Potassium"),
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": f"{day}T08:30:00Z",
        "valueQuantity": {"value": value, **unit},
        "referenceRange": [{"low": {"value": 3.5, **unit}, "high": {"value": 5.1, **unit}}],
        **others,
    }


def pressure(patient: str, day: str, systolic: int, diastolic: int) -> Json:
    """A blood pressure with its two components."""
    unit = {"unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": concept(LOINC, "85354-9", "Blood pressure"),
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": day,
        "component": [
            {
                "code": concept(LOINC, "8480-6", "Systolic pressure"),
                "valueQuantity": {"value": systolic, **unit},
            },
            {
                "code": concept(LOINC, "8462-4", "Diastolic pressure"),
                "valueQuantity": {"value": diastolic, **unit},
            },
        ],
    }


def _active(system: str) -> Json:
    full = f"http://terminology.hl7.org/CodeSystem/{system}"
    return {"coding": [{"system": full, "code": "active"}]}


def history(patient: str) -> list[Json]:
    """A few years of a patient: labs, a problem, an allergy, medicines, visits, papers."""
    of = {"reference": f"Patient/{patient}"}
    snomed = "http://snomed.info/sct"
    values = (("2024-02-03", 4.1), ("2024-08-19", 4.6), ("2025-03-11", 5.4), ("2025-09-30", 4.9))
    return [
        *(measured(patient, day, value) for day, value in values),
        pressure(patient, "2025-03-11", 148, 92),
        pressure(patient, "2025-09-30", 131, 84),
        {
            "resourceType": "Condition",
            "clinicalStatus": _active("condition-clinical"),
            "code": concept(snomed, "38341003", "High blood pressure"),
            "subject": of,
            "onsetDateTime": "2021-05",
        },
        {
            "resourceType": "AllergyIntolerance",
            "clinicalStatus": _active("allergyintolerance-clinical"),
            "code": concept(snomed, "91936005", "Penicillin"),
            "patient": of,
            "criticality": "high",
            "reaction": [{"manifestation": [{"text": "Rash"}]}],
            "recordedDate": "2019",
        },
        {
            "resourceType": "MedicationRequest",
            "status": "active",
            "intent": "plan",
            "medicationCodeableConcept": {"text": "Lisinopril 10 mg tablet"},
            "subject": of,
            "authoredOn": "2025-03-11",
            "dosageInstruction": [{"text": "1 tablet in the morning"}],
        },
        {
            "resourceType": "Encounter",
            "status": "finished",
            "class": {
                "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                "code": "AMB",
                "display": "ambulatory",
            },
            "type": [{"text": "Check-up"}],
            "subject": of,
            "period": {"start": "2025-09-30T08:00:00Z", "end": "2025-09-30T08:40:00Z"},
        },
        {
            "resourceType": "DocumentReference",
            "status": "current",
            "type": {"text": "Letter of discharge"},
            "subject": of,
            "date": "2025-09-30T15:00:00Z",
            "content": [
                {
                    "attachment": {
                        "contentType": "text/plain",
                        "title": "Letter",
                        "data": "RGVhciBjb2xsZWFndWUsIGFsbCBpcyB3ZWxsLg==",
                    }
                }
            ],
        },
    ]
