"""Opening a prescription: at the counter with the record beside it, or to see where it stands."""

from __future__ import annotations

from dataclasses import dataclass

from simdes.access.rights import Interaction
from simdes.errors import Conflict, NotFound
from simdes.exchange.interactions.read import read
from simdes.exchange.node import Node
from simdes.exchange.prescriptions import holding, stating
from simdes.exchange.prescriptions.dispensing import require_pharmacist
from simdes.exchange.prescriptions.holding import Held, Told
from simdes.exchange.prescriptions.reviewing import Review, review
from simdes.exchange.prescriptions.submitting import consent_of_code, tag_named
from simdes.exchange.rights import Asking
from simdes.fhir.json import loads
from simdes.fhir.prescribing import TYPE


@dataclass(frozen=True, slots=True)
class At:
    """Which prescription is meant: of which vault (None: of any), "" and b"" where not said."""

    request_id: str
    vault: bytes | None = None
    tag: bytes = b""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a pharmacist sees of a prescription."""

    held: Held
    told: Told
    review: Review


def at(node: Node, asking: Asking, *, request_id: str = "", code: str = "") -> At:
    """What an address and a code together mean; NotFound for a code that leads nowhere."""
    if not code:
        return At(request_id)
    consent = consent_of_code(node, asking, code)
    return At(request_id, consent.vault, tag_named(consent))


def open_(node: Node, asking: Asking, where: At) -> Seen:
    """The prescription, its state, the record beside it and what the checks found.

    Raises Forbidden for who is no pharmacist, NotFound where nothing was submitted to them,
    Conflict where a code leads to several prescriptions.
    """
    require_pharmacist(node, asking)
    held = _held(node, asking, where)
    return Seen(held, holding.tell(node, held), review(node, asking, held))


def _held(node: Node, asking: Asking, where: At) -> Held:
    if where.request_id:
        return holding.hold(node, asking, where.request_id, vault=where.vault, tag=where.tag)
    vaults = None if where.vault is None else (where.vault,)
    found = [
        one
        for one in holding.all_held(node, asking, vaults=vaults)
        if where.tag in (b"", one.tag_bytes)
    ]
    if not found:
        raise NotFound("There is no prescription to dispense from, or not for you.")
    if len(found) > 1:
        raise Conflict("Several prescriptions are here.", advice="Name the MedicationRequest.")
    return found[0]


def status(node: Node, asking: Asking, request_id: str, *, vault: bytes | None = None) -> Told:
    """Where a prescription stands, for its patient, its prescriber's organisation, a pharmacy.

    Raises NotFound where the caller sees none, Conflict, saying why, for an order that is none.
    """
    asking.rights.require(Interaction.READ, TYPE)
    try:
        return holding.tell(node, holding.hold(node, asking, request_id, vault=vault))
    except NotFound:
        found = read(node, asking, TYPE, request_id)
        if holding.waits(node, request_id, found.vault):
            raise Conflict(
                "The prescription waits for its batch.", advice="Ask again in some minutes."
            ) from None
        raise Conflict(
            f"This order is not dispensed from: {stating.why_not(node, loads(found.content))}"
        ) from None
