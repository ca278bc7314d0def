"""Which of an organisation's ledger lanes a process sends with.

A lane is a key that one process at a time signs with, so that no two take the same nonce. A program
that sends all the time (the worker, a command) holds one until it ends; a gateway that only answers
requests borrows one for each transaction, so that there may be more of them than lanes.

Processes that share a folder tell each other by locks on its files. Gateways on machines of their
own have copies of the folder and share the PostgreSQL database: there a lane is leased, too
(decision 49), so that a lane that sends in one copy is passed over in the others.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from simdes.access.accounts import Agent
from simdes.access.requests import Signer
from simdes.errors import Conflict, SimdesError, Unavailable
from simdes.index import safekeeping
from simdes.index.database import Database
from simdes.ledger.lane import Call, Lane, TransactionStore
from simdes.ledger.ledger import Ledger, Receipt

LANES: Final = 4
"""Ledger accounts of an organisation's software: as many processes may send at once."""

WAIT_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.05

LEASE_SECONDS: Final = 120.0
"""How long a lane of a folder's copy that died is left to it: above what clocks may differ, which
custodians refuse (60 s), and above the 10 seconds of a call to the ledger."""


class Leases:
    """Which lanes this copy of the folder may send with, where copies share a database.

    The holder is the copy, not the process: of one copy's processes the locked file decides, so
    that what takes a dead one's place here need not wait for its time to run out.
    """

    def __init__(
        self,
        data: Path,
        database: Database,
        signers: Sequence[Signer],
        clock: Callable[[], float],
        *,
        holder: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``holder`` names the copy; by default machine, device and inode of the folder do."""
        self._database = database
        self._names = [f"lane 0x{one.address.hex()}" for one in signers]
        self._clock, self._monotonic = clock, monotonic
        self._holder = holder or _copy(data)
        self._fresh: dict[int, float] = {}

    def take(self, number: int) -> bool:
        """Lease a lane; False where another copy of the folder has it."""
        now_ms, until_ms = self._times()
        name = self._names[number]
        taken = self._database.write(
            lambda tx: safekeeping.hold(tx, name, self._holder, now_ms=now_ms, until_ms=until_ms)
        )
        if taken:
            self._fresh[number] = self._monotonic()
        return taken

    def keep(self, number: int) -> bool:
        """Whether a leased lane is still ours; its time is renewed in the second half."""
        if self._monotonic() - self._fresh[number] < LEASE_SECONDS / 2:
            return True
        _, until_ms = self._times()
        name = self._names[number]
        kept = self._database.write(
            lambda tx: safekeeping.hold_longer(tx, name, self._holder, until_ms=until_ms)
        )
        if kept:
            self._fresh[number] = self._monotonic()
        return kept

    def let_go(self, number: int) -> None:
        """Give a lane back; where the database does not answer its time runs out."""
        name = self._names[number]
        with suppress(SimdesError):
            self._database.write(lambda tx: safekeeping.let_go(tx, name, self._holder))

    def _times(self) -> tuple[int, int]:
        now_ms = int(self._clock() * 1000)
        return now_ms, now_ms + int(LEASE_SECONDS * 1000)


def _copy(data: Path) -> str:
    status = (data / "lanes").stat()
    return f"{os.uname().nodename}:{status.st_dev}:{status.st_ino}"


@dataclass(slots=True)
class Claim:
    """A lane of this process, until it is closed or the process ends."""

    number: int
    file: IO[str]
    leases: Leases | None = None

    def close(self) -> None:
        """Let others have it."""
        if self.leases is not None:
            self.leases.let_go(self.number)
        self.file.close()

    def __enter__(self) -> Claim:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def claim(data: Path, leases: Leases | None = None) -> Claim:
    """Take the first ledger lane that no other process of this organisation uses.

    The system lets go of it when the process ends, however it ends, or when it is closed; whoever
    takes it next sends what was left unsettled. Raises Unavailable where all are taken.
    """
    folder = data / "lanes"
    folder.mkdir(exist_ok=True)
    for number in range(LANES):
        held = (folder / f"{number}.lock").open("a")
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if leases is None or leases.take(number):
                return Claim(number, held, leases)
        except OSError:
            pass
        except SimdesError:
            held.close()
            raise
        held.close()
    raise Unavailable(
        f"{LANES} programs of this organisation run already.", advice="Stop one of them."
    )


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """Keep every program of this organisation from starting until the end.

    Raises Conflict where one runs.
    """
    folder = data / "lanes"
    folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        for number in range(LANES):
            held = stack.enter_context((folder / f"{number}.lock").open("a"))
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Conflict(
                    "Programs of this organisation are running.",
                    advice="Stop `simdes serve` and every other command, then try again.",
                ) from None
        yield


@contextmanager
def sending(
    data: Path,
    ledger: Ledger,
    signers: Sequence[Signer],
    store: TransactionStore,
    *,
    borrow: bool,
    leases: Leases | None = None,
) -> Iterator[Agent]:
    """What sends for the organisation: a lane of this process's own, or borrowed ones."""
    if borrow:
        yield BorrowedLane(data, ledger, signers, store, leases=leases)
        return
    with ExitStack() as stack:
        own = OwnLane(data, ledger, signers, store, leases=leases)
        stack.callback(own.close)
        yield own if leases is not None else own.lane


class OwnLane:
    """Sends with one lane for as long as its lease lasts, then with another. Safe for threads."""

    def __init__(
        self,
        data: Path,
        ledger: Ledger,
        signers: Sequence[Signer],
        store: TransactionStore,
        *,
        leases: Leases | None,
    ) -> None:
        """Claims a lane; raises Unavailable where all are taken."""
        self._data, self._leases = data, leases
        self._ledger, self._signers, self._store = ledger, signers, store
        self._lock = threading.Lock()
        self._claim = claim(data, leases)
        self._lane = self._made()

    @property
    def address(self) -> bytes:
        """The address of the lane that it has now."""
        return self._lane.address

    @property
    def lane(self) -> Lane:
        """The lane to send with now. What slept longer than its lease may have lost it."""
        if self._leases is None:
            return self._lane
        with self._lock:
            if not self._leases.keep(self._claim.number):
                lost = self._claim  # locked until there is another: no process of this copy
                self._claim = claim(self._data, self._leases)  # takes it for its own meanwhile
                lost.file.close()
                self._lane = self._made()
            return self._lane

    def _made(self) -> Lane:
        return Lane(self._ledger, self._signers[self._claim.number], self._store)

    def transact(self, call: Call) -> Receipt:
        """See `Lane.transact`; Unavailable where the lease was lost and no lane is free."""
        return self.lane.transact(call)

    def transact_many(self, calls: Sequence[Call]) -> list[Receipt | SimdesError]:
        """See `Lane.transact_many`."""
        return self.lane.transact_many(calls)

    def resume(self) -> list[Receipt]:
        """See `Lane.resume`."""
        return self.lane.resume()

    def close(self) -> None:
        """Let others have the lane."""
        self._claim.close()


class BorrowedLane:
    """Sends each transaction with whichever lane is free. Safe for several threads."""

    def __init__(
        self,
        data: Path,
        ledger: Ledger,
        signers: Sequence[Signer],
        store: TransactionStore,
        *,
        leases: Leases | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``signers`` are the organisation's lanes in the order of their numbers."""
        self._data = data
        self._leases = leases
        self._ledger = ledger
        self._signers = signers
        self._store = store
        self._sleep = sleep

    @property
    def address(self) -> bytes:
        """The address of the first lane, which stands for the organisation's software."""
        return self._signers[0].address

    def transact(self, call: Call) -> Receipt:
        """See `Lane.transact`; Unavailable where no lane comes free in time."""
        with self._borrowed() as lane:
            return lane.transact(call)

    def transact_many(self, calls: Sequence[Call]) -> list[Receipt | SimdesError]:
        """See `Lane.transact_many`."""
        with self._borrowed() as lane:
            return lane.transact_many(calls)

    def resume(self) -> list[Receipt]:
        """See `Lane.resume`."""
        with self._borrowed() as lane:
            return lane.resume()

    @contextmanager
    def _borrowed(self) -> Iterator[Lane]:
        with self._claimed() as held:
            # A new lane each time: another process may have sent with the key meanwhile.
            yield Lane(self._ledger, self._signers[held.number], self._store)

    def _claimed(self) -> Claim:
        waited = 0.0
        while True:
            try:
                return claim(self._data, self._leases)
            except Unavailable:
                if waited >= WAIT_SECONDS:
                    raise
            self._sleep(_POLL_SECONDS)
            waited += _POLL_SECONDS
