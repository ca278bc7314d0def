"""Fifty pharmacies race for one prescription from fifty processes: exactly it is dispensed.

Each proves first, once; then all send in the same moment, each from a process of its own, to one
node. The node is anvil, or that of SIMDES_LEDGER_URL.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier
from typing import Any

import pytest

from adapters.ledgers import Member, Town
from simdes.crypto.keys import SigningKey
from simdes.errors import Conflict, Unavailable
from simdes.ledger.contracts import (
    ProvenStep,
    StatementKind,
    element_of_contract,
    element_of_id,
    refusal_of,
)
from simdes.ledger.lane import Lane, MemoryTransactionStore
from simdes.ledger.ledger import open_ledger
from simdes.ledger.statements import PrescriptionsContract
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

PHARMACIES = 50
ATTEMPTS = 20
FILLS = 3
_gates: list[Barrier] = []
"""In a pharmacy's process, what it waits at."""


def _enter(gate: Barrier) -> None:
    _gates.append(gate)


def _dispense(url: str, address: bytes, key: bytes, step: ProvenStep) -> str:
    """One pharmacy's process: wait for all others, then send; "" or why not.

    Where a busy node does not answer, nothing is known (and nothing handed out): what was sent is
    waited for, what was not is sent.
    """
    ledger = open_ledger(url, clock=time.time)
    lane = Lane(ledger, SigningKey.from_bytes(key), MemoryTransactionStore(), timeout_seconds=60)
    call = PrescriptionsContract(ledger, address).dispense(step)
    _gates[0].wait(timeout=120)
    for _ in range(ATTEMPTS):
        try:
            if any(receipt.succeeded for receipt in lane.resume()):
                return ""
            lane.transact(call)
        except Unavailable:
            continue
        except Conflict as error:
            return refusal_of(error) or type(error).__name__
        return ""
    return "not known"


def _proved(prescription: Prescription, place: Place, root: int, town: Town, who: Member) -> Any:
    context = element_of_contract(
        chain_id=town.ledger.chain_id(), address=town.addresses.prescriptions
    )
    step = Step(before=0, after=30, day=town.ledger.head().timestamp // 86_400)
    around = {"root": root, "pharmacy": element_of_id(who.id), "context": context}
    return ProvenStep(
        root=root,
        tag=tag_of(prescription.key, context=context),
        part_before=0,
        part_after=prescription.part(30),
        begins=True,
        proof=prover.prove(
            keys.load("dispense", allow_development=True),
            signals(prescription, step, place, **around),
            public_inputs(prescription, step, **around),
        ),
    )


@pytest.mark.accept
def test_of_fifty_pharmacies_in_fifty_processes_one_dispenses(
    node_url: str,
) -> None:
    town = Town(open_ledger(node_url, clock=time.time))
    hospital = town.organisation(kind=1)
    pharmacies = [town.organisation(kind=2) for _ in range(PHARMACIES)]
    today = town.ledger.head().timestamp // 86_400
    prescription = Prescription(
        key=nullifier_key(int.from_bytes(os.urandom(31), "big")),
        salt=int.from_bytes(os.urandom(31), "big"),
        total=30 * FILLS,
        per_fill=30,
        interval=1,
        first_day=today - 1,
        last_day=today + 9,
    )
    forest = Tree(FOREST_DEPTH)
    batch = Tree(BATCH_DEPTH, [prescription.leaf])
    insert = town.contracts.statements.insert_root(StatementKind.PRESCRIPTION, batch.root)
    hospital.agent.lane.transact(insert)
    place = Place.of(batch, 0, forest, forest.append(batch.root))
    steps = [_proved(prescription, place, forest.root, town, one) for one in pharmacies]

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    gate = context.Barrier(PHARMACIES)
    with ProcessPoolExecutor(PHARMACIES, context, _enter, (gate,)) as pool:
        asked = [
            pool.submit(
                _dispense,
                node_url,
                town.addresses.prescriptions,
                one.agent.key.to_bytes(),
                step,
            )
            for one, step in zip(pharmacies, steps, strict=True)
        ]
        ended = [one.result(timeout=300) for one in asked]
    assert ended.count("") == 1
    assert set(ended) <= {"", "Prescriptions_Moved"}
    status = town.contracts.prescriptions.status(steps[0].tag)
    assert status.part == prescription.part(30)
