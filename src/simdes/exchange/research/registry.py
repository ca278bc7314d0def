"""Which studies there are: the ids that the ledger's events told, read on from where they ended."""

from __future__ import annotations

import threading
from typing import Final

from simdes.ledger import events
from simdes.ledger.contracts import Contracts

_AGAIN: Final = 256
"""Blocks that are read again each time: a chain may take back its newest ones."""


class Registry:
    """The ids of a network's studies, in the order of registration. Safe for several threads.

    An id may be of a study that a reorganised chain lost: ask the contract for it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids: dict[bytes, None] = {}
        self._read = 0

    def ids(self, contracts: Contracts) -> tuple[bytes, ...]:
        """Every id up to the ledger's head."""
        with self._lock:
            head = contracts.ledger.head().number
            first = max(contracts.addresses.first_block, self._read - _AGAIN)
            logs = contracts.ledger.logs(
                first=first, last=head, addresses=(contracts.addresses.studies,)
            )
            for log in logs:
                one = contracts.decode(log)
                if isinstance(one, events.StudyRegistered):
                    self._ids.setdefault(one.study)
            self._read = head
            return tuple(self._ids)
