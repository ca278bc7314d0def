"""Our own part of comparing audit trails: our trail against the chain, the chain against itself,
and what others must show of our entries. Nobody is asked anything here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Final

from simdes.access.audit_event import Entry, Verb, decode
from simdes.access.trails import CUSTODY
from simdes.crypto import anchor
from simdes.errors import NotFound, Tampered
from simdes.exchange.findings import OWN_TRAIL, REPEATED_ROOT, Finding, finding
from simdes.exchange.node import Node
from simdes.index import audit as entries
from simdes.index import checkpoints
from simdes.index import reconciling as rows
from simdes.index.checkpoints import Checkpoint
from simdes.index.reconciling import NewWitness
from simdes.index.transaction import Transaction

PAGE: Final = 1_000
_SCANNED: Final = "audit-scanned"
_ROOTS: Final = "audit-roots"
_OWN: Final = "audit-own"


def own_trail(node: Node, *, everything: bool, dry: bool) -> Iterator[Finding]:
    """Our own batches against the chain, and our entries against our batches."""
    with node.database.read() as tx:
        mark = None if everything else checkpoints.get(tx, _OWN)
        scanned = checkpoints.get(tx, _SCANNED)
        last = entries.get(tx, scanned.block_number) if scanned else None
    if scanned and scanned.block_number and (last is None or last.digest != scanned.block_hash):
        yield finding(node, OWN_TRAIL, node.organisation, seq=scanned.block_number)
    if everything:
        try:
            node.desk.trail.verify_chain(node.database)
        except Tampered:
            yield finding(node, OWN_TRAIL, node.organisation, about=b"chain")
    seq = mark.block_number if mark else 0
    while True:
        with node.database.read() as tx:
            batch = entries.get_batch(tx, seq + 1)
            if batch is None or batch.state != entries.ANCHORED:
                break
            leaves = [one.leaf for one in entries.of_batch(tx, seq + 1)]
        on_chain = node.contracts.audit_log.root_at(organisation=node.organisation, seq=seq + 1)
        if not on_chain == batch.root == anchor.root(leaves or [batch.filler or b""]):
            yield finding(node, OWN_TRAIL, node.organisation, batch_seq=seq + 1)
        seq += 1
        mark = Checkpoint(seq, batch.root)
    if mark and not dry:
        end = mark
        node.database.write(lambda tx: checkpoints.put(tx, _OWN, end))


def repeated(node: Node, *, everything: bool, dry: bool) -> Iterator[Finding]:
    """Roots that somebody appended although they stood on chain."""
    with node.database.read() as tx:
        mark = None if everything else checkpoints.get(tx, _ROOTS)
        found = rows.repeated_roots(tx, after_block=mark.block_number if mark else -1)
    for one in found:
        # Whoever is named first may be the one that copied: a transaction is seen before it counts.
        ours = one.organisation == node.organisation
        yield finding(
            node, REPEATED_ROOT, one.first if ours else one.organisation, batch_seq=one.seq
        )
    if found and not dry:
        last = Checkpoint(max(one.block_number for one in found), bytes(32))
        node.database.write(lambda tx: checkpoints.put(tx, _ROOTS, last))


def scan(node: Node, *, before_ms: int, dry: bool) -> dict[bytes, int]:
    """Remember what others must show of our anchored entries; how much of whom."""
    counted: dict[bytes, int] = {}
    after = -1
    while True:
        with node.database.read() as tx:
            mark = checkpoints.get(tx, _SCANNED)
            start = max(after, mark.block_number if mark else 0)
            anchored = _anchored_through(tx)
            page = list(
                takewhile(
                    lambda one: one.seq <= anchored and one.created_ms < before_ms,  # noqa: B023
                    entries.entries(tx, after=start, limit=PAGE),
                )
            )
            new = [made for one in page if (made := _witness(node, tx, one)) is not None]
        if not page:
            return counted
        after = page[-1].seq
        for made in new:
            counted[made.organisation] = counted.get(made.organisation, 0) + 1
        if not dry:
            _keep_scanned(node, new, Checkpoint(after, page[-1].digest))


def _keep_scanned(node: Node, new: Sequence[NewWitness], mark: Checkpoint) -> None:
    def write(tx: Transaction) -> None:
        rows.add_witnesses(tx, new)
        checkpoints.put(tx, _SCANNED, mark)

    node.database.write(write)


def _anchored_through(tx: Transaction) -> int:
    """The number of the last entry that is on chain."""
    unfinished = entries.unfinished(tx)
    last = entries.newest_batch(tx)
    return unfinished[0].first_seq - 1 if unfinished else last.last_seq if last else 0


def _witness(node: Node, tx: Transaction, row: entries.Entry) -> NewWitness | None:
    """What the reader's organisation must show of what we gave or refused as a custodian."""
    if row.vault is None:
        return None
    entry = read_entry(node, tx, row)
    if entry is None or entry.attempt.verb not in CUSTODY:
        return None
    attempt = entry.attempt
    if attempt.organisation == node.organisation:
        return None
    return NewWitness(
        seq=row.seq,
        organisation=attempt.organisation,
        verb=Verb.READ.value,
        reason=attempt.reason,
        said_ms=entry.recorded_ms,
        records=b"".join(attempt.records),
        token=None,
    )


def read_entry(node: Node, tx: Transaction, row: entries.Entry) -> Entry | None:
    """One of our entries; None where its vault is erased here, or it was changed (see there)."""
    try:
        return decode(node.desk.trail.read(tx, row))
    except (NotFound, Tampered):
        return None
