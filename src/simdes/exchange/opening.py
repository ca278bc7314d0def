"""Open records of other organisations: list, gather shares, fetch, check every byte, keep a copy.

Nothing a custodian lists is believed: the body must hash to what was listed, open with the combined
secret, carry the signature of an account of the organisation it names, and have its leaves in a
batch that the chain holds (docs/formats/sealed-record.md, docs/formats/anchor-batch.md). A copy is
kept for at most 15 minutes under the vault's local key; the custodians are asked for the list
before every reading, so a copy opens nothing that they would refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import Any

import msgspec

from simdes.access import epochs, evidence, reading
from simdes.access import vaults as vault_access
from simdes.access.asking import Because, Caller
from simdes.access.descriptors import VaultDescriptor
from simdes.access.reading import Gathered, Listed
from simdes.crypto.digest import sha256
from simdes.crypto.keys import unwrap, wrap
from simdes.crypto.manifest import Manifest, decode_manifest
from simdes.crypto.seal import open_body
from simdes.decoding import ready
from simdes.errors import SimdesError, Tampered
from simdes.exchange.comparing import note_lacking
from simdes.exchange.indexing import CopiedItem, index_copies, read_copies
from simdes.exchange.node import Node
from simdes.exchange.reached import FRESH_SECONDS
from simdes.exchange.remote_reading import Opening, recorded
from simdes.exchange.signin import Session
from simdes.exchange.signin import caller as reading_caller
from simdes.index import chain, copies, vaults
from simdes.index.copies import Copy
from simdes.index.transaction import Transaction
from simdes.index.vaults import Vault
from simdes.index.visible import PATIENT
from simdes.ledger.accounts import Vault as OnChain
from simdes.ledger.records import Batch
from simdes.storage.cid import text_cid

GROUP = 250
"""Records that custodians are asked for at once: an answer takes each of them a fraction of a
second, and this side opens the group before meanwhile. At most `messages.MAX_RECORDS`."""
COPY_MS = 15 * 60_000
_COPY = b"simdes/remote-copy/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a resource version is anchored: what its proof is made from."""

    batch_id: bytes
    index: int
    body_digest: bytes
    salt: bytes


@dataclass(frozen=True, slots=True)
class OpenedItem:
    """One resource of an opened record, and where it is anchored."""

    type: str
    content: bytes
    place: Place


@dataclass(frozen=True, slots=True)
class OpenedListed:
    """An opened record; ``origin`` is ``custodians`` or ``copy``."""

    listed: Listed
    items: tuple[OpenedItem, ...]
    origin: str


@dataclass(frozen=True, slots=True)
class OpenedRecords:
    """Everything one ground opened, in the order of anchoring."""

    records: tuple[OpenedListed, ...]
    refused: Mapping[bytes, str]
    receipts: tuple[bytes, ...]
    culprits: Mapping[bytes, str]

    def items(self) -> Iterator[tuple[OpenedListed, OpenedItem]]:
        """Every resource with its record."""
        return ((record, item) for record in self.records for item in record.items)


def read_under(
    node: Node,
    session: Session,
    vault: bytes,
    wanted: int,
    because: Because,
    *,
    batches: Collection[bytes] | None = None,
    known: OnChain | None = None,
) -> OpenedRecords:
    """Read what one ground opens of a vault, in the categories of the mask ``wanted``.

    ``batches``: only what was anchored with these; ``known``: what the chain just said of the
    vault. Raises as `reading.list_records` and `reading.gather`; Tampered where anything is not as
    anchored.
    """
    descriptor = node.desk.directory.vault(vault, known=known)
    with (
        recorded(node, session, descriptor, because) as opening,
        reading.looking(node.custody, descriptor) as up,
    ):
        caller = opening.caller(reading_caller(node, session))
        if not copies_held(node, vault):
            up.begin()  # shares will be needed
        every, lacking = _listed(node, caller, descriptor, because)
        listed = [
            one
            for one in every
            if wanted >> one.category & 1 and (batches is None or one.batch_id in batches)
        ]
        found = _read(node, caller, descriptor, listed, opening, up)
        note_lacking(node, vault, lacking, [one.listed.record_id for one in found.records])
        opening.succeeded([one.listed.record_id for one in found.records], found.refused)
    return found


