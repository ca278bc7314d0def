"""Lanes where real ledgers don't fail on command: crashes at every point, replaced nonces, fees.

The rest of a lane's promises are in ``tests/adapters/test_ledger.py``, on both ledgers.
"""

from __future__ import annotations

from typing import Any

import pytest

from simdes.crypto.keys import SigningKey
from simdes.errors import Conflict, Invalid, SimdesError, Unavailable, Unsupported
from simdes.ledger.embedded import EmbeddedLedger
from simdes.ledger.lane import (
    IN_FLIGHT,
    Call,
    Lane,
    MemoryTransactionStore,
    TransactionState,
    TransactionStore,
)
from simdes.ledger.transactions import read_transaction
from unit.ledger.chains import COUNTER, REFUSER, Sender
from unit.ledger.test_embedded import opened
from unit.ledger.test_follow import Twisted

KEY = SigningKey.from_bytes(b"\7" * 32)


class Dead(BaseException):
    """The process is gone."""


class DyingStore(MemoryTransactionStore):
    """Dies at the n-th write, before or after it is durable."""

    def __init__(self, *, at: int, after: bool) -> None:
        super().__init__()
        self.left = at
        self.after = after

    def _write(self) -> bool:
        self.left -= 1
        if self.left == 0 and not self.after:
            raise Dead
        return self.left == 0

    def add(self, *arguments: Any) -> None:
        dies = self._write()
        super().add(*arguments)
        if dies:
            raise Dead

    def settle(self, *arguments: Any) -> None:
        dies = self._write()
        super().settle(*arguments)
        if dies:
            raise Dead


def counter_on(ledger: EmbeddedLedger) -> bytes:
    return Sender(ledger).deploy(COUNTER)


def count(ledger: EmbeddedLedger, counter: bytes) -> int:
    return int.from_bytes(ledger.storage(counter, 0), "big")


def lane_on(ledger: Any, store: TransactionStore | None = None, **options: Any) -> Lane:
    options = {"sleep": lambda seconds: None, "timeout_seconds": 0.2, **options}
    return Lane(ledger, KEY, store or MemoryTransactionStore(), **options)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 7))
def test_a_death_at_any_write_loses_nothing_and_repeats_nothing(at: int, after: bool) -> None:
    ledger = opened()
    counter = counter_on(ledger)
    store = DyingStore(at=at, after=after)
    lane = lane_on(ledger, store)
    with pytest.raises(Dead):
        for _ in range(10):
            lane.transact(Call(counter, b"", "count"))
    stored = len(store.states)
    again = lane_on(ledger, store)
    again.resume()
    assert set(store.states.values()) <= {TransactionState.SUCCEEDED}
    assert count(ledger, counter) == stored == ledger.nonce(KEY.address)
    again.transact(Call(counter, b"", "count"))
    assert count(ledger, counter) == stored + 1


def test_resuming_sends_the_stored_bytes() -> None:
    ledger = opened()
    counter = counter_on(ledger)
    sent: list[bytes] = []

    def lose(raws: list[bytes]) -> Any:
        sent.extend(raws)
        raise Unavailable("the wire broke")

    store = MemoryTransactionStore()
    lane_on(Twisted(ledger, send_many=lose), store).submit_many(
        [Call(counter, b"", "count") for _ in range(3)]
    )
    receipts = lane_on(ledger, store).resume()
    assert [receipt.transaction_hash for receipt in receipts] == [
        read_transaction(raw).hash for raw in sent
    ]
    assert lane_on(ledger, store).resume() == []


def test_no_more_than_the_cap_is_in_flight() -> None:
    ledger = opened()
    counter = counter_on(ledger)
    most = 0
    lane: Lane

    def watch(raws: list[bytes]) -> Any:
        nonlocal most
        most = max(most, len(lane._in_flight))
        return ledger.send_many(raws)

    lane = lane_on(Twisted(ledger, send_many=watch))
    results = lane.submit_many([Call(counter, b"", "count") for _ in range(3 * IN_FLIGHT + 5)])
    assert all(isinstance(result, bytes) for result in results)
    assert most == IN_FLIGHT
    assert count(ledger, counter) == 3 * IN_FLIGHT + 5


def test_a_nonce_taken_by_another_process_is_tried_anew() -> None:
    ledger = opened()
    counter = counter_on(ledger)
    lane = lane_on(ledger)
    lane.transact(Call(counter, b"", "count"))
    lane_on(ledger).transact(Call(counter, b"\1", "the same key elsewhere"))
    assert lane.transact(Call(counter, b"", "count")).succeeded
    assert count(ledger, counter) == 3


