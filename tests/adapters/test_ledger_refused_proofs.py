"""Proofs that a real verifier must refuse on the chain, each by its name (decision 50).

Forged, replayed, expired, cancelled, over-quantity, another pharmacy's, another chain's, malleated:
made with the real prover by somebody who holds true prescriptions and wants more of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from adapters.ledgers import Member, Town
from adapters.prescribed import BASE, Forests, Held, changed, joined, mirrored, words
from simdes.errors import Conflict, Forbidden, Invalid, SimdesError
from simdes.ledger.contracts import ProvenStep, element_of_contract, element_of_id, refusal_of
from simdes.ledger.ledger import Receipt
from simdes.proofs.poseidon import FIELD
from simdes.proofs.prescriptions import Step

PROOF_REFUSED = "Prescriptions_ProofRefused"


@dataclass
class Scene:
    """A pharmacy with a prescription, and a good proof that was never sent."""

    town: Town
    forests: Forests
    pharmacy: Member
    rival: Member
    held: Held
    good: ProvenStep

    def send(self, step: ProvenStep, *, by: Member | None = None) -> Receipt:
        call = self.town.contracts.prescriptions.dispense(step)
        return (by or self.pharmacy).agent.lane.transact(call)

    def refused(self, step: ProvenStep, *, by: Member | None = None) -> str:
        """Why a step is refused; that nothing changed."""
        before = self.town.contracts.prescriptions.status(step.tag % FIELD)
        with pytest.raises(SimdesError) as refused:
            self.send(step, by=by)
        assert isinstance(refused.value, Conflict | Forbidden | Invalid)
        assert self.town.contracts.prescriptions.status(step.tag % FIELD) == before
        return refusal_of(refused.value) or type(refused.value).__name__


@pytest.fixture(scope="module")
def scene(town: Town, hospital: Member) -> Scene:
    pharmacy, rival = town.organisation(kind=2), town.organisation(kind=2)
    forests = Forests.anew(town, hospital)
    held = forests.prescribe()
    good = held.prove(Step(before=0, after=30, day=held.today()), pharmacy)
    return Scene(town, forests, pharmacy, rival, held, good)


@dataclass
class Dispensed:
    """A prescription of which one fill is gone, and the proof that did it."""

    held: Held
    used: ProvenStep


@pytest.fixture(scope="module")
def dispensed(scene: Scene) -> Dispensed:
    held = scene.forests.prescribe()
    used = held.prove(Step(before=0, after=30, day=held.today()), scene.pharmacy)
    receipt = scene.send(used)
    assert receipt.gas_used < 400_000
    return Dispensed(held, used)


FORGED: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: bytes(256),
    "too-short": lambda proof: proof[:-1],
    "off-the-curve": lambda proof: changed(proof, 7, 5),
    "another-point": lambda proof: joined([1, 2, *words(proof)[2:]]),
    "parts-exchanged": lambda proof: joined([*words(proof)[6:], *words(proof)[2:6], 1, 2]),
    "one-point-negated": lambda proof: changed(proof, 1, BASE - words(proof)[1]),
}


@pytest.mark.parametrize("how", FORGED)
def test_a_forged_proof_is_refused(scene: Scene, how: str) -> None:
    forged = replace(scene.good, proof=FORGED[how](scene.good.proof))
    assert scene.refused(forged) == PROOF_REFUSED


def test_a_proof_of_something_else_is_refused(scene: Scene, dispensed: Dispensed) -> None:
    assert scene.refused(replace(scene.good, proof=dispensed.used.proof)) == PROOF_REFUSED
    for other in (
        replace(scene.good, tag=scene.good.tag + 1),
        replace(scene.good, begins=False),
    ):
        assert scene.refused(other) == PROOF_REFUSED
    unknown = replace(scene.good, root=scene.good.root + 1)
    assert scene.refused(unknown) == "Prescriptions_RootNotRecent"


def test_a_replayed_proof_is_refused(scene: Scene, dispensed: Dispensed) -> None:
    used = dispensed.used
    assert scene.refused(used) == "Prescriptions_Moved"
    again = replace(used, part_before=used.part_after, part_after=2 * used.part_after)
    assert scene.refused(again) == PROOF_REFUSED
    assert scene.refused(replace(again, begins=False)) == PROOF_REFUSED


def test_an_expired_prescriptions_proof_is_refused(scene: Scene) -> None:
    today = scene.held.today()
    held = scene.forests.prescribe(first_day=today - 9, last_day=today - 1)
    with pytest.raises(Invalid):
        held.prove(Step(before=0, after=30, day=today), scene.pharmacy)
    yesterdays = held.prove(Step(before=0, after=30, day=today - 1), scene.pharmacy)
    assert scene.refused(yesterdays) == PROOF_REFUSED


def test_a_cancelled_prescriptions_proof_is_refused(scene: Scene) -> None:
    held = scene.forests.prescribe()
    good = held.prove(Step(before=0, after=30, day=held.today()), scene.pharmacy)
    scene.forests.issuer.agent.lane.transact(scene.town.contracts.prescriptions.cancel(held.secret))
    assert scene.refused(good) == "Prescriptions_Cancelled"


def test_an_over_quantity_proof_is_refused(scene: Scene) -> None:
    held, today = scene.held, scene.held.today()
    for after in (31, 91):  # more than a fill, more than everything
        with pytest.raises((Invalid, Conflict)):
            held.prove(Step(before=0, after=after, day=today), scene.pharmacy)
    for part in (held.prescription.part(31), 10_000):
        assert scene.refused(replace(scene.good, part_after=part)) == PROOF_REFUSED
    beyond = replace(scene.good, part_after=10_001)
    assert scene.refused(beyond) == "Prescriptions_PartMalformed"


def test_another_pharmacys_proof_is_refused(scene: Scene) -> None:
    assert scene.refused(scene.good, by=scene.rival) == PROOF_REFUSED
    today = scene.held.today()
    bound = scene.forests.prescribe(bound=element_of_id(scene.rival.id))
    with pytest.raises(Invalid):
        bound.prove(Step(before=0, after=30, day=today), scene.pharmacy)
    theirs = bound.prove(Step(before=0, after=30, day=today), scene.rival)
    assert scene.refused(theirs) == PROOF_REFUSED


def test_another_chains_proof_is_refused(scene: Scene) -> None:
    step = Step(before=0, after=30, day=scene.held.today())
    there = element_of_contract(chain_id=1, address=scene.town.addresses.prescriptions)
    assert there != scene.held.context
    theirs = scene.held.prove(step, scene.pharmacy, context=there)
    assert scene.refused(replace(theirs, tag=scene.held.tag)) == PROOF_REFUSED


def test_a_malleated_proof_is_refused(scene: Scene, dispensed: Dispensed) -> None:
    # The same proof in other clothes: what happened once does not happen again.
    twin = replace(dispensed.used, proof=mirrored(dispensed.used.proof))
    assert twin.proof != dispensed.used.proof
    assert scene.refused(twin) == "Prescriptions_Moved"
    # The same numbers written otherwise: no field element has two names.
    proof = scene.good.proof
    for place, order in ((0, BASE), (2, BASE), (6, BASE)):
        number = words(proof)[place] + order
        if number < 2**256:
            other = replace(scene.good, proof=changed(proof, place, number))
            assert scene.refused(other) == PROOF_REFUSED
    for other in (
        replace(scene.good, tag=scene.good.tag + FIELD),
        replace(scene.good, root=scene.good.root + FIELD),
    ):
        assert scene.refused(other) in (PROOF_REFUSED, "Prescriptions_RootNotRecent")
