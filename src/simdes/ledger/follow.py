"""Following a network's events from a checkpoint.

A gateway keeps a read model of the contracts' events. It stores each step's checkpoint together
with what the step changed, so that a restart goes on where it stopped and nothing counts twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from simdes.errors import Conflict, Unavailable
from simdes.ledger.ledger import (
    LOG_SPAN_BLOCKS,
    Address,
    Block,
    Clock,
    Ledger,
    Log,
    OtherChain,
)


class HistoryChanged(Conflict):
    """The block of the checkpoint is another one now: a reorganisation, or another chain.

    On a network with finality this never happens; a development node may do it. The read model
    must be built anew from the first block.
    """

    default_advice = "Check that the node belongs to this network, then rebuild the read model."


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The last block whose events are in the read model."""

    block_number: int
    block_hash: bytes


@dataclass(frozen=True, slots=True)
class Step:
    """Events in chain order, each once, and the checkpoint to store with them."""

    logs: tuple[Log, ...]
    checkpoint: Checkpoint


Range = tuple[int, bytes]
"""The first block of a step, and the hash of its last."""


def follow(
    ledger: Ledger,
    addresses: Sequence[Address],
    checkpoint: Checkpoint | None,
    *,
    first_block: int = 0,
    span: int = LOG_SPAN_BLOCKS,
    head: Block | None = None,
    read: dict[Range, Step] | None = None,
) -> Iterator[Step]:
    """Yield what happened after `checkpoint`, up to the head as it is when called, or to `head`.

    Without a checkpoint it begins at `first_block`. Each step covers at most `span` blocks. A node
    behind the checkpoint (just restarted, still loading) yields nothing. `read` keeps the one step
    of a short way for another follower of the same addresses that goes it next. Raises
    `HistoryChanged` when the checkpoint's block is another one now, `OtherChain` when that can't be
    because blocks of this ledger are final, `Unavailable` when the node doesn't answer.
    """
    head = head or ledger.head()
    start = first_block
    if checkpoint is not None:
        if head.number < checkpoint.block_number:
            return
        if not _follows(head, checkpoint):
            number = checkpoint.block_number
            _require(ledger, ledger.block(number), number, checkpoint.block_hash)
        start = checkpoint.block_number + 1
    kept = {} if read is None else read
    while start <= head.number:
        last = min(start + span - 1, head.number)
        way = (start, head.hash)
        if last < head.number:
            yield _step(ledger, addresses, start, last, ledger.block(last))
        else:
            if way not in kept:
                kept.clear()
                kept[way] = _step(ledger, addresses, start, last, head)
            yield kept[way]
        start = last + 1


def _follows(head: Block, checkpoint: Checkpoint) -> bool:
    """Whether the head itself says that the checkpoint's block is before it, or is the same."""
    known = (checkpoint.block_number, checkpoint.block_hash)
    return known in ((head.number - 1, head.parent), (head.number, head.hash))


def _step(
    ledger: Ledger, addresses: Sequence[Address], first: int, last: int, end: Block | None
) -> Step:
    """Read one range, whose `end` was read before; it is read after, too, so that no change goes
    unseen, but where it is the whole range: then its hash says which events are meant."""
    if end is None:
        raise _lost(last)
    logs = ledger.logs(first=first, last=last, addresses=addresses, end=end)
    if first < last:
        again = ledger.block(last)
        if again is None:
            raise _lost(last)
        _require(ledger, again, last, end.hash)
    if any(log.block_number == last and log.block_hash != end.hash for log in logs):
        raise HistoryChanged(f"block {last} changed while its events were read")
    once = {(log.transaction_hash, log.index): log for log in logs}
    ordered = sorted(once.values(), key=lambda log: (log.block_number, log.index))
    return Step(tuple(ordered), Checkpoint(last, end.hash))


def _lost(number: int) -> Unavailable:
    return Unavailable(f"the ledger node lost block {number} while it was read")


def _require(ledger: Ledger, block: Block | None, number: int, block_hash: bytes) -> None:
    if block is not None and block.hash == block_hash:
        return
    if ledger.final():
        raise OtherChain(f"block {number} is not the one that was read before, and it was final")
    raise HistoryChanged(f"block {number} is not the one that was read before")


def age_seconds(head: Block, clock: Clock) -> float:
    """Return how long ago the head was made; never negative, as clocks differ a little."""
    return max(0.0, clock() - head.timestamp)


def require_fresh(head: Block, clock: Clock, *, most_seconds: float) -> None:
    """Refuse to answer from a stale ledger.

    `most_seconds` is some block periods; the embedded ledger's period is 15 seconds. Raises
    `Unavailable`.
    """
    age = age_seconds(head, clock)
    if age > most_seconds:
        raise Unavailable(
            f"the ledger is stale: its newest block is {int(age)} seconds old",
            advice="Check that the ledger node runs and is connected to the network.",
        )
