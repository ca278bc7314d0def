"""Batches, audit log and followers through typed calls, on the embedded ledger and a node."""

from __future__ import annotations

import dataclasses
import time

import pytest

from adapters.ledgers import (
    Member,
    Person,
    Town,
    only_event,
    random_id,
    random_key,
)
from simdes.errors import Conflict, Forbidden, SimdesError, Tampered
from simdes.ledger.contracts import (
    Contracts,
    LeafState,
    batch_id_of,
    refusal_of,
)
from simdes.ledger.contracts import Leaf as BatchLeaf
from simdes.ledger.digests import keccak256
from simdes.ledger.events import (
    Anchored,
    Appended,
    Erased,
    Superseded,
)
from simdes.ledger.follow import Checkpoint, HistoryChanged, follow, require_fresh
from simdes.ledger.ledger import Block

# --- records and audit ---------------------------------------------------------------------


def two_leaves() -> tuple[bytes, bytes, bytes]:
    left, right = random_id(), random_id()
    return left, right, keccak256(b"\1" + left + right)


def test_a_batch_is_anchored_once_and_its_leaves_verify(town: Town, hospital: Member) -> None:
    records, lane = town.contracts.records, hospital.agent.lane
    left, right, root = two_leaves()
    batch_id = batch_id_of(chain_id=town.ledger.chain_id(), organisation=hospital.id, root=root)
    assert records.batch(batch_id) is None
    call = records.anchor(root=root, count=2, manifest=b"\1\x55\x12\x20" + random_id())
    receipt = lane.transact(call)
    event = only_event(town, receipt)
    assert isinstance(event, Anchored)
    assert (event.batch_id, event.organisation) == (batch_id, hospital.id)
    assert (event.root, event.count) == (root, 2)
    batch = records.batch(batch_id)
    assert batch is not None
    assert (batch.organisation, batch.root, batch.count) == (hospital.id, root, 2)
    verify = {"batch_id": batch_id, "leaf": left, "index": 0, "path": [right]}
    assert records.verify(**verify)
    assert not records.verify(**{**verify, "index": 1})
    assert not records.verify(**{**verify, "leaf": right})
    assert not records.verify(**{**verify, "batch_id": random_id()})
    with pytest.raises(Conflict) as again:
        lane.transact(call)
    assert refusal_of(again.value) == "Records_AlreadyAnchored"


def test_a_leaf_is_superseded_and_erased(town: Town, hospital: Member) -> None:
    records, lane = town.contracts.records, hospital.agent.lane
    left, right, root = two_leaves()
    lane.transact(records.anchor(root=root, count=2, manifest=b"\1" * 36))
    batch_id = batch_id_of(chain_id=town.ledger.chain_id(), organisation=hospital.id, root=root)
    old = BatchLeaf(batch_id, left, 0, (right,))
    new = BatchLeaf(batch_id, right, 1, (left,))
    assert isinstance(
        only_event(town, lane.transact(records.supersede(old=old, successor=new))), Superseded
    )
    status = records.status(organisation=hospital.id, leaf=left)
    assert (status.state, status.successor) == (LeafState.SUPERSEDED, right)
    assert isinstance(only_event(town, lane.transact(records.erase(new))), Erased)
    assert records.status(organisation=hospital.id, leaf=right).state is LeafState.ERASED
    with pytest.raises(Tampered):
        lane.transact(records.erase(BatchLeaf(batch_id, random_id(), 0, (right,))))


def test_only_agents_anchor(town: Town, doctor: Person) -> None:
    call = town.contracts.records.anchor(root=random_id(), count=1, manifest=b"\1" * 36)
    with pytest.raises(Forbidden) as refused:
        doctor.lane.transact(call)
    assert refusal_of(refused.value) == "Records_NotAgent"


