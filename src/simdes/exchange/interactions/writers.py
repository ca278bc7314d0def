"""Who wrote what over the API: the Provenance that every write leaves in the patient's vault.

https://hl7.org/fhir/R4/provenance.html. Accounts are named by the ids they have on chain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from simdes.access.categories import Role
from simdes.access.requests import hexed
from simdes.exchange.interactions.changes import Method
from simdes.exchange.node import Node
from simdes.exchange.provenance import instant, security_of
from simdes.index.resources import Stored
from simdes.index.vaults import ORGANISATION

_OPERATIONS = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
_PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_CODES: Mapping[Method, str] = {
    Method.CREATE: "CREATE",
    Method.UPDATE: "UPDATE",
    Method.PATCH: "UPDATE",
    Method.DELETE: "DELETE",
}

Written = tuple[Method, Stored, int]
"""How a version was made, the version, and its label mask."""


class Actor(Protocol):
    """Who wrote, as the chain knows them."""

    @property
    def account(self) -> bytes:
        """Their account's id."""

    @property
    def role(self) -> int:
        """Their role."""

    @property
    def organisation(self) -> bytes:
        """For whom they wrote."""


def writing_provenance(node: Node, actor: Actor, written: Sequence[Written]) -> dict[str, Any]:
    """The Provenance of versions written together; it bears every label that one of them has."""
    codes = sorted({_CODES[method] for method, _, _ in written})
    labels = 0
    for _, _, mask in written:
        labels |= mask
    return {
        "resourceType": "Provenance",
        "id": node.new_id(),
        **security_of(labels),
        "target": [
            {"reference": f"{one.type}/{one.logical_id}/_history/{one.version}"}
            for _, one, _ in written
        ],
        "recorded": instant(node.now_ms()),
        "activity": {"coding": [{"system": _OPERATIONS, "code": code} for code in codes]},
        "agent": [
            {
                "type": {"coding": [{"system": _PARTICIPANT, "code": "author"}]},
                "who": {
                    "identifier": {"system": "urn:simdes:account", "value": hexed(actor.account)},
                    "display": Role(actor.role).name.lower(),
                },
                "onBehalfOf": {
                    "type": "Organization",
                    "identifier": {
                        "system": ORGANISATION,
                        "value": hexed(actor.organisation),
                    },
                    "display": node.name,
                },
            }
        ],
    }
