"""Orders and dispenses as HL7 v2 for pharmacies that speak it: RDE^O11 and RDS^O13.

HL7 v2.5.1, chapter 4 (sections 4.13.5 and 4.13.7). What the message says is what this caller may
read: the order or dispense, its patient, the drug, who prescribed, where it goes. Each is read with
the caller's rights and on record; what may not be read is left out, but for the patient.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from simdes.errors import Forbidden, Gone, Invalid, NotFound
from simdes.exchange.interactions.read import read
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.fhir.json import loads
from simdes.fhir.reference import parse_reference
from simdes.fhir.resource import references
from simdes.mapper.hl7v2.write import Envelope, rde, rds

Json = dict[str, Any]

WRITERS: Final = {"MedicationRequest": rde, "MedicationDispense": rds}
"""Which message says which resource."""
_SAID: Final = frozenset(
    (
        *("Patient", "Medication", "MedicationRequest", "Encounter"),
        *("Practitioner", "PractitionerRole", "Organization"),
    )
)
"""Types of which the message says something."""
_MOST_READ: Final = 50
_STEPS: Final = 3
"""An order of a dispense, its prescriber's role, the role's person: no further."""


def pharmacy_message(
    node: Node, asking: Asking, type_: str, logical_id: str, *, receiver: tuple[str, str]
) -> bytes:
    """The HL7 v2 message of a MedicationRequest or MedicationDispense, in UTF-8.

    ``receiver`` are the plain names of MSH-5 and MSH-6. Raises Invalid for another type, NotFound
    for what is not there or may not be seen, the patient included.
    """
    write = WRITERS.get(type_)
    if write is None:
        raise Invalid(f"Pharmacies get a {' or a '.join(WRITERS)}, no {type_}.")
    found = {(type_, logical_id): loads(read(node, asking, type_, logical_id).content)}
    latest = dict(found)
    for _ in range(_STEPS):
        latest = dict(_referred(node, asking, latest, found))
        found |= latest
    if not any(kind == "Patient" for kind, _ in found):
        raise NotFound("Its patient is not there, or not for you.")
    entries = [
        {"resource": one}
        for (kind, _), one in found.items()
        if kind not in WRITERS or _is_meant(type_, kind, one, found[type_, logical_id])
    ]
    envelope = Envelope(
        sender=("SIMDES", node.name),
        receiver=receiver,
        time=datetime.fromtimestamp(node.now_seconds(), UTC).strftime("%Y%m%d%H%M%S+0000"),
        control=node.random(10).hex(),
    )
    return write({"resourceType": "Bundle", "entry": entries}, envelope)


def _is_meant(type_: str, kind: str, one: Json, asked: Json) -> bool:
    """Whether a request or dispense belongs in: what was asked for, and what it is for."""
    return one is asked or type_ == "MedicationDispense" or one.get("intent") == "original-order"


def _referred(
    node: Node, asking: Asking, latest: dict[tuple[str, str], Json], found: dict[Any, Json]
) -> Iterator[tuple[tuple[str, str], Json]]:
    """What the newest resources refer to and was not read yet, as far as the caller may."""
    names = {
        (literal.type, literal.id)
        for one in latest.values()
        for literal in (parse_reference(found.literal) for found in references(one))
        if literal.kind == "relative" and literal.type in _SAID
    }
    for name in sorted(names - set(found))[:_MOST_READ]:
        try:
            yield name, loads(read(node, asking, *name).content)
        except (NotFound, Forbidden, Gone):
            continue
