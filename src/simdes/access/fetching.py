"""What a custodian or grantee must fetch from the content store because of events of the chain.

Manifest lists (which records' shares we keep), sealed terms (what was granted to us or in our
vaults), vault descriptors (that we are a custodian). What cannot be fetched yet is tried again with
growing pauses for a day; its checkpoint stays before the oldest such event, so that a restart looks
again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from simdes.access import custody_keys
from simdes.access.consent import check_terms, encode_terms_row, open_terms
from simdes.access.descriptors import VaultDescriptor
from simdes.access.directory import Directory
from simdes.access.following import Write, keep
from simdes.access.keystore import KeyStore
from simdes.access.vaults import add_local
from simdes.crypto import cbor
from simdes.crypto.digest import sha256
from simdes.crypto.keys import OpeningKey
from simdes.crypto.letter import HINT_BYTES
from simdes.crypto.manifest import ManifestEntry, decode_manifest, open_entries
from simdes.errors import NotFound, SimdesError, Tampered, Unavailable
from simdes.index import checkpoints
from simdes.index import custody as rows
from simdes.index import vaults as vault_rows
from simdes.index.database import Database
from simdes.index.transaction import Transaction
from simdes.ledger import events
from simdes.ledger.contracts import Contracts
from simdes.ledger.follow import Checkpoint, HistoryChanged, Range, Step, follow
from simdes.ledger.ledger import Block
from simdes.storage.cid import cid_of_digest, text_cid
from simdes.storage.store import Store

FETCHED: Final = "custody"
GIVE_UP_SECONDS: Final = 86_400
MAX_LETTER_BYTES: Final = 16 << 20
MAX_MANIFEST_BYTES: Final = 64 << 20
_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 600.0


@dataclass(slots=True)
class _Missing:
    """An event whose content could not be fetched yet."""

    event: events.ChainEvent
    since: float
    next_try: float
    pause: float = _FIRST_PAUSE_SECONDS


@dataclass(slots=True)
class Fetcher:
    """Fetches what events point at, for one organisation. One thread at a time may call `step`.

    `given_up` counts what could not be fetched or was malformed: an event's author may have
    published anything.
    """

    keystore: KeyStore
    contracts: Contracts
    directory: Directory
    database: Database
    store: Store
    clock: Callable[[], float]
    random: Callable[[int], bytes]
    given_up: int = 0
    _missing: list[_Missing] = field(default_factory=list)
    _reached: Checkpoint | None = None
    _authors: dict[bytes, bytes | None] = field(default_factory=dict)

    @property
    def is_due(self) -> bool:
        """Whether something that was missing is to be tried again now."""
        now = self.clock()
        return any(one.next_try <= now for one in self._missing)

    def step(self, head: Block | None = None, read: dict[Range, Step] | None = None) -> int:
        """Go through the events since the last step; how many led to something kept.

        `head` and `read` as in `follow_chain`.
        """
        kept = self._again()
        if self._reached is None:
            with self.database.read() as tx:
                known = checkpoints.get(tx, FETCHED)
            if known is not None:
                self._reached = Checkpoint(known.block_number, known.block_hash)
        try:
            for found in follow(
                self.contracts.ledger,
                self.contracts.addresses.watched(),
                self._reached,
                first_block=self.contracts.addresses.first_block,
                head=head,
                read=read,
            ):
                writes = [
                    write
                    for log in found.logs
                    if (event := self.contracts.decode(log)) is not None
                    and (write := self._try(event)) is not None
                ]
                self._reached = found.checkpoint
                self._keep(self._settled(found.checkpoint), writes)
                kept += len(writes)
        except HistoryChanged:
            self._missing, self._reached = [], None
            self.database.write(lambda tx: checkpoints.forget(tx, FETCHED))
            raise
        return kept

    def _settled(self, reached: Checkpoint) -> Checkpoint | None:
        """How far nothing is missing; None to leave the stored checkpoint where it is."""
        return None if self._missing else reached

    def _again(self) -> int:
        """Try what was missing and is due once more."""
        now = self.clock()
        due = [one for one in self._missing if one.next_try <= now]
        self._missing = [one for one in self._missing if one.next_try > now]
        kept = 0
        for one in due:
            write = self._try(one.event, before=one)
            if write is not None:
                self._keep(None, [write])
                kept += 1
        if due and not self._missing and self._reached is not None:
            self._keep(self._reached, [])
        return kept

    def _keep(self, checkpoint: Checkpoint | None, writes: list[Write]) -> None:
        """Write down what events led to. Where the database takes nothing (a full disk), the next
        step begins at the stored checkpoint: nothing that was read counts as read."""
        try:
            keep(self.database, FETCHED, checkpoint, writes)
        except Exception:
            self._missing, self._reached = [], None
            raise

    def _try(self, event: events.ChainEvent, before: _Missing | None = None) -> Write | None:
        """What to write because of an event; nothing for a malformed one, it never gets better."""
        taker = _TAKERS.get(type(event))
        if taker is None:
            return None
        try:
            return taker(self, event)
        except (Unavailable, NotFound):
            self._later(event, before)
        except SimdesError:
            self.given_up += 1
        return None

    def _later(self, event: events.ChainEvent, before: _Missing | None) -> None:
        now = self.clock()
        if before is None:
            self._missing.append(_Missing(event, now, now + _FIRST_PAUSE_SECONDS))
            return
        if now - before.since > GIVE_UP_SECONDS:
            self.given_up += 1
            return
        pause = min(before.pause * 2, _LONGEST_PAUSE_SECONDS)
        self._missing.append(_Missing(event, before.since, now + pause, pause))

    # What each event leads to ------------------------------------------------------------------

    def vault_opened(self, event: events.VaultOpened) -> Write | None:
        """A vault of another organisation that names us and the key we gave: keep a row for it."""
        with self.database.read() as tx:
            key = rows.key_of(tx, event.tag, event.epoch)
            aside = rows.aside(tx) if key is None else {}
        if aside:
            key = self._recover(event, aside)
        if key is None or event.organisation == self.keystore.organisation:
            return None
        descriptor = self.directory.vault(event.tag)
        ours = [one for one in descriptor.custodians if one.public == key.public]
        if not ours or ours[0].organisation != self.keystore.organisation:
            return None
        cid = cid_of_digest(event.descriptor)
        known = self.contracts.accounts.vault(event.tag)
        control = None if known is None else known.control

        def write(tx: Transaction) -> None:
            self._add_vault(tx, event.tag, descriptor)
            _set_epoch(tx, descriptor, cid)
            if control is not None:  # set while the descriptor could not be fetched yet
                vault_rows.set_control(tx, event.tag, control)

        return write

    def _recover(
        self, event: events.VaultOpened | events.VaultRenewed, aside: Mapping[bytes, bytes]
    ) -> rows.Key | None:
        """A key that was handed out before a restore, which forgot it: at once, since entries of
        that vault may come in the same step."""
        named = self.directory.descriptor(event.descriptor)
        ours = self.keystore.organisation
        return self.database.write(
            lambda tx: custody_keys.recover(tx, ours, event.tag, named, aside)
        )

    def vault_renewed(self, event: events.VaultRenewed) -> Write | None:
        """The next epoch of a vault that we know, or whose new custodians we are one of."""
        with self.database.read() as tx:
            known = vault_rows.get(tx, event.tag) is not None
            aside = rows.aside(tx)
        descriptor = self.directory.descriptor(event.descriptor)
        if aside:
            self._recover(event, aside)
        if not known and descriptor.index_of(self.keystore.organisation) is None:
            return None
        found = self.contracts.accounts.vault(event.tag)

        def write(tx: Transaction) -> None:
            if not known:
                self._add_vault(tx, event.tag, descriptor)
            _set_epoch(tx, descriptor, cid_of_digest(event.descriptor))
            if found is not None and found.control is not None:
                vault_rows.set_control(tx, event.tag, found.control)

        return write

    def _add_vault(self, tx: Transaction, tag: bytes, descriptor: VaultDescriptor) -> None:
        add_local(
            tx,
            self.keystore,
            tag,
            m=descriptor.m,
            n=descriptor.n,
            home=False,
            random=self.random,
            now_ms=int(self.clock() * 1000),
        )

    def vault_set(self, event: events.VaultSet) -> Write | None:
        """A vault that we know has its patient now."""

        def write(tx: Transaction) -> None:
            # Looked up here: the vault may have been opened in the same step.
            if vault_rows.get(tx, event.tag) is not None:
                vault_rows.set_control(tx, event.tag, event.account)

        return write

    def granted(self, event: events.Granted) -> Write | None:
        """Terms sealed to us, as custodian of the vault or as the grantee's organisation."""
        block = self.store.get(cid_of_digest(event.pointer), most_bytes=MAX_LETTER_BYTES)
        consent = open_terms(block, letter_keys(self.keystore, self.database, event.tag))
        if consent is None:
            return None
        check_terms(consent, vault=event.tag, handle=event.handle, committed=event.commitment)
        row = encode_terms_row(consent, block_number=event.log.block_number)
        return lambda tx: rows.add_terms(tx, row)

    def anchored(self, event: events.Anchored) -> Write | None:
        """The entries of a batch that are for vaults whose shares we keep."""
        with self.database.read() as tx:
            digests = [r[0] for r in tx.all(_BOUND)]
        if not digests:
            return None
        listed = decode_manifest(
            self.store.get(text_cid(event.manifest), most_bytes=MAX_MANIFEST_BYTES),
            root=event.root,
        )
        if len(listed.leaves) != event.count:
            raise Tampered("The manifest list has another count than the batch.")
        writes = [
            write
            for letter in listed.letters
            if (write := self._letter(event, letter, digests)) is not None
        ]
        if not writes:
            return None

        def write_all(tx: Transaction) -> None:
            for write in writes:
                write(tx)

        return write_all

    def _letter(self, event: events.Anchored, letter: bytes, digests: list[bytes]) -> Write | None:
        """Entries of one letter; a letter that does not hold is passed over, the others count."""
        try:
            ours = _addressed(letter, digests)
            if ours is None:
                return None
            with self.database.read() as tx:
                [row] = rows.keys_by_digest(tx, [ours])
            key = custody_keys.open_key(self.keystore, row)
            opened = None if key is None else open_entries(letter, key)
        except (Unavailable, NotFound):
            raise
        except SimdesError:
            self.given_up += 1
            return None
        if opened is None or opened[0] != row.vault:
            return None
        kept = [self._row(event, opened[0], entry) for entry in opened[1]]
        true = [one for one in kept if one is not None]
        self.given_up += len(kept) - len(true)
        return lambda tx: rows.add_entries(tx, true)

    def _row(
        self, event: events.Anchored, vault: bytes, entry: ManifestEntry
    ) -> rows.ManifestEntry | None:
        """An entry as it is kept; None when its author could not have written it."""
        if (
            entry.organisation != event.organisation
            or max(entry.leaf_indexes) >= event.count
            or self._organisation_of(entry.author) != event.organisation
            or entry.labels > rows.MAX_LABELS
        ):
            return None
        return rows.ManifestEntry(
            batch_id=event.batch_id,
            record_id=entry.record_id,
            vault=vault,
            category=entry.category,
            labels=entry.labels,
            types=entry.types,
            body_cid=entry.body_cid,
            body_digest=entry.body_digest,
            capsule_cid=entry.capsule_cid,
            indexes=entry.leaf_indexes,
            organisation=entry.organisation,
            author=entry.author,
            created_ms=entry.time_ms,
        )

    def _organisation_of(self, author: bytes) -> bytes | None:
        """The organisation of the account whose key this is or was; an answer never changes."""
        found = self._authors.get(author)
        if found is None:
            holder = self.contracts.accounts.holder_of(author)
            account = None if holder is None else self.contracts.accounts.account(holder)
            found = self._authors[author] = None if account is None else account.organisation
        return found


