"""What a lane promises, on the embedded ledger and on a real node."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from adapters.ledgers import random_key
from adapters.probes import Probe, fresh_lane, signed
from simdes.errors import Conflict, SimdesError, Unavailable
from simdes.ledger.lane import Lane, MemoryTransactionStore, TransactionState
from simdes.ledger.ledger import Ledger, Reverted

# --- lanes ---------------------------------------------------------------------------------


def test_a_lane_simulates_first_and_sends_nothing_that_is_refused(
    ledger: Ledger, contract: Probe
) -> None:
    lane = fresh_lane(ledger)
    with pytest.raises(Conflict):
        lane.transact(contract.call("refuse", 1))
    assert ledger.nonce(lane.address) == 0


def test_a_refusal_in_the_block_is_told_with_its_reason(ledger: Ledger, contract: Probe) -> None:
    store = MemoryTransactionStore()
    lane = fresh_lane(ledger, store)
    with pytest.raises(Conflict) as refused:
        lane.transact(contract.call("refuse", 77, gas=200_000))
    assert isinstance(refused.value.__cause__, Reverted)
    assert refused.value.__cause__.data[4:36] == (77).to_bytes(32, "big")
    assert ledger.nonce(lane.address) == 1
    assert list(store.states.values()) == [TransactionState.REVERTED]


def test_more_calls_than_fit_in_flight_are_all_carried_out_in_order(
    ledger: Ledger, contract: Probe
) -> None:
    lane = fresh_lane(ledger)
    receipts = lane.transact_many([contract.call("set", 40 + i, i) for i in range(50)])
    places = []
    for receipt in receipts:
        assert not isinstance(receipt, SimdesError)
        places.append((receipt.block_number, receipt.logs[0].index))
    assert places == sorted(places)
    assert ledger.nonce(lane.address) == 50


def test_a_call_unfit_to_run_does_not_hold_up_the_others(ledger: Ledger, contract: Probe) -> None:
    lane = fresh_lane(ledger)
    calls = [contract.call("set", 60, i, gas=200_000) for i in range(5)]
    calls[2] = contract.call("set", 60, 2, gas=1 << 40)
    results = lane.transact_many(calls)
    assert isinstance(results[2], SimdesError)
    assert all(not isinstance(results[i], SimdesError) for i in (0, 1, 3, 4))
    after = lane.transact(contract.call("set", 60, 9))
    assert after.succeeded


def test_threads_share_a_lane(ledger: Ledger, contract: Probe) -> None:
    lane = fresh_lane(ledger)
    done: list[bool] = []

    def work(start: int) -> None:
        for i in range(5):
            done.append(lane.transact(contract.call("set", start + i, 1)).succeeded)

    threads = [threading.Thread(target=work, args=(1_000 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [True] * 20
    assert ledger.nonce(lane.address) == 20


class CutLedger:
    """A ledger whose wire breaks once, before or after the node takes a transaction."""

    def __init__(self, ledger: Ledger, *, arrives: bool) -> None:
        self._ledger = ledger
        self._arrives = arrives
        self._broke = False

    def send_many(self, raws: list[bytes]) -> list[bytes | SimdesError]:
        if self._broke:
            return self._ledger.send_many(raws)
        self._broke = True
        if self._arrives:
            self._ledger.send_many(raws)
        raise Unavailable("the wire broke")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)


@pytest.mark.parametrize("arrives", [False, True], ids=["before", "after"])
def test_what_a_crash_left_is_sent_again_unchanged_and_happens_once(
    ledger: Ledger, contract: Probe, arrives: bool
) -> None:
    key, store = random_key(), MemoryTransactionStore()
    broken = Lane(CutLedger(ledger, arrives=arrives), key, store)  # type: ignore[arg-type]
    sent = broken.submit(contract.call("set", 70, 1))
    assert store.states[sent] is TransactionState.SENT
    # The process ends here. Another one opens the same store.
    again = Lane(ledger, key, store)
    [receipt] = again.resume() if not arrives else again.resume() or [ledger.receipt(sent)]
    assert receipt is not None
    assert receipt.transaction_hash == sent
    assert store.states[sent] is TransactionState.SUCCEEDED
    assert ledger.nonce(key.address) == 1
    assert again.transact(contract.call("set", 70, 2)).succeeded
    assert ledger.nonce(key.address) == 2


def test_a_lane_waits_for_what_it_could_not_send(ledger: Ledger, contract: Probe) -> None:
    lane = Lane(
        CutLedger(ledger, arrives=False),  # type: ignore[arg-type]
        random_key(),
        MemoryTransactionStore(),
        poll_seconds=0.01,
        resend_seconds=0.05,
    )
    assert lane.transact(contract.call("set", 80, 1)).succeeded


def test_a_transaction_replaced_behind_the_lanes_back_is_a_conflict(
    ledger: Ledger, contract: Probe
) -> None:
    key, store = random_key(), MemoryTransactionStore()
    lane = Lane(
        CutLedger(ledger, arrives=False),  # type: ignore[arg-type]
        key,
        store,
        poll_seconds=0.01,
        resend_seconds=0.05,
    )
    sent = lane.submit(contract.call("set", 81, 1))
    fresh_lane(ledger).wait(ledger.send(signed(ledger, key)))
    with pytest.raises(Conflict):
        lane.wait(sent)
    assert store.states[sent] is TransactionState.REFUSED
