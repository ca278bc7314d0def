"""How often somebody may try to sign in: failures cost waiting time, never the account.

Failures are counted for the user name from one network address, for the user name from everywhere,
for the address, and for a browser that this person signed in with before. The wait doubles with
every failure beyond the free ones and is bounded. A browser that is known and a passkey are not
held up by what strangers do, so nobody can lock anybody out (OWASP ASVS 5.0, 6.3.1). A try is
counted before it is judged: tries at the same time gain nothing.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from simdes.access.keystore import KeyStore
from simdes.crypto.digest import hkdf
from simdes.errors import TooLarge
from simdes.index import credentials as rows
from simdes.index.transaction import Transaction

FORGET_MS: Final = 3_600_000
_DEVICE_BYTES: Final = 16

WRONG_PASSPHRASE: Final = "WRONG_PASSPHRASE"  # noqa: S105 (a reason's name)
WRONG_CODE: Final = "WRONG_CODE"
COPIED_PASSKEY: Final = "COPIED_PASSKEY"
WRONG_SIGNATURE: Final = "WRONG_SIGNATURE"
"""Why a sign-in of a known person was refused, as the audit trail names it."""


_WAITS: Final = (
    (10_000, "Wait a few seconds and try again."),
    (60_000, "Wait a minute and try again."),
    (300_000, "Wait five minutes and try again."),
    (1 << 62, "Wait a quarter of an hour and try again."),
)


@dataclass(frozen=True, slots=True)
class Allowance:
    """``free`` failures without waiting, then ``first_ms``, doubled each time up to ``most_ms``."""

    free: int
    first_ms: int
    most_ms: int


USER_AT_ADDRESS: Final = Allowance(free=5, first_ms=2_000, most_ms=900_000)
USER_ANYWHERE: Final = Allowance(free=20, first_ms=2_000, most_ms=60_000)
ADDRESS: Final = Allowance(free=50, first_ms=1_000, most_ms=300_000)
USER_AT_DEVICE: Final = Allowance(free=10, first_ms=2_000, most_ms=900_000)
RECOVERY_OF: Final = Allowance(free=20, first_ms=2_000, most_ms=60_000)
RECOVERY_FROM: Final = Allowance(free=5, first_ms=10_000, most_ms=900_000)
CODE: Final = Allowance(free=5, first_ms=5_000, most_ms=900_000)
WALLET: Final = Allowance(free=30, first_ms=900_000, most_ms=900_000)


@dataclass(frozen=True, slots=True)
class Subject:
    """What failures are counted for. ``lasting``: a success does not clear it."""

    id: bytes
    allowance: Allowance
    lasting: bool = False


def subjects_of(
    keystore: KeyStore, user: str, *, address: str, device: bytes | None
) -> tuple[Subject, ...]:
    """What a try by passphrase is counted for; ``device``: of a browser known to the user."""
    if device is not None:
        return (Subject(_name(keystore, "device", user, device.hex()), USER_AT_DEVICE),)
    return (
        Subject(_name(keystore, "user-at", user, address), USER_AT_ADDRESS),
        Subject(_name(keystore, "user", user), USER_ANYWHERE),
        *address_subject(keystore, address),
    )


def address_subject(keystore: KeyStore, address: str) -> tuple[Subject, ...]:
    """What a failure is counted for that no name is tried by: the network address alone."""
    return (Subject(_name(keystore, "address", address), ADDRESS, lasting=True),)


def code_subject(keystore: KeyStore, account: bytes) -> tuple[Subject, ...]:
    """What a try by one-time or recovery code is counted for; it follows a right passphrase."""
    return (Subject(_name(keystore, "code", account.hex()), CODE),)


def recovery_subjects(keystore: KeyStore, user: str, *, address: str) -> tuple[Subject, ...]:
    """What asking for a new key is counted for; nothing clears it but time."""
    return (
        Subject(_name(keystore, "recovery-of", user), RECOVERY_OF, lasting=True),
        Subject(_name(keystore, "recovery-from", address), RECOVERY_FROM, lasting=True),
    )


def wallet_subjects(keystore: KeyStore, account: bytes) -> tuple[Subject, ...]:
    """What a wallet lets go through here is counted for; nothing clears it but time."""
    return (Subject(_name(keystore, "wallet", account.hex()), WALLET, lasting=True),)


def count(tx: Transaction, subjects: Sequence[Subject], *, now_ms: int) -> None:
    """Count a try as failed until `succeeded` takes it back.

    Raises TooLarge, counting nothing, while one of the subjects has to wait.
    """
    tx.lock("sign-in")
    known = rows.delays(tx, [one.id for one in subjects])
    waits = max((one.until_ms for one in known.values()), default=0) - now_ms
    if waits > 0:
        raise TooLarge(
            "There were too many failed tries.",
            advice=next(text for most, text in _WAITS if waits <= most),
        )
    rows.put_delays(tx, [_failed(one, known.get(one.id), now_ms) for one in subjects])


def succeeded(tx: Transaction, subjects: Sequence[Subject]) -> None:
    """Forget what was counted, except what a success says nothing about."""
    rows.clear_delays(tx, [one.id for one in subjects if not one.lasting])


def _failed(subject: Subject, known: rows.Delay | None, now_ms: int) -> rows.Delay:
    recent = known is not None and known.last_ms > now_ms - FORGET_MS
    failures = 1 + (known.failures if known is not None and recent else 0)
    allowance, over = subject.allowance, failures - subject.allowance.free
    wait = 0 if over <= 0 else min(allowance.most_ms, allowance.first_ms << min(over - 1, 20))
    return rows.Delay(subject=subject.id, failures=failures, last_ms=now_ms, until_ms=now_ms + wait)


def device_mark(keystore: KeyStore, account: bytes, nonce: bytes) -> bytes:
    """What a browser keeps to be known again for one account: a nonce of 16 bytes and our mark."""
    return nonce + _mac(keystore, b"device" + account + nonce)


def known_device(keystore: KeyStore, account: bytes, mark: bytes) -> bytes | None:
    """The nonce of a mark that we made for this account, None for any other bytes."""
    nonce = mark[:_DEVICE_BYTES]
    right = hmac.compare_digest(mark, device_mark(keystore, account, nonce))
    return nonce if right and len(nonce) == _DEVICE_BYTES else None


def _name(keystore: KeyStore, *parts: str) -> bytes:
    # Keyed: the table must not tell whoever takes the disk which names were tried.
    return _mac(keystore, "\0".join(parts).encode())


def _mac(keystore: KeyStore, message: bytes) -> bytes:
    key = hkdf(keystore.database_key, salt=b"", info=b"simdes/attempts/v1")
    return hmac.digest(key, message, "sha256")
