"""What a pharmacy's worker finds out afterwards: steps that a crash or silence left open, and what
was handed out while the ledger was away.

A step of ours is on the ledger or can never be: it holds for one part dispensed before and for one
day. Whatever was handed out and no longer fits becomes a DetectedIssue in the record, which whoever
reads that sees; units are never given back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from simdes.errors import Conflict, Forbidden, SimdesError, Unavailable
from simdes.exchange.node import Node
from simdes.exchange.prescriptions import holding, proving, records, stating
from simdes.exchange.prescriptions.dispensing import LEASE_MS, finish, opened, took
from simdes.exchange.prescriptions.records import Author
from simdes.exchange.provenance import instant
from simdes.fhir.json import loads
from simdes.index import dispensing
from simdes.index.dispensing import Dispensing
from simdes.index.transaction import Transaction
from simdes.proofs.openings import Opening, decode, number
from simdes.proofs.prescriptions import tag_of

Json = dict[str, Any]

_ACT_CODE: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What one round found out."""

    dispensed: int = 0
    refused: int = 0
    conflicts: int = 0


def settle(node: Node) -> Settled:
    """Look after every step that is open and that nobody works on; again changes nothing."""
    if not node.rules.dispenses:
        return Settled()
    with node.database.read() as tx:
        waiting = dispensing.open_ones(tx, now_ms=node.now_ms())
    if not waiting:
        return Settled()
    node.agent.resume()
    became = [_settle(node, one) for one in waiting]
    return Settled(
        dispensed=became.count(dispensing.DISPENSED),
        refused=became.count(dispensing.REFUSED),
        conflicts=became.count(dispensing.CONFLICT),
    )


def _settle(node: Node, row: Dispensing) -> str:
    try:
        with node.database.read() as tx:
            content = opened(records.home_of(node, tx, row.vault), row)
    except Conflict:  # erased with the vault: there is no record to write it into
        node.database.write(lambda tx: dispensing.settle(tx, row.id, dispensing.REFUSED))
        return dispensing.REFUSED
    opening, made = decode(content.opening), [loads(one) for one in content.made]
    author = _author(node, row)
    if took(node, row):
        if row.state == dispensing.QUEUED:
            return _done(node, row)
        finish(node, row, [_not_known_to_be_handed_out(made[0]), *made[1:]], author)
        return dispensing.DISPENSED
    if row.state == dispensing.QUEUED:
        return _catch_up(node, row, opening, author)
    if not _may_still_come(node, row, opening):
        node.database.write(lambda tx: dispensing.settle(tx, row.id, dispensing.REFUSED))
        return dispensing.REFUSED
    return row.state


def _may_still_come(node: Node, row: Dispensing, opening: Opening) -> bool:
    """Whether a block may still take the step: its day has not passed, nobody moved the tag."""
    terms = opening.prescription
    status = node.contracts.prescriptions.status(_tag(node, opening))
    head = node.contracts.ledger.head().timestamp // stating.SECONDS_A_DAY
    begun = row.created_ms // 1000 // stating.SECONDS_A_DAY
    return status.part == terms.part(row.units_before) and not status.cancelled and head <= begun


def _catch_up(node: Node, row: Dispensing, opening: Opening, author: Author) -> str:
    """Tell the ledger of what was handed out, beginning where the prescription stands now."""
    terms, contract = opening.prescription, node.contracts.prescriptions
    try:
        status = contract.status(_tag(node, opening))
        if took(node, row):  # what was sent first came between our questions
            return _done(node, row)
        if status.cancelled:
            raise Conflict("The prescription was cancelled.")
        units = row.units_after - row.units_before
        step = proving.step_from(opening, status, units=units, today=holding.today_of(node))
        proven = proving.prove(node, opening, step)
        node.database.write(
            lambda tx: dispensing.move(
                tx,
                row,
                before=step.before,
                after=step.after,
                part_after=terms.part(step.after),
            )
        )
        node.agent.transact(contract.dispense(proven))
    except Unavailable:
        # A proof costs a second: not in every round while the ledger is away.
        later = node.now_ms() + LEASE_MS
        node.database.write(lambda tx: dispensing.put_off(tx, row.id, until_ms=later))
        return row.state
    except (Conflict, Forbidden) as error:
        if took(node, row):
            return _done(node, row)
        _conflict(node, row, error, author)
        return dispensing.CONFLICT
    return _done(node, row)


def _done(node: Node, row: Dispensing) -> str:
    node.database.write(lambda tx: dispensing.settle(tx, row.id, dispensing.DISPENSED))
    return dispensing.DISPENSED


def _conflict(node: Node, row: Dispensing, error: SimdesError, author: Author) -> None:
    """Write into the record that more was handed out than the prescription allowed."""

    def write(tx: Transaction) -> None:
        if not dispensing.settle(tx, row.id, dispensing.CONFLICT):
            return
        home = records.home_of(node, tx, row.vault)
        subject = loads(opened(home, row).made[0])["subject"]
        records.write(node, tx, home, [_issue(node, row, subject, error)], author)

    node.database.write(write)


def _issue(node: Node, row: Dispensing, subject: Json, error: SimdesError) -> Json:
    return {
        "resourceType": "DetectedIssue",
        "id": node.new_id(),
        "status": "final",
        "code": {
            "coding": [{"system": _ACT_CODE, "code": "TOOSOON"}],
            "text": "Handed out while the ledger was away, and not covered by the prescription",
        },
        "severity": "high",
        "patient": subject,
        "identifiedDateTime": instant(node.now_ms()),
        "implicated": [
            {"reference": f"MedicationDispense/{row.dispense}"},
            {"reference": row.request},
        ],
        "detail": error.message,
    }


def _not_known_to_be_handed_out(dispense: Json) -> Json:
    """The ledger took the step after whoever asked had gone: nothing may have been handed out."""
    kept = {name: one for name, one in dispense.items() if name != "whenHandedOver"}
    told = "The ledger took this when nobody waited for it any more; confirm what was handed out."
    return kept | {"status": "in-progress", "note": [{"text": told}]}


def _author(node: Node, row: Dispensing) -> Author:
    account = node.contracts.accounts.account(row.account)
    address = account.key if account is not None else bytes(20)
    role = int(account.role) if account is not None else 0
    return Author(row.account, address, role, node.organisation)


def _tag(node: Node, opening: Opening) -> int:
    return tag_of(number(opening.key), context=stating.context(node))
