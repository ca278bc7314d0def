"""A patient of hospital north for whom a doctor prescribes, as tests of prescriptions need one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simdes.exchange.prescriptions import issuing
from simdes.exchange.prescriptions.issuing import Issued
from simdes.index.vaults import Identifier, find
from support.consortium import Clock, Consortium
from support.fhir_api import Api, Json

SYSTEM = "urn:oid:2.16.840.1.113883.4.1"
AMOXICILLIN = {
    "coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "308182"}],
    "text": "Amoxicillin 250 mg capsule",
}


def order(patient: str, **others: Any) -> Json:
    """A MedicationRequest for 30 capsules, to be dispensed three times."""
    dispense = {
        "quantity": {
            "value": 30,
            "unit": "capsule",
            "system": "http://unitsofmeasure.org",
            "code": "{capsule}",
        },
        "numberOfRepeatsAllowed": 2,
    }
    return {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": AMOXICILLIN,
        "subject": {"reference": f"Patient/{patient}"},
        "dosageInstruction": [{"text": "1 capsule three times a day"}],
        "dispenseRequest": dispense | others.pop("dispenseRequest", {}),
        **others,
    }


@dataclass(frozen=True, slots=True)
class Ward:
    """One patient and their doctor."""

    network: Consortium
    clock: Clock
    doctor: Api
    number: str
    patient: Json

    @classmethod
    def of(cls, network: Consortium, clock: Clock, doctor: Api, number: str) -> Ward:
        """Register a patient over the API."""
        patient = doctor.create(
            {
                "resourceType": "Patient",
                "identifier": [{"system": SYSTEM, "value": number}],
                "name": [{"family": f"Okafor-{number}"}],
                "birthDate": "1974-11-30",
            }
        )
        return cls(network, clock, doctor, number, patient)

    @property
    def vault(self) -> bytes:
        """The tag of the patient's vault."""
        with self.network["north"].node.database.read() as tx:
            tag = find(tx, Identifier(SYSTEM, self.number))
        assert tag is not None
        return tag

    def prescribe(self, **others: Any) -> Json:
        """Let the doctor write an order."""
        return self.doctor.create(order(self.patient["id"], **others))

    def issue(self) -> Issued:
        """Let a period of the timetable pass and the hospital's worker do its round."""
        node = self.network["north"].node
        self.clock.ahead_seconds += node.rules.batch_seconds
        return issuing.work(node)

    def issued(self, **others: Any) -> Json:
        """A prescription that stands in the forest, its opening anchored."""
        made = self.prescribe(**others)
        self.issue()
        self.network.settle()
        return made

    def openings(self, request: Json, *, reader: Api | None = None) -> list[Json]:
        """The openings of a prescription that somebody (default the doctor) sees."""
        asked = f"DocumentReference?related=MedicationRequest/{request['id']}"
        return (reader or self.doctor).found(asked)
