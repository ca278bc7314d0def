"""The contracts' events as values, one class each, named as in ``contracts/src/interfaces``.

Ids and digests are 32 bytes, addresses 20 bytes, times unix seconds. `log` says where on the chain
the event stands.
"""

from __future__ import annotations

from dataclasses import dataclass

from simdes.ledger.ledger import Log


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainEvent:
    """What every event has."""

    log: Log


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganisationRegistered(ChainEvent):
    """A new organisation with its first administrator account, both pending."""

    organisation: bytes
    account: bytes
    kind: int
    descriptor: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganisationVerified(ChainEvent):
    """The organisation is verified, also after a suspension."""

    organisation: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganisationSuspended(ChainEvent):
    """None of the organisation's accounts is active from here on."""

    organisation: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DescriptorSet(ChainEvent):
    """The digest of the organisation's signed descriptor changed."""

    organisation: bytes
    descriptor: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRegistered(ChainEvent):
    """A new account, pending."""

    account: bytes
    organisation: bytes
    key: bytes
    role: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountVerified(ChainEvent):
    """The account is verified, also after a suspension."""

    account: bytes
    organisation: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSuspended(ChainEvent):
    """The account is suspended."""

    account: bytes
    organisation: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRotationRequested(ChainEvent):
    """A key change waits until `ready_at`; replaces an earlier one."""

    account: bytes
    key: bytes
    ready_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRotationCancelled(ChainEvent):
    """The waiting key change is gone."""

    account: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRotated(ChainEvent):
    """The account's key changed, by rotation."""

    account: bytes
    old: bytes
    new: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardiansRequested(ChainEvent):
    """A guardian set waits until `ready_at`; replaces an earlier one."""

    account: bytes
    root: bytes
    count: int
    threshold: int
    ready_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardiansCancelled(ChainEvent):
    """The waiting guardian set is gone."""

    account: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardiansSet(ChainEvent):
    """The guardian set changed; the owner has a veto again."""

    account: bytes
    root: bytes
    count: int
    threshold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFrozen(ChainEvent):
    """k guardians froze the account."""

    account: bytes
    nonce: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryRequested(ChainEvent):
    """A recovery waits until `ready_at`; replaces an earlier one."""

    account: bytes
    key: bytes
    ready_at: int
    attested: bool
    nonce: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryCancelled(ChainEvent):
    """The waiting recovery is gone, by the owner's veto or a new guardian set."""

    account: bytes
    vetoed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRecovered(ChainEvent):
    """The account's key changed, by recovery; it is no longer frozen."""

    account: bytes
    old: bytes
    new: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerSigned(ChainEvent):
    """A relayed signature of an account's owner was taken."""

    account: bytes
    nonce: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultOpened(ChainEvent):
    """A provisional vault, epoch 1."""

    tag: bytes
    organisation: bytes
    descriptor: bytes
    m: int
    n: int
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultRenewed(ChainEvent):
    """A vault's next epoch; `organisation` saw to it."""

    tag: bytes
    organisation: bytes
    descriptor: bytes
    m: int
    n: int
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultSet(ChainEvent):
    """The vault has its control account, for good."""

    tag: bytes
    account: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted(ChainEvent):
    """A consent; `pointer` is the sha256 of the block with the sealed terms."""

    tag: bytes
    handle: bytes
    commitment: bytes
    pointer: bytes
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked(ChainEvent):
    """The handle is closed for good, whether it had been seen or not."""

    tag: bytes
    handle: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokedAll(ChainEvent):
    """Everything of earlier generations is closed; `generation` is the new one."""

    tag: bytes
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyOpened(ChainEvent):
    """A clinician opened an emergency; custodians notify the patient."""

    tag: bytes
    handle: bytes
    organisation: bytes
    account: bytes
    reason_digest: bytes
    opened_at: int
    until: int
    review_due: int
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyReviewed(ChainEvent):
    """An emergency was reviewed: outcome 1 justified, 2 unjustified."""

    tag: bytes
    handle: bytes
    organisation: bytes
    reviewer: bytes
    outcome: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NonceUsed(ChainEvent):
    """A relayed signature's nonce is spent."""

    tag: bytes
    nonce: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchored(ChainEvent):
    """A batch of `count` leaves; `manifest` is the binary CID of its manifest list."""

    batch_id: bytes
    organisation: bytes
    root: bytes
    count: int
    manifest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Superseded(ChainEvent):
    """A newer version of the resource stands in `successor`."""

    organisation: bytes
    leaf: bytes
    successor: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased(ChainEvent):
    """The organisation declares the leaf's content erased."""

    organisation: bytes
    leaf: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended(ChainEvent):
    """An audit batch was appended."""

    organisation: bytes
    seq: int
    previous_root: bytes
    root: bytes
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RootInserted(ChainEvent):
    """A batch of statements stands in its kind's forest."""

    kind: int
    organisation: bytes
    forest: int
    index: int
    batch_root: int
    forest_root: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ForestBegun(ChainEvent):
    """A kind of statement begins anew with an empty forest."""

    kind: int
    forest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispensed(ChainEvent):
    """So much of a prescription is dispensed in all, of 10,000."""

    tag: int
    pharmacy: bytes
    part: int
    fill_day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PharmacyBound(ChainEvent):
    """A prescription belongs to a pharmacy until it releases it."""

    tag: int
    pharmacy: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PharmacyReleased(ChainEvent):
    """A pharmacy let a prescription go."""

    tag: int
    pharmacy: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled(ChainEvent):
    """A prescription is cancelled for ever."""

    tag: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRegistered(ChainEvent):
    """A study, which waits for its approvers."""

    study: bytes
    sponsor: bytes
    area: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyApproved(ChainEvent):
    """An approver approves; so many do now."""

    study: bytes
    approver: bytes
    approvals: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRetracted(ChainEvent):
    """An approver no longer approves; so many do now."""

    study: bytes
    approver: bytes
    approvals: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OptedIn(ChainEvent):
    """A tag takes part in a study, or stands by under a preference."""

    group: bytes
    tag: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn(ChainEvent):
    """A tag was withdrawn for ever."""

    group: bytes
    tag: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted(ChainEvent):
    """Somebody who meets a study's criteria was counted."""

    study: bytes
    nullifier: int
    counted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRecorded(ChainEvent):
    """A release: digests of manifest, policy and its members' tags, and when it must be deleted."""

    study: bytes
    number: int
    manifest: bytes
    policy: bytes
    members: bytes
    count: int
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled(ChainEvent):
    """An organisation said whose its encounters are."""

    organisation: bytes
    holder: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dismissed(ChainEvent):
    """An organisation may enrol anew."""

    organisation: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimOpened(ChainEvent):
    """A provider claims from a payer; `claimed` and `total` are commitments."""

    claim: int
    provider: bytes
    payer: bytes
    tag: int
    claimed: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimDisclosed(ChainEvent):
    """The payer was given what it needs."""

    claim: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimReceived(ChainEvent):
    """The payer has it."""

    claim: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimAsked(ChainEvent):
    """The payer needs more."""

    claim: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimAdjudicated(ChainEvent):
    """The payer decided; `approved` is a commitment or 0, `reason` a salted digest."""

    claim: int
    outcome: int
    approved: int
    reason: bytes
    due: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimAccepted(ChainEvent):
    """The provider takes the decision as final."""

    claim: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimAppealed(ChainEvent):
    """The payer is to decide again."""

    claim: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimPaid(ChainEvent):
    """The claim is paid; `whole`: all that was approved."""

    claim: int
    paid: int
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimReversed(ChainEvent):
    """The claim is over, by one of its organisations; another one can be opened."""

    claim: int
    by: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimFreed(ChainEvent):
    """The claim counts what is kept alone in its encounter's total."""

    claim: int
    tag: int
    kept: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VerbPaused(ChainEvent):
    """A verb (function selector) is paused until a time."""

    verb: bytes
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VerbUnpaused(ChainEvent):
    """The pause was lifted early."""

    verb: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgraded(ChainEvent):
    """A proxy's implementation changed (ERC-1967); custodians stop until this is accepted."""

    implementation: bytes


EVENTS: dict[str, type[ChainEvent]] = {
    name: kind
    for name, kind in list(globals().items())
    if isinstance(kind, type) and issubclass(kind, ChainEvent) and kind is not ChainEvent
}
"""By the event's name in Solidity. Python calls `from` and `to` `old` and `new`."""

RENAMED = {"from": "old", "to": "new"}
