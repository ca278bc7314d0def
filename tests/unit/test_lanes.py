"""Lanes: one process at a time signs with a key, and gateways that borrow one may be many."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from simdes.crypto.keys import SigningKey
from simdes.errors import Unavailable
from simdes.index.database import Database
from simdes.lanes import (
    LANES,
    LEASE_SECONDS,
    WAIT_SECONDS,
    BorrowedLane,
    Claim,
    Leases,
    OwnLane,
    claim,
)
from simdes.ledger.embedded import EmbeddedLedger
from simdes.ledger.lane import Call, MemoryTransactionStore
from unit.ledger.chains import COUNTER, Sender
from unit.ledger.test_embedded import opened

KEYS = [SigningKey.from_bytes(bytes([7 + number]) * 32) for number in range(LANES)]


def count(ledger: EmbeddedLedger, counter: bytes) -> int:
    return int.from_bytes(ledger.storage(counter, 0), "big")


def test_no_two_programs_have_one_lane(tmp_path: Path) -> None:
    taken = [claim(tmp_path) for _ in range(LANES)]
    assert [one.number for one in taken] == list(range(LANES))
    with pytest.raises(Unavailable):
        claim(tmp_path)
    taken[2].close()
    again = claim(tmp_path)
    assert again.number == 2
    for held in (*taken, again):
        held.close()


def test_more_senders_than_lanes_all_send_and_each_transaction_counts_once(tmp_path: Path) -> None:
    ledger, store = opened(), MemoryTransactionStore()
    counter = Sender(ledger).deploy(COUNTER)
    held = claim(tmp_path)  # a worker's, for good
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
    for held in taken:
        held.close()


# Copies of a folder that share a database -----------------------------------------------------


@dataclass(slots=True)
class Copies:
    """Copies of an organisation's folder, each with leases of its own, at a time that is set."""

    home: Path
    database: Database
    now: float = 1_000_000.0
    leases: dict[str, Leases] = field(default_factory=dict)

    def claim(self, name: str) -> Claim:
        """A lane of a process that runs in a copy."""
        return claim(self.folder(name), self.of(name))

    def folder(self, name: str) -> Path:
        (self.home / name / "lanes").mkdir(parents=True, exist_ok=True)
        return self.home / name

    def of(self, name: str) -> Leases:
        if name not in self.leases:
            self.leases[name] = Leases(
                self.folder(name),
                self.database,
                KEYS,
                lambda: self.now,
                monotonic=lambda: self.now,
            )
        return self.leases[name]


@pytest.fixture
def copies(tmp_path: Path, database: Database) -> Iterator[Copies]:
    yield Copies(tmp_path, database)


def test_copies_of_a_folder_take_different_lanes(copies: Copies) -> None:
    with ExitStack() as stack:
        taken = [
            stack.enter_context(copies.claim(name)).number for name in ("one", "two", "one", "two")
        ]
        assert taken == [0, 1, 2, 3]
        with pytest.raises(Unavailable):
            copies.claim("two")
    assert copies.claim("two").number == 0  # given back, not only run out


def test_a_copy_that_died_keeps_its_lane_until_its_time_runs_out(copies: Copies) -> None:
    dead = copies.claim("one")
    dead.file.close()  # as the system does when a process ends
    with copies.claim("two") as other:
        assert other.number == 1
    with copies.claim("one") as again:  # in its own folder nobody waits
        assert again.number == 0
        again.leases = None  # and it dies, too
    copies.now += LEASE_SECONDS + 1
    with copies.claim("two") as after:
        assert after.number == 0


def test_a_process_that_slept_beyond_its_lease_sends_with_another_lane(copies: Copies) -> None:
    ledger, store = opened(), MemoryTransactionStore()
    counter = Sender(ledger).deploy(COUNTER)
    call = Call(counter, b"", "count")
    one = OwnLane(copies.folder("one"), ledger, KEYS, store, leases=copies.of("one"))
    assert one.transact(call).succeeded and one.address == KEYS[0].address
    copies.now += LEASE_SECONDS * 0.6
    assert one.resume() == [] and one.address == KEYS[0].address  # renewed
    copies.now += LEASE_SECONDS * 0.6
    with copies.claim("two") as other:
        assert other.number == 1
    copies.now += LEASE_SECONDS
    with copies.claim("two") as other:
        assert other.number == 0
        [outcome] = one.transact_many([call])
        assert not isinstance(outcome, Exception) and one.address == KEYS[1].address
    one.close()
    assert count(ledger, counter) == 2


def test_a_lane_that_somebody_had_meanwhile_is_not_gone_on_with(copies: Copies) -> None:
    one = OwnLane(
        copies.folder("one"), opened(), KEYS, MemoryTransactionStore(), leases=copies.of("one")
    )
    before = one.lane
    copies.now += LEASE_SECONDS + 1
    copies.claim("two").close()  # its nonces moved, and it was given back
    assert one.lane is not before
    one.close()


def test_gateways_of_two_copies_borrow_without_sharing_a_lane(copies: Copies) -> None:
    ledger, store = opened(), MemoryTransactionStore()
    counter = Sender(ledger).deploy(COUNTER)
    gateways = [
        BorrowedLane(copies.folder(name), ledger, KEYS, store, leases=copies.of(name))
        for name in ("one", "two")
    ]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: gateways[n % 2].transact(Call(counter, b"", "count")), range(12)))
    assert count(ledger, counter) == 12
