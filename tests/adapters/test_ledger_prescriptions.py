"""Prescriptions with real proofs, on the embedded ledger and a node (paper Fig. 4).

docs/formats/statements.md. Proofs are made with the development keys whose verifiers ship.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import pytest

from adapters.ledgers import Member, Town, only_event
from simdes.errors import Conflict, Forbidden
from simdes.ledger.contracts import (
    ProvenStep,
    StatementKind,
    element_of_contract,
    element_of_id,
    refusal_of,
)
from simdes.ledger.events import Cancelled, Dispensed, PharmacyBound, PharmacyReleased
from simdes.proofs import facts, keys, prover
from simdes.proofs.poseidon import FIELD
from simdes.proofs.prescriptions import (
    Prescription,
    Step,
    nullifier_key,
    public_inputs,
    signals,
    tag_of,
)
from simdes.proofs.trees import BATCH_DEPTH, FOREST_DEPTH, Place, Tree

BASE = 21888242871839275222246405745257275088696311157297823662689037894645226208583
"""The order of BN254's base field (EIP-197)."""


def random_element() -> int:
    return int.from_bytes(os.urandom(31), "big")


@dataclass
class Forests:
    """What everybody knows of a kind's forest, and the batches of one issuer."""

    town: Town
    issuer: Member
    kind: StatementKind
    tree: Tree

    def issue(self, *leaves: int) -> tuple[Tree, int]:
        """Put a batch into the forest; return it and its place there."""
        batch = Tree(BATCH_DEPTH, leaves)
        call = self.town.contracts.statements.insert_root(self.kind, batch.root)
        self.issuer.agent.lane.transact(call)
        place = self.tree.append(batch.root)
        return batch, place


@pytest.fixture(scope="module")
def pharmacy(town: Town) -> Member:
    return town.organisation(kind=2)


@pytest.fixture(scope="module")
def rival(town: Town) -> Member:
    return town.organisation(kind=2)


@pytest.fixture(scope="module")
def prescribed(town: Town, hospital: Member) -> Forests:
    return Forests(town, hospital, StatementKind.PRESCRIPTION, Tree(FOREST_DEPTH))


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
        return self.forests.town.ledger.head().timestamp // 86_400

    def prove(self, step: Step, pharmacy: Member, *, context: int | None = None) -> ProvenStep:
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


@pytest.fixture
def held(prescribed: Forests) -> Held:
    today = prescribed.town.ledger.head().timestamp // 86_400
    secret = random_element()
    prescription = Prescription(
        key=nullifier_key(secret),
        salt=random_element(),
        total=90,
        per_fill=30,
        interval=0,
        first_day=today - 1,
        last_day=today + 30,
    )
    batch, at = prescribed.issue(random_element(), prescription.leaf, random_element())
    return Held(prescribed, prescription, batch, at, secret)


def test_fills_are_dispensed_to_the_last_unit(town: Town, held: Held, pharmacy: Member) -> None:
    prescriptions, lane, today = town.contracts.prescriptions, pharmacy.agent.lane, held.today()
    assert not any(town.contracts.prescriptions.status(held.tag).pharmacy)
    for before in (0, 30, 60):
        fill_day = today if before else 0
        step = Step(before=before, after=before + 30, day=today, fill_day=fill_day)
        receipt = lane.transact(prescriptions.dispense(held.prove(step, pharmacy)))
        event = only_event(town, receipt)
        assert isinstance(event, Dispensed)
        assert (event.tag, event.pharmacy) == (held.tag, pharmacy.id)
    status = prescriptions.status(held.tag)
    assert (status.part, status.fill_day, status.cancelled) == (10_000, today, False)
    assert receipt.gas_used < 400_000


def test_one_of_two_at_once_dispenses(
    town: Town, held: Held, pharmacy: Member, rival: Member
) -> None:
    prescriptions = town.contracts.prescriptions
    step = Step(before=0, after=30, day=held.today())
    mine, theirs = held.prove(step, pharmacy), held.prove(step, rival)
    pharmacy.agent.lane.transact(prescriptions.dispense(mine))
    with pytest.raises(Conflict) as late:
        rival.agent.lane.transact(prescriptions.dispense(theirs))
    assert refusal_of(late.value) == "Prescriptions_Moved"
    with pytest.raises(Conflict) as replayed:
        pharmacy.agent.lane.transact(prescriptions.dispense(mine))
    assert refusal_of(replayed.value) == "Prescriptions_Moved"


def test_it_is_bound_released_and_cancelled(
    town: Town, held: Held, pharmacy: Member, rival: Member, hospital: Member
) -> None:
    prescriptions, today = town.contracts.prescriptions, held.today()
    nothing = Step(before=0, after=0, day=today)
    bind = pharmacy.agent.lane.transact(prescriptions.bind_pharmacy(held.prove(nothing, pharmacy)))
    assert isinstance(only_event(town, bind), PharmacyBound)
    with pytest.raises(Conflict) as elsewhere:
        step = Step(before=0, after=1, day=today)
        rival.agent.lane.transact(prescriptions.dispense(held.prove(step, rival)))
    assert refusal_of(elsewhere.value) == "Prescriptions_BoundElsewhere"
    with pytest.raises(Forbidden) as no_release:
        pharmacy.agent.lane.transact(prescriptions.release_pharmacy(held.prove(nothing, pharmacy)))
    assert refusal_of(no_release.value) == "Prescriptions_ProofRefused"
    release = pharmacy.agent.lane.transact(
        prescriptions.release_pharmacy(held.prove(replace(nothing, releases=True), pharmacy))
    )
    assert isinstance(only_event(town, release), PharmacyReleased)
    cancelled = hospital.agent.lane.transact(prescriptions.cancel(held.secret))
    assert only_event(town, cancelled) == Cancelled(log=cancelled.logs[0], tag=held.tag)
    with pytest.raises(Conflict) as over:
        pharmacy.agent.lane.transact(prescriptions.dispense(held.prove(step, pharmacy)))
    assert refusal_of(over.value) == "Prescriptions_Cancelled"


