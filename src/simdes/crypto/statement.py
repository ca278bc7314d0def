"""What is signed about a record: by its author, and by custodians that deal it onward.

One signature of the author covers subject, shares and plaintext; the body and every custodian's
payload carry it with what is needed to check it there alone. Each statement is SHA-256 over a tag
of its own and fields of fixed length, so no signature can pass for another one. Format:
``docs/formats/key-capsule.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simdes.crypto.digest import sha256
from simdes.crypto.keys import recover
from simdes.errors import Invalid

MAX_CATEGORY: Final = 63
MAX_LABELS: Final = 2**64 - 1
MAX_EPOCH: Final = 2**32 - 1
_RECORD_TAG: Final = b"simdes/record-statement/v1\0"
_DEALER_TAG: Final = b"simdes/dealer-statement/v1\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a record is about, and who wrote it: everything consent is checked against.

    `record_id`, `vault`, `organisation` (the author's) and `commitment` (to the secret) are 32
    bytes; `category` 0..63; `labels` a mask of 64 bits; `epoch` of the vault when it was written.
    """

    record_id: bytes
    vault: bytes
    category: int
    labels: int
    epoch: int
    organisation: bytes
    commitment: bytes

    def packed(self) -> bytes:
        """Return the fields in this order, 141 bytes: 32 ‖ 32 ‖ 1 ‖ 8 ‖ 4 ‖ 32 ‖ 32."""
        for field in (self.record_id, self.vault, self.organisation, self.commitment):
            if len(field) != 32:
                raise Invalid("Record id, vault, organisation and commitment are 32 bytes each.")
        if not (
            0 <= self.category <= MAX_CATEGORY
            and 0 <= self.labels <= MAX_LABELS
            and 1 <= self.epoch <= MAX_EPOCH
        ):
            raise Invalid("Category is 0 to 63, labels 64 bits, epoch 1 to 2³² − 1.")
        return b"".join(
            (
                self.record_id,
                self.vault,
                bytes((self.category,)),
                self.labels.to_bytes(8, "big"),
                self.epoch.to_bytes(4, "big"),
                self.organisation,
                self.commitment,
            )
        )


@dataclass(frozen=True, slots=True)
class Warrant:
    """The author's signature, with what it covers beside the subject.

    m and n of the author's capsule, `roster`: SHA-256 of its share commitments, `content_digest`:
    SHA-256 of the body's plaintext up to the signature, `signature`: 65 bytes.
    """

    m: int
    n: int
    roster: bytes
    content_digest: bytes
    signature: bytes


def record_digest(
    subject: Subject, *, m: int, n: int, roster: bytes, content_digest: bytes
) -> bytes:
    """Return the 32-byte digest that a record's author signs."""
    return sha256(b"".join((_RECORD_TAG, subject.packed(), bytes((m, n)), roster, content_digest)))


def author_of(subject: Subject, warrant: Warrant) -> bytes:
    """Return the 20-byte address that signed; `Tampered` when none can have."""
    signed = record_digest(
        subject,
        m=warrant.m,
        n=warrant.n,
        roster=warrant.roster,
        content_digest=warrant.content_digest,
    )
    return recover(signed, warrant.signature)


def dealer_digest(
    subject: Subject,
    *,
    old_epoch: int,
    epoch: int,
    m: int,
    n: int,
    dealer: int,
    organisation: bytes,
    commitments: tuple[bytes, ...],
) -> bytes:
    """Return the digest an old custodian signs when it deals its share to n new ones.

    `commitments` are to its own share (at index 0) and to the n parts it dealt, in that order.
    """
    place = old_epoch.to_bytes(4, "big") + epoch.to_bytes(4, "big") + bytes((m, n, dealer))
    roster = sha256(b"".join(commitments))
    return sha256(b"".join((_DEALER_TAG, subject.packed(), place, organisation, roster)))
