"""The organisation's own audit trail: hash-chained entries, sealed at rest, anchored in batches.

Each entry holds the digest of the one before it; its salted leaf goes on chain with the next batch
of `AuditLog`, which takes neither a gap nor a fork (docs/formats/audit-entry.md; paper: "audit
trail"). `append` runs in the caller's transaction, so that an answer and its evidence are durable
together. Entries about a vault are wrapped under the vault's local key, the rest under the
organisation's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from simdes.access.audit_event import Attempt, Entry, decode, encode
from simdes.access.evidence import audit_proof
from simdes.access.keystore import KeyStore
from simdes.access.local_keys import vault_key
from simdes.crypto import anchor
from simdes.crypto.digest import hkdf, sha256
from simdes.crypto.keys import unwrap, wrap
from simdes.errors import NotFound, Tampered
from simdes.index import audit as rows
from simdes.index import custody as counters
from simdes.index import vaults
from simdes.index.database import Database
from simdes.index.transaction import Transaction
from simdes.ledger.contracts import Contracts

FOLD_MS: Final = 60_000
_UNDER_VAULT, _UNDER_ORGANISATION = b"\1", b"\0"
_AAD: Final = b"simdes/audit-entry/v1"


@dataclass(frozen=True, slots=True)
class Page:
    """Proof documents of a vault's entries in order; `more` says that there are others behind."""

    proofs: tuple[dict[str, Any], ...]
    last_seq: int
    more: bool


