"""The bodies of the custody API: one strict Struct for each method's question.

Unknown members, wrong types, lengths and counts are refused before anything is looked up
(docs/formats/custody-release.md). Ids are 0x-hex, masks and times are integers.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from simdes.access.categories import Purpose
from simdes.access.guardians import Seat
from simdes.access.requests import Hex20, Hex32, Hex65, Seconds, hexed, unhex
from simdes.errors import Invalid
from simdes.index.custody import ManifestEntry
from simdes.ledger.renewals import Renewal
from simdes.ledger.studies import MOST_MEMBERS
from simdes.ledger.terms import ZERO20, ZERO32, Terms

MAX_RECORDS = 1_000
MAX_VAULTS = 256
MAX_IDENTIFIERS = 16
MAX_PROOF = 32
MAX_PAGE = 1_000
MAX_CIDS = 256
MAX_BLOCKS = 64
MAX_COPIES = 16
MAX_DEALT = 32
MAX_ACCEPTED = 200
MAX_RECONCILED = 32
MAX_GUARDIANS = 10
MAX_RELEASED = 400
MAX_NAME = 64
MOST_CHECKED = 300
MAX_ORDER = 2_048

Records = Annotated[list[Hex32], Meta(min_length=1, max_length=MAX_RECORDS)]
Cid = Annotated[str, Meta(pattern="^b[a-z2-7]{58}$")]
Cids = Annotated[list[Cid], Meta(min_length=1, max_length=MAX_CIDS)]
Mask = Annotated[int, Meta(ge=0)]
Coded = tuple[
    Annotated[str, Meta(max_length=256)],
    Annotated[str, Meta(max_length=256)],
]
"""A code: system and code; two empty texts for none."""
Small = Annotated[int, Meta(ge=0, le=255)]


class TermsBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The terms of a consent as JSON, field by field as in `ledger.terms.Terms`."""

    grantee_kind: Small
    grantee: Hex32
    grantee_role: Small
    categories: Mask
    labels: Mask
    purposes: Annotated[int, Meta(ge=0, lt=1 << 16)]
    not_before: Mask
    expiry: Mask
    records: Hex32
    condition: Hex20
    condition_id: Hex32

    @classmethod
    def of(cls, terms: Terms) -> TermsBody:
        """The body of terms."""
        return cls(
            grantee_kind=terms.grantee_kind,
            grantee=hexed(terms.grantee),
            grantee_role=terms.grantee_role,
            categories=terms.categories,
            labels=terms.labels,
            purposes=terms.purposes,
            not_before=terms.not_before,
            expiry=terms.expiry,
            records=hexed(terms.records),
            condition=hexed(terms.condition),
            condition_id=hexed(terms.condition_id),
        )

    def value(self) -> Terms:
        """The terms of a body; `Invalid` for a number that the contract could not hold."""
        if max(self.categories, self.labels, self.not_before, self.expiry) >> 64:
            raise Invalid("A mask or time of the terms is above 64 bits.")
        return Terms(
            grantee_kind=self.grantee_kind,
            grantee=unhex(self.grantee),
            grantee_role=self.grantee_role,
            categories=self.categories,
            labels=self.labels,
            purposes=self.purposes,
            not_before=self.not_before,
            expiry=self.expiry,
            records=unhex(self.records),
            condition=unhex(self.condition),
            condition_id=unhex(self.condition_id),
        )


NO_TERMS = Terms(
    grantee_kind=0,
    grantee=ZERO32,
    grantee_role=0,
    categories=0,
    labels=0,
    purposes=0,
    not_before=0,
    expiry=0,
    records=ZERO32,
    condition=ZERO20,
    condition_id=ZERO32,
)
"""What enters `isAllowed` where no terms count: PATRQT and emergencies."""


