"""The outbox on both databases: claimed by one worker at a time, completed once, never lost."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter

import pytest

from adapters.index_rows import id32, record, resource, seal, submit, vault
from simdes.errors import Conflict
from simdes.index import outbox, records, resources, vaults
from simdes.index.database import Database
from simdes.index.records import NewLeaf


def test_claims_are_the_oldest_rows_with_what_a_worker_groups_by(database: Database) -> None:
    with database.transaction() as tx:
        vaults.add(tx, vault())
        new = [resource(1, category=2, labels=4), resource(2), resource(3)]
        ids = [one.id for one in resources.add(tx, new)]
        outbox.add(tx, ids)
        outbox.add(tx, ids)
        claims = outbox.claim(tx, worker="w", now_ms=10, lease_ms=5, limit=2)
        assert [one.resource_id for one in claims] == ids[:2]
        first = claims[0]
        assert (first.vault, first.category, first.labels, first.attempts) == (
            vault().tag, 2, 4, 1,
        )  # fmt: skip
        assert outbox.pending(tx, now_ms=10) == outbox.Pending(free=1, held=2)


def test_what_waits_of_an_erased_vault_waits_no_more(database: Database) -> None:
    with database.transaction() as tx:
        submit(tx, range(2))
        assert outbox.pending(tx, now_ms=0).total == 2
        vaults.erase(tx, vault().tag)
        assert outbox.pending(tx, now_ms=0).total == 0


def test_a_claim_is_free_again_when_its_lease_ends(database: Database) -> None:
    with database.transaction() as tx:
        submit(tx, range(1))
        [mine] = outbox.claim(tx, worker="a", now_ms=10, lease_ms=5, limit=9)
        assert outbox.claim(tx, worker="b", now_ms=14, lease_ms=5, limit=9) == []
        [theirs] = outbox.claim(tx, worker="b", now_ms=15, lease_ms=5, limit=9)
        assert (theirs.id, theirs.attempts) == (mine.id, 2)
        with pytest.raises(Conflict):
            outbox.complete(tx, [mine.id], worker="a")
        assert outbox.extend(tx, [mine.id], worker="a", until_ms=99) == 0
        assert outbox.extend(tx, [theirs.id], worker="b", until_ms=99) == 1
        outbox.complete(tx, [theirs.id], worker="b")
        assert outbox.pending(tx, now_ms=100).total == 0


def test_a_released_row_comes_back_when_its_time_has_come(database: Database) -> None:
    with database.transaction() as tx:
        submit(tx, range(2))
        claims = outbox.claim(tx, worker="a", now_ms=0, lease_ms=50, limit=9)
        outbox.release(tx, [claims[0].id], worker="a", free_at_ms=30)
        outbox.release(tx, [claims[1].id], worker="not mine")
        assert outbox.claim(tx, worker="b", now_ms=29, lease_ms=5, limit=9) == []
        [again] = outbox.claim(tx, worker="b", now_ms=30, lease_ms=5, limit=9)
        assert again.id == claims[0].id


def test_claiming_and_completing_hundreds_takes_few_statements(database: Database) -> None:
    with database.transaction() as tx:
        submit(tx, range(300))
    with database.transaction() as tx:
        claims = outbox.claim(tx, worker="w", now_ms=0, lease_ms=5, limit=300)
        leaves = [NewLeaf(id32("leaf", one.resource_id), one.resource_id) for one in claims]
        sealed = [(record(at), leaves[at * 10 : at * 10 + 10]) for at in range(30)]
        records.add(tx, sealed)
        outbox.complete(tx, [one.id for one in claims], worker="w")
        assert len(claims) == 300
        assert tx.statements == 6


def test_a_version_cannot_be_sealed_twice(database: Database) -> None:
    with database.transaction() as tx:
        [id_] = submit(tx, range(1))
        seal(tx, 1, [id_])
    with pytest.raises(Conflict), database.transaction() as tx:
        seal(tx, 2, [id_])
    with database.read() as tx:
        [kept] = resources.get_many(tx, [id_])
        assert (kept.state, kept.record_id) == (resources.SEALED, id32("record", 1))
        assert records.get(tx, id32("record", 2)) is None


def test_records_and_their_leaves_are_read_back(database: Database) -> None:
    with database.transaction() as tx:
        ids = submit(tx, range(3))
        leaves = seal(tx, 1, ids[:2])
        seal(tx, 2, ids[2:])
    with database.read() as tx:
        kept = records.get(tx, id32("record", 1))
        assert kept is not None and kept.batch_id is None and kept.body_cid == "body1"
        assert [one.leaf for one in records.leaves(tx, [kept.record_id])] == leaves
        assert set(records.get_many(tx, [id32("record", n) for n in range(4)])) == {
            id32("record", 1), id32("record", 2),
        }  # fmt: skip
        assert [one.created_ms for one in records.of_vault(tx, vault().tag)] == [1, 2]
        place = records.leaf_of(tx, ids[1])
        assert place is not None
        assert (place.leaf, place.place, place.position) == (leaves[1], 1, None)
        assert [one.id for one in resources.of_records(tx, [id32("record", 1)])] == ids[:2]


def test_threads_never_claim_a_row_twice(database: Database) -> None:
    total = 120
    with database.transaction() as tx:
        submit(tx, range(total))
    claimed: list[int] = []
    failures: list[Exception] = []

    def work(worker: str) -> None:
        try:
            while True:
                with database.transaction() as tx:
                    claims = outbox.claim(tx, worker=worker, now_ms=0, lease_ms=10**9, limit=7)
                if not claims:
                    return
                claimed.extend(one.id for one in claims)
                with database.transaction() as tx:
                    outbox.complete(tx, [one.id for one in claims], worker=worker)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(claimed) == len(set(claimed)) == total
    with database.read() as tx:
        assert outbox.pending(tx, now_ms=0).total == 0


WORKER = """
import json, sys
from simdes.index import outbox
from simdes.index.database import open_database
url, worker = sys.argv[1:]
database = open_database(url)
print("ready", flush=True)
sys.stdin.readline()
claimed = []
while True:
    with database.transaction() as tx:
        claims = outbox.claim(tx, worker=worker, now_ms=0, lease_ms=10**9, limit=3)
    if not claims:
        break
    claimed += [one.id for one in claims]
print(json.dumps(claimed))
"""


def test_processes_never_claim_a_row_twice(database: Database, database_url: str) -> None:
    total = 90
    with database.transaction() as tx:
        submit(tx, range(total))
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, database_url, f"process{number}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for number in range(3)
    ]  # fmt: skip
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    answers = [json.loads(worker.communicate(timeout=60)[0]) for worker in workers]
    counts = Counter(id_ for answer in answers for id_ in answer)
    assert len(counts) == total
    assert set(counts.values()) == {1}


def test_what_a_clock_claimed_that_was_set_back_since_is_free(database: Database) -> None:
    with database.transaction() as tx:
        submit(tx, range(2))
        assert len(outbox.claim(tx, worker="ahead", now_ms=600_000, lease_ms=15_000, limit=9)) == 2
    with database.transaction() as tx:
        soon = outbox.claim(tx, worker="a little behind", now_ms=595_000, lease_ms=15_000, limit=9)
        assert soon == []
        assert len(outbox.claim(tx, worker="right", now_ms=0, lease_ms=15_000, limit=9)) == 2
