"""Which FHIR resource a signed-in person is: the ``fhirUser`` of SMART App Launch.

http://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html#scopes-for-requesting-identity-
data. A patient is the Patient of the vault they control; everybody else is a resource of the
organisation whose id is their account's, so that the reference says nothing that the token doesn't.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simdes.access.categories import Role
from simdes.exchange.node import Node
from simdes.index import authorization, vaults

_TYPES: Final = {
    Role.DOCTOR: "Practitioner",
    Role.NURSE: "Practitioner",
    Role.PHARMACIST: "Practitioner",
    Role.INSURER: "Person",
    Role.RESEARCHER: "Person",
    Role.ADMINISTRATOR: "Person",
}


@dataclass(frozen=True, slots=True)
class OwnRecord:
    """A vault that a patient controls and the FHIR id of its Patient."""

    vault: bytes
    patient: str


def own_records(node: Node, account: bytes) -> list[OwnRecord]:
    """The vaults that an account controls whose Patient is known here."""
    with node.database.read() as tx:
        found = [
            (one.tag, authorization.patient_id(tx, one.tag))
            for one in vaults.controlled_by(tx, account)
        ]
    return [OwnRecord(tag, patient) for tag, patient in found if patient is not None]


def fhir_user(node: Node, account: bytes, role: int) -> str:
    """A relative reference to the person behind an account, "" where there is none."""
    if role == Role.PATIENT:
        return next((f"Patient/{one.patient}" for one in own_records(node, account)), "")
    return f"{_TYPES[Role(role)]}/{account.hex()}" if role in _TYPES else ""
