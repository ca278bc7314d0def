"""Lanes: one process at a time signs with a key, and gateways that borrow one may be many."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from simdes.crypto.keys import SigningKey
from simdes.errors import Unavailable
from simdes.lanes import LANES, WAIT_SECONDS, BorrowedLane, claim
from simdes.ledger.embedded import EmbeddedLedger
from simdes.ledger.lane import Call, MemoryTransactionStore
from unit.ledger.chains import COUNTER, Sender
from unit.ledger.test_embedded import opened

KEYS = [SigningKey.from_bytes(bytes([7 + number]) * 32) for number in range(LANES)]


def count(ledger: EmbeddedLedger, counter: bytes) -> int:
    return int.from_bytes(ledger.storage(counter, 0), "big")


def test_no_two_programs_have_one_lane(tmp_path: Path) -> None:
    taken = [claim(tmp_path) for _ in range(LANES)]
    assert [number for number, _ in taken] == list(range(LANES))
    with pytest.raises(Unavailable):
        claim(tmp_path)
    taken[2][1].close()
    again = claim(tmp_path)
    assert again[0] == 2
    for _, held in (*taken, again):
        held.close()


def test_more_senders_than_lanes_all_send_and_each_transaction_counts_once(tmp_path: Path) -> None:
    ledger, store = opened(), MemoryTransactionStore()
    counter = Sender(ledger).deploy(COUNTER)
    _, held = claim(tmp_path)  # a worker's, for good
    gateways = [BorrowedLane(tmp_path, ledger, KEYS, store) for _ in range(LANES)]
    assert {one.address for one in gateways} == {KEYS[0].address}

    def send(number: int) -> None:
        one = gateways[number % LANES]
        call = Call(counter, b"", "count")
        assert one.transact(call).succeeded
        assert [type(each).__name__ for each in one.transact_many([call])] == ["Receipt"]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(16)))
    assert count(ledger, counter) == 32
    assert store.states.keys() and KEYS[0].address not in _senders(ledger)
    assert gateways[0].resume() == []
    held.close()


def _senders(ledger: EmbeddedLedger) -> set[bytes]:
    return {one.address for one in KEYS if ledger.nonce(one.address)}


def test_where_no_lane_comes_free_the_sender_is_told(tmp_path: Path) -> None:
    taken = [claim(tmp_path) for _ in range(LANES)]
    slept: list[float] = []
    lane = BorrowedLane(tmp_path, opened(), KEYS, MemoryTransactionStore(), sleep=slept.append)
    with pytest.raises(Unavailable):
        lane.resume()
    assert sum(slept) == pytest.approx(WAIT_SECONDS, abs=0.1)
    for _, held in taken:
        held.close()