class Trail:
    """Writes and reads one organisation's entries. Safe to use from several threads."""

    def __init__(
        self,
        keystore: KeyStore,
        contracts: Contracts,
        *,
        clock: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        self._keystore = keystore
        self._contracts = contracts
        self._clock = clock
        self._random = random
        self._lock = threading.Lock()
        self._folding: dict[bytes, Attempt] = {}
        self.lost = 0
        """Refusals of this process that could not be written down."""
        self._own_key = hkdf(keystore.database_key, salt=b"", info=b"simdes/audit-key/v1")

    def append(self, tx: Transaction, attempts: Sequence[Attempt]) -> int:
        """Append one entry for each attempt; refusals equal to one of this minute are counted.

        The first of equal refusals stands at once, the rest follow as one entry with their count
        when the minute is over (`close_folds`). Returns how many stand at once; they come last.
        """
        now_ms = int(self._clock() * 1000)
        due = self._due(tx, now_ms) if any(not one.granted for one in attempts) else []
        fresh = [one for one in attempts if one.granted or self._is_first(tx, one, now_ms)]
        self.write(tx, [*due, *fresh], now_ms)
        return len(fresh)

    def count_lost(self) -> None:
        """Count a refusal that could not be written down."""
        with self._lock:
            self.lost += 1

    def close_folds(self, database: Database) -> int:
        """Write the entries of counted refusals whose minute is over; how many. A worker's step."""
        now_ms = int(self._clock() * 1000)

        def write(tx: Transaction) -> int:
            due = self._due(tx, now_ms)
            self.write(tx, due, now_ms)
            return len(due)

        return database.write(write)

    # Reading -----------------------------------------------------------------------------------

    def read(self, tx: Transaction, entry: rows.Entry) -> bytes:
        """An entry's bytes. `NotFound` when its vault is erased here, `Tampered` when the stored
        entry is not the one that was written."""
        content = unwrap(self._key(tx, entry.entry[:1], entry.vault), entry.entry[1:], aad=_AAD)
        if sha256(content) != entry.digest or anchor.audit_leaf(entry.salt, content) != entry.leaf:
            raise Tampered("A stored audit entry was changed.")
        return content

    def entries(
        self, database: Database, *, vault: bytes | None = None, after: int = 0, limit: int = 1000
    ) -> tuple[tuple[int, Entry], ...]:
        """(number, entry) behind number `after`, of a vault or of the whole organisation.

        Those about vaults that are erased here can't be read, and are left out.
        """
        with database.read() as tx:
            listed = (
                rows.entries(tx, after=after, limit=limit)
                if vault is None
                else rows.of_vault(tx, vault, after=after, limit=limit)
            )
            return tuple((one.seq, decode(text)) for one, text in self._readable(tx, listed))

    def page(self, database: Database, vault: bytes, *, after: int, limit: int) -> Page:
        """Proof documents of a vault's entries; those not anchored yet come without a batch."""
        with database.read() as tx:
            listed = rows.of_vault(tx, vault, after=after, limit=limit + 1)
            shown = listed[:limit]
            batches = Batches(tx)
            readable = [one for one, _ in self._readable(tx, shown)]
            proofs = tuple(self.proof(tx, one, batches) for one in readable)
        return Page(proofs, shown[-1].seq if shown else after, len(listed) > limit)

    def _readable(
        self, tx: Transaction, listed: Sequence[rows.Entry]
    ) -> Iterator[tuple[rows.Entry, bytes]]:
        for one in listed:
            with suppress(NotFound):
                yield one, self.read(tx, one)

    def prove(self, database: Database, seq: int) -> dict[str, Any]:
        """The proof document of one entry; `NotFound` for an unknown number."""
        with database.read() as tx:
            entry = rows.get(tx, seq)
            if entry is None:
                raise NotFound("There is no audit entry with this number.")
            return self.proof(tx, entry, Batches(tx))

    def verify_chain(self, database: Database) -> int:
        """Re-read every entry and compare it with its place in the chain; how many there are.

        Raises `Tampered` naming the first number that does not follow. Entries of vaults erased
        here are checked by digest alone.
        """
        expected, seq = rows.ZERO, 0
        while True:
            with database.read() as tx:
                listed = rows.entries(tx, after=seq)
                for one in listed:
                    if one.seq != seq + 1 or one.previous != expected:
                        raise Tampered(f"Audit entry {seq + 1} does not follow the one before it.")
                    self._check_content(tx, one)
                    expected, seq = one.digest, one.seq
            if not listed:
                return seq

    def _check_content(self, tx: Transaction, entry: rows.Entry) -> None:
        try:
            content = self.read(tx, entry)
        except NotFound:
            return
        if decode(content).previous != entry.previous:
            raise Tampered(f"Audit entry {entry.seq} names another entry before it.")

    # Writing -----------------------------------------------------------------------------------

    def write(self, tx: Transaction, attempts: Sequence[Attempt], now_ms: int) -> None:
        """Append one entry for each attempt, none of them counted with others."""
        if not attempts:
            return
        head = rows.lock_head(tx)
        seq, previous = head.seq, head.digest
        keys = self._keys(tx, {one.vault for one in attempts if one.vault is not None})
        made = []
        for attempt in attempts:
            content = encode(
                attempt,
                observer=self._keystore.organisation,
                recorded_ms=now_ms,
                previous=previous,
            )
            mark, key = keys.get(attempt.vault, (_UNDER_ORGANISATION, self._own_key))
            digest, salt, seq = sha256(content), self._random(32), seq + 1
            made.append(
                rows.NewEntry(
                    seq=seq,
                    previous=previous,
                    digest=digest,
                    entry=mark + wrap(key, content, aad=_AAD, random=self._random),
                    salt=salt,
                    leaf=anchor.audit_leaf(salt, content),
                    vault=attempt.vault,
                    created_ms=now_ms,
                )
            )
            previous = digest
        rows.append(tx, made, behind=head)

    def _keys(
        self, tx: Transaction, tags: Collection[bytes]
    ) -> dict[bytes | None, tuple[bytes, bytes]]:
        """The keys of the vaults that have one here; entries about others are under our own."""
        known = vaults.get_many(tx, sorted(tags)) if tags else {}
        return {
            tag: (_UNDER_VAULT, vault_key(self._keystore, row))
            for tag, row in known.items()
            if row.key_wrapped is not None
        }

    def _key(self, tx: Transaction, mark: bytes, vault: bytes | None) -> bytes:
        if mark == _UNDER_ORGANISATION:
            return self._own_key
        row = None if vault is None else vaults.get(tx, vault)
        if row is None:
            raise NotFound("The vault of this entry is not known here.")
        return vault_key(self._keystore, row)

    def _is_first(self, tx: Transaction, attempt: Attempt, now_ms: int) -> bool:
        fold = _fold(attempt)
        first = counters.fold_refusal(tx, fold, now_ms=now_ms) == 1
        if first:
            with self._lock:
                self._folding[fold] = attempt
        return first

    def _due(self, tx: Transaction, now_ms: int) -> list[Attempt]:
        """What the folds that are over stand for: one attempt each, with the count of the rest."""
        taken = counters.take_folds(tx, before_ms=now_ms - FOLD_MS)
        due = []
        for fold in taken:
            if fold.count == 1:
                continue
            attempt = self._folding.get(fold.fold) or self._first_of(tx, fold)
            if attempt is not None:
                due.append(replace(attempt, count=fold.count - 1))
        with self._lock:
            for fold in taken:
                self._folding.pop(fold.fold, None)
        return due

    def _first_of(self, tx: Transaction, fold: counters.Fold) -> Attempt | None:
        """Find the entry that began a fold of an earlier run or another replica: by its time.

        None once its vault is erased here: the first entry stands, its repeats can't be read.
        """
        found = tx.all(
            "SELECT seq FROM audit_entry WHERE created_ms = :at ORDER BY seq DESC", at=fold.first_ms
        )
        for (seq,) in found:
            entry = rows.get(tx, seq)
            if entry is None:
                continue
            try:
                attempt = decode(self.read(tx, entry)).attempt
            except NotFound:
                continue
            if _fold(attempt) == fold.fold:
                return attempt
        return None

    def proof(self, tx: Transaction, entry: rows.Entry, batches: Batches) -> dict[str, Any]:
        """The proof document of an entry; see `page`."""
        return audit_proof(
            chain=self._contracts.ledger.chain_id(),
            contract=self._contracts.addresses.audit_log,
            organisation=self._keystore.organisation,
            entry=self.read(tx, entry),
            salt=entry.salt,
            place=batches.place(entry),
        )


class Batches:
    """Leaves of anchored batches, read once however many proofs are made from them."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._kept: dict[int, tuple[rows.Batch, list[bytes]] | None] = {}

    def place(self, entry: rows.Entry) -> tuple[int, int, list[bytes]] | None:
        """(batch number, index, leaves), None while the entry is not anchored."""
        if entry.batch_seq is None:
            return None
        if entry.batch_seq not in self._kept:
            self._kept[entry.batch_seq] = self._read(entry.batch_seq)
        found = self._kept[entry.batch_seq]
        if found is None:
            return None
        batch, leaves = found
        return batch.seq, entry.seq - batch.first_seq, leaves

    def _read(self, seq: int) -> tuple[rows.Batch, list[bytes]] | None:
        batch = rows.get_batch(self._tx, seq)
        if batch is None or batch.state != rows.ANCHORED:
            return None
        found = self._tx.all(
            "SELECT leaf FROM audit_entry WHERE batch_seq = :seq ORDER BY seq", seq=seq
        )
        return batch, [row[0] for row in found]


def _fold(attempt: Attempt) -> bytes:
    """A digest of all that makes refusals equal."""
    return sha256(
        encode(replace(attempt, count=1), observer=rows.ZERO, recorded_ms=0, previous=rows.ZERO)
    )
