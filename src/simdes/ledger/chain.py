"""One chain of the embedded ledger: blocks are made, made durable, and replayed.

Holds what `embedded` guards with its lock: the virtual machine, the senders' nonces and the head.
Not safe for threads by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from simdes.errors import Conflict, SimdesError, Tampered, Unavailable, Unsupported
from simdes.ledger.journal import POSITION_BITS, Entry, Header, Journal, seal_header
from simdes.ledger.ledger import Address, Clock
from simdes.ledger.machine import Machine, Outcome
from simdes.ledger.transactions import Transaction, read_payload

BLOCK_GAS_LIMIT = 300_000_000
CALL_GAS_LIMIT = 50_000_000
"""What a mere question may cost, as on public nodes: it holds up everybody while it runs."""
EMPTY_BLOCK_SECONDS = 15
"""A reader who comes later than this after the last block gets a new, empty one, so that the
head's age means what it means on a network with validators."""
FOLD_TRANSACTIONS = 10_000
"""About how many transactions a start replays at most."""
_BLOCK_TRANSACTIONS = 1 << (POSITION_BITS - 1)
_NOBODY = bytes(20)


@dataclass(slots=True)
class Waiting:
    """A checked transaction on its way into a block, and what became of it."""

    transaction: Transaction
    outcome: bytes | SimdesError | None = None


