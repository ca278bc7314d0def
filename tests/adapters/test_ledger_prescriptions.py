"""Prescriptions with real proofs, on the embedded ledger and a node (paper Fig. 4).

docs/formats/statements.md. Proofs are made with the development keys whose verifiers ship.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.ledgers import Member, Town, only_event
from adapters.prescribed import Forests, Held, mirrored, random_element
from simdes.errors import Conflict, Forbidden
from simdes.ledger.contracts import (
    StatementKind,
    refusal_of,
)
from simdes.ledger.events import Cancelled, Dispensed, PharmacyBound, PharmacyReleased
from simdes.proofs import facts, keys, prover
from simdes.proofs.poseidon import FIELD
from simdes.proofs.prescriptions import (
    Step,
)
from simdes.proofs.trees import Place


@pytest.fixture(scope="module")
def pharmacy(town: Town) -> Member:
    return town.organisation(kind=2)


@pytest.fixture(scope="module")
def rival(town: Town) -> Member:
    return town.organisation(kind=2)


@pytest.fixture(scope="module")
def prescribed(town: Town, hospital: Member) -> Forests:
    return Forests.anew(town, hospital)


@pytest.fixture
def held(prescribed: Forests) -> Held:
    return prescribed.prescribe()


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


def test_a_proof_changed_into_another_of_the_same_happens_once(
    town: Town, held: Held, pharmacy: Member
) -> None:
    prescriptions = town.contracts.prescriptions
    good = held.prove(Step(before=0, after=30, day=held.today()), pharmacy)
    pharmacy.agent.lane.transact(prescriptions.dispense(replace(good, proof=mirrored(good.proof))))
    with pytest.raises(Conflict):
        pharmacy.agent.lane.transact(prescriptions.dispense(good))
    assert prescriptions.status(held.tag).part == 3_334


def test_one_fact_is_shown_and_nothing_else(town: Town, hospital: Member) -> None:
    forests = Forests.anew(town, hospital, StatementKind.FACT)
    holder_key, born = random_element(), 11_000
    fact = facts.Fact(
        holder=facts.holder_of(holder_key),
        salt=random_element(),
        code=facts.element_of_code("http://loinc.org", "21112-8"),
        value=born,
        day=born,
    )
    batch, at = forests.issue([random_element(), fact.leaf])
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
