"""Follow the chain: the read model.

One of two followers, with a checkpoint each: this one never waits for anything but the ledger, the
other fetches what events point at (`simdes.access.fetching`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from simdes.access.chain_model import apply_events
from simdes.index import checkpoints
from simdes.index.chain import forget
from simdes.index.database import Database
from simdes.index.transaction import Transaction
from simdes.ledger import events
from simdes.ledger.contracts import Contracts
from simdes.ledger.follow import Checkpoint, HistoryChanged, Range, Step, follow
from simdes.ledger.ledger import Block

CHAIN: Final = "chain"

Write = Callable[[Transaction], None]


def follow_chain(
    database: Database,
    contracts: Contracts,
    *,
    heard: Callable[[tuple[events.ChainEvent, ...]], None] = lambda _: None,
    head: Block | None = None,
    read: dict[Range, Step] | None = None,
) -> int:
    """Bring the read model up to the head; how many events came. A worker's step.

    `head` where it was asked for already, `read` what another follower of it read (`follow`).

    `heard` is told of the events after they are durable (a reader drops copies on a revocation).
    On another history (a development node reorganised) the model is dropped and built anew.
    """
    with database.read() as tx:
        known = checkpoints.get(tx, CHAIN)
    count = 0
    try:
        for step in follow(
            contracts.ledger,
            contracts.addresses.watched(),
            None if known is None else Checkpoint(known.block_number, known.block_hash),
            first_block=contracts.addresses.first_block,
            head=head,
            read=read,
        ):
            found = tuple(e for log in step.logs if (e := contracts.decode(log)) is not None)
            keep(database, CHAIN, step.checkpoint, [partial(_apply, found=found)])
            heard(found)
            count += len(found)
    except HistoryChanged:
        database.write(lambda tx: forget(tx, follower=CHAIN))
        raise
    return count


def _apply(tx: Transaction, *, found: tuple[events.ChainEvent, ...]) -> None:
    apply_events(tx, found)


def keep(database: Database, name: str, checkpoint: Checkpoint | None, writes: list[Write]) -> None:
    """Write what a step led to together with its checkpoint."""

    def write_all(tx: Transaction) -> None:
        for write in writes:
            write(tx)
        if checkpoint is not None:
            place = checkpoints.Checkpoint(checkpoint.block_number, checkpoint.block_hash)
            checkpoints.put(tx, name, place)

    database.write(write_all)