class Chain:
    """The state at the journal's head."""

    head: Header
    nonces: dict[Address, int]

    def __init__(self, journal: Journal, clock: Clock, *, fold_transactions: int) -> None:
        self._journal = journal
        self._clock = clock
        self._fold_transactions = fold_transactions
        self._keeping = True
        self.sound = False
        """Whether the state is that of the journal's head; otherwise nothing may be asked."""
        self._restore()

    def mine(self, queue: Sequence[Waiting]) -> None:
        """Put transactions into blocks and commit all of them in one durable step."""
        sealed: list[tuple[Header, list[Entry]]] = []
        taken: dict[bytes, Waiting] = {}
        try:
            while queue:
                queue = self._fill_block(queue, sealed, taken)
            if sealed:
                self._journal.append(sealed)
        except Unavailable as error:
            # The machine is ahead of the journal now: go back to what is durable.
            for item in taken.values():
                item.outcome = error
            self._restore()
            return
        for transaction_hash, item in taken.items():
            item.outcome = transaction_hash
        if self._unfolded >= self._fold_transactions:
            self.fold()

    def _fill_block(
        self,
        queue: Sequence[Waiting],
        sealed: list[tuple[Header, list[Entry]]],
        taken: dict[bytes, Waiting],
    ) -> list[Waiting]:
        """Run what fits into one block, add the block to `sealed`, and return what is left."""
        number = self.head.block.number + 1
        timestamp = self._next_timestamp()
        self._machine.at(number=number, timestamp=timestamp)
        entries: list[Entry] = []
        room, logs = BLOCK_GAS_LIMIT, 0
        for place, item in enumerate(queue):
            transaction = item.transaction
            if self._settled(item, transaction, taken):
                continue
            if transaction.gas > room or len(entries) == _BLOCK_TRANSACTIONS:
                left = list(queue[place:])
                break
            entry = self._execute(transaction, number, len(entries), logs)
            entries.append(entry)
            room -= entry.gas_used
            logs += len(entry.logs)
            taken[transaction.hash] = item
        else:
            left = []
        if entries:
            used = sum(entry.gas_used for entry in entries)
            self.head = seal_header(
                number=number,
                parent=self.head.block.hash,
                timestamp=timestamp,
                gas_used=used,
                entries=entries,
            )
            sealed.append((self.head, entries))
        return left

    def _settled(
        self, item: Waiting, transaction: Transaction, taken: dict[bytes, Waiting]
    ) -> bool:
        """Settle a transaction whose nonce is not the next one; say whether it was."""
        expected = self.nonces.get(transaction.sender, 0)
        if transaction.nonce == expected:
            return False
        if transaction.nonce > expected:
            item.outcome = Conflict(f"nonce too high: the next one is {expected}")
        elif transaction.hash in taken or self._journal.entry(transaction.hash) is not None:
            item.outcome = transaction.hash
        else:
            item.outcome = Conflict(f"nonce too low: the next one is {expected}")
        return True

    def _execute(self, tx: Transaction, number: int, position: int, first_log: int) -> Entry:
        outcome = self._machine.transact(
            sender=tx.sender, nonce=tx.nonce, to=tx.to, data=tx.data, gas=tx.gas
        )
        self._count(tx.sender, tx.nonce)
        return Entry(
            block_number=number,
            position=position,
            hash=tx.hash,
            sender=tx.sender,
            nonce=tx.nonce,
            succeeded=outcome.succeeded,
            gas_used=outcome.gas_used,
            first_log=first_log,
            contract=outcome.created,
            revert=b"" if outcome.succeeded else outcome.output,
            logs=outcome.logs,
            raw=tx.raw,
        )

    def beat(self) -> None:
        """Add an empty block when the head is old."""
        if self._clock() - self.head.block.timestamp < EMPTY_BLOCK_SECONDS:
            return
        header = seal_header(
            number=self.head.block.number + 1,
            parent=self.head.block.hash,
            timestamp=self._next_timestamp(),
            gas_used=0,
            entries=(),
        )
        self._journal.append([(header, ())])
        self.head = header

    def _next_timestamp(self) -> int:
        return max(self.head.block.timestamp, int(self._clock()))

    # --- state -----------------------------------------------------------------------------

    def _restore(self) -> None:
        """Load the kept state and replay what came after it."""
        self.sound = False
        try:
            self._replay()
        except Tampered:
            if self._journal.kept_state()[0] == 0:
                raise
            # The kept state is only a shortcut; the journal decides.
            self._journal.drop_state()
            self._replay()
        self.sound = True

    def _replay(self) -> None:
        start, state, nonces = self._journal.kept_state()
        self._machine = Machine(chain_id=self._journal.chain_id, gas_limit=BLOCK_GAS_LIMIT)
        self._machine.load(state)
        self.nonces = nonces
        self._unsaved: set[Address] = set()
        self._unfolded = 0
        head = self._journal.header(start)
        if head is None:
            raise Tampered("the journal's kept state belongs to no block")
        self.head = head
        blocks = _by_block(self._journal.entries_after(start))
        upcoming = next(blocks, None)
        for header in self._journal.headers_after(start):
            entries: list[Entry] = []
            if upcoming is not None and upcoming[0] == header.block.number:
                entries = upcoming[1]
                upcoming = next(blocks, None)
            self._replay_block(header, entries)
        if upcoming is not None:
            raise Tampered("the journal holds transactions of a block that is missing")

    def _replay_block(self, header: Header, entries: Sequence[Entry]) -> None:
        block = header.block
        self._machine.at(number=block.number, timestamp=block.timestamp)
        for entry in entries:
            self._replay_entry(entry)
        again = seal_header(
            number=self.head.block.number + 1,
            parent=self.head.block.hash,
            timestamp=block.timestamp,
            gas_used=header.gas_used,
            entries=entries,
        )
        if again != header:
            raise Tampered(f"block {block.number} of the journal does not follow its parent")
        self.head = header
        if self._unfolded >= self._fold_transactions:
            self.fold()

    def _replay_entry(self, entry: Entry) -> None:
        """Repeat one transaction; a failed one changed nothing but its sender's nonce.

        What it costs depends on which slots are warm: where its own gas limit no longer suffices,
        the block's is used.
        """
        if entry.succeeded:
            to, data, gas = read_payload(entry.raw)
            outcome = self._machine.transact(
                sender=entry.sender, nonce=entry.nonce, to=to, data=data, gas=gas
            )
            if not outcome.succeeded:
                outcome = self._machine.transact(
                    sender=entry.sender, nonce=entry.nonce, to=to, data=data, gas=BLOCK_GAS_LIMIT
                )
            same = outcome.logs == entry.logs and outcome.created == entry.contract
            if not (outcome.succeeded and same):
                raise Tampered(f"block {entry.block_number} of the journal does not replay")
        self._count(entry.sender, entry.nonce)

    def _count(self, sender: Address, nonce: int) -> None:
        self.nonces[sender] = nonce + 1
        self._unsaved.add(sender)
        self._unfolded += 1

    def fold(self) -> None:
        """Settle the machine's state and keep it for a fast start."""
        if not self._keeping or not self._unfolded:
            return
        # Should this fail, the state on disk stays that of an earlier block, which is sound; but
        # what is folded now would be missing from a later one, so none is kept any more.
        self._keeping = False
        try:
            state = self._machine.fold()
            nonces = [(sender, self.nonces[sender]) for sender in self._unsaved]
            self._journal.keep_state(self.head.block.number, state, nonces)
        except (Unavailable, Unsupported):
            return
        self._unsaved.clear()
        self._unfolded = 0
        self._keeping = True

    # --- reading ---------------------------------------------------------------------------

    def simulate(self, to: Address | None, data: bytes, sender: Address | None) -> Outcome:
        """Run a call on the head and keep none of its effects.

        It sees the present time, as the next block will: where blocks come on demand, the head's
        time may have passed long ago, and what has waited long enough would still be refused.
        """
        caller = sender or _NOBODY
        self._machine.at(number=self.head.block.number, timestamp=self._next_timestamp())
        nonce = self.nonces.get(caller, 0)
        return self._machine.call(sender=caller, nonce=nonce, to=to, data=data, gas=BLOCK_GAS_LIMIT)

    def code(self, address: Address) -> bytes:
        """Return a contract's code."""
        return self._machine.code(address)

    def storage(self, address: Address, slot: int) -> int:
        """Return the value of a storage slot."""
        return self._machine.storage(address, slot)


def _by_block(entries: Iterator[Entry]) -> Iterator[tuple[int, list[Entry]]]:
    for number, group in groupby(entries, key=lambda entry: entry.block_number):
        yield number, list(group)
