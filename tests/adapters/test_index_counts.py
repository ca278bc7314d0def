"""A researcher's budget on both databases: parallel and repeated questions can't pass it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from random import Random

from simdes.index import counts
from simdes.index.transaction import Database, Transaction


def test_parallel_charges_never_pass_the_budget(database: Database) -> None:
    def ask(number: int) -> bool:
        def body(tx: Transaction) -> bool:
            return counts.charge(tx, "ray", cost=100_000, budget=2_000_000)

        return database.write(body)

    with ThreadPoolExecutor(8) as threads:
        allowed = list(threads.map(ask, range(60)))
    assert allowed.count(True) == 20
    with database.read() as tx:
        assert counts.spent(tx, "ray") == 2_000_000
        assert counts.spent(tx, "somebody else") == 0


def test_the_same_question_is_answered_from_memory_whoever_asks_at_once(
    database: Database,
) -> None:
    question, noise = b"q" * 32, Random(5)

    def ask(number: int) -> int:
        noisy = 100 + noise.randrange(-30, 30)
        return database.write(lambda tx: counts.keep(tx, question, noisy, now_ms=number))

    with ThreadPoolExecutor(8) as threads:
        told = set(threads.map(ask, range(40)))
    assert len(told) == 1
    with database.read() as tx:
        assert {counts.answered(tx, question)} == told
        assert counts.answered(tx, b"r" * 32) is None
