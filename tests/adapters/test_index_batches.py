"""Anchor batches, ledger transactions and checkpoints on both databases."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import pytest

from adapters.index_rows import batch, id32, seal, submit
from simdes.errors import Conflict, NotFound
from simdes.index import batches, checkpoints, records, resources
from simdes.index.checkpoints import Checkpoint
from simdes.index.database import Database, Transaction
from simdes.index.transactions import Transactions


def _sealed(tx: Transaction, count: int, *, each: int = 2) -> list[list[bytes]]:
    ids = submit(tx, range(count * each))
    return [seal(tx, at, ids[at * each : at * each + each]) for at in range(count)]


def test_a_batch_takes_the_oldest_records_with_their_leaves_in_order(database: Database) -> None:
    with database.transaction() as tx:
        leaves = _sealed(tx, 3)
        waiting = batches.unbatched(tx, limit=2)
        assert [one.record.created_ms for one in waiting] == [0, 1]
        assert [[leaf.leaf for leaf in one.leaves] for one in waiting] == leaves[:2]
        assert {leaf.type for one in waiting for leaf in one.leaves} == {"Observation"}
        order = [leaf for its in leaves[:2] for leaf in its]
        batches.build(tx, batch(1, 4), leaves=order)
        assert [one.record.created_ms for one in batches.unbatched(tx, limit=9)] == [2]
        kept = batches.leaves(tx, id32("batch", 1))
        assert [(one.leaf, one.position) for one in kept] == list(zip(order, range(4), strict=True))


def test_a_batch_passes_through_its_states_and_its_resources_with_it(database: Database) -> None:
    id_, hash_ = id32("batch", 1), id32("transaction")
    with database.transaction() as tx:
        leaves = _sealed(tx, 2)
        batches.build(tx, batch(1, 2), leaves=leaves[0])
        assert [one.state for one in batches.unfinished(tx)] == [batches.BUILT]
        for _ in range(2):
            batches.sent(tx, id_, transaction_hash=hash_)
        assert [one.state for one in batches.unfinished(tx)] == [batches.SENT]
        for _ in range(2):
            batches.anchored(tx, id_, block_number=7)
        batches.sent(tx, id_, transaction_hash=hash_)
        kept = batches.get(tx, id_)
        assert kept is not None
        assert (kept.state, kept.block_number, kept.transaction_hash) == (
            batches.ANCHORED,
            7,
            hash_,
        )
        assert batches.unfinished(tx) == []
        assert batches.newest(tx) == kept
        assert resources.counts(tx) == {"pending": 0, "sealed": 2, "anchored": 2}
        with pytest.raises(NotFound):
            batches.sent(tx, id32("other"), transaction_hash=hash_)
        with pytest.raises(NotFound):
            batches.anchored(tx, id32("other"), block_number=1)


def test_building_a_batch_again_is_harmless(database: Database) -> None:
    with database.transaction() as tx:
        [leaves] = _sealed(tx, 1)
        for _ in range(2):
            batches.build(tx, batch(1, 2), leaves=leaves)
        assert len(batches.unfinished(tx)) == 1


def test_a_leaf_is_in_one_batch(database: Database) -> None:
    with database.transaction() as tx:
        leaves = _sealed(tx, 2)
        batches.build(tx, batch(1, 2), leaves=leaves[0])
    with pytest.raises(Conflict), database.transaction() as tx:
        batches.build(tx, batch(2, 4), leaves=leaves[1] + leaves[0])
    with database.read() as tx:
        assert [one.batch_id for one in batches.unfinished(tx)] == [id32("batch", 1)]
        assert len(batches.unbatched(tx, limit=9)) == 1


def test_a_record_is_never_split_over_batches(database: Database) -> None:
    with database.transaction() as tx:
        [leaves] = _sealed(tx, 1)
    with pytest.raises(Conflict), database.transaction() as tx:
        batches.build(tx, batch(1, 1), leaves=leaves[:1])
    with database.read() as tx:
        assert batches.get(tx, id32("batch", 1)) is None


def test_an_empty_batch_holds_one_random_leaf(database: Database) -> None:
    with database.transaction() as tx:
        filler = id32("random")
        batches.build(tx, batch(1, 1), leaves=[filler], filler=True)
        [kept] = batches.leaves(tx, id32("batch", 1))
        assert (kept.leaf, kept.record_id, kept.resource_id) == (filler, None, None)
        batches.anchored(tx, id32("batch", 1), block_number=1)


def test_of_workers_that_batch_the_same_records_one_wins(database: Database) -> None:
    with database.transaction() as tx:
        leaves = [leaf for its in _sealed(tx, 10) for leaf in its]
    won: list[int] = []
    start = threading.Barrier(4)

    def work(number: int) -> None:
        start.wait()
        try:

            def body(tx: Transaction) -> None:
                batches.build(tx, batch(number, len(leaves)), leaves=leaves)

            database.write(body)
            won.append(number)
        except Conflict:
            return

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    with database.read() as tx:
        assert [one.leaf for one in batches.leaves(tx, id32("batch", won[0]))] == leaves
        assert batches.unbatched(tx, limit=99) == []


def test_a_batch_of_hundreds_takes_few_statements(database: Database) -> None:
    with database.transaction() as tx:
        _sealed(tx, 60, each=10)
    with database.transaction() as tx:
        waiting = batches.unbatched(tx, limit=1000)
        assert tx.statements == 2
        order = [leaf.leaf for one in waiting for leaf in one.leaves]
        batches.build(tx, batch(1, 600), leaves=order)
        assert tx.statements == 6
        batches.anchored(tx, id32("batch", 1), block_number=1)
        assert tx.statements == 8
        assert len(records.leaves(tx, [one.record.record_id for one in waiting])) == 600
        assert resources.counts(tx)["anchored"] == 600


# --- Ledger transactions ---------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """What a lane gets back."""

    hash: bytes
    lane: str
    nonce: int
    raw: bytes
    label: str


def test_a_lane_finds_its_unsettled_transactions_by_nonce(database: Database) -> None:
    store = Transactions(database, Row)
    for nonce in (2, 0, 1):
        store.add("1:0xab", nonce, id32(nonce), b"raw", "anchor")
    store.add("1:0xcd", 5, id32("other lane"), b"raw", "anchor")
    assert [row.nonce for row in store.unsettled("1:0xab")] == [0, 1, 2]
    assert store.unsettled("1:0xab")[0] == Row(id32(0), "1:0xab", 0, b"raw", "anchor")
    store.settle(id32(1), "succeeded", 9)
    store.settle(id32(1), "succeeded", 9)
    store.settle(id32(0), "reverted", 9)
    assert [row.nonce for row in store.unsettled("1:0xab")] == [2]
    assert store.state_of(id32(1)) == "succeeded"
    assert store.state_of(id32("never")) is None


def test_what_stood_in_blocks_that_are_gone_is_found_and_opened_again(database: Database) -> None:
    store = Transactions(database, Row)
    for nonce in range(4):
        store.add("1:0xab", nonce, id32(nonce), b"raw", "anchor")
        store.settle(id32(nonce), "succeeded" if nonce else "reverted", 5 + nonce)
    store.add("1:0xab", 4, id32(4), b"raw", "anchor")
    assert [row.nonce for row in store.settled_from(7)] == [2, 3]
    store.reopen(id32(2))
    assert [row.nonce for row in store.settled_from(0)] == [0, 1, 3]
    assert [row.nonce for row in store.unsettled("1:0xab")] == [2, 4]


def test_adding_a_transaction_again_is_harmless(database: Database) -> None:
    store = Transactions(database, Row)
    for _ in range(2):
        store.add("lane", 0, id32(0), b"raw", "anchor")
    store.settle(id32(0), "succeeded", 9)
    store.add("lane", 0, id32(0), b"raw", "anchor")
    assert store.state_of(id32(0)) == "succeeded"


def test_a_refused_transaction_frees_its_nonce_and_may_be_sent_again(database: Database) -> None:
    store = Transactions(database, Row)
    store.add("lane", 0, id32(0), b"raw", "anchor")
    store.settle(id32(0), "refused", None)
    store.add("lane", 0, id32("another"), b"raw", "anchor")
    store.settle(id32("another"), "refused", None)
    store.add("lane", 0, id32(0), b"raw", "anchor")
    assert [row.hash for row in store.unsettled("lane")] == [id32(0)]


# --- Checkpoints -----------------------------------------------------------------------------


def test_a_checkpoint_moves_and_can_be_forgotten(database: Database) -> None:
    with database.transaction() as tx:
        assert checkpoints.get(tx, "events") is None
        for number in (1, 2):
            checkpoints.put(tx, "events", Checkpoint(number, id32(number)))
        checkpoints.put(tx, "manifests", Checkpoint(9, id32(9)))
        assert checkpoints.get(tx, "events") == Checkpoint(2, id32(2))
        checkpoints.forget(tx, "events")
        assert checkpoints.get(tx, "events") is None
        assert checkpoints.get(tx, "manifests") == Checkpoint(9, id32(9))