def _read(
    node: Node,
    caller: Caller,
    descriptor: VaultDescriptor,
    listed: Sequence[Listed],
    opening: Opening,
    up: reading.Looking,
) -> OpenedRecords:
    vault, because = descriptor.tag, opening.because
    local = _local_vault(node, vault, m=descriptor.m, n=descriptor.n)
    handle = because.handle or PATIENT
    copied = _copied(node, local, handle, listed)
    missing = [one for one in listed if one.record_id not in copied]
    opened: dict[bytes, OpenedListed] = {}
    refused: dict[bytes, str] = {}
    receipts: list[bytes] = []
    culprits: dict[bytes, str] = {}
    checked = _Anchors(node)

    def gather(group: Sequence[Listed]) -> Gathered:
        capsules = {one.record_id: node.store.get(one.capsule_cid) for one in group}
        opening.asked |= dict.fromkeys(capsules)
        with checked.looked_up(group):
            gathered = reading.gather(
                caller,
                descriptor,
                because,
                capsules,
                trusted=partial(epochs.require_true_dealers, node.desk, vault),
                up=up,
            )
        opening.had |= dict.fromkeys(gathered.secrets)
        return gathered

    groups = [missing[start : start + GROUP] for start in range(0, len(missing), GROUP)]
    with closing(_one_ahead(gather, groups)) as answered:
        for group, gathered in answered:
            for one in group:
                if (secret := gathered.secrets.get(one.record_id)) is not None:
                    opened[one.record_id] = _open(node, vault, one, secret, checked)
            refused |= gathered.refused
            receipts += gathered.receipts
            culprits |= gathered.culprits
    _keep(
        node, local, handle, [opened[one.record_id] for one in missing if one.record_id in opened]
    )
    found = tuple(
        record for one in listed if (record := (copied | opened).get(one.record_id)) is not None
    )
    return OpenedRecords(found, refused, tuple(receipts), culprits)


def _one_ahead(
    gather: Callable[[Sequence[Listed]], Gathered], groups: Sequence[Sequence[Listed]]
) -> Generator[tuple[Sequence[Listed], Gathered], None, None]:
    """Each group with its shares; while one is opened here, custodians are asked for the next.

    A group is asked for only where the one before it was answered. Closing it waits for what was
    asked.
    """
    if not groups:
        return
    asker = copy_context()  # how long the asker waits holds in that thread, too
    with ThreadPoolExecutor(max_workers=1) as beside:
        coming = beside.submit(asker.run, gather, groups[0])
        for group, following in zip_longest(groups, groups[1:]):
            gathered = coming.result()
            if following is not None:
                coming = beside.submit(asker.run, gather, following)
            yield group, gathered


def _listed(
    node: Node, caller: Caller, descriptor: VaultDescriptor, because: Because
) -> tuple[tuple[Listed, ...], Mapping[bytes, tuple[Listed, ...]]]:
    """What there is; now and then by two custodians, with what each of them left out."""
    handle = because.handle or PATIENT
    now = node.now_seconds()
    if node.compared.is_due(descriptor.tag, handle, now_seconds=now):
        return reading.list_from_two(caller, descriptor, because)
    return reading.list_records(caller, descriptor, because), {}


def prove(
    node: Node, *, record_id: bytes, resource_type: str, content: bytes, place: Place
) -> dict[str, Any]:
    """The proof document of a resource that was read; `simdes verify` checks it anywhere."""
    anchors = _Anchors(node)
    batch, manifest = anchors.of(place.batch_id)
    return evidence.record_proof(
        chain=node.contracts.ledger.chain_id(),
        contract=node.contracts.addresses.records,
        organisation=batch.organisation,
        leaves=manifest.leaves,
        index=place.index,
        record_id=record_id,
        body_digest=place.body_digest,
        resource_type=resource_type,
        salt=place.salt,
        content_digest=sha256(content),
    )


