"""A forest that begins anew has our batches again, without anybody's doing.

Governance begins a forest anew when an issuer's statements must no longer count
(`Statements.beginForest`). No earlier root holds from then on, so that each issuer inserts its own
batches once more: every one from the oldest on that holds a prescription somebody may still
dispense from, whether it holds one itself or dummies alone, so that which ones come again tells
nothing. An opening names its batch by root, and holds as it is.
"""

from __future__ import annotations

from typing import Final

from simdes.errors import Conflict
from simdes.exchange.node import Node
from simdes.exchange.prescriptions import forest, records, stating
from simdes.index import prescriptions
from simdes.ledger.contracts import StatementKind

AT_ONCE: Final = 32
"""Batches of one round; what is due by the timetable does not wait for all of them."""
_LOOKED_AT: Final = 256


def replant(node: Node) -> int:
    """Mark batches that the present forest lacks, to be inserted by this round; how many.

    Nothing on the first forest. Raises Unavailable where the ledger does not answer.
    """
    number = node.contracts.statements.forest(StatementKind.PRESCRIPTION).number
    if number == 0:
        return 0
    forest.catch_up(node.desk)
    first = _oldest_alive(node)
    if first is None:
        return 0

    with node.database.transaction() as tx:
        return prescriptions.insert_again(
            tx, forest=number, organisation=node.organisation, first=first, limit=AT_ONCE
        )


def _oldest_alive(node: Node) -> int | None:
    """The oldest batch with a prescription that is neither cancelled nor expired."""
    after, today = 0, stating.today(node)
    while True:
        with node.database.read() as tx:
            rows = prescriptions.standing(tx, after=after, limit=_LOOKED_AT)
            for one in rows:
                try:
                    key = records.home_of(node, tx, one.vault).key
                except Conflict:
                    continue  # erased with the vault
                if stating.opened(key, one).opening.last_day >= today:
                    return one.batch
        if len(rows) < _LOOKED_AT:
            return None
        after = rows[-1].id
