"""Key capsules: a record's secret, one share to each custodian of the vault.

A capsule in clear shows record id, epoch, m, n and commitments, no vault, category or person; all
of that is in each sealed payload, under the author's signature, so that a custodian checks consent
against what the author signed. Format: ``docs/formats/key-capsule.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from simdes.crypto import cbor, shares
from simdes.crypto.digest import sha256
from simdes.crypto.keys import OpeningKey, seal_to
from simdes.crypto.shares import Commitments, Share
from simdes.crypto.statement import (
    MAX_CATEGORY,
    MAX_EPOCH,
    MAX_LABELS,
    Subject,
    Warrant,
    author_of,
    record_digest,
)
from simdes.errors import Invalid, Tampered, Unsupported

AUTHORED: Final = 1
REDISTRIBUTED: Final = 2
MAX_CAPSULE_BYTES: Final = 1024 * 1024
_INFO_TAG: Final = b"simdes/capsule/v1\0"
_BYTES_32: Final = cbor.bytes_head(32)
_PAYLOAD_HEAD: Final = cbor.head(4, 10) + _BYTES_32  # an array of 10, the share's value first
_COMMON: Final = ("type", "v", "suite", "kind", "record", "epoch", "m", "secret")
_KNOWN: Final = {
    AUTHORED: frozenset((*_COMMON, "shares")),
    REDISTRIBUTED: frozenset((*_COMMON, "n", "from")),
}


@dataclass(frozen=True, slots=True)
class Custodian:
    """A custodian of a vault: organisation id (32 bytes), its public key for vault and epoch."""

    organisation: bytes
    public: bytes


@dataclass(frozen=True, slots=True)
class Part:
    """One old custodian's contribution to a redistributed capsule.

    `commitments[0]` is to the dealer's own share, `commitments[i]` to the part for the new
    custodian i; `sealed[i - 1]` is that part, sealed.
    """

    dealer: int
    commitments: tuple[bytes, ...]
    sealed: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capsule:
    """A key capsule as anybody can read it.

    `kind` is AUTHORED (with `shares` and `sealed`) or REDISTRIBUTED (with `old_epoch` and
    `parts`); `binding` is the digest of the header, which every sealed payload is bound to.
    """

    kind: int
    record_id: bytes
    epoch: int
    m: int
    n: int
    commitment: bytes
    binding: bytes
    shares: tuple[bytes, ...] = ()
    sealed: tuple[bytes, ...] = ()
    old_epoch: int = 0
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Dealer:
    """Who signed a part of a redistributed capsule: its number in the old epoch and its account."""

    index: int
    organisation: bytes
    address: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedShare:
    """What a custodian finds in its part of a capsule, author signature and commitment checked.

    `epoch` is the capsule's, `written_epoch` the one the author signed (equal in an authored
    capsule). `author` is the 20-byte address that signed; whether it is an account of
    `organisation`, and each dealer one of a custodian of the old epoch, is for the caller to ask
    the chain.
    """

    index: int
    value: bytes
    record_id: bytes
    vault: bytes
    category: int
    labels: int
    epoch: int
    written_epoch: int
    m: int
    n: int
    author: bytes
    organisation: bytes
    custodian: bytes
    kind: int
    commitment: bytes
    warrant: Warrant
    dealers: tuple[Dealer, ...] = ()

    @property
    def subject(self) -> Subject:
        """What the author signed."""
        return Subject(
            record_id=self.record_id,
            vault=self.vault,
            category=self.category,
            labels=self.labels,
            epoch=self.written_epoch,
            organisation=self.organisation,
            commitment=self.commitment,
        )

    @property
    def share(self) -> Share:
        """The share to release."""
        return Share(self.index, self.value)

    def __repr__(self) -> str:
        return f"OpenedShare(record_id=0x{self.record_id.hex()}, index={self.index})"


def read_capsule(capsule: bytes) -> Capsule:
    """Parse a capsule; `Invalid` or `Unsupported` for anything the format does not allow."""
    if len(capsule) > MAX_CAPSULE_BYTES:
        raise Invalid("A key capsule is at most 1 MiB.")
    header, end = cbor.decode_first(capsule)
    kind = header.get("kind") if isinstance(header, dict) else None
    known = _KNOWN.get(kind) if isinstance(kind, int) else None
    fields = cbor.Fields(header, kind="capsule", known=known or _KNOWN[AUTHORED])
    fields.suite()
    if known is None:
        raise Unsupported("This kind of key capsule is not known.")
    sealed, at = cbor.decode_first(capsule, end)
    if at != len(capsule):
        raise Invalid("Bytes follow the end of the key capsule.")
    binding = sha256(capsule[:end])
    read = _authored if kind == AUTHORED else _redistributed
    parsed = read(fields, sealed, binding)
    shares.check_threshold(m=parsed.m, n=parsed.n)
    if parsed.epoch < 1:
        raise Invalid("Epochs count from 1.")
    return parsed


def _fixed_tuple(values: Sequence[cbor.Value], name: str) -> tuple[bytes, ...]:
    return tuple([cbor.as_fixed(value, 32, name) for value in values])


def _authored(fields: cbor.Fields, sealed: cbor.Value, binding: bytes) -> Capsule:
    commitments = _fixed_tuple(fields.array("shares", least=2, most=shares.MAX_SHARES), "shares")
    n = len(commitments)
    return Capsule(
        kind=AUTHORED,
        record_id=fields.fixed("record", 32),
        epoch=fields.uint("epoch", MAX_EPOCH),
        m=fields.uint("m", shares.MAX_SHARES),
        n=n,
        commitment=fields.fixed("secret", 32),
        binding=binding,
        shares=commitments,
        sealed=_sealed_tuple(sealed, n),
    )


def _redistributed(fields: cbor.Fields, sealed: cbor.Value, binding: bytes) -> Capsule:
    n = fields.uint("n", shares.MAX_SHARES)
    listed = cbor.as_array(sealed, "parts", least=2, most=shares.MAX_SHARES)
    parts = tuple(_part(value, n) for value in listed)
    dealers = [part.dealer for part in parts]
    capsule = Capsule(
        kind=REDISTRIBUTED,
        record_id=fields.fixed("record", 32),
        epoch=fields.uint("epoch", MAX_EPOCH),
        m=fields.uint("m", shares.MAX_SHARES),
        n=n,
        commitment=fields.fixed("secret", 32),
        binding=binding,
        old_epoch=fields.uint("from", MAX_EPOCH),
        parts=parts,
    )
    if dealers != sorted(set(dealers)) or not 1 <= capsule.old_epoch < capsule.epoch:
        raise Invalid("Dealers must be distinct and in order, and the new epoch a later one.")
    return capsule


def _sealed_tuple(value: cbor.Value, n: int) -> tuple[bytes, ...]:
    return tuple(
        [cbor.as_bytes(v, "sealed") for v in cbor.as_array(value, "sealed", least=n, most=n)]
    )


def _part(value: cbor.Value, n: int) -> Part:
    items = cbor.as_array(value, "parts", least=3, most=3)
    dealer = items[0]
    if not isinstance(dealer, int) or not 1 <= dealer <= shares.MAX_SHARES:
        raise Invalid("A dealer's number is 1 to 255.")
    commitments = cbor.as_array(items[1], "parts", least=n + 1, most=n + 1)
    return Part(dealer, _fixed_tuple(commitments, "parts"), _sealed_tuple(items[2], n))


def check_custodians(custodians: Sequence[Custodian], *, m: int) -> None:
    """`Invalid` unless m and n fit and no organisation or key comes twice."""
    n = len(custodians)
    shares.check_threshold(m=m, n=n)
    if len({c.organisation for c in custodians}) != n or len({c.public for c in custodians}) != n:
        raise Invalid("Every custodian is another organisation with another key.")
    if any(len(custodian.organisation) != 32 for custodian in custodians):
        raise Invalid("An organisation id is 32 bytes.")


def _info(record_id: bytes, epoch: int, index: int) -> bytes:
    return b"".join((_INFO_TAG, record_id, epoch.to_bytes(4, "big"), bytes((index,))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A capsule before its author has signed: shares made, commitments and header fixed."""

    subject: Subject
    m: int
    custodians: Sequence[Custodian]
    shares: tuple[Share, ...]
    header: bytes
    roster: bytes

    def statement(self, content_digest: bytes) -> bytes:
        """Return the digest for the author to sign once the plaintext's digest is known."""
        return record_digest(
            self.subject,
            m=self.m,
            n=len(self.shares),
            roster=self.roster,
            content_digest=content_digest,
        )

    def seal(self, *, content_digest: bytes, author: bytes, signature: bytes) -> bytes:
        """Seal each custodian's payload; return the capsule."""
        subject = self.subject
        signed = cbor.encode(
            [
                subject.record_id,
                subject.vault,
                subject.category,
                subject.labels,
                subject.organisation,
                author,
                content_digest,
                signature,
            ]
        )[1:]  # without the array's head: the items that are the same in every payload
        binding = sha256(self.header)
        sealed = [
            seal_to(
                custodian.public,
                b"".join((_PAYLOAD_HEAD, share.value, _BYTES_32, custodian.organisation, signed)),
                info=_info(subject.record_id, subject.epoch, share.index),
                aad=binding,
            )
            for share, custodian in zip(self.shares, self.custodians, strict=True)
        ]
        return self.header + cbor.encode(sealed)