class _Anchors:
    """What the chain says of batches and of authors' keys; each is asked once a reading.

    Safe for threads: what two ask for at once is asked twice.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._kept: dict[bytes, tuple[Batch, Manifest]] = {}
        self._authors: dict[bytes, bytes] = {}

    def of(self, batch_id: bytes) -> tuple[Batch, Manifest]:
        """The batch and its manifest; Tampered where the chain has no such batch."""
        if batch_id not in self._kept:
            self._kept[batch_id] = self._read(batch_id)
        return self._kept[batch_id]

    @contextmanager
    def looked_up(self, records: Sequence[Listed]) -> Iterator[None]:
        """Ask for what these records will be checked against, while their shares are on the way.

        What can't be had is asked for again by the check itself, which says why.
        """
        if not records:
            yield
            return
        with ThreadPoolExecutor(max_workers=1) as beside:
            beside.submit(copy_context().run, self._look_up, records)
            yield

    def _look_up(self, records: Sequence[Listed]) -> None:
        with suppress(SimdesError):
            for batch_id in dict.fromkeys(one.batch_id for one in records):
                self.of(batch_id)
            for author in dict.fromkeys(one.author for one in records):
                self.writes_for(author)

    def writes_for(self, author: bytes) -> bytes:
        """The organisation whose account has or had this key; "" for a key never seen."""
        if author not in self._authors:
            accounts = self._node.contracts.accounts
            holder = accounts.holder_of(author)
            account = accounts.account(holder) if holder else None
            self._authors[author] = account.organisation if account else b""
        return self._authors[author]

    def _read(self, batch_id: bytes) -> tuple[Batch, Manifest]:
        batch = self._node.contracts.records.batch(batch_id)
        with self._node.database.read() as tx:
            event = chain.batch(tx, batch_id)
        if batch is None or event is None:
            raise Tampered("A record is listed under a batch that the chain does not hold.")
        block = self._node.store.get(text_cid(event.manifest))
        manifest = decode_manifest(block, root=batch.root)
        if len(manifest.leaves) != batch.count:
            raise Tampered("A batch's list has another count of leaves than the chain.")
        return batch, manifest

    def check(self, one: Listed, leaves: Sequence[bytes]) -> None:
        """Tampered unless the chain holds these leaves where the list says."""
        batch, manifest = self.of(one.batch_id)
        if batch.organisation != one.organisation:
            raise Tampered("A record is anchored by another organisation than its author's.")
        try:
            anchored = [manifest.leaves[index] for index in one.leaf_indexes]
        except IndexError:
            anchored = []
        if anchored != list(leaves):
            raise Tampered("A record is not the one that its author anchored.")


def _open(node: Node, vault: bytes, one: Listed, secret: bytes, anchors: _Anchors) -> OpenedListed:
    record = open_body(node.store.get(one.body_cid), secret, record_id=one.record_id)
    found = (
        record.vault,
        record.category,
        record.labels,
        record.organisation,
        record.author,
        record.body_digest,
        tuple(item.type for item in record.items),
    )
    listed = (
        vault,
        one.category,
        one.labels,
        one.organisation,
        one.author,
        one.body_digest,
        one.types,
    )
    if found != listed:
        raise Tampered("A record is not what the custodian's list says of it.")
    if anchors.writes_for(record.author) != record.organisation:
        raise Tampered("A record was not signed by an account of the organisation it names.")
    anchors.check(one, record.leaves)
    items = tuple(
        OpenedItem(
            item.type,
            item.content,
            Place(
                batch_id=one.batch_id, index=index, body_digest=record.body_digest, salt=item.salt
            ),
        )
        for item, index in zip(record.items, one.leaf_indexes, strict=True)
    )
    return OpenedListed(one, items, "custodians")


# Copies ---------------------------------------------------------------------------------------


def _local_vault(node: Node, tag: bytes, *, m: int, n: int) -> Vault:
    """The row that holds the local key of another organisation's vault."""
    return node.database.write(
        lambda tx: (
            vaults.get(tx, tag)
            or vault_access.add_local(
                tx,
                node.desk.keystore,
                tag,
                m=m,
                n=n,
                home=False,
                random=node.random,
                now_ms=node.now_ms(),
            )
        )
    )


