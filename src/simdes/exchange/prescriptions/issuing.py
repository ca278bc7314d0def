"""Statements go into the forest on a timetable, in shuffled batches that are padded with dummies.

One batch in each period, whether or not anything was prescribed, so that its time tells nothing;
at least 64 leaves, a power of two, in random places, so that neither its size nor a place does
(docs/formats/statements.md). Each step takes what is durable and writes its result in one
transaction: a batch is known by its root, which the ledger takes once, and an opening is written in
the commit that says its statement is issued. Killed anywhere, it goes on and issues nothing twice.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from simdes.access.categories import DOCUMENT_SYSTEM, PRESCRIPTION_CODE
from simdes.errors import Conflict
from simdes.exchange.mail import news
from simdes.exchange.mail.kinds import PRESCRIPTION
from simdes.exchange.node import Node
from simdes.exchange.prescriptions import records, stating
from simdes.exchange.prescriptions.replanting import replant
from simdes.exchange.provenance import instant, security_of
from simdes.index import merges, prescriptions
from simdes.index.prescriptions import Batch, NewBatch, Prescription
from simdes.index.transaction import Transaction
from simdes.ledger.contracts import StatementKind
from simdes.proofs.batches import MOST_STATED, compose, slot_at
from simdes.proofs.openings import Opening, encode, number, octets
from simdes.proofs.prescriptions import tag_of
from simdes.proofs.trees import BATCH_DEPTH, Tree

MOST_CANCELLED: Final = 64
OPENED_AT_ONCE: Final = 16
"""Openings written in one transaction: each takes milliseconds, and writers wait for it."""
OPENING_TYPE: Final = "application/vnd.simdes.prescription-opening"
_KIND: Final = StatementKind.PRESCRIPTION
_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """What one round did."""

    batches: int = 0
    prescriptions: int = 0
    cancelled: int = 0

    def __add__(self, other: Issued) -> Issued:
        """Add two rounds up."""
        return Issued(
            batches=self.batches + other.batches,
            prescriptions=self.prescriptions + other.prescriptions,
            cancelled=self.cancelled + other.cancelled,
        )


def work(node: Node) -> Issued:
    """Issue what is due by the timetable and cancel what was ended; again changes nothing.

    Raises Unavailable where the ledger does not answer; what was done stays done.
    """
    if not node.rules.issues:
        return Issued()
    done = _finish(node)
    slot = slot_at(node.now_seconds(), node.rules.batch_seconds)
    with node.database.read() as tx:
        newest = prescriptions.newest_slot(tx)
    due = newest is None or newest < slot
    if due:
        _build(node, slot)
    if due or node.forests.lacks_ours:
        node.forests.lacks_ours = replant(node) > 0
        done += _finish(node)
    return done + Issued(cancelled=_cancel(node))


def _build(node: Node, slot: int) -> None:
    with node.database.read() as tx:
        stated = prescriptions.stated(tx, limit=MOST_STATED)
    made = compose([number(one.leaf) for one in stated], node.random)
    batch = NewBatch(
        slot=slot,
        root=octets(Tree(BATCH_DEPTH, made.leaves).root),
        leaves=b"".join(map(octets, made.leaves)),
        created_ms=node.now_ms(),
    )
    places = {one.id: place for one, place in zip(stated, made.places, strict=True)}
    try:
        with node.database.transaction() as tx:
            prescriptions.build(tx, batch, places)
    except Conflict:
        return  # another worker of ours was first, or something was withdrawn: the next round


def _finish(node: Node) -> Issued:
    """Insert what was built, and write the openings of what it holds."""
    with node.database.read() as tx:
        batches = prescriptions.unfinished(tx)
    if not batches:
        return Issued()
    node.agent.resume()
    author = records.software(node)
    count = sum(_finish_one(node, batch, author) for batch in batches)
    return Issued(batches=len(batches), prescriptions=count)


def _finish_one(node: Node, batch: Batch, author: records.Author) -> int:
    statements, root = node.contracts.statements, number(batch.root)
    if not statements.is_inserted(_KIND, node.organisation, root):
        try:
            node.agent.transact(statements.insert_root(_KIND, root))
        except Conflict:
            if not statements.is_inserted(_KIND, node.organisation, root):
                raise
    tree = Tree(BATCH_DEPTH, _numbers(batch.leaves))

    def write(tx: Transaction) -> int | None:
        held = prescriptions.unissued(tx, batch.id, limit=OPENED_AT_ONCE)
        issued = [one for one in held if prescriptions.issue(tx, one)]
        for one in issued:
            if one.cancel == prescriptions.NO:
                _open(node, tx, one, batch, tree, author)
                news.about(node, tx, one.vault, PRESCRIPTION)
        if not held:
            prescriptions.inserted(tx, batch.id)
        return len(issued) if held else None

    count = 0
    while (more := node.database.write(write)) is not None:
        count += more
    return count


def _open(
    node: Node,
    tx: Transaction,
    one: Prescription,
    batch: Batch,
    tree: Tree,
    author: records.Author,
) -> None:
    """Write the opening into the patient's record, unless that was erased; where it was joined to
    another since, into that one."""
    assert one.place is not None  # noqa: S101 (built)
    try:
        home = records.home_of(node, tx, one.vault)
        goes_on = records.home_of(node, tx, merges.goes_on_in(tx, one.vault))
    except Conflict:
        return
    kept = stating.opened(home.key, one)
    opening = msgspec.structs.replace(
        kept.opening,
        batch_root=batch.root,
        place=one.place,
        siblings=tuple(octets(node_) for node_ in tree.siblings(one.place)),
    )
    records.write(node, tx, goes_on, [document(node, opening, kept)], author)
    prescriptions.note(tx, goes_on.tag)


def document(node: Node, opening: Opening, kept: stating.Kept) -> dict[str, Any]:
    """The opening as a DocumentReference, in a category of its own that a consent must name."""
    return {
        "resourceType": "DocumentReference",
        "id": node.new_id(),
        **security_of(kept.labels),
        "status": "current",
        "type": {"text": "Opening of a prescription"},
        "category": [{"coding": [{"system": DOCUMENT_SYSTEM, "code": PRESCRIPTION_CODE}]}],
        **({"subject": {"reference": kept.subject}} if kept.subject else {}),
        "date": instant(node.now_ms()),
        "content": [
            {
                "attachment": {
                    "contentType": OPENING_TYPE,
                    "data": b64encode(encode(opening)).decode(),
                }
            }
        ],
        "context": {"related": [{"reference": opening.request}]},
    }


def _numbers(leaves: bytes) -> Sequence[int]:
    return [number(leaves[at : at + _BYTES]) for at in range(0, len(leaves), _BYTES)]


def _cancel(node: Node) -> int:
    """Cancel on the ledger what was ended here."""
    with node.database.read() as tx:
        waiting = prescriptions.to_cancel(tx, limit=MOST_CANCELLED)
    for one in waiting:
        _cancel_one(node, one)
    return len(waiting)


def _cancel_one(node: Node, one: Prescription) -> None:
    """Cancel one statement; whoever did so before us did it for good."""
    contract = node.contracts.prescriptions
    try:
        with node.database.read() as tx:
            kept = stating.opened(records.home_of(node, tx, one.vault).key, one)
    except Conflict:  # erased with the vault: nobody can open it, nor cancel it
        kept = None
    if kept is not None:
        tag = tag_of(number(kept.opening.key), context=stating.context(node))
        if not contract.status(tag).cancelled:
            try:
                node.agent.transact(contract.cancel(number(kept.secret)))
            except Conflict:
                if not contract.status(tag).cancelled:
                    raise
    node.database.write(lambda tx: prescriptions.cancelled(tx, one.id))