def draft(secret: bytes, subject: Subject, *, m: int, custodians: Sequence[Custodian]) -> Draft:
    """Split a record's secret among n custodians, any m of whom can give it back."""
    check_custodians(custodians, m=m)
    n, record_id, epoch = len(custodians), subject.record_id, subject.epoch
    split = shares.split(secret, m=m, n=n, record_id=record_id, epoch=epoch)
    commitments = shares.commit(secret, split, record_id=record_id, epoch=epoch)
    if commitments.secret != subject.commitment:
        raise Invalid("The secret is not the one that the subject commits to.")
    header = cbor.encode_header(
        {
            "type": "capsule",
            "v": 1,
            "suite": 1,
            "kind": AUTHORED,
            "record": record_id,
            "epoch": epoch,
            "m": m,
            "secret": commitments.secret,
            "shares": commitments.shares,
        }
    )
    return Draft(
        subject=subject,
        m=m,
        custodians=custodians,
        shares=split,
        header=header,
        roster=sha256(b"".join(commitments.shares)),
    )


def unseal_authored(capsule: Capsule, key: OpeningKey, index: int) -> bytes:
    """Open the payload of share `index`; `Tampered` when it is not for this key or altered."""
    info = _info(capsule.record_id, capsule.epoch, index)
    return key.open(capsule.sealed[index - 1], info=info, aad=capsule.binding)


