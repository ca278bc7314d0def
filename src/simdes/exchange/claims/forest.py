"""The forest of encounters' costs: where a batch stands, read from the ledger's events."""

from __future__ import annotations

import threading

from simdes.errors import NotFound
from simdes.exchange.prescriptions.forest import Standing
from simdes.ledger import events
from simdes.ledger.contracts import Contracts, StatementKind
from simdes.proofs.trees import FOREST_DEPTH, Tree

_KIND = StatementKind.ENCOUNTER


class CostForest:
    """The present forest of one network, grown as blocks come. Safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._forget(-1)

    def standing(self, contracts: Contracts, *, issuer: bytes, batch_root: int) -> Standing:
        """Where an issuer's batch stands now. Raises NotFound for one that the forest lacks."""
        with self._lock:
            self._grow(contracts)
            index = self._places.get((issuer, batch_root))
            if index is None:
                raise NotFound("The cost's batch is not in the forest of the network.")
            return Standing(index, tuple(self._tree.siblings(index)), self._tree.root)

    def _forget(self, number: int) -> None:
        self._number, self._next = number, -1
        self._tree = Tree(FOREST_DEPTH)
        self._places: dict[tuple[bytes, int], int] = {}

    def _grow(self, contracts: Contracts) -> None:
        present = contracts.statements.forest(_KIND)
        if present.number != self._number:
            self._forget(present.number)
        self._read(contracts)
        if len(self._tree) and self._tree.root != present.root:
            # Another history than the one that was read, or a batch since: read anew, once.
            self._forget(contracts.statements.forest(_KIND).number)
            self._read(contracts)

    def _read(self, contracts: Contracts) -> None:
        last = contracts.ledger.head().number
        first = max(self._next, contracts.addresses.first_block)
        if first > last:
            return
        for log in contracts.ledger.logs(
            first=first, last=last, addresses=(contracts.addresses.statements,)
        ):
            one = contracts.decode(log)
            if isinstance(one, events.RootInserted) and (one.kind, one.forest) == (
                _KIND,
                self._number,
            ):
                at = self._tree.append(one.batch_root)
                self._places[(one.organisation, one.batch_root)] = at
        self._next = last + 1
