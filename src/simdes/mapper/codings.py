"""Codes that the code system they are given in does not have.

Senders extend published tables with codes of their own under the table's name. Such a code is kept,
but as the sender's: ``Z9`` of HL7 table 0203 is no code of that table, and R4 knows it as invalid.
"""

from __future__ import annotations

from urllib.parse import quote

from simdes.fhir.codes import UCUM, exists
from simdes.mapper.model import Json

_V2_TABLE = "http://terminology.hl7.org/CodeSystem/v2-"


def settle(body: Json) -> None:
    """Name the sender as the system of each code in ``body`` that its system does not have."""
    if "system" in body:
        system = body["system"]
        if type(system) is str and exists(system, body.get("code", "")) is False:
            body["system"] = own_system(system)
    for part in body.values():
        kind = type(part)
        if kind is dict:
            settle(part)
        elif kind is list:
            for one in part:
                if type(one) is dict:
                    settle(one)


def own_system(system: str) -> str:
    """Name the sender's extension of a published system: ``urn:id:HL70203``, ``urn:id:UCUM``."""
    if system == UCUM:
        return "urn:id:UCUM"
    if system.startswith(_V2_TABLE):
        return f"urn:id:HL7{system.removeprefix(_V2_TABLE)}"
    return f"urn:id:{quote(system.rpartition('/')[2], safe='')}"
