"""What encounters cost, stated: in the commit's wake, on a timetable, in batches with dummies.

As prescriptions are (docs/formats/statements.md), so that neither times nor sizes tell anything. A
cost that changes is stated again with the next version.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from simdes.crypto.keys import unwrap, wrap
from simdes.errors import Conflict
from simdes.exchange.claims import proving
from simdes.exchange.claims.billing import TYPES, Bill, bills, own
from simdes.exchange.node import Node
from simdes.exchange.prescriptions import records
from simdes.index import checkpoints, claims
from simdes.index.claims import Cost, CostBatch, NewCost, NewCostBatch
from simdes.index.transaction import Transaction
from simdes.ledger.contracts import StatementKind
from simdes.proofs.batches import MOST_STATED, compose, slot_at
from simdes.proofs.claims import Encounter, currency_element, holder_of, salt_of
from simdes.proofs.facts import element_of_code
from simdes.proofs.openings import number, octets
from simdes.proofs.trees import BATCH_DEPTH, Tree

_KIND: Final = StatementKind.ENCOUNTER
_CONTEXT: Final = b"simdes/cost/v1"
_CURSOR: Final = "claims-costs"
_ROWS: Final = 512


class Kept(msgspec.Struct, frozen=True):
    """What is kept of a stated cost: amount, currency, the salt's parts, the identifier."""

    cost: int
    currency: str
    nonce: bytes
    essence: bytes
    system: str
    value: str


def work(node: Node) -> int:
    """State what costs changed, and issue what is due; how many costs were stated or issued."""
    count = sum(_state(node, vault) for vault in _changed(node))
    count += _finish(node)
    slot = slot_at(node.now_seconds(), node.rules.batch_seconds)
    with node.database.read() as tx:
        newest = claims.newest_slot(tx)
        begins = newest is None and claims.stated(tx, limit=1)
    # Who claims nothing has no timetable; that an organisation claims is seen on the ledger anyway.
    if begins or (newest is not None and newest < slot):
        _build(node, slot)
        count += _finish(node)
    return count


def enrol(node: Node) -> None:
    """Say once to the ledger that claims of this organisation's secret are its own."""
    contract = node.contracts.claims
    holder = holder_of(proving.secret_of(node))
    found = contract.holder(node.organisation)
    if not found:
        node.agent.transact(contract.enrol(holder))
    elif found != holder:
        raise Conflict(
            "Another secret of this organisation is enrolled for claims.",
            advice="Restore the key store that claimed before, or ask the governors.",
        )


def _changed(node: Node) -> Iterator[bytes]:
    """The vaults in which something was written that claims are made from, each once."""
    while True:
        with node.database.read() as tx:
            known = checkpoints.get(tx, _CURSOR)
            after = 0 if known is None else known.block_number
            found = claims.written(tx, TYPES, after=after, limit=_ROWS)
        if not found:
            return
        yield from dict.fromkeys(vault for _, vault in found)
        last = checkpoints.Checkpoint(found[-1][0], bytes(32))
        node.database.write(lambda tx, last=last: checkpoints.put(tx, _CURSOR, last))  # type: ignore[misc]


def _state(node: Node, vault: bytes) -> int:
    with node.database.read() as tx:
        found = bills(node, own(node, tx, vault))
    return node.database.write(lambda tx: sum(_follow(node, tx, vault, one) for one in found))


def restate(node: Node, vault: bytes, key: str) -> bool:
    """State a cost once more, as it is now, so that it can be claimed again."""
    with node.database.read() as tx:
        found = [one for one in bills(node, own(node, tx, vault)) if one.key == key]
    return node.database.write(
        lambda tx: any(_follow(node, tx, vault, one, anew=True) for one in found)
    )


def _follow(node: Node, tx: Transaction, vault: bytes, bill: Bill, *, anew: bool = False) -> bool:
    home = records.home_of(node, tx, vault)
    before = claims.costs_of(tx, vault, bill.key)
    if before and not anew:
        last = opened(home.key, before[-1])
        if (last.cost, last.currency) == (bill.cost.minor, bill.cost.currency):
            claims.wait(tx, vault, bill.key)  # an insurer may be new
            return False
    kept = Kept(
        cost=bill.cost.minor,
        currency=bill.cost.currency,
        nonce=node.random(32),
        essence=proving.essence_of(bill.document),
        system=bill.identifier[0],
        value=bill.identifier[1],
    )
    version = len(before) + 1
    leaf = octets(stated(node, kept, version).leaf)
    wrapped = wrap(home.key, msgspec.msgpack.encode(kept), aad=_CONTEXT + leaf, random=node.random)
    return claims.add_cost(
        tx,
        NewCost(
            vault=vault,
            encounter=bill.key,
            version=version,
            leaf=leaf,
            content_wrapped=wrapped,
            created_ms=node.now_ms(),
        ),
    )


def opened(key: bytes, row: Cost) -> Kept:
    """What is kept of a stated cost."""
    return msgspec.msgpack.decode(
        unwrap(key, row.content_wrapped, aad=_CONTEXT + row.leaf), type=Kept
    )


def stated(node: Node, kept: Kept, version: int) -> Encounter:
    """The statement of a cost."""
    return Encounter(
        secret=proving.secret_of(node),
        encounter=element_of_code(kept.system, kept.value),
        cost=kept.cost,
        currency=currency_element(kept.currency),
        version=version,
        salt=salt_of("encounter", kept.nonce, kept.essence),
    )


def _build(node: Node, slot: int) -> None:
    with node.database.read() as tx:
        waiting = claims.stated(tx, limit=MOST_STATED)
    made = compose([number(one.leaf) for one in waiting], node.random)
    batch = NewCostBatch(
        slot=slot,
        root=octets(Tree(BATCH_DEPTH, made.leaves).root),
        leaves=b"".join(map(octets, made.leaves)),
        created_ms=node.now_ms(),
    )
    places = {one.id: place for one, place in zip(waiting, made.places, strict=True)}
    try:
        with node.database.transaction() as tx:
            claims.build(tx, batch, places)
    except Conflict:
        return  # another worker of ours was first: the next round


def _finish(node: Node) -> int:
    with node.database.read() as tx:
        batches = claims.unfinished(tx)
    if batches:
        node.agent.resume()
    return sum(_insert(node, one) for one in batches)


def _insert(node: Node, batch: CostBatch) -> int:
    contract, root = node.contracts.statements, number(batch.root)
    if not contract.is_inserted(_KIND, node.organisation, root):
        try:
            node.agent.transact(contract.insert_root(_KIND, root))
        except Conflict:
            if not contract.is_inserted(_KIND, node.organisation, root):
                raise
    return node.database.write(lambda tx: claims.inserted(tx, batch.id))
