"""`Studies.sol` in Python: studies, who takes part, who was counted, what was released.

Ids, tags, secrets and digests are 32 bytes, criteria and nullifiers elements of BN254's scalar
field, times unix seconds (docs/formats/studies.md). Writes return a `Call`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from eth_abi.abi import encode

from simdes.ledger.bound import Bound
from simdes.ledger.digests import keccak256
from simdes.ledger.lane import Call
from simdes.ledger.statements import proof_words

MOST_MEMBERS = 2_000
"""Of one release on the ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What a study is; its id commits to all of it. Fields in the Solidity struct's order.

    `approvers` are accounts in ascending order, `threshold` of whom decide.
    """

    protocol: bytes
    purpose: bytes
    terms: bytes
    area: bytes
    collector: bytes
    begins: int
    ends: int
    threshold: int
    approvers: tuple[bytes, ...]
    criteria: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Study:
    """What the chain knows of a study. Fields in the Solidity struct's order."""

    sponsor: bytes
    area: bytes
    collector: bytes
    begins: int
    ends: int
    threshold: int
    approvals: int
    counted: int
    releases: int

    @property
    def approved(self) -> bool:
        """Whether enough approvers approve now."""
        return self.approvals >= self.threshold


@dataclass(frozen=True, slots=True)
class Release:
    """A recorded release; `members` is the digest of its tags, `until` when it must be deleted."""

    manifest: bytes
    policy: bytes
    members: bytes
    count: int
    at: int
    until: int


@dataclass(frozen=True, slots=True)
class Met:
    """That one criterion is met: a root of the forest of facts, and a proof of 256 bytes."""

    root: int
    proof: bytes

    def as_tuple(self) -> tuple[int, list[int]]:
        """Return the fields in the order of the Solidity struct."""
        return self.root, proof_words(self.proof)


def members_digest(members: Sequence[bytes]) -> bytes:
    """What a release says of its tags: keccak256 of them, ascending, one after another."""
    return keccak256(b"".join(sorted(members)))


def tag_of(group: bytes, secret: bytes) -> bytes:
    """As `StudiesContract.tag_for`, without asking a node."""
    return keccak256(encode(("string", "bytes32", "bytes32"), ("participation", group, secret)))


class StudiesContract(Bound):
    """Research that approvers and patients can stop."""

    artifact_name = "Studies"

    def register(self, what: Registration) -> Call:
        """Register. By an active agent of a hospital or research organisation, the sponsor."""
        return self.write("register", astuple(what))

    def approve(self, study: bytes) -> Call:
        """Approve, as a named approver of another organisation."""
        return self.write("approve", study)

    def retract(self, study: bytes) -> Call:
        """Take an approval back."""
        return self.write("retract", study)

    def opt_in(self, study: bytes, tag: bytes) -> Call:
        """Put a tag among those who take part. By an active agent of any organisation."""
        return self.write("optIn", study, tag)

    def prefer(self, *, sponsor: bytes, area: bytes, tag: bytes) -> Call:
        """Put a tag among those who stand by for a sponsor's studies of an area."""
        return self.write("prefer", sponsor, area, tag)

    def withdraw(self, *, group: bytes, secret: bytes) -> Call:
        """Withdraw a tag for ever. Anybody may send it."""
        return self.write("withdraw", group, secret)

    def count(self, study: bytes, nullifier: int, proofs: Sequence[Met]) -> Call:
        """Count a patient, once. By an active agent of the study's collector."""
        return self.write("count", study, nullifier, [one.as_tuple() for one in proofs])

    def record_release(
        self,
        study: bytes,
        *,
        manifest: bytes,
        policy: bytes,
        until: int,
        members: Sequence[bytes],
    ) -> Call:
        """Record a release with its members' tags. By an active agent of the sponsor."""
        return self.write("recordRelease", study, manifest, policy, until, sorted(members))

    def is_open(self, tag: bytes) -> bool:
        """Whether a tag takes part in something that runs; what consents hang on."""
        return bool(self.read("isOpen", tag))

    def is_running(self, study: bytes) -> bool:
        """Whether a study is approved and within its period."""
        return bool(self.read("isRunning", study))

    def study(self, study: bytes) -> Study | None:
        """What is known of a study, None where none has this id."""
        found = Study(*self.read("study", study))
        return found if any(found.sponsor) else None

    def criteria(self, study: bytes) -> tuple[int, ...]:
        """Its criteria's elements."""
        return tuple(self.read("criteriaOf", study))

    def approver(self, study: bytes, account: bytes) -> tuple[bool, bool]:
        """Whether an account is named as an approver, and whether its approval stands."""
        named, approves = self.read("approverOf", study, account)
        return bool(named), bool(approves)

    def release(self, study: bytes, number: int) -> Release | None:
        """A study's release by its number, from 1 on."""
        found = Release(*self.read("release", study, number))
        return found if found.count else None

    def tag(self, tag: bytes) -> tuple[bytes, bool]:
        """What a tag takes part in (32 zero bytes: nothing), and whether it was withdrawn."""
        group, withdrawn = self.read("tagOf", tag)
        return bytes(group), bool(withdrawn)

    def id_of(self, sponsor: bytes, what: Registration) -> bytes:
        """The id that a registration has."""
        return bytes(self.read("idOf", sponsor, astuple(what)))

    def group_of(self, *, sponsor: bytes, area: bytes) -> bytes:
        """The group of a standing preference."""
        return bytes(self.read("groupOf", sponsor, area))

    def tag_for(self, *, group: bytes, secret: bytes) -> bytes:
        """The tag that a secret makes in a group (a study's id, or `group_of`)."""
        return bytes(self.read("tagFor", group, secret))

    def scope_of(self, study: bytes) -> int:
        """What stands for a study in proofs."""
        return int(self.read("scopeOf", study))
