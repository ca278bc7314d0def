"""What is being opened at other organisations: written down before anybody is asked.

Custodians write down whom they gave shares before they answer. The reader's own trail must hold the
same, even where the program dies between the shares and the entry: so an opening is durable before
the first question goes out and ends in the transaction of the entries that say how. One that nobody
ended becomes an entry with the reason `UNFINISHED`: it may have been read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from simdes.access.audit import Trail
from simdes.access.audit_event import Attempt, decode, encode
from simdes.access.desk import Desk
from simdes.access.keystore import KeyStore
from simdes.crypto.digest import hkdf
from simdes.crypto.keys import unwrap, wrap
from simdes.index import audit as entries
from simdes.index import reconciling as rows
from simdes.index.database import Database
from simdes.index.transaction import Transaction

UNFINISHED: Final = "UNFINISHED"
"""Why an opening has no better entry: what became of it is not known."""
TOO_FEW: Final = "TOO_FEW_SHARES"
"""Some custodians gave their share, too few for the key."""
LONGEST_MS: Final = 600_000
"""An opening that takes longer has an entry of its own, whatever comes of it."""
_AAD: Final = b"simdes/audit-opening/v1"


class Openings:
    """The openings of one organisation. Safe to use from several threads."""

    def __init__(
        self,
        keystore: KeyStore,
        database: Database,
        trail: Trail,
        *,
        random: Callable[[int], bytes],
    ) -> None:
        self._key = hkdf(keystore.database_key, salt=b"", info=_AAD)
        self._database = database
        self._trail = trail
        self._random = random

    def begin(self, attempt: Attempt, *, vault: bytes, now_ms: int) -> bytes:
        """Make durable what somebody is about to open; its id."""
        plain = encode(attempt, observer=entries.ZERO, recorded_ms=0, previous=entries.ZERO)
        opening = rows.Opening(
            id=self._random(32),
            vault=vault,
            attempt_wrapped=wrap(self._key, plain, aad=_AAD, random=self._random),
            begun_ms=now_ms,
        )
        self._database.write(lambda tx: rows.begin_opening(tx, opening))
        return opening.id

    def end(
        self,
        tx: Transaction,
        id_: bytes,
        attempts: Sequence[Attempt],
        witnesses: Sequence[tuple[int, rows.NewWitness]] = (),
    ) -> None:
        """Write down how an opening ended, in the caller's transaction.

        ``witnesses`` come with the place of the attempt that they are about, whose entry's number
        they get; those of a refusal that was only counted are left out.
        """
        fresh = self._trail.append(tx, attempts)
        first = entries.lock_head(tx).seq - fresh + 1
        kept = len(attempts) if fresh == len(attempts) else sum(one.granted for one in attempts[:1])
        rows.add_witnesses(tx, [replace(one, seq=first + at) for at, one in witnesses if at < kept])
        rows.end_opening(tx, id_)

    def close_unended(self, *, now_ms: int) -> int:
        """Write an entry for each opening that nobody ended in time; how many."""
        before_ms = now_ms - LONGEST_MS
        with self._database.read() as tx:
            if not rows.unended(tx, before_ms=before_ms, limit=1):
                return 0

        def write(tx: Transaction) -> int:
            first = entries.lock_head(tx).seq + 1
            left = rows.unended(tx, before_ms=before_ms)
            self._trail.write(tx, [self._unfinished(one) for one in left], now_ms)
            for seq, one in enumerate(left, first):
                rows.ended_by(tx, one.id, seq=seq)
            return len(left)

        return self._database.write(write)

    def _unfinished(self, opening: rows.Opening) -> Attempt:
        plain = unwrap(self._key, opening.attempt_wrapped, aad=_AAD)
        return replace(decode(plain).attempt, reason=UNFINISHED)


def own_openings(desk: Desk) -> Openings:
    """The openings of the organisation of a desk."""
    return Openings(desk.keystore, desk.database, desk.trail, random=desk.random)