def test_a_transaction_no_block_takes_is_unavailable_and_stays_stored() -> None:
    ledger = opened()
    counter = counter_on(ledger)
    store = MemoryTransactionStore()

    def lose(*raws: Any) -> Any:
        raise Unavailable("the wire broke")

    lane = lane_on(Twisted(ledger, send_many=lose, send=lose), store, resend_seconds=0.01)
    with pytest.raises(Unavailable, match="no block took"):
        lane.transact(Call(counter, b"", "count"))
    assert list(store.states.values()) == [TransactionState.SENT]
    [receipt] = lane_on(ledger, store).resume()
    assert receipt.succeeded


def test_a_failed_deployment_says_why() -> None:
    ledger = opened()
    lane = lane_on(ledger)
    with pytest.raises(SimdesError):
        lane.transact(Call(None, REFUSER[11:], "deploy"))
    assert ledger.nonce(KEY.address) == 0


def test_gas_below_the_cost_of_the_data_is_refused_and_frees_its_nonce() -> None:
    ledger = opened()
    counter = counter_on(ledger)
    store = MemoryTransactionStore()
    lane = lane_on(ledger, store)
    with pytest.raises(Invalid):
        lane.transact(Call(counter, b"\1" * 50, "count", gas=21_000))
    assert list(store.states.values()) == [TransactionState.REFUSED]
    lane.transact(Call(counter, b"", "count"))
    assert ledger.nonce(KEY.address) == 1


def test_a_gap_that_others_wait_behind_is_filled() -> None:
    """A node that queues what comes after a refused nonce, as real ones do."""
    ledger = opened()
    counter = counter_on(ledger)
    pool: dict[int, bytes] = {}

    def queue(raws: list[bytes]) -> list[bytes | SimdesError]:
        answers: list[bytes | SimdesError] = []
        for raw in raws:
            transaction = read_transaction(raw)
            if transaction.gas == 123_456:
                answers.append(Invalid("not this one"))
                continue
            pool[transaction.nonce] = raw
            answers.append(transaction.hash)
        mine()
        return answers

    def mine() -> None:
        while (raw := pool.pop(ledger.nonce(KEY.address), None)) is not None:
            ledger.send(raw)

    def one(raw: bytes) -> bytes:
        [answer] = queue([raw])
        assert isinstance(answer, bytes)
        return answer

    lane = lane_on(Twisted(ledger, send_many=queue, send=one))
    calls = [Call(counter, b"", "count", gas=200_000) for _ in range(4)]
    calls[1] = Call(counter, b"", "count", gas=123_456)
    results = lane.transact_many(calls)
    assert isinstance(results[1], Invalid)
    assert [not isinstance(result, SimdesError) for result in results] == [True, False, True, True]
    assert count(ledger, counter) == 3
    assert ledger.nonce(KEY.address) == 4
    assert lane.transact(Call(counter, b"", "count")).succeeded


def test_a_replaced_transaction_is_found_on_start() -> None:
    ledger = opened()
    counter = counter_on(ledger)
    store = MemoryTransactionStore()

    def lose(raws: list[bytes]) -> Any:
        raise Unavailable("the wire broke")

    sent = lane_on(Twisted(ledger, send_many=lose), store).submit(Call(counter, b"", "count"))
    lane_on(ledger).transact(Call(counter, b"\1", "another with its nonce"))
    assert lane_on(ledger, store).resume() == []
    assert store.states[sent] is TransactionState.REFUSED


def test_waiting_for_a_replaced_transaction_is_a_conflict() -> None:
    ledger = opened()
    counter = counter_on(ledger)

    def lose(raws: list[bytes]) -> Any:
        raise Unavailable("the wire broke")

    lane = lane_on(Twisted(ledger, send_many=lose), resend_seconds=0.0)
    sent = lane.submit(Call(counter, b"", "count"))
    lane_on(ledger).transact(Call(counter, b"\1", "another with its nonce"))
    with pytest.raises(Conflict, match="another transaction"):
        lane.wait(sent)


def test_a_ledger_that_asks_fees_is_not_supported() -> None:
    ledger = opened()
    lane = lane_on(Twisted(ledger, base_fee=lambda: 7))
    with pytest.raises(Unsupported, match="7 wei"):
        lane.transact(Call(counter_on(ledger), b"", "count"))


@pytest.mark.parametrize(("fee", "kind"), [(0, 2), (None, 0)])
def test_the_kind_of_transaction_is_what_the_node_takes(fee: int | None, kind: int) -> None:
    ledger = opened()
    counter = counter_on(ledger)
    store = MemoryTransactionStore()
    lane = lane_on(Twisted(ledger, base_fee=lambda: fee), store)
    lane.transact(Call(counter, b"", "count"))
    [stored] = store._kept.values()
    assert read_transaction(stored.raw).kind == kind
    assert stored.lane == f"7:0x{KEY.address.hex()}"
    assert stored.label == "count"