def words(proof: bytes) -> list[int]:
    return [int.from_bytes(proof[i : i + 32], "big") for i in range(0, 256, 32)]


def joined(numbers: list[int]) -> bytes:
    return b"".join(one.to_bytes(32, "big") for one in numbers)


def mirrored(proof: bytes) -> bytes:
    """-A, -B, C: another proof of the same that anybody can make."""
    a, b, c = words(proof)[:2], words(proof)[2:6], words(proof)[6:]
    return joined([a[0], BASE - a[1], *b[:2], BASE - b[2], BASE - b[3], *c])


def changed(proof: bytes, at: int, value: int) -> bytes:
    numbers = words(proof)
    numbers[at] = value
    return joined(numbers)


def test_what_is_not_proved_changes_nothing(
    town: Town, held: Held, pharmacy: Member, rival: Member
) -> None:
    prescriptions, today = town.contracts.prescriptions, held.today()
    step = Step(before=0, after=30, day=today)
    good = held.prove(step, pharmacy)
    elsewhere = element_of_contract(chain_id=1, address=town.addresses.prescriptions)
    wrong = {
        "another pharmacy's": held.prove(step, rival),
        "another day's": held.prove(replace(step, day=today - 1), pharmacy),
        "another chain's": held.prove(step, pharmacy, context=elsewhere),
        "a smaller step's": held.prove(replace(step, after=29), pharmacy),
        "of another fill": replace(good, begins=False),
        "no proof": replace(good, proof=bytes(256)),
        "a short proof": replace(good, proof=good.proof[:-1]),
        "a number too large": replace(
            good, proof=changed(good.proof, 0, words(good.proof)[0] + BASE)
        ),
        "a negative without its like": replace(
            good, proof=changed(good.proof, 1, BASE - words(good.proof)[1])
        ),
        "off the curve": replace(good, proof=changed(good.proof, 7, 5)),
    }
    for name, one in wrong.items():
        call = prescriptions.dispense(replace(good, begins=one.begins, proof=one.proof))
        with pytest.raises(Forbidden) as refused:
            pharmacy.agent.lane.transact(call)
        assert refusal_of(refused.value) == "Prescriptions_ProofRefused", name
    for other in (replace(good, tag=good.tag + FIELD), replace(good, tag=good.tag + 1)):
        with pytest.raises(Forbidden):
            pharmacy.agent.lane.transact(prescriptions.dispense(other))
    with pytest.raises(Conflict) as unknown:
        pharmacy.agent.lane.transact(prescriptions.dispense(replace(good, root=good.root + 1)))
    assert refusal_of(unknown.value) == "Prescriptions_RootNotRecent"
    assert prescriptions.status(held.tag).part == 0

    # Who changes a good proof into another of the same gains nothing: it happens once.
    twin = replace(good, proof=mirrored(good.proof))
    pharmacy.agent.lane.transact(prescriptions.dispense(twin))
    with pytest.raises(Conflict):
        pharmacy.agent.lane.transact(prescriptions.dispense(good))
    assert prescriptions.status(held.tag).part == 3_334


def test_one_fact_is_shown_and_nothing_else(town: Town, hospital: Member) -> None:
    forests = Forests(town, hospital, StatementKind.FACT, Tree(FOREST_DEPTH))
    holder_key, born = random_element(), 11_000
    fact = facts.Fact(
        holder=facts.holder_of(holder_key),
        salt=random_element(),
        code=facts.element_of_code("http://loinc.org", "21112-8"),
        value=born,
        day=born,
    )
    batch, at = forests.issue(random_element(), fact.leaf)
    question = facts.Question(challenge=random_element(), code=fact.code, most=12_000)
    root = forests.tree.root
    proof = prover.prove(
        keys.load("disclosure", allow_development=True),
        facts.signals(
            question,
            fact,
            Place.of(batch, 1, forests.tree, at),
            root=root,
            holder_key=holder_key,
        ),
        question.public_inputs(root),
    )
    assert town.contracts.statements.is_recent_root(StatementKind.FACT, root)
    verifier = town.contracts.disclosure_verifier
    inputs = question.public_inputs(root)
    assert verifier.holds(proof, inputs)
    for place in range(len(inputs)):
        assert not verifier.holds(proof, [*inputs[:place], inputs[place] + 1, *inputs[place + 1 :]])
    assert not verifier.holds(proof, [inputs[0] + FIELD, *inputs[1:]])
    assert not verifier.holds(bytes(256), inputs)
