"""The verbs of the Cryptographic Module: seal a record, open a share, combine, open the body.

A record is two objects (`body` and `capsule`) that go to content storage, and one leaf per
resource that goes on chain. Nobody but m of the n custodians together can open it; each of them
asks its own ledger node before it releases a share. Formats: ``docs/formats/sealed-record.md`` and
``docs/formats/key-capsule.md``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from simdes.crypto import redistribution, shares
from simdes.crypto.body import Item, SealingBody, StreamItem
from simdes.crypto.capsule import (
    AUTHORED,
    REDISTRIBUTED,
    Capsule,
    Custodian,
    Dealer,
    Draft,
    OpenedShare,
    check_authored,
    draft,
    read_capsule,
    unseal_authored,
)
from simdes.crypto.digest import Random
from simdes.crypto.keys import OpeningKey, SigningKey
from simdes.crypto.opening import ItemStart, RecordEnd, open_chunks
from simdes.crypto.shares import Commitments, Share
from simdes.crypto.statement import Subject
from simdes.errors import Invalid, NotFound, Tampered

__all__ = [
    "Capsule",
    "Custodian",
    "Dealer",
    "Item",
    "ItemStart",
    "OpenedRecord",
    "OpenedShare",
    "RecordEnd",
    "SealedRecord",
    "SealedStream",
    "Share",
    "StreamItem",
    "combine_for",
    "combine_shares",
    "open_body",
    "open_chunks",
    "open_share",
    "read_capsule",
    "reissue",
    "seal",
    "seal_chunks",
    "share_matches",
]


@dataclass(frozen=True, slots=True)
class SealedRecord:
    """What `seal` makes: `body` and `capsule` to store, `leaves` (one per item) to anchor.

    `record_id` and `body_digest` (SHA-256 of `body`) are 32 bytes.
    """

    record_id: bytes
    body: bytes
    body_digest: bytes
    capsule: bytes
    leaves: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedRecord:
    """What `open_body` finds, author's signature checked.

    `content_digest` is what the author signed of the plaintext (SHA-256); `body_digest` is over
    the sealed bytes; `commitment` is the one to the record's secret.
    `author` is the 20-byte address that signed, `organisation` the one it claims to write for:
    whether it was an account of that organisation is for the caller to ask the chain. `leaves` are
    what must stand in the anchored batch, one per item.
    """

    record_id: bytes
    items: tuple[Item, ...]
    vault: bytes
    category: int
    labels: int
    epoch: int
    author: bytes
    organisation: bytes
    body_digest: bytes
    content_digest: bytes
    commitment: bytes
    leaves: tuple[bytes, ...]


class SealedStream:
    """A record being sealed piece by piece: iterate exactly once for the body's bytes.

    `record_id` is there at once; `body_digest`, `capsule` and `leaves` once all bytes were taken
    (`Invalid` before), because the author's signature covers every byte.
    """

    def __init__(self, body: SealingBody, draft: Draft, author: SigningKey) -> None:
        self.record_id = draft.subject.record_id
        self._body, self._draft, self._author = body, draft, author
        self._started = False

    def __iter__(self) -> Iterator[bytes]:
        if self._started:
            raise Invalid("A body's bytes can be taken only once.")
        self._started = True
        return iter(self._body)

    def _finished(self) -> SealingBody:
        if not self._body.digest:
            raise Invalid("The body's bytes were not all taken yet.")
        return self._body

    @property
    def body_digest(self) -> bytes:
        """SHA-256 over all body bytes."""
        return self._finished().digest

    @property
    def leaves(self) -> tuple[bytes, ...]:
        """One leaf per item, in the order of the items."""
        return self._finished().leaves

    @cached_property
    def capsule(self) -> bytes:
        """The key capsule, sealed when first asked for."""
        body = self._finished()
        return self._draft.seal(
            content_digest=body.content_digest,
            author=self._author.address,
            signature=body.signature,
        )


def seal_chunks(
    items: Sequence[Item | StreamItem],
    *,
    vault: bytes,
    category: int,
    labels: int,
    epoch: int,
    m: int,
    custodians: Sequence[Custodian],
    author: SigningKey,
    organisation: bytes,
    random: Random,
) -> SealedStream:
    """Seal items whose contents come in pieces; memory stays within some chunks over 1 MiB.

    The arguments are those of `seal`.
    """
    record_id, secret = random(32), random(32)
    while not shares.is_secret(secret):
        secret = random(32)
    subject = Subject(
        record_id=record_id,
        vault=vault,
        category=category,
        labels=labels,
        epoch=epoch,
        organisation=organisation,
        commitment=shares.commit_secret(secret, record_id=record_id),
    )
    drafted = draft(secret, subject, m=m, custodians=custodians)
    return SealedStream(SealingBody(items, secret, drafted, author), drafted, author)


def seal(
    items: Sequence[Item],
    *,
    vault: bytes,
    category: int,
    labels: int,
    epoch: int,
    m: int,
    custodians: Sequence[Custodian],
    author: SigningKey,
    organisation: bytes,
    random: Random,
) -> SealedRecord:
    """Seal resources of one vault, category and label set under a fresh secret.

    `vault` and `organisation` (the author's) are 32 bytes, `labels` a mask of 64 bits; any `m` of
    the `custodians`, in the order of the vault's descriptor, can give the secret back. `Invalid`
    for a value out of range.
    """
    stream = seal_chunks(
        items,
        vault=vault,
        category=category,
        labels=labels,
        epoch=epoch,
        m=m,
        custodians=custodians,
        author=author,
        organisation=organisation,
        random=random,
    )
    body = b"".join(stream)
    return SealedRecord(stream.record_id, body, stream.body_digest, stream.capsule, stream.leaves)


def reissue(
    record: OpenedRecord,
    secret: bytes,
    *,
    epoch: int,
    m: int,
    custodians: Sequence[Custodian],
    author: SigningKey,
) -> bytes:
    """Return a capsule of the same secret for a new epoch of the vault; the body stays.

    Only the record's author can: custodians and readers compare its address with the body's.
    """
    if author.address != record.author:
        raise Invalid("Only the author of a record issues a new key capsule for it.")
    subject = Subject(
        record_id=record.record_id,
        vault=record.vault,
        category=record.category,
        labels=record.labels,
        epoch=epoch,
        organisation=record.organisation,
        commitment=record.commitment,
    )
    drafted = draft(secret, subject, m=m, custodians=custodians)
    return drafted.seal(
        content_digest=record.content_digest,
        author=author.address,
        signature=author.sign(drafted.statement(record.content_digest)),
    )


def open_share(
    capsule: bytes, key: OpeningKey, organisation: bytes, *, index: int | None = None
) -> OpenedShare:
    """Open a custodian's share: author's signature and commitment checked.

    `organisation` is the custodian's own id. A capsule names nobody, so without `index` (1..n,
    the custodian's place in the vault's descriptor) each share is tried in turn. `NotFound` when
    none opens, `Tampered` when one opens but does not hold.
    """
    parsed = read_capsule(capsule)
    if index is not None and not 1 <= index <= parsed.n:
        raise NotFound("The key capsule has no share with this number.")
    for candidate in range(1, parsed.n + 1) if index is None else (index,):
        try:
            payload = _unseal(parsed, key, candidate)
        except Tampered:
            if index is not None:
                raise
            continue
        if parsed.kind == AUTHORED:
            return check_authored(parsed, payload, organisation, candidate)
        return redistribution.check_redistributed(parsed, payload, organisation, candidate)
    raise NotFound(
        "No share of this key capsule opens with this key.",
        advice="Check that this organisation is a custodian of the vault in the capsule's epoch.",
    )


def _unseal(capsule: Capsule, key: OpeningKey, index: int) -> bytes:
    if capsule.kind == AUTHORED:
        return unseal_authored(capsule, key, index)
    return redistribution.unseal_redistributed(capsule, key, index)


def share_matches(capsule: Capsule, share: Share) -> bool:
    """Tell whether a released share is the committed one; a false one is its custodian's fault.

    For a reader that holds more than m shares and wants to go on without the bad ones.
    """
    if capsule.kind == AUTHORED:
        commitments = Commitments(capsule.commitment, capsule.shares)
        return shares.share_matches(
            share, commitments, record_id=capsule.record_id, epoch=capsule.epoch
        )
    return redistribution.share_matches(capsule, share)


def combine_shares(capsule: bytes, released: Sequence[Share]) -> bytes:
    """Return the record's secret from at least m released shares, every one checked.

    `Tampered` names the culprit: a custodian by its share's number, a dealer by its number in the
    old epoch, or the author. `Invalid` for too few shares or one given twice.
    """
    return combine_for(read_capsule(capsule), released)


def combine_for(parsed: Capsule, released: Sequence[Share]) -> bytes:
    """`combine_shares` for a capsule that was read: parsing costs more than combining."""
    if parsed.kind == REDISTRIBUTED:
        return redistribution.combine(parsed, released)
    return shares.combine(
        released,
        m=parsed.m,
        record_id=parsed.record_id,
        epoch=parsed.epoch,
        commitments=Commitments(parsed.commitment, parsed.shares),
    )


def open_body(body: bytes, secret: bytes, *, record_id: bytes) -> OpenedRecord:
    """Open a body held in memory; `open_chunks` is the form for large ones.

    `Tampered` if any byte, the secret or the record id differs or the author did not sign it.
    """
    found: list[tuple[ItemStart, list[bytes]]] = []
    end: RecordEnd | None = None
    for event in open_chunks((body,), secret, record_id=record_id):
        if isinstance(event, ItemStart):
            found.append((event, []))
        elif isinstance(event, RecordEnd):
            end = event
        else:
            found[-1][1].append(event)
    assert end is not None  # noqa: S101 - open_chunks ends with RecordEnd or raises
    subject = end.subject
    return OpenedRecord(
        record_id=record_id,
        items=tuple(Item(s.type, b"".join(pieces), s.salt) for s, pieces in found),
        vault=subject.vault,
        category=subject.category,
        labels=subject.labels,
        epoch=subject.epoch,
        author=end.author,
        organisation=subject.organisation,
        body_digest=end.body_digest,
        content_digest=end.warrant.content_digest,
        commitment=subject.commitment,
        leaves=end.leaves,
    )
