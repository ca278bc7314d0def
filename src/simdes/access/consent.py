"""Consents as a patient speaks them: draft terms, commit to them, seal them to who must know.

The chain keeps handle, commitment and state; the terms travel in a letter to the grantee's
organisation and the vault's custodians (docs/formats/consent.md; paper: "access control"). Whether
a consent opens a record is asked of the contract; `policy.decide` is its twin for filters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Final

from simdes.access.categories import category_mask, label_mask, purpose_mask, role_of
from simdes.access.record_lists import records_root
from simdes.crypto import cbor
from simdes.crypto.keys import OpeningKey
from simdes.crypto.letter import open_letter, seal_letter
from simdes.errors import Invalid, Tampered
from simdes.index import custody as rows
from simdes.ledger.consents import commitment
from simdes.ledger.terms import ZERO20, ZERO32, GranteeKind, Terms

Random = Callable[[int], bytes]
LETTER_INFO: Final = b"simdes/consent-terms/v1"
FOREVER_SECONDS: Final = (1 << 64) - 1
_KIND: Final = "consent-terms"
_KNOWN: Final = frozenset({"type", "v", "vault", "handle", "salt", "terms", "records"})
MOST_RECORDS: Final = 1_000
_NAMES: Final = tuple(field.name for field in fields(Terms))
_COUNT: Final = len(_NAMES)
_SIZES: Final = {"grantee": 32, "records": 32, "condition": 20, "condition_id": 32}


@dataclass(frozen=True, slots=True)
class Consent:
    """A drafted consent: its place (vault tag, handle), terms and salt.

    ``listed`` are the ids of the records that the terms name by their root, none where they name
    none: who asks for one shows with it that it is among them.
    """

    vault: bytes
    handle: bytes
    terms: Terms
    salt: bytes
    listed: tuple[bytes, ...] = ()

    @property
    def commitment(self) -> bytes:
        """What stands on chain for it."""
        return commitment(self.terms, self.salt)


@dataclass(frozen=True, slots=True)
class Grantee:
    """Whom a consent names: an account, an organisation, or one role (by name) in it."""

    id: bytes
    kind: GranteeKind
    role: int = 0

    @classmethod
    def account(cls, account: bytes) -> Grantee:
        """One account."""
        return cls(account, GranteeKind.ACCOUNT)

    @classmethod
    def organisation(cls, organisation: bytes) -> Grantee:
        """Everybody of an organisation whom its administrators verified."""
        return cls(organisation, GranteeKind.ORGANISATION)

    @classmethod
    def role_in(cls, organisation: bytes, role: str) -> Grantee:
        """One role in an organisation, such as its doctors; `Invalid` for an unknown role."""
        return cls(organisation, GranteeKind.ROLE_IN_ORGANISATION, int(role_of(role)))


def draft(
    vault: bytes,
    grantee: Grantee,
    *,
    categories: Sequence[str],
    purposes: Sequence[str],
    not_before_seconds: int,
    expiry_seconds: int,
    random: Random,
    labels: Sequence[str] = (),
    records: Sequence[bytes] = (),
    condition: bytes = ZERO20,
    condition_id: bytes | Callable[[bytes, bytes], bytes] = ZERO32,
) -> Consent:
    """Draft a consent for a vault, with a fresh handle and salt.

    Names are those of `categories`; an empty list of categories or purposes opens nothing and is
    refused with `Invalid`, as is a validity that ends before it begins. `records` narrows it to
    those record ids. `condition_id` may be made of handle and salt, which are drawn here.
    """
    if not categories or not purposes:
        raise Invalid("A consent names at least one category and one purpose.")
    if not 0 <= not_before_seconds < expiry_seconds <= FOREVER_SECONDS:
        raise Invalid("A consent must end after it begins.")
    handle, salt = random(32), random(32)
    terms = Terms(
        grantee_kind=int(grantee.kind),
        grantee=grantee.id,
        grantee_role=grantee.role,
        categories=category_mask(categories),
        labels=label_mask(labels),
        purposes=purpose_mask(purposes),
        not_before=not_before_seconds,
        expiry=expiry_seconds,
        records=records_root(records) if records else ZERO32,
        condition=condition,
        condition_id=condition_id(handle, salt) if callable(condition_id) else condition_id,
    )
    return Consent(vault, handle, terms, salt, tuple(sorted(set(records))))


def seal_terms(consent: Consent, publics: Sequence[bytes], *, random: Random) -> bytes:
    """The letter to put into the content store; its sha256 is the `pointer` of the grant.

    `publics` are the HPKE keys of the grantee's organisation and of the vault's custodians.
    """
    payload = cbor.encode(
        {
            "type": _KIND,
            "v": 1,
            "vault": consent.vault,
            "handle": consent.handle,
            "salt": consent.salt,
            "terms": list(astuple(consent.terms)),
            **({"records": list(consent.listed)} if consent.listed else {}),
        }
    )
    return seal_letter(payload, publics, info=LETTER_INFO, random=random)


def open_terms(letter: bytes, keys: Sequence[OpeningKey]) -> Consent | None:
    """The consent in a letter, None when it is for none of these keys.

    Raises `Tampered` or `Invalid` for a letter that opens to something else.
    """
    for key in keys:
        payload = open_letter(letter, key, info=LETTER_INFO)
        if payload is not None:
            return _consent(payload)
    return None


def encode_terms_row(consent: Consent, *, block_number: int) -> rows.Terms:
    """The row that keeps opened terms: what custodians check with, what a grantee asks with."""
    return rows.Terms(
        vault=consent.vault,
        handle=consent.handle,
        terms=cbor.encode(list(astuple(consent.terms))),
        salt=consent.salt,
        block_number=block_number,
        records=b"".join(consent.listed) or None,
    )


def decode_terms_row(row: rows.Terms) -> Consent:
    """The consent of a kept row."""
    values = cbor.as_array(cbor.decode(row.terms), "terms", least=_COUNT, most=_COUNT)
    listed = row.records or b""
    return Consent(row.vault, row.handle, _terms(values), row.salt, _split(listed))


def check_terms(consent: Consent, *, vault: bytes, handle: bytes, committed: bytes) -> None:
    """`Tampered` unless a letter's consent is the one that the chain committed to."""
    named = records_root(consent.listed) if consent.listed else consent.terms.records
    if (consent.vault, consent.handle, consent.commitment, named) != (
        vault,
        handle,
        committed,
        consent.terms.records,
    ):
        raise Tampered("The sealed terms are not those that the chain committed to.")


def _consent(payload: bytes) -> Consent:
    read = cbor.Fields(cbor.decode(payload), kind=_KIND, known=_KNOWN)
    terms = _terms(read.array("terms", least=_COUNT, most=_COUNT))
    listed = read.array("records", least=1, most=MOST_RECORDS) if read.has("records") else ()
    return Consent(
        read.fixed("vault", 32),
        read.fixed("handle", 32),
        terms,
        read.fixed("salt", 32),
        tuple(cbor.as_fixed(one, 32, "record") for one in listed),
    )


def _split(joined: bytes) -> tuple[bytes, ...]:
    return tuple(joined[at : at + 32] for at in range(0, len(joined), 32))


def _terms(values: Sequence[cbor.Value]) -> Terms:
    for name, value in zip(_NAMES, values, strict=True):
        size = _SIZES.get(name)
        if not (isinstance(value, int) if size is None else _is_bytes(value, size)):
            raise Invalid("The sealed terms are malformed.")
    return Terms(*values)  # type: ignore[arg-type]  # checked member by member above


def _is_bytes(value: object, size: int) -> bool:
    return isinstance(value, bytes) and len(value) == size
