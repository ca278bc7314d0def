"""`Consents.sol` in Python: who may read what, and emergencies (paper: "access control").

`ConsentsContract.is_allowed` asks the one rule. Writes return a `Call`; who may send it stands in
``contracts/src/interfaces/IConsents.sol``. Tags, handles and digests are 32 bytes, times and
deadlines unix seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from simdes.errors import SimdesError, Tampered
from simdes.ledger.bound import Bound
from simdes.ledger.digests import keccak256
from simdes.ledger.lane import Call
from simdes.ledger.ledger import Reverted
from simdes.ledger.refusals import translate
from simdes.ledger.terms import Request, Terms
from simdes.ledger.typed_data import TypedData


class Reason(IntEnum):
    """Why `isAllowed` answered as it did, in the order of its checks."""

    ALLOWED = 0
    UNKNOWN_ACTOR = 1
    INACTIVE_ACTOR = 2
    INACTIVE_ORGANISATION = 3
    UNKNOWN_VAULT = 4
    UNKNOWN_HANDLE = 5
    REVOKED = 6
    OLD_GENERATION = 7
    TERMS_MISMATCH = 8
    WRONG_GRANTEE = 9
    WRONG_ROLE = 10
    PURPOSE = 11
    CATEGORY = 12
    LABEL = 13
    NOT_YET = 14
    EXPIRED = 15
    RECORD = 16
    CONDITION_CLOSED = 17
    EMERGENCY_OVER = 18


class ConsentState(IntEnum):
    """Where a handle stands."""

    NONE = 0
    GRANTED = 1
    REVOKED = 2
    EMERGENCY = 3


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer of the one rule."""

    allowed: bool
    reason: Reason


@dataclass(frozen=True, slots=True)
class Consent:
    """What the chain holds of a consent."""

    commitment: bytes
    state: ConsentState
    generation: int
    since: int


@dataclass(frozen=True, slots=True)
class Emergency:
    """An emergency; `outcome` is 0 not reviewed, 1 justified, 2 unjustified."""

    account: bytes
    organisation: bytes
    opened_at: int
    until: int
    review_due: int
    outcome: int


@dataclass(frozen=True, slots=True)
class Permit:
    """A signature that anybody may relay; `nonce` is any number unused for the vault."""

    nonce: int
    deadline: int
    signature: bytes

    def as_tuple(self) -> tuple[int, int, bytes]:
        """Return the fields in the order of the Solidity struct."""
        return self.nonce, self.deadline, self.signature


@dataclass(frozen=True, slots=True)
class EmergencyLimits:
    """`quota` is per organisation and day."""

    quota: int
    open_seconds: int
    review_seconds: int


def encode_terms(terms: Terms) -> bytes:
    """Return ``abi.encode(terms)``: eleven words."""
    return b"".join(
        (
            _number(terms.grantee_kind),
            terms.grantee,
            _number(terms.grantee_role),
            _number(terms.categories),
            _number(terms.labels),
            _number(terms.purposes),
            _number(terms.not_before),
            _number(terms.expiry),
            terms.records,
            bytes(12) + terms.condition,
            terms.condition_id,
        )
    )


def commitment(terms: Terms, salt: bytes) -> bytes:
    """Return what the chain stores of a consent: keccak256 of salt (32 bytes) and terms."""
    return keccak256(salt + encode_terms(terms))


