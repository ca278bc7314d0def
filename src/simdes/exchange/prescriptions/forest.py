"""The forest of prescriptions, kept up with: where each batch stands, what stands beside its way.

Events give the roots of batches; the tree above them is this process's own, grown as they come. A
hash is half a millisecond, so that a first start on a network of 100,000 batches takes a minute.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simdes.errors import NotFound
from simdes.index import chain_prescriptions as rows
from simdes.index import checkpoints
from simdes.index.transaction import Transaction
from simdes.ledger import events
from simdes.ledger.contracts import StatementKind
from simdes.ledger.follow import Checkpoint, HistoryChanged, Step, follow
from simdes.proofs.openings import number
from simdes.proofs.trees import FOREST_DEPTH, Tree

if TYPE_CHECKING:
    from simdes.access.desk import Desk

_KIND: Final = StatementKind.PRESCRIPTION


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a batch stands, and the root under which that can be shown."""

    index: int
    siblings: tuple[int, ...]
    root: int


class Forests:
    """The present forest of one network. Safe for several threads.

    ``lacks_ours``: batches of this organisation are not in it, or may not be (`replanting`).
    """

    def __init__(self) -> None:
        self.lacks_ours = True
        self._lock = threading.Lock()
        self._number = -1
        self._tree = Tree(FOREST_DEPTH)

    def standing(self, desk: Desk, *, issuer: bytes, batch_root: bytes) -> Standing:
        """Where an issuer's batch stands now. Raises NotFound for one that the forest lacks."""
        with self._lock:
            if catch_up(desk):
                self._number = -1
            forest = desk.contracts.statements.forest(_KIND)
            with desk.database.read() as tx:
                self._grow(tx, forest.number)
                place = rows.place_of(tx, forest.number, issuer, batch_root)
            if place is None or place >= len(self._tree):
                raise NotFound(
                    "The prescription's batch is not in the forest of the network.",
                    advice="Its issuer may have been removed; ask the prescriber for a new one.",
                )
            return Standing(place, tuple(self._tree.siblings(place)), self._tree.root)

    def _grow(self, tx: Transaction, forest: int) -> None:
        if forest != self._number:
            self._number, self._tree = forest, Tree(FOREST_DEPTH)
        for one in rows.roots(tx, forest, first=len(self._tree)):
            self._tree.append(number(one.root))


def catch_up(desk: Desk) -> bool:
    """Bring what is known of prescriptions up to the ledger's head; whether it was read anew."""
    try:
        _catch_up(desk)
    except HistoryChanged:
        desk.database.write(rows.forget)
        _catch_up(desk)
        return True
    return False


def _catch_up(desk: Desk) -> None:
    contracts = desk.contracts
    with desk.database.read() as tx:
        known = checkpoints.get(tx, rows.FOLLOWER)
    for step in follow(
        contracts.ledger,
        (contracts.addresses.statements, contracts.addresses.prescriptions),
        None if known is None else Checkpoint(known.block_number, known.block_hash),
        first_block=contracts.addresses.first_block,
    ):
        _keep(desk, step)


def _keep(desk: Desk, step: Step) -> None:
    found = [one for log in step.logs if (one := desk.contracts.decode(log)) is not None]
    roots = _roots(found)
    dispensed = [
        rows.Dispense(
            tag=one.tag.to_bytes(32, "big"),
            part=one.part,
            pharmacy=one.pharmacy,
            fill_day=one.fill_day,
        )
        for one in found
        if isinstance(one, events.Dispensed)
    ]
    checkpoint = checkpoints.Checkpoint(step.checkpoint.block_number, step.checkpoint.block_hash)

    def write(tx: Transaction) -> None:
        if roots:
            rows.add_roots(tx, roots)
        if dispensed:
            rows.add_dispenses(tx, dispensed)
        checkpoints.put(tx, rows.FOLLOWER, checkpoint)

    desk.database.write(write)


def _roots(found: Sequence[events.ChainEvent]) -> list[rows.Root]:
    return [
        rows.Root(
            forest=one.forest,
            place=one.index,
            organisation=one.organisation,
            root=one.batch_root.to_bytes(32, "big"),
        )
        for one in found
        if isinstance(one, events.RootInserted) and one.kind == _KIND
    ]