def check_authored(
    capsule: Capsule, payload: bytes, organisation: bytes, index: int
) -> OpenedShare:
    """Read and check the payload of share `index`; see `seal.open_share`."""
    reader = cbor.Reader(payload)
    reader.array(10)
    value, custodian, record_id, vault = (reader.fixed(32) for _ in range(4))
    category, labels = reader.uint(MAX_CATEGORY), reader.uint(MAX_LABELS)
    author_organisation, author = reader.fixed(32), reader.fixed(20)
    content_digest, signature = reader.fixed(32), reader.fixed(65)
    reader.end()
    if custodian != organisation or record_id != capsule.record_id:
        raise Tampered(f"Share {index} was not made for this custodian and record.")
    subject = Subject(
        record_id=record_id,
        vault=vault,
        category=category,
        labels=labels,
        epoch=capsule.epoch,
        organisation=author_organisation,
        commitment=capsule.commitment,
    )
    roster = sha256(b"".join(capsule.shares))
    warrant = Warrant(capsule.m, capsule.n, roster, content_digest, signature)
    if author_of(subject, warrant) != author:
        raise Tampered("The author did not sign this key capsule.")
    commitments = Commitments(capsule.commitment, capsule.shares)
    share = Share(index, value)
    if not shares.share_matches(share, commitments, record_id=record_id, epoch=capsule.epoch):
        raise Tampered(
            f"Share {index} is not the one its author committed to: the author is at fault."
        )
    return OpenedShare(
        index=index,
        value=value,
        record_id=record_id,
        vault=vault,
        category=category,
        labels=labels,
        epoch=capsule.epoch,
        written_epoch=capsule.epoch,
        m=capsule.m,
        n=capsule.n,
        author=author,
        organisation=author_organisation,
        custodian=custodian,
        commitment=capsule.commitment,
        kind=AUTHORED,
        warrant=warrant,
    )