class ConsentsContract(Bound):
    """The consent of patients as contract state."""

    artifact_name = "Consents"

    # --- the one rule ----------------------------------------------------------------------

    def is_allowed(self, *, handle: bytes, terms: Terms, salt: bytes, request: Request) -> Decision:
        """Ask the chain's head whether this request is allowed now."""
        try:
            answer = self.ledger.call(self.address, self._question(handle, terms, salt, request))
        except Reverted as error:
            raise translate(error) from error
        return _decision(answer)

    def are_allowed(
        self, questions: Sequence[tuple[bytes, Terms, bytes, Request]]
    ) -> list[Decision]:
        """Ask several questions (handle, terms, salt, request) at once; decisions in order."""
        answers = self.ledger.call_many(
            [(self.address, self._question(*question)) for question in questions]
        )
        decisions = []
        for answer in answers:
            if isinstance(answer, Reverted):
                raise translate(answer) from answer
            if isinstance(answer, SimdesError):
                raise answer
            decisions.append(_decision(answer))
        return decisions

    def _question(self, handle: bytes, terms: Terms, salt: bytes, request: Request) -> bytes:
        """Encode isAllowed by hand: 1,000 records a call make the general encoder the bottleneck.

        Head: handle, eleven words of terms, salt, offset of the request; then the request, whose
        proof is its one dynamic member.
        """
        proof = request.record_proof
        return b"".join(
            (
                self.artifact.functions["isAllowed"].selector,
                handle,
                encode_terms(terms),
                salt,
                _number(14 * 32),
                request.vault,
                request.record,
                _number(8 * 32),
                bytes(12) + request.actor,
                _number(request.category),
                _number(request.labels),
                _number(request.purpose),
                _number(request.time),
                _number(len(proof)),
                *proof,
            )
        )

    # --- consent ---------------------------------------------------------------------------

    def grant(self, *, tag: bytes, handle: bytes, commitment: bytes, pointer: bytes) -> Call:
        """Give consent; the sender holds the key of the vault's control account."""
        return self.write("grant", tag, handle, commitment, pointer)

    def grant_by_signature(
        self,
        *,
        tag: bytes,
        handle: bytes,
        commitment: bytes,
        pointer: bytes,
        generation: int,
        permit: Permit,
    ) -> Call:
        """Relay a consent signed over `grant_digest`."""
        fields = (tag, handle, commitment, pointer, generation, permit.as_tuple())
        return self.write("grantBySig", *fields)

    def revoke(self, *, tag: bytes, handle: bytes) -> Call:
        """Close a handle for good; an unseen one is burned."""
        return self.write("revoke", tag, handle)

    def revoke_by_signature(self, *, tag: bytes, handle: bytes, permit: Permit) -> Call:
        """Relay a revocation signed over `revoke_digest`."""
        return self.write("revokeBySig", tag, handle, permit.as_tuple())

    def revoke_all(self, tag: bytes) -> Call:
        """Close everything granted or opened so far."""
        return self.write("revokeAll", tag)

    def revoke_all_by_signature(self, *, tag: bytes, generation: int, permit: Permit) -> Call:
        """Relay a revocation of everything signed over `revoke_all_digest`."""
        return self.write("revokeAllBySig", tag, generation, permit.as_tuple())

    def consent(self, *, tag: bytes, handle: bytes) -> Consent | None:
        """Return a consent, None if the handle was never seen in this vault."""
        fields = self.read("consent", tag, handle)
        if fields[1] == ConsentState.NONE:
            return None
        return Consent(fields[0], ConsentState(fields[1]), fields[2], fields[3])

    def generation(self, tag: bytes) -> int:
        """Return how often everything of this vault was revoked."""
        return int(self.read("generation", tag))

    def standing(self, asked: Sequence[tuple[bytes, bytes]]) -> set[tuple[bytes, bytes]]:
        """Which of these consents (vault, handle) nobody withdrew, by one exchange."""
        answers = self.read_many(
            [
                question
                for tag, handle in asked
                for question in (("consent", (tag, handle)), ("generation", (tag,)))
            ]
        )
        found = set()
        for one, said, generation in zip(asked, answers[::2], answers[1::2], strict=True):
            if (said[1], said[2]) == (ConsentState.GRANTED, generation):
                found.add(one)
        return found

    def is_nonce_used(self, *, tag: bytes, nonce: int) -> bool:
        """Say whether a relayed signature with this nonce was spent for the vault."""
        return bool(self.read("isNonceUsed", tag, nonce))

    # --- emergencies -----------------------------------------------------------------------

    def open_emergency(self, *, tag: bytes, handle: bytes, reason_digest: bytes) -> Call:
        """Break glass; `reason_digest` is a salted digest of the coded reason."""
        return self.write("openEmergency", tag, handle, reason_digest)

    def review_emergency(self, *, tag: bytes, handle: bytes, outcome: int) -> Call:
        """Review an emergency: 1 justified, 2 unjustified."""
        return self.write("reviewEmergency", tag, handle, outcome)

    def emergency(self, *, tag: bytes, handle: bytes) -> Emergency | None:
        """Return an emergency, None if there is none under this handle."""
        emergency = Emergency(*self.read("emergency", tag, handle))
        return emergency if emergency.opened_at else None

    def emergencies_on(self, *, organisation: bytes, day: int) -> int:
        """Return how many an organisation opened on a day (unix seconds / 86,400)."""
        return int(self.read("emergenciesOn", organisation, day))

    def emergency_limits(self) -> EmergencyLimits:
        """Return quota, duration and time to review."""
        return EmergencyLimits(*self.read("emergencyLimits"))

    # --- EIP-712 digests -------------------------------------------------------------------

    def grant_data(
        self,
        *,
        tag: bytes,
        handle: bytes,
        commitment: bytes,
        pointer: bytes,
        generation: int,
        nonce: int,
        deadline: int,
    ) -> TypedData:
        """Return what the control key signs to grant."""
        text = (
            "Grant(bytes32 tag,bytes32 handle,bytes32 commitment,bytes32 pointer,"
            "uint64 generation,uint256 nonce,uint256 deadline)"
        )
        return self._data(text, tag, handle, commitment, pointer, generation, nonce, deadline)

    def grant_digest(self, **what: Any) -> bytes:
        """Return the digest of `grant_data`."""
        return self.grant_data(**what).digest

    def revoke_data(self, *, tag: bytes, handle: bytes, nonce: int, deadline: int) -> TypedData:
        """Return what the control key signs to revoke one handle."""
        text = "Revoke(bytes32 tag,bytes32 handle,uint256 nonce,uint256 deadline)"
        return self._data(text, tag, handle, nonce, deadline)

    def revoke_digest(self, **what: Any) -> bytes:
        """Return the digest of `revoke_data`."""
        return self.revoke_data(**what).digest

    def revoke_all_data(
        self, *, tag: bytes, generation: int, nonce: int, deadline: int
    ) -> TypedData:
        """Return what the control key signs to revoke everything."""
        text = "RevokeAll(bytes32 tag,uint64 generation,uint256 nonce,uint256 deadline)"
        return self._data(text, tag, generation, nonce, deadline)

    def revoke_all_digest(self, **what: Any) -> bytes:
        """Return the digest of `revoke_all_data`."""
        return self.revoke_all_data(**what).digest

    def _data(self, struct: str, *values: bytes | int) -> TypedData:
        return TypedData(
            name="SIMDES Consents",
            chain_id=self.ledger.chain_id(),
            contract=self.address,
            struct=struct,
            values=values,
        )


def _number(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _decision(answer: bytes) -> Decision:
    try:
        reason = Reason(int.from_bytes(answer[32:64], "big"))
    except ValueError:
        reason = None
    allowed = answer[:32] == _number(1)
    if len(answer) != 64 or reason is None or allowed is not (reason is Reason.ALLOWED):
        raise Tampered(
            "the ledger's answer about a consent is not of the expected form",
            advice="Check that the addresses in network.json belong to this ledger.",
        )
    return Decision(allowed, reason)
