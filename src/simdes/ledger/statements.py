"""`Statements.sol` and `Prescriptions.sol` in Python: what proofs are checked against.

Roots, tags and secrets are elements of BN254's scalar field, parts are of 10,000, days count from
1970-01-01 (docs/formats/statements.md; paper Fig. 4). Writes return a `Call`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from simdes.ledger.bound import Bound
from simdes.ledger.digests import keccak256
from simdes.ledger.lane import Call

PROOF_BYTES = 256


class StatementKind(IntEnum):
    """What a forest's statements are about."""

    PRESCRIPTION = 1
    FACT = 2
    ENCOUNTER = 3


@dataclass(frozen=True, slots=True)
class Forest:
    """A kind's present forest: its number, how many batches it has, its root."""

    number: int
    count: int
    root: int


@dataclass(frozen=True, slots=True)
class PrescriptionStatus:
    """What the chain knows of a tag; `pharmacy` is 32 zero bytes where it is nobody's."""

    part: int
    fill_day: int
    cancelled: bool
    pharmacy: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenStep:
    """A step of a prescription with its proof (A, B, C as EIP-197 orders them, 256 bytes)."""

    root: int
    tag: int
    part_before: int
    part_after: int
    begins: bool
    proof: bytes

    def as_tuple(self) -> tuple[int, int, int, int, bool, list[int]]:
        """Return the fields in the order of the Solidity struct."""
        words = proof_words(self.proof)
        return self.root, self.tag, self.part_before, self.part_after, self.begins, words


def proof_words(proof: bytes) -> list[int]:
    """The eight numbers of a proof; a proof of another length gives those of none that holds."""
    padded = proof if len(proof) == PROOF_BYTES else bytes(PROOF_BYTES)
    return [int.from_bytes(padded[at : at + 32], "big") for at in range(0, PROOF_BYTES, 32)]


def element_of_id(identifier: bytes) -> int:
    """What stands for an organisation (32 bytes) in proofs: 248 bits of its id's hash."""
    return int.from_bytes(keccak256(identifier), "big") >> 8


def element_of_contract(*, chain_id: int, address: bytes) -> int:
    """What stands for a contract (20 bytes) on a chain in proofs."""
    words = chain_id.to_bytes(32, "big") + bytes(12) + address
    return int.from_bytes(keccak256(words), "big") >> 8


class StatementsContract(Bound):
    """Forests of what organisations state."""

    artifact_name = "Statements"

    def insert_root(self, kind: StatementKind, batch_root: int) -> Call:
        """Insert a batch's root. By an active agent of an organisation that may issue the kind."""
        return self.write("insertRoot", kind, batch_root)

    def begin_forest(self, kind: StatementKind) -> Call:
        """Begin a kind's forest anew. Governance only."""
        return self.write("beginForest", kind)

    def is_recent_root(self, kind: StatementKind, root: int) -> bool:
        """Whether proofs under this root are taken at the head."""
        return bool(self.read("isRecentRoot", kind, root))

    def forest(self, kind: StatementKind) -> Forest:
        """The kind's present forest."""
        return Forest(*self.read("forestOf", kind))

    def is_inserted(self, kind: StatementKind, organisation: bytes, batch_root: int) -> bool:
        """Whether the organisation has this root in the present forest."""
        return bool(self.read("isInserted", kind, organisation, batch_root))

    def recent_seconds(self) -> int:
        """How long a root stays recent after the next one."""
        return int(self.read("recentSeconds"))


class PrescriptionsContract(Bound):
    """How much of each prescription was dispensed."""

    artifact_name = "Prescriptions"

    def dispense(self, step: ProvenStep) -> Call:
        """Dispense. This and the next two: by an active agent of a pharmacy or hospital."""
        return self.write("dispense", step.as_tuple())

    def bind_pharmacy(self, step: ProvenStep) -> Call:
        """Bind a prescription that is nobody's to the caller's organisation."""
        return self.write("bindPharmacy", step.as_tuple())

    def release_pharmacy(self, step: ProvenStep) -> Call:
        """Let a prescription go that is bound to the caller's organisation."""
        return self.write("releasePharmacy", step.as_tuple())

    def cancel(self, secret: int) -> Call:
        """Cancel for ever. Anybody may send it."""
        return self.write("cancel", secret)

    def is_open(self, tag: int) -> bool:
        """Whether something can still be dispensed; what consents hang on that end with it."""
        return bool(self.read("isOpen", tag.to_bytes(32, "big")))

    def status(self, tag: int) -> PrescriptionStatus:
        """What is known of a tag."""
        [found] = self.statuses([tag])
        return found

    def statuses(self, tags: Sequence[int]) -> list[PrescriptionStatus]:
        """The same of several, in order, by one exchange with the node."""
        return [
            PrescriptionStatus(*one)
            for one in self.read_many([("statusOf", (tag,)) for tag in tags])
        ]


class DisclosureVerifierContract(Bound):
    """The generated verifier of the circuit `disclosure`."""

    artifact_name = "DisclosureVerifier"

    def holds(self, proof: bytes, inputs: Sequence[int]) -> bool:
        """Whether a proof holds for its public inputs."""
        return bool(self.read("verifyProof", proof_words(proof), list(inputs)))