def letter_keys(keystore: KeyStore, database: Database, vault: bytes) -> list[OpeningKey]:
    """What opens terms that are sealed to us: as custodian of a vault, or as an organisation."""
    with database.read() as tx:
        held = [custody_keys.open_key(keystore, one) for one in rows.keys_of(tx, vault)]
    return [*(key for key in held if key is not None), keystore.descriptor_key]


_BOUND: Final = "SELECT public_digest FROM custody_key WHERE state = 'bound'"
_HINT: Final = b"simdes/hint/v1"

_TAKERS: Final[Mapping[type[events.ChainEvent], Callable[[Fetcher, Any], Write | None]]] = {
    events.VaultOpened: Fetcher.vault_opened,
    events.VaultRenewed: Fetcher.vault_renewed,
    events.VaultSet: Fetcher.vault_set,
    events.Granted: Fetcher.granted,
    events.Anchored: Fetcher.anchored,
}


def _set_epoch(tx: Transaction, descriptor: VaultDescriptor, cid: str) -> None:
    vault_rows.set_epoch(
        tx,
        descriptor.tag,
        epoch=descriptor.epoch,
        m=descriptor.m,
        n=descriptor.n,
        descriptor_cid=cid,
    )


def _addressed(letter: bytes, digests: list[bytes]) -> bytes | None:
    """Which of our keys (SHA-256 of the public half) a letter is for, by its hints."""
    value, _ = cbor.decode_first(letter)  # the header alone tells whom it is for
    salt, hints = (value.get("salt"), value.get("hints")) if isinstance(value, dict) else (0, 0)
    if not isinstance(salt, bytes) or not isinstance(hints, list):
        return None
    listed = {hint for hint in hints if isinstance(hint, bytes)}
    prefix = _HINT + salt
    return next((one for one in digests if sha256(prefix + one)[:HINT_BYTES] in listed), None)
