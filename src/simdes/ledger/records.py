"""`Records.sol` and `AuditLog.sol` in Python: Merkle roots of sealed records and of audit entries.

Paper: "data integrity" and "audit trail". Writes return a `Call`; who may send it stands in
``contracts/src/interfaces``. Ids, roots and leaves are 32 bytes, times unix seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from simdes.ledger.bound import Bound
from simdes.ledger.digests import keccak256
from simdes.ledger.lane import Call


class LeafState(IntEnum):
    """What an organisation declares of a leaf."""

    CURRENT = 0
    SUPERSEDED = 1
    ERASED = 2


@dataclass(frozen=True, slots=True)
class Batch:
    """An anchored batch; it never changes."""

    organisation: bytes
    root: bytes
    count: int
    time: int


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf and its place in a batch."""

    batch_id: bytes
    leaf: bytes
    index: int
    path: tuple[bytes, ...]

    def as_tuple(self) -> tuple[bytes, bytes, int, list[bytes]]:
        """Return the fields in the order of the Solidity struct."""
        return self.batch_id, self.leaf, self.index, list(self.path)


@dataclass(frozen=True, slots=True)
class LeafStatus:
    """`successor` is 32 zero bytes unless superseded."""

    state: LeafState
    since: int
    successor: bytes


@dataclass(frozen=True, slots=True)
class AuditHead:
    """An organisation's last audit batch; `seq` 0 means there is none. `total` counts leaves."""

    seq: int
    root: bytes
    total: int
    time: int


@dataclass(frozen=True, slots=True)
class AuditBatch:
    """One audit batch."""

    root: bytes
    count: int
    time: int


def batch_id_of(*, chain_id: int, organisation: bytes, root: bytes) -> bytes:
    """Return the id that this organisation's batch with this root has on that chain."""
    return keccak256(chain_id.to_bytes(32, "big") + organisation + root)


class RecordsContract(Bound):
    """Roots of batches of sealed records."""

    artifact_name = "Records"

    def anchor(self, *, root: bytes, count: int, manifest: bytes) -> Call:
        """Anchor a batch of `count` leaves; `manifest` is a binary CID of 1 to 96 bytes."""
        return self.write("anchor", root, count, manifest)

    def supersede(self, *, old: Leaf, successor: Leaf) -> Call:
        """Say that a leaf is replaced by another."""
        return self.write("supersede", old.as_tuple(), successor.as_tuple())

    def erase(self, old: Leaf) -> Call:
        """Say that a leaf's content is erased."""
        return self.write("erase", old.as_tuple())

    def verify(self, *, batch_id: bytes, leaf: bytes, index: int, path: Sequence[bytes]) -> bool:
        """Say whether `leaf` is leaf number `index` of the batch; False for an unknown batch."""
        return bool(self.read("verify", batch_id, leaf, index, list(path)))

    def batch(self, batch_id: bytes) -> Batch | None:
        """Return a batch, None if it is unknown."""
        batch = Batch(*self.read("batch", batch_id))
        return batch if batch.count else None

    def status(self, *, organisation: bytes, leaf: bytes) -> LeafStatus:
        """Return what the organisation declares of a leaf."""
        state, since, successor = self.read("status", organisation, leaf)
        return LeafStatus(LeafState(state), since, successor)


class AuditLogContract(Bound):
    """One gap-free, fork-free chain of audit roots per organisation."""

    artifact_name = "AuditLog"

    def append(self, *, seq: int, previous_root: bytes, root: bytes, count: int) -> Call:
        """Append the next batch; the first has seq 1 and previous root zero."""
        return self.write("append", seq, previous_root, root, count)

    def verify(
        self, *, organisation: bytes, seq: int, leaf: bytes, index: int, path: Sequence[bytes]
    ) -> bool:
        """Say whether `leaf` is leaf number `index` of the organisation's batch `seq`."""
        return bool(self.read("verify", organisation, seq, leaf, index, list(path)))

    def head(self, organisation: bytes) -> AuditHead:
        """Return the last batch."""
        return AuditHead(*self.read("head", organisation))

    def entry_at(self, *, organisation: bytes, seq: int) -> AuditBatch | None:
        """Return a batch, None if it does not exist."""
        entry = AuditBatch(*self.read("entryAt", organisation, seq))
        return entry if entry.count else None

    def root_at(self, *, organisation: bytes, seq: int) -> bytes | None:
        """Return the root of a batch, None if it does not exist."""
        root: bytes = self.read("rootAt", organisation, seq)
        return root if any(root) else None
