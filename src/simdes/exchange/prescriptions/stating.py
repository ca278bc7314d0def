"""A prescriber's order becomes a prescription, in the commit that writes it.

Only who prescribes at a hospital states one; a later version of the order that means the same
changes nothing, one that means something else ends the statement and makes another, and an order
that ends is withdrawn. A controlled substance needs the prescriber's fresh sign-in and signature.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import msgspec

from simdes.access.categories import Role
from simdes.access.vaults import vault_key
from simdes.crypto.keys import unwrap, wrap
from simdes.decoding import ready
from simdes.errors import Forbidden, Invalid
from simdes.exchange.node import Node
from simdes.exchange.placing import Home
from simdes.exchange.signin import Session
from simdes.fhir.prescribing import TYPE, Terms, essence, is_controlled, is_order, terms_of
from simdes.index import merges, prescriptions, vaults
from simdes.index.prescriptions import NewPrescription, Prescription
from simdes.index.transaction import Transaction
from simdes.ledger.contracts import element_of_contract, element_of_id
from simdes.proofs.openings import Opening, Secret, octets

FRESH_SECONDS: Final = 300
"""How recently somebody must have proved who they are to prescribe a controlled substance."""
SECONDS_A_DAY: Final = 86_400
_ENDED: Final = frozenset(("cancelled", "stopped", "entered-in-error"))
_CONTEXT: Final = b"simdes/prescription/v1"
_SIGNED: Final = b"simdes/prescription-signature/v1\0"
_SECRET_BYTES: Final = 31

Resource = Mapping[str, Any]


class Kept(msgspec.Struct, frozen=True):
    """What the issuer keeps of a statement, wrapped under the vault's key."""

    secret: bytes
    opening: Opening
    subject: str
    labels: int


@dataclass(frozen=True, slots=True)
class Order:
    """A version of a MedicationRequest as it is written; ``resource`` None: it is deleted."""

    home: Home
    id: str
    labels: int
    resource: Resource | None


def prescribes(node: Node, role: int) -> bool:
    """Whether somebody in this role prescribes here."""
    rules = node.rules
    return rules.issues and (role == Role.DOCTOR or (role == Role.NURSE and rules.nurses_prescribe))


def today(node: Node) -> int:
    """The day by this organisation's clock."""
    return node.now_seconds() // SECONDS_A_DAY


def context(node: Node) -> int:
    """What stands for the network's contract in tags and proofs."""
    contracts = node.contracts
    return element_of_contract(
        chain_id=contracts.ledger.chain_id(), address=contracts.addresses.prescriptions
    )


def state(node: Node, tx: Transaction, session: Session, orders: Iterable[Order]) -> None:
    """Follow what was written of orders with their statements.

    Raises Forbidden for a controlled substance without a fresh sign-in.
    """
    for order in orders:
        _follow(node, tx, session, order)


def _follow(node: Node, tx: Transaction, session: Session, order: Order) -> None:
    standing = _standing(tx, order)
    resource = order.resource
    terms = _terms(node, order) if resource is not None and is_order(resource) else None
    if standing is not None:
        ended = resource is None or resource.get("status") in _ENDED
        differs = terms is not None and not _same(node, tx, order, standing, terms)
        if not ended and not differs:
            return
        prescriptions.withdraw(tx, standing.vault, order.id)
        if ended:
            return
    if terms is not None and prescribes(node, session.actor.role):
        prescriptions.add(tx, [_made(node, session, order, terms)])


def _standing(tx: Transaction, order: Order) -> Prescription | None:
    """The newest statement of an order that was not ended, also one made in a vault that was
    joined to the order's since: it can be dispensed from, and goes on being the order's."""
    for tag in (order.home.tag, *merges.joined(tx, order.home.tag)):
        for one in reversed(prescriptions.of_request(tx, tag, order.id)):
            if one.state != prescriptions.WITHDRAWN and one.cancel == prescriptions.NO:
                return one
    return None