def test_the_audit_log_takes_neither_gap_nor_fork(town: Town) -> None:
    pharmacy = town.organisation(2)
    log, lane = town.contracts.audit_log, pharmacy.agent.lane
    assert log.head(pharmacy.id).seq == 0
    left, right, root = two_leaves()
    receipt = lane.transact(log.append(seq=1, previous_root=bytes(32), root=root, count=2))
    event = only_event(town, receipt)
    assert isinstance(event, Appended)
    assert (event.seq, event.previous_root, event.root, event.count) == (1, bytes(32), root, 2)
    with pytest.raises(Conflict) as gap:
        lane.transact(log.append(seq=3, previous_root=root, root=random_id(), count=1))
    assert refusal_of(gap.value) == "AuditLog_Gap"
    with pytest.raises(Conflict) as fork:
        lane.transact(log.append(seq=2, previous_root=random_id(), root=random_id(), count=1))
    assert refusal_of(fork.value) == "AuditLog_Fork"
    second = random_id()
    lane.transact(log.append(seq=2, previous_root=root, root=second, count=1))
    head = log.head(pharmacy.id)
    assert (head.seq, head.root, head.total) == (2, second, 3)
    assert log.root_at(organisation=pharmacy.id, seq=1) == root
    assert log.root_at(organisation=pharmacy.id, seq=9) is None
    entry = log.entry_at(organisation=pharmacy.id, seq=1)
    assert entry is not None
    assert (entry.root, entry.count) == (root, 2)
    proof = {"organisation": pharmacy.id, "seq": 1, "leaf": left, "index": 0, "path": [right]}
    assert log.verify(**proof)
    assert not log.verify(**{**proof, "leaf": right})


# --- following -----------------------------------------------------------------------------


def test_a_follower_sees_every_event_once_across_restarts(town: Town, hospital: Member) -> None:
    records, lane = town.contracts.records, hospital.agent.lane
    first = town.ledger.head().number + 1
    roots = [random_id() for _ in range(6)]
    for root in roots:
        lane.transact(records.anchor(root=root, count=1, manifest=b"\1" * 36))
    seen: list[bytes] = []
    checkpoint: Checkpoint | None = None
    watched = town.addresses.watched()
    for _ in range(20):  # each round is a process that dies after one step
        steps = follow(town.ledger, watched, checkpoint, first_block=first, span=2)
        step = next(steps, None)
        if step is None:
            break
        checkpoint = step.checkpoint
        for log in step.logs:
            event = town.contracts.decode(log)
            if isinstance(event, Anchored):
                seen.append(event.root)
    assert [root for root in seen if root in roots] == roots
    assert checkpoint is not None
    head = town.ledger.head()
    if head.number == checkpoint.block_number:
        assert list(follow(town.ledger, watched, checkpoint)) == []


def test_a_follower_notices_another_history(town: Town) -> None:
    head = town.ledger.head()
    changed = Checkpoint(head.number, random_id())
    with pytest.raises(HistoryChanged):
        list(follow(town.ledger, town.addresses.watched(), changed))
    ahead = Checkpoint(head.number + 1_000, random_id())
    assert list(follow(town.ledger, town.addresses.watched(), ahead)) == []


def test_a_fresh_head_passes_and_a_stale_one_is_refused(town: Town) -> None:
    head = town.ledger.head()
    require_fresh(head, time.time, most_seconds=60)
    with pytest.raises(SimdesError, match="stale"):
        require_fresh(head, lambda: head.timestamp + 61.0, most_seconds=60)
    early = Block(1, bytes(32), bytes(32), int(time.time()) + 5)
    require_fresh(early, time.time, most_seconds=60)


def test_a_contract_of_another_network_is_not_decoded(town: Town, hospital: Member) -> None:
    call = town.contracts.records.anchor(root=random_id(), count=1, manifest=b"\1" * 36)
    [log] = hospital.agent.lane.transact(call).logs
    elsewhere = dataclasses.replace(town.addresses, records=random_key().address)
    assert Contracts(town.ledger, elsewhere).decode(log) is None
    with pytest.raises(Tampered):
        town.contracts.decode(dataclasses.replace(log, data=log.data[:40]))