def _keep(node: Node, vault: Vault, handle: bytes, opened: Sequence[OpenedListed]) -> None:
    """Keep copies of records, in the order of anchoring, and make what is in them findable."""
    if not opened:
        return
    key = vault_access.vault_key(node.desk.keystore, vault)
    expires_ms = node.now_ms() + COPY_MS
    rows = [
        Copy(
            record_id=one.listed.record_id,
            vault=vault.tag,
            handle=handle,
            content_wrapped=wrap(
                key, _packed(one), aad=_COPY + one.listed.record_id + handle, random=node.random
            ),
            expires_ms=expires_ms,
        )
        for one in opened
    ]
    items = read_copies(vault.tag, handle, (item for one in opened for item in _items(one)))

    def keep(tx: Transaction) -> None:
        copies.put(tx, rows)
        index_copies(tx, items)

    node.database.write(keep)


def _items(one: OpenedListed) -> Iterator[CopiedItem]:
    for position, item in enumerate(one.items):
        yield CopiedItem(
            record_id=one.listed.record_id,
            position=position,
            category=one.listed.category,
            labels=one.listed.labels,
            organisation=one.listed.organisation,
            time_ms=one.listed.time_ms,
            type=item.type,
            content=item.content,
        )


def _copied(
    node: Node, vault: Vault, handle: bytes, listed: Sequence[Listed]
) -> dict[bytes, OpenedListed]:
    # A copy that ends while searches rest on this answer would be missed without a word.
    until_ms = node.now_ms() + FRESH_SECONDS * 1000
    with node.database.read() as tx:
        rows = copies.get(tx, vault.tag, handle, [one.record_id for one in listed], now_ms=until_ms)
    if not rows:
        return {}
    key = vault_access.vault_key(node.desk.keystore, vault)
    return {
        one.record_id: _unpacked(
            one,
            unwrap(key, rows[one.record_id].content_wrapped, aad=_COPY + one.record_id + handle),
        )
        for one in listed
        if one.record_id in rows
    }


_Row = tuple[str, bytes, int, bytes, bytes]


def _packed(one: OpenedListed) -> bytes:
    rows: list[_Row] = [
        (item.type, item.content, item.place.index, item.place.body_digest, item.place.salt)
        for item in one.items
    ]
    return msgspec.msgpack.encode(rows)


def _unpacked(listed: Listed, packed: bytes) -> OpenedListed:
    items = tuple(
        OpenedItem(
            type_,
            content,
            Place(batch_id=listed.batch_id, index=index, body_digest=body_digest, salt=salt),
        )
        for type_, content, index, body_digest, salt in msgspec.msgpack.decode(
            packed, type=list[_Row]
        )
    )
    return OpenedListed(listed, items, "copy")


def open_copy(
    key: bytes, *, record_id: bytes, handle: bytes, wrapped: bytes
) -> list[tuple[str, bytes]]:
    """The (type, content) of each item of a kept copy, in the record's order."""
    packed = unwrap(key, wrapped, aad=_COPY + record_id + handle)
    return [(row[0], row[1]) for row in msgspec.msgpack.decode(packed, type=ready(list[_Row]))]


def copies_held(node: Node, vault: bytes) -> int:
    """How many records of a vault, written elsewhere, have an unexpired copy here."""
    with node.database.read() as tx:
        return copies.count(tx, vault, now_ms=node.now_ms())
