"""Which of an organisation's ledger lanes a process sends with.

A lane is a key that one process at a time signs with, so that no two take the same nonce. A program
that sends all the time (the worker, a command) holds one until it ends; a gateway that only answers
requests borrows one for each transaction, so that there may be more of them than lanes.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Final

from simdes.access.accounts import Agent
from simdes.access.requests import Signer
from simdes.errors import Conflict, SimdesError, Unavailable
from simdes.ledger.lane import Call, Lane, TransactionStore
from simdes.ledger.ledger import Ledger, Receipt

LANES: Final = 4
"""Ledger accounts of an organisation's software: as many processes may send at once."""

WAIT_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.05


def claim(data: Path) -> tuple[int, IO[str]]:
    """Take the first ledger lane that no other process of this organisation uses.

    The system lets go of it when the process ends, however it ends, or when the file is closed;
    whoever takes it next sends what was left unsettled. Raises Unavailable where all are taken.
    """
    folder = data / "lanes"
    folder.mkdir(exist_ok=True)
    for number in range(LANES):
        held = (folder / f"{number}.lock").open("a")
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            held.close()
            continue
        return number, held
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
) -> Iterator[Agent]:
    """What sends for the organisation: a lane of this process's own, or borrowed ones."""
    if borrow:
        yield BorrowedLane(data, ledger, signers, store)
        return
    number, held = claim(data)
    with held:
        yield Lane(ledger, signers[number], store)


class BorrowedLane:
    """Sends each transaction with whichever lane is free. Safe for several threads."""

    def __init__(
        self,
        data: Path,
        ledger: Ledger,
        signers: Sequence[Signer],
        store: TransactionStore,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``signers`` are the organisation's lanes in the order of their numbers."""
        self._data = data
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
        number, held = self._claimed()
        with held:
            # A new lane each time: another process may have sent with the key meanwhile.
            yield Lane(self._ledger, self._signers[number], self._store)

    def _claimed(self) -> tuple[int, IO[str]]:
        waited = 0.0
        while True:
            try:
                return claim(self._data)
            except Unavailable:
                if waited >= WAIT_SECONDS:
                    raise
            self._sleep(_POLL_SECONDS)
            waited += _POLL_SECONDS