def _terms(node: Node, order: Order) -> Terms | None:
    """What an order allows; None where it can't be stated, which `why_not` explains."""
    assert order.resource is not None  # noqa: S101 (asked by the caller)
    try:
        return terms_of(order.resource, today=today(node), valid_days=node.rules.valid_days)
    except Invalid:
        return None


def why_not(node: Node, resource: Resource) -> str:
    """Why a MedicationRequest is no prescription that can be dispensed from, for people."""
    if not is_order(resource):
        return "Only an active order with a dispenseRequest.quantity is dispensed from."
    try:
        terms_of(resource, today=today(node), valid_days=node.rules.valid_days)
    except Invalid as error:
        return error.message
    return "It was not written by a prescriber of a hospital of this network."


def _same(node: Node, tx: Transaction, order: Order, standing: Prescription, terms: Terms) -> bool:
    key = order.home.key
    if standing.vault != order.home.tag:
        row = vaults.get(tx, standing.vault)
        if row is None or row.key_wrapped is None:
            return False  # it was erased here since
        key = vault_key(node.desk.keystore, row)
    kept = opened(key, standing).opening
    assert order.resource is not None  # noqa: S101
    digest = sha256(essence(order.resource)).digest()
    return (kept.essence, kept.controlled) == (digest, terms.controlled)


def _made(node: Node, session: Session, order: Order, terms: Terms) -> NewPrescription:
    assert order.resource is not None  # noqa: S101
    secret = Secret(int.from_bytes(node.random(_SECRET_BYTES), "big"))
    contracts = node.contracts
    opening = Opening(
        chain=contracts.ledger.chain_id(),
        contract=contracts.addresses.prescriptions,
        issuer=node.organisation,
        request=f"{TYPE}/{order.id}",
        essence=sha256(essence(order.resource)).digest(),
        nonce=node.random(32),
        key=octets(secret.key),
        total=terms.total,
        per_fill=terms.per_fill,
        interval=terms.interval_days,
        first_day=terms.first_day,
        last_day=terms.last_day,
        bound=octets(element_of_id(terms.performer) if terms.performer else 0),
        controlled=terms.controlled,
        unit=f"{terms.unit:f}",
        batch_root=bytes(32),
        place=0,
        siblings=(),
    )
    leaf = octets(opening.prescription.leaf)
    if is_controlled(order.resource):
        opening = _signed(node, session, opening, leaf)
    subject = (order.resource.get("subject") or {}).get("reference", "")
    kept = Kept(octets(secret.value), opening, subject, order.labels)
    return NewPrescription(
        vault=order.home.tag,
        request=order.id,
        leaf=leaf,
        content_wrapped=wrap(
            order.home.key, msgspec.msgpack.encode(kept), aad=_CONTEXT + leaf, random=node.random
        ),
        created_ms=node.now_ms(),
    )


def _signed(node: Node, session: Session, opening: Opening, leaf: bytes) -> Opening:
    """The prescriber's own word for a controlled substance."""
    proved = session.actor.authentication
    if proved is None or node.now_seconds() - proved.time_seconds > FRESH_SECONDS:
        raise Forbidden(
            "A controlled substance is prescribed within five minutes of a sign-in.",
            advice="Sign in again and send the prescription once more.",
        )
    return msgspec.structs.replace(
        opening,
        signer=session.actor.account,
        signature=session.key.sign(signed_digest(leaf)),
    )


def signed_digest(leaf: bytes) -> bytes:
    """What a prescriber signs of a statement."""
    return sha256(_SIGNED + leaf).digest()


def opened(key: bytes, one: Prescription) -> Kept:
    """What is kept of a statement."""
    content = unwrap(key, one.content_wrapped, aad=_CONTEXT + one.leaf)
    return msgspec.msgpack.decode(content, type=ready(Kept))
