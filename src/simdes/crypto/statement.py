"""What a record's author signs: once in the key capsule, once in the body.

Each statement is SHA-256 over a tag of its own and fields of fixed length, so no signature can
pass for another one. Formats: ``docs/formats/key-capsule.md`` and ``sealed-record.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simdes.crypto.digest import sha256
from simdes.errors import Invalid

MAX_CATEGORY: Final = 63
MAX_LABELS: Final = 2**64 - 1
MAX_EPOCH: Final = 2**32 - 1
_CAPSULE_TAG: Final = b"simdes/capsule-statement/v1\0"
_BODY_TAG: Final = b"simdes/body-statement/v1\0"
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


def capsule_digest(subject: Subject, *, m: int, n: int, commitments: tuple[bytes, ...]) -> bytes:
    """Return the digest an author signs in a key capsule; the custodian checks it from its share
    payload and the capsule's commitments alone.
    """
    return roster_digest(subject, m=m, n=n, roster=sha256(b"".join(commitments)))


def roster_digest(subject: Subject, *, m: int, n: int, roster: bytes) -> bytes:
    """Return `capsule_digest` when only SHA-256 of the share commitments is known."""
    return sha256(b"".join((_CAPSULE_TAG, subject.packed(), bytes((m, n)), roster)))


def body_digest(subject: Subject, *, content_digest: bytes) -> bytes:
    """Return the digest an author signs inside a body: subject and SHA-256 of the plaintext."""
    return sha256(b"".join((_BODY_TAG, subject.packed(), content_digest)))


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
