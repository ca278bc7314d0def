"""After a restore: go on behind what was lost, and check every anchor there is against the chain.

Each batch's leaves must give the root on chain; each of our resources, as it lies in the database,
must give its leaf; each audit batch must be the one on chain. What does not hold is counted, not
hidden by stopping at the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from simdes.access import audit_gap
from simdes.access.local_keys import vault_key
from simdes.crypto import anchor
from simdes.crypto.digest import sha256
from simdes.crypto.keys import unwrap
from simdes.errors import NotFound, SimdesError, Tampered
from simdes.exchange.indexing import resource_context
from simdes.exchange.node import Node
from simdes.index import audit, batches, contents, records, resources, safekeeping, vaults
from simdes.index.transaction import Transaction

PAGE = 256


@dataclass(slots=True)
class Rechecked:
    """What was compared with the chain: ``wrong`` names what does not hold, a few of each kind.

    ``erased`` resources belong to vaults whose key is gone; their leaves stand on chain.
    ``unknown_batches`` are ours on chain whose records this database does not know.
    """

    batches: int = 0
    resources: int = 0
    erased: int = 0
    audit_batches: int = 0
    audit_entries: int = 0
    unknown_batches: int = 0
    lost_audit_batches: int = 0
    wrong: list[str] = field(default_factory=list)

    def blame(self, what: str) -> None:
        """Note something that does not hold."""
        self.wrong.append(what)


def go_on(node: Node) -> int:
    """Catch up with the chain, continue the audit trail behind what was lost, say so in it.

    Everything in the store is read again soon. Returns how many audit batches have no entries here.
    Raises Unavailable where the ledger does not answer, Tampered where the chain has another trail.
    """
    node.following.catch_up()
    lost = audit_gap.adopt_lost(
        node.database, node.contracts, organisation=node.organisation, now_ms=node.now_ms()
    )
    standing = node.contracts.accounts.standing(node.agent.address)

    def write(tx: Transaction) -> None:
        contents.read_all_soon(tx)
        safekeeping.read_all_soon(tx)
        if standing is not None:
            attempt = audit_gap.restored(standing, node.agent.address, lost=lost)
            node.desk.trail.append(tx, [attempt])

    node.database.write(write)
    return lost


def how_much(node: Node) -> int:
    """How many batches `recheck` goes through, for a progress bar."""
    with node.database.read() as tx:
        counted = tx.one(
            "SELECT (SELECT count(*) FROM batch WHERE state = 'anchored')"
            " + (SELECT count(*) FROM audit_batch WHERE state = 'anchored')"
        )
    return 0 if counted is None else int(counted[0])


def recheck(node: Node, told: Callable[[int], None] = lambda _: None) -> Rechecked:
    """Compare every anchor with the chain; ``told`` of each batch that was gone through.

    Raises Unavailable where the ledger does not answer.
    """
    found = Rechecked()
    for batch_id in _anchored(node):
        _batch(node, batch_id, found)
        told(1)
    _trail(node, found, told)
    with node.database.read() as tx:
        row = tx.one(
            "SELECT count(*) FROM chain_batch AS c WHERE c.organisation = :ours"
            " AND NOT EXISTS (SELECT 1 FROM batch AS b WHERE b.batch_id = c.batch_id)",
            ours=node.organisation,
        )
    found.unknown_batches = 0 if row is None else int(row[0])
    return found


def _anchored(node: Node) -> list[bytes]:
    with node.database.read() as tx:
        rows = tx.all("SELECT batch_id FROM batch WHERE state = 'anchored' ORDER BY batch_id")
    return [row[0] for row in rows]


def _batch(node: Node, batch_id: bytes, found: Rechecked) -> None:
    with node.database.read() as tx:
        kept, leaves = batches.get(tx, batch_id), batches.leaves(tx, batch_id)
    on_chain = node.contracts.records.batch(batch_id)
    found.batches += 1
    name = f"batch 0x{batch_id.hex()}"
    if kept is None or on_chain is None:
        found.blame(f"{name} is not on chain")
        return
    if (on_chain.root, on_chain.count) != (kept.root, kept.count) or len(leaves) != kept.count:
        found.blame(f"{name} has another root or count on chain")
        return
    if anchor.root([one.leaf for one in leaves]) != kept.root:
        found.blame(f"the leaves of {name} do not give its root")
    rows = [(one.leaf, one.resource_id) for one in leaves if one.resource_id is not None]
    for start in range(0, len(rows), PAGE):
        _resources(node, rows[start : start + PAGE], found)


def _resources(node: Node, page: Sequence[tuple[bytes, int]], found: Rechecked) -> None:
    """Make the leaves of resources anew from what lies in the database."""
    with node.database.read() as tx:
        rows = {row.id: row for row in resources.get_many(tx, [id_ for _, id_ in page])}
        known = vaults.get_many(tx, sorted({row.vault for row in rows.values()}))
        wanted = sorted({row.record_id for row in rows.values() if row.record_id is not None})
        sealed = records.get_many(tx, wanted)
    for leaf, id_ in page:
        row = rows.get(id_)
        record = None if row is None else sealed.get(row.record_id or b"")
        found.resources += 1
        if row is None or record is None:
            found.blame(f"resource {id_} is missing")
            continue
        try:
            key = vault_key(node.desk.keystore, known[row.vault])
        except NotFound:
            found.erased += 1
            continue
        try:
            bound = resource_context(row.vault, row.type, row.logical_id)
            content = unwrap(key, row.content_wrapped, aad=bound)
        except SimdesError:
            found.blame(f"resource {id_} does not open")
            continue
        made = anchor.leaf(
            record_id=record.record_id,
            body_digest=record.body_digest,
            type=row.type,
            salt=row.salt,
            content_digest=sha256(content),
        )
        if made != leaf:
            found.blame(f"resource {id_} is not the one that was anchored")


def _trail(node: Node, found: Rechecked, told: Callable[[int], None]) -> None:
    try:
        found.audit_entries = node.desk.trail.verify_chain(node.database)
    except Tampered as error:
        found.blame(error.message)
    for batch, leaves in _audit_batches(node):
        root = node.contracts.audit_log.root_at(organisation=node.organisation, seq=batch.seq)
        made = anchor.root(leaves or [batch.filler or b""])
        found.audit_batches += 1
        if not root == batch.root == made:
            found.blame(f"audit batch {batch.seq} is not the one on chain")
        told(1)


def _audit_batches(node: Node) -> Iterator[tuple[audit.Batch, list[bytes]]]:
    with node.database.read() as tx:
        last = audit.newest_batch(tx)
    for seq in range(1, (0 if last is None else last.seq) + 1):
        with node.database.read() as tx:
            batch = audit.get_batch(tx, seq)
            leaves = [one.leaf for one in audit.of_batch(tx, seq)]
        if batch is not None and batch.state == audit.ANCHORED:
            yield batch, leaves
