"""Key stores locked at next to no cost, which the format stores beside the lock.

Nothing but tests/unit/crypto/test_locks.py is about guessing passphrases, and at full cost founding
a network would be nothing but that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from unittest import mock

from simdes.access import keystore
from simdes.crypto.keys import ArgonCost, lock

CHEAP: Final = ArgonCost(passes=1, memory_kib=64, lanes=1)


def cheap_lock(secret: bytes, passphrase: str, **others: Any) -> bytes:
    """Lock a secret at this cost, whichever is asked for."""
    return lock(secret, passphrase, **others | {"cost": CHEAP})


@contextmanager
def cheap_locks() -> Iterator[None]:
    """Lock key stores at next to no cost while this is open."""
    with mock.patch.object(keystore, "lock", cheap_lock):
        yield
