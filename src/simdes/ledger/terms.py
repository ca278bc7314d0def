"""What a consent allows and what a requester asks, as `Consents.isAllowed` takes them.

The terms stay off the chain, sealed to grantee and custodians; the chain holds their salted
commitment (paper: "access control"). Field order and types are those of the Solidity structs, so
that ``keccak256(abi.encode(salt, terms))`` agrees in both languages.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

ZERO32 = bytes(32)
ZERO20 = bytes(20)


class GranteeKind(IntEnum):
    """Whom a consent names."""

    ACCOUNT = 1
    ORGANISATION = 2
    ROLE_IN_ORGANISATION = 3


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of one consent.

    `grantee` is an account or organisation id; `grantee_role` counts for ROLE_IN_ORGANISATION
    alone. `categories`, `labels` and `purposes` are bit sets. `not_before` and `expiry` are unix
    seconds. `records` is a Merkle root of record ids, or 32 zero bytes for every record. The
    consent holds only while `condition` (a contract, or 20 zero bytes) says `condition_id` is open.
    """

    grantee_kind: int
    grantee: bytes
    grantee_role: int
    categories: int
    labels: int
    purposes: int
    not_before: int
    expiry: int
    records: bytes = ZERO32
    condition: bytes = ZERO20
    condition_id: bytes = ZERO32


@dataclass(frozen=True, slots=True)
class Request:
    """One question to the consent contract: may `actor` (an address) see this record now?

    `record_proof` is the Merkle path of `record` under `Terms.records`, empty where that is zero.
    `category` and `purpose` are numbers, `labels` a bit set, `time` unix seconds.
    """

    vault: bytes
    record: bytes
    actor: bytes
    category: int
    labels: int
    purpose: int
    time: int
    record_proof: tuple[bytes, ...] = ()
