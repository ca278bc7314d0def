"""`Claims.sol` in Python: insurance claims on the ledger (docs/formats/claims.md; paper Fig. 5).

Tags, claims' ids, amounts and totals are elements of BN254's scalar field; amounts and totals are
commitments, 0 for none. Times are Unix seconds. Writes return a `Call`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from simdes.errors import Forbidden
from simdes.ledger.bound import Bound
from simdes.ledger.digests import keccak256
from simdes.ledger.lane import Call
from simdes.ledger.statements import PROOF_BYTES, proof_words

NO_PROOF = bytes(PROOF_BYTES)
NO_VOICE = bytes(32)
NO_REASON = bytes(32)
MOST_APPEALS = 3


class ClaimState(IntEnum):
    """How a claim stands; the edges between: docs/formats/claims.md, "States"."""

    NONE = 0
    OPENED = 1
    DISCLOSED = 2
    RECEIVED = 3
    ASKED = 4
    APPROVED = 5
    PARTLY = 6
    DENIED = 7
    APPEALED = 8
    PAID = 9
    REVERSED = 10


class Outcome(IntEnum):
    """What a payer can decide."""

    APPROVED = 5
    PARTLY = 6
    DENIED = 7


@dataclass(frozen=True, slots=True)
class Claim:
    """What the chain knows of a claim; `counted` is what it counts in its encounter's total.

    `due` is when what the state waits for is late; `voice` is the hash of the patient's secret.
    """

    state: ClaimState
    appeals: int
    accepted: bool
    due: int
    provider: bytes
    payer: bytes
    tag: int
    claimed: int
    counted: int
    approved: int
    paid: int
    voice: bytes

    def is_final(self, now: int) -> bool:
        """Whether its decision can't be appealed any more."""
        appealable = self.state in (ClaimState.PARTLY, ClaimState.DENIED)
        return appealable and (self.accepted or now >= self.due)


@dataclass(frozen=True, slots=True)
class ClaimTimes:
    """How long a state waits for the provider, the payer, an appeal, in seconds."""

    answer: int
    decide: int
    appeal: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenClaim:
    """A claim with its proof (A, B, C as EIP-197 orders them, 256 bytes)."""

    root: int
    tag: int
    payer: bytes
    before: int
    after: int
    claimed: int
    proof: bytes
    voice: bytes = NO_VOICE

    def as_tuple(self) -> tuple[int, int, bytes, int, int, int, bytes, list[int]]:
        """Return the fields in the order of the Solidity struct."""
        words = proof_words(self.proof)
        amounts = (self.before, self.after, self.claimed)
        return self.root, self.tag, self.payer, *amounts, self.voice, words


def voice_of(secret: bytes) -> bytes:
    """What the ledger is given of a patient's secret (32 bytes): good for every appeal there is."""
    return _hashed(secret, MOST_APPEALS)


def next_shown(secret: bytes, voice: bytes) -> bytes:
    """What to show for the next appeal: the preimage of what the ledger has, made of the secret.

    Each one that is shown takes the place of its hash, so none counts twice. Raises Forbidden where
    the secret is another claim's, or was shown as often as it can be.
    """
    for count in reversed(range(MOST_APPEALS)):
        if keccak256(shown := _hashed(secret, count)) == voice:
            return shown
    raise Forbidden("This is not the patient's secret of the claim.")


def _hashed(secret: bytes, times: int) -> bytes:
    for _ in range(times):
        secret = keccak256(secret)
    return secret


class ClaimsContract(Bound):
    """Claims of encounters, unique per payer and within cost."""

    artifact_name = "Claims"

    def enrol(self, holder: int) -> Call:
        """Say once whose encounters they are. By an active agent of a hospital."""
        return self.write("enrol", holder)

    def dismiss(self, organisation: bytes) -> Call:
        """Let an organisation enrol anew. Governance only."""
        return self.write("dismiss", organisation)

    def open(self, claim: ProvenClaim) -> Call:
        """Open a claim. By an active agent of the hospital that enrolled."""
        return self.write("open", claim.as_tuple())

    def disclose(self, claim: int) -> Call:
        """Say that the payer was given what it needs. Provider."""
        return self.write("disclose", claim)

    def acknowledge(self, claim: int) -> Call:
        """Say that it is there. Payer."""
        return self.write("acknowledge", claim)

    def ask(self, claim: int) -> Call:
        """Ask for more. Payer."""
        return self.write("ask", claim)

    def adjudicate(
        self,
        claim: int,
        outcome: Outcome,
        *,
        approved: int = 0,
        reason: bytes = NO_REASON,
        proof: bytes = NO_PROOF,
    ) -> Call:
        """Decide. Payer; `approved` and `proof` (settle) unless it is denied."""
        words = proof_words(proof)
        return self.write("adjudicate", claim, outcome, approved, reason, words)

    def accept(self, claim: int) -> Call:
        """Take a decision as final. Provider."""
        return self.write("accept", claim)

    def appeal(self, claim: int) -> Call:
        """Ask the payer to decide again. Provider."""
        return self.write("appeal", claim)

    def appeal_for(self, claim: int, secret: bytes) -> Call:
        """The same for the patient, by anybody who shows the patient's secret (32 bytes)."""
        return self.write("appealFor", claim, secret)

    def settle(self, claim: int, paid: int, *, whole: bool, proof: bytes) -> Call:
        """Say that it is paid: all that was approved, or less. Payer."""
        return self.write("settle", claim, paid, whole, proof_words(proof))

    def reverse(self, claim: int) -> Call:
        """End it. Provider unless it is paid; payer once it approved or paid something."""
        return self.write("reverse", claim)

    def free(self, claim: int, *, before: int, after: int, proof: bytes) -> Call:
        """Give back what it counts and won't be paid. Provider."""
        return self.write("free", claim, before, after, proof_words(proof))

    def is_open(self, claim: int) -> bool:
        """Whether it goes on; what consents hang on that end with it."""
        return bool(self.read("isOpen", claim.to_bytes(32, "big")))

    def claim(self, claim: int) -> Claim:
        """A claim; its state is `NONE` where there is none."""
        state, *rest = self.read("claimOf", claim)
        return Claim(ClaimState(state), *rest)

    def claims(self, claims: Sequence[int]) -> list[Claim]:
        """Several claims, in order, by one exchange with the node."""
        found = self.read_many([("claimOf", (one,)) for one in claims])
        return [Claim(ClaimState(state), *rest) for state, *rest in found]

    def total(self, tag: int) -> int:
        """The commitment to what is claimed of an encounter in all."""
        return int(self.read("totalOf", tag))

    def next_id(self, tag: int, payer: bytes) -> int:
        """The name that the next claim of an encounter at a payer will have."""
        return int(self.read("nextId", tag, payer))

    def kept(self, claim: int) -> int:
        """What a claim counts once it is freed. Raises Conflict where nothing can be freed now."""
        return int(self.read("keptOf", claim))

    def holder(self, organisation: bytes) -> int:
        """What an organisation enrolled, 0 for nothing."""
        return int(self.read("holderOf", organisation))

    def times(self) -> ClaimTimes:
        """The network's times."""
        return ClaimTimes(*self.read("times"))

    def context(self) -> int:
        """What stands for the contract on its chain in proofs."""
        return int(self.read("context"))
