"""Prescriptions with real proofs on a network of tests: batches, what a pharmacy holds, steps."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.ledgers import Member, Town
from simdes.ledger.contracts import (
    ProvenStep,
    StatementKind,
    element_of_contract,
    element_of_id,
)
from simdes.proofs import keys, prover
from simdes.proofs.prescriptions import (
    Prescription,
    Step,
    nullifier_key,
    public_inputs,
    signals,
    tag_of,
)
from simdes.proofs.trees import BATCH_DEPTH, FOREST_DEPTH, Place, Tree

SECONDS_A_DAY = 86_400
BASE = 21888242871839275222246405745257275088696311157297823662689037894645226208583
"""The order of BN254's base field (EIP-197)."""


def random_element() -> int:
    return int.from_bytes(os.urandom(31), "big")


@dataclass
class Forests:
    """What everybody knows of a kind's forest, and the batches of one issuer."""

    town: Town
    issuer: Member
    kind: StatementKind = StatementKind.PRESCRIPTION
    tree: Tree = field(default_factory=lambda: Tree(FOREST_DEPTH))

    @classmethod
    def anew(
        cls, town: Town, issuer: Member, kind: StatementKind = StatementKind.PRESCRIPTION
    ) -> Forests:
        """An empty forest, also where other tests filled one."""
        if town.contracts.statements.forest(kind).count:
            town.govern(town.contracts.statements.begin_forest(kind))
        return cls(town, issuer, kind)

    def issue(self, leaves: Sequence[int]) -> tuple[Tree, int]:
        """Put a batch into the forest; return it and its place there."""
        batch = Tree(BATCH_DEPTH, leaves)
        call = self.town.contracts.statements.insert_root(self.kind, batch.root)
        self.issuer.agent.lane.transact(call)
        place = self.tree.append(batch.root)
        return batch, place

    def today(self) -> int:
        """The day of the newest block."""
        return self.town.ledger.head().timestamp // SECONDS_A_DAY

    def prescribe(self, **others: Any) -> Held:
        """Issue a prescription of three fills of thirty, between two other statements."""
        secret, today = random_element(), self.today()
        terms = {
            "total": 90,
            "per_fill": 30,
            "interval": 0,
            "first_day": today - 1,
            "last_day": today + 30,
        }
        prescription = Prescription(
            key=nullifier_key(secret), salt=random_element(), **terms | others
        )
        batch, at = self.issue([random_element(), prescription.leaf, random_element()])
        return Held(self, prescription, batch, at, secret)


@dataclass
class Held:
    """A prescription as a pharmacy holds it: statement, place, the context of the network."""

    forests: Forests
    prescription: Prescription
    batch: Tree
    at: int
    secret: int

    @property
    def context(self) -> int:
        town = self.forests.town
        return element_of_contract(
            chain_id=town.ledger.chain_id(), address=town.addresses.prescriptions
        )

    @property
    def tag(self) -> int:
        return tag_of(self.prescription.key, context=self.context)

    def today(self) -> int:
        return self.forests.today()

    def prove(self, step: Step, pharmacy: Member, *, context: int | None = None) -> ProvenStep:
        """Prove a step under the forest's newest root; Invalid for one that is not allowed."""
        around = {
            "root": self.forests.tree.root,
            "pharmacy": element_of_id(pharmacy.id),
            "context": self.context if context is None else context,
        }
        place = Place.of(self.batch, 1, self.forests.tree, self.at)
        proof = prover.prove(
            keys.load("dispense", allow_development=True),
            signals(self.prescription, step, place, **around),
            public_inputs(self.prescription, step, **around),
        )
        return ProvenStep(
            root=around["root"],
            tag=self.tag,
            part_before=self.prescription.part(step.before),
            part_after=self.prescription.part(step.after),
            begins=step.begins(self.prescription),
            proof=proof,
        )


# Proofs taken apart --------------------------------------------------------------------------


def words(proof: bytes) -> list[int]:
    return [int.from_bytes(proof[i : i + 32], "big") for i in range(0, 256, 32)]


def joined(numbers: list[int]) -> bytes:
    return b"".join(one.to_bytes(32, "big") for one in numbers)


def changed(proof: bytes, at: int, value: int) -> bytes:
    numbers = words(proof)
    numbers[at] = value
    return joined(numbers)


def mirrored(proof: bytes) -> bytes:
    """-A, -B, C: another proof of the same that anybody can make."""
    a, b, c = words(proof)[:2], words(proof)[2:6], words(proof)[6:]
    return joined([a[0], BASE - a[1], *b[:2], BASE - b[2], BASE - b[3], *c])