class Basis(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """On what ground somebody asks: purpose, and the consent that they rely on.

    Without `handle` the ground is being the vault's control account (PATRQT) or having written
    the record. `terms` and `salt` come with a grant, and stay away for an emergency.
    """

    vault: Hex32
    purpose: Annotated[int, Meta(ge=0, le=int(max(Purpose)))]
    handle: Hex32 | None = None
    terms: TermsBody | None = None
    salt: Hex32 | None = None
    proofs: Annotated[
        dict[Hex32, Annotated[list[Hex32], Meta(max_length=MAX_PROOF)]],
        Meta(max_length=MAX_RECORDS),
    ] = {}


class ReleaseBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`release`: shares of these records, of this epoch."""

    basis: Basis
    records: Records
    epoch: Annotated[int, Meta(ge=1, lt=1 << 32)]


class CapsulesBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`capsules`: where the current capsules of these records lie."""

    basis: Basis
    records: Records


class ManifestsBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`manifests`: the records of a vault that the basis opens, a page at a time."""

    basis: Basis
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = MAX_PAGE
    after: Hex32 | None = None


class LogBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`log`: the audit entries of a vault with proofs, for its control account."""

    vault: Hex32
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = MAX_PAGE
    after: Annotated[int, Meta(ge=0, lt=1 << 53)] = 0


class VaultAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One vault to be opened."""

    tag: Hex32
    epoch: Annotated[int, Meta(ge=1, lt=1 << 32)] = 1


class VaultsBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`vaults`: a fresh public key for each vault that the asking organisation opens."""

    vaults: Annotated[list[VaultAsked], Meta(min_length=1, max_length=MAX_VAULTS)]


class Identifier(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A business identifier (FHIR Identifier.system and .value)."""

    system: Annotated[str, Meta(min_length=1, max_length=256)]
    value: Annotated[str, Meta(min_length=1, max_length=256)]


class LocateBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`locate`: which vaults do you hold for this person?"""

    identifiers: Annotated[list[Identifier], Meta(min_length=1, max_length=MAX_IDENTIFIERS)]
    purpose: Annotated[int, Meta(ge=0, le=15)]


class AttestBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`attest`: sign that this account is the person of this vault."""

    vault: Hex32
    account: Hex32
    deadline: Seconds


class RenewalBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A vault's next epoch, field by field as in `ledger.renewals.Renewal`."""

    vault: Hex32
    epoch: Annotated[int, Meta(ge=2, lt=1 << 32)]
    descriptor: Hex32
    m: Small
    n: Small
    organisation: Hex32
    deadline: Seconds

    @classmethod
    def of(cls, renewal: Renewal) -> RenewalBody:
        """The body of a renewal."""
        return cls(
            vault=hexed(renewal.tag),
            epoch=renewal.epoch,
            descriptor=hexed(renewal.descriptor),
            m=renewal.m,
            n=renewal.n,
            organisation=hexed(renewal.organisation),
            deadline=renewal.deadline,
        )

    def value(self) -> Renewal:
        """The renewal of a body."""
        return Renewal(
            tag=unhex(self.vault),
            epoch=self.epoch,
            descriptor=unhex(self.descriptor),
            m=self.m,
            n=self.n,
            organisation=unhex(self.organisation),
            deadline=self.deadline,
        )


class RenewBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`renew`: agree to the next epoch of a vault that no patient controls."""

    renewal: RenewalBody


class DealBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`deal`: split your shares of these records for the next epoch's custodians."""

    renewal: RenewalBody
    signatures: Annotated[list[Hex65], Meta(max_length=2)]
    records: Annotated[list[Hex32], Meta(min_length=1, max_length=MAX_DEALT)]


class EntryBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A record as its author anchored it, and where its capsule of the next epoch lies."""

    record: Hex32
    batch: Hex32
    category: Annotated[int, Meta(ge=0, le=63)]
    labels: Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
    types: Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=MAX_PAGE)]
    body_cid: Annotated[str, Meta(max_length=128)]
    body_digest: Hex32
    capsule_cid: Annotated[str, Meta(max_length=128)]
    indexes: Annotated[list[Mask], Meta(min_length=1, max_length=MAX_PAGE)]
    organisation: Hex32
    author: Hex20
    created_ms: Seconds

    @classmethod
    def of(cls, entry: ManifestEntry, capsule_cid: str) -> EntryBody:
        """The body of an entry."""
        return cls(
            record=hexed(entry.record_id),
            batch=hexed(entry.batch_id),
            category=entry.category,
            labels=entry.labels,
            types=list(entry.types),
            body_cid=entry.body_cid,
            body_digest=hexed(entry.body_digest),
            capsule_cid=capsule_cid,
            indexes=list(entry.indexes),
            organisation=hexed(entry.organisation),
            author=hexed(entry.author),
            created_ms=entry.created_ms,
        )

    def entry(self, vault: bytes) -> ManifestEntry:
        """The entry of a body."""
        return ManifestEntry(
            batch_id=unhex(self.batch),
            record_id=unhex(self.record),
            vault=vault,
            category=self.category,
            labels=self.labels,
            types=tuple(self.types),
            body_cid=self.body_cid,
            body_digest=unhex(self.body_digest),
            capsule_cid=self.capsule_cid,
            indexes=tuple(self.indexes),
            organisation=unhex(self.organisation),
            author=unhex(self.author),
            created_ms=self.created_ms,
        )


class AcceptBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`accept`: look at your shares of the next epoch and keep those that hold."""

    renewal: RenewalBody
    entries: Annotated[list[EntryBody], Meta(min_length=1, max_length=MAX_ACCEPTED)]


class ReconcileBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`reconcile`: what does your trail say of these entries of ours? Proof documents as JSON."""

    entries: Annotated[list[str], Meta(min_length=1, max_length=MAX_RECONCILED)]


class EraseBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`erase`: destroy your keys of this vault for good, and what of it lies with you.

    ``order`` is what the patient signed, where software carries it on (`access.orders`).
    """

    vault: Hex32
    order: Annotated[str, Meta(max_length=MAX_ORDER)] | None = None


Words = Annotated[str, Meta(max_length=400)]
Name = Annotated[str, Meta(max_length=100)]


class RequestBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`request`: ask the patient of this vault to open these categories to the asker's role."""

    vault: Hex32
    categories: Annotated[int, Meta(ge=1, le=(1 << 63) - 1)]
    purpose: Annotated[int, Meta(ge=0, le=15)]
    days: Annotated[int, Meta(ge=1, le=366)]
    name: Name
    text: Annotated[str, Meta(min_length=1, max_length=400)]


class ExplainBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`explain`: why the asker opened this emergency; salt, code and text give its digest."""

    vault: Hex32
    handle: Hex32
    salt: Hex32
    reason: Annotated[str, Meta(pattern="^[a-z-]{1,32}$")]
    name: Name
    text: Words


class SeatBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A guardian's place in a set, and what proves it."""

    salt: Hex32
    index: Annotated[int, Meta(ge=0, lt=MAX_GUARDIANS)]
    count: Annotated[int, Meta(ge=1, le=MAX_GUARDIANS)]
    path: Annotated[list[Hex32], Meta(max_length=4)]

    @classmethod
    def of(cls, seat: Seat) -> SeatBody:
        """The body of a seat."""
        nodes = [hexed(one) for one in seat.path]
        return cls(salt=hexed(seat.salt), index=seat.index, count=seat.count, path=nodes)

    def value(self) -> Seat:
        """The seat of a body."""
        nodes = tuple(unhex(one) for one in self.path)
        return Seat(unhex(self.salt), self.index, self.count, nodes)


class AppointBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`appoint`: tell a person of yours that the asker made them a guardian; `name` is the
    asker's, as the guardian is to read it."""

    guardian: Hex32
    seat: SeatBody
    threshold: Annotated[int, Meta(ge=1, le=MAX_GUARDIANS)]
    name: Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]


class VouchBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`vouch`: a guardian asks which key a code means, and with `signature` lets it in; without a
    code, they ask what all sign to freeze the account, and with `signature` sign that."""

    account: Hex32
    seat: SeatBody
    code: Annotated[str, Meta(min_length=16, max_length=32)] | None = None
    signature: Hex65 | None = None


class AttestationBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An administrator's signature over `AttestRecovery`, and how they knew who it was."""

    signature: Hex65
    checked: Annotated[str, Meta(min_length=1, max_length=MOST_CHECKED, pattern=r"\S")]


class RecoverBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`recover`: an administrator asks which key a code means, and with `attestation` lets it in,
    as one of two organisations that saw the patient."""

    account: Hex32
    code: Annotated[str, Meta(min_length=16, max_length=32)]
    attestation: AttestationBody | None = None


class CriterionBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a fact must be, as in a study: one of these codes, within bounds, so many days old."""

    codes: Annotated[tuple[tuple[Coded, Coded], ...], Meta(min_length=1, max_length=256)]
    least: Annotated[int, Meta(ge=0)] = 0
    most: Annotated[int, Meta(ge=0)] | None = None
    within_days: Annotated[int, Meta(ge=0, lt=1 << 20)] | None = None


class CountBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`count`: how many of your patients meet all of these criteria, about?"""

    criteria: Annotated[tuple[CriterionBody, ...], Meta(min_length=1, max_length=8)]


class ReleasedBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`released`: these patients are in the asker's release of a study, whose tags are `members`;
    each with the consent that they take part by."""

    study: Hex32
    number: Annotated[int, Meta(ge=1, lt=1 << 32)]
    members: Annotated[list[Hex32], Meta(min_length=1, max_length=MOST_MEMBERS)]
    patients: Annotated[list[Basis], Meta(min_length=1, max_length=MAX_RELEASED)]


class AckBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`ack`: confirm that your shares of these records open; asked by their author."""

    vault: Hex32
    records: Records


class KeepBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`keep`: keep these contents of ours; `copies` is how many there are to be, ours included."""

    cids: Cids
    copies: Annotated[int, Meta(ge=2, le=MAX_COPIES)]


class DropBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`drop`: delete your copies of these contents of ours for good."""

    cids: Cids


class BlocksBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`blocks`: give the blocks that lie in your own store."""

    cids: Annotated[list[Cid], Meta(min_length=1, max_length=MAX_BLOCKS)]
