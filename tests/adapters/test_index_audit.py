"""The audit trail, sessions and copies of others' records, on both databases."""

from __future__ import annotations

import threading
from dataclasses import replace
from itertools import pairwise

import pytest

from adapters.index_rows import id32, vault
from simdes.errors import Conflict, NotFound
from simdes.index import audit, copies, sessions, vaults
from simdes.index.audit import Head, NewBatch, NewEntry
from simdes.index.copies import Copy
from simdes.index.database import Database, Transaction
from simdes.index.sessions import Session


def _write(tx: Transaction, count: int, *, about: bytes | None = None) -> None:
    head = audit.lock_head(tx)
    entries: list[NewEntry] = []
    for _ in range(count):
        entry = NewEntry(
            seq=head.seq + 1,
            previous=head.digest,
            digest=id32("entry", head.seq + 1),
            entry=b"entry%d" % (head.seq + 1),
            salt=id32("salt", head.seq),
            leaf=id32("leaf", head.seq),
            vault=about,
            created_ms=head.seq,
        )
        entries.append(entry)
        head = Head(entry.seq, entry.digest)
    audit.append(tx, entries)


def _batch(seq: int, first: int, last: int, **changes: object) -> NewBatch:
    values: dict[str, object] = {
        "seq": seq, "previous_root": audit.ZERO if seq == 1 else id32("root", seq - 1),
        "root": id32("root", seq), "count": max(1, last - first + 1), "first_seq": first,
        "last_seq": last, "filler": None if last >= first else id32("filler", seq),
        "created_ms": seq,
    }  # fmt: skip
    return NewBatch(**(values | changes))  # type: ignore[arg-type]


def test_entries_chain_without_a_gap(database: Database) -> None:
    with database.transaction() as tx:
        assert audit.head(tx) == Head(0, audit.ZERO)
        _write(tx, 3, about=id32("vault"))
        _write(tx, 2)
        assert audit.head(tx) == Head(5, id32("entry", 5))
        kept = audit.entries(tx)
        assert [one.seq for one in kept] == [1, 2, 3, 4, 5]
        assert all(b.previous == a.digest for a, b in pairwise(kept))
        assert [one.seq for one in audit.entries(tx, after=2, limit=2)] == [3, 4]
        assert [one.seq for one in audit.of_vault(tx, id32("vault"), after=1)] == [2, 3]
        third = audit.get(tx, 3)
        assert third is not None and third.entry == b"entry3"
        assert audit.get(tx, 6) is None


@pytest.mark.parametrize("wrong", [{"seq": 2}, {"seq": 4}, {"previous": id32("fork")}])
def test_an_entry_that_does_not_follow_is_refused(
    database: Database, wrong: dict[str, object]
) -> None:
    with database.transaction() as tx:
        _write(tx, 2)
    entry = NewEntry(
        seq=3, previous=id32("entry", 2), digest=id32("x"), entry=b"x", salt=id32("s"),
        leaf=id32("l"), vault=None, created_ms=1,
    )  # fmt: skip
    with pytest.raises(Conflict), database.transaction() as tx:
        audit.append(tx, [replace(entry, **wrong)])  # type: ignore[arg-type]
    with database.read() as tx:
        assert audit.head(tx).seq == 2


def test_writers_at_once_make_one_chain(database: Database) -> None:
    failures: list[Exception] = []

    def work() -> None:
        try:
            for _ in range(10):
                with database.transaction() as tx:
                    _write(tx, 2)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with database.read() as tx:
        assert [one.seq for one in audit.entries(tx)] == list(range(1, 101))


def test_a_thousand_entries_take_few_statements(database: Database) -> None:
    with database.transaction() as tx:
        _write(tx, 1000)
        assert tx.statements <= 6


def test_batches_take_every_entry_once_in_order(database: Database) -> None:
    with database.transaction() as tx:
        _write(tx, 5)
        assert [one.seq for one in audit.unbatched(tx, limit=3)] == [1, 2, 3]
        for _ in range(2):
            audit.build(tx, _batch(1, 1, 3))
        assert [one.seq for one in audit.unbatched(tx, limit=9)] == [4, 5]
        audit.build(tx, _batch(2, 4, 5))
        assert [one.seq for one in audit.of_batch(tx, 1)] == [1, 2, 3]
        assert audit.unbatched(tx, limit=9) == []
        newest = audit.newest_batch(tx)
        assert newest is not None and newest.seq == 2


def test_an_empty_batch_has_a_random_leaf_and_the_next_goes_on(database: Database) -> None:
    with database.transaction() as tx:
        audit.build(tx, _batch(1, 1, 0))
        _write(tx, 1)
        audit.build(tx, _batch(2, 1, 1))
        empty = audit.get_batch(tx, 1)
        assert empty is not None and empty.filler == id32("filler", 1)
        assert [one.seq for one in audit.of_batch(tx, 2)] == [1]


@pytest.mark.parametrize(
    "wrong",
    [
        _batch(3, 4, 5),  # a gap in batches
        _batch(2, 5, 5),  # a gap in entries
        _batch(2, 3, 5),  # an entry twice
        _batch(2, 4, 6),  # an entry that is not there
        _batch(2, 4, 5, previous_root=id32("fork")),
        _batch(2, 4, 5, count=3),
        _batch(1, 1, 3, root=id32("another")),
    ],
)
def test_a_batch_that_does_not_follow_is_refused(database: Database, wrong: NewBatch) -> None:
    with database.transaction() as tx:
        _write(tx, 5)
        audit.build(tx, _batch(1, 1, 3))
    with pytest.raises(Conflict), database.transaction() as tx:
        audit.build(tx, wrong)
    with database.read() as tx:
        assert len(audit.unbatched(tx, limit=9)) == 2


def test_a_batch_passes_through_its_states(database: Database) -> None:
    with database.transaction() as tx:
        _write(tx, 1)
        audit.build(tx, _batch(1, 1, 1))
        audit.build(tx, _batch(2, 2, 1))
        audit.sent(tx, 1, transaction_hash=id32("transaction"))
        assert [(one.seq, one.state) for one in audit.unfinished(tx)] == [(1, "sent"), (2, "built")]
        for _ in range(2):
            audit.anchored(tx, 1, block_number=7)
        audit.sent(tx, 1, transaction_hash=id32("transaction"))
        assert [one.seq for one in audit.unfinished(tx)] == [2]
        done = audit.get_batch(tx, 1)
        assert done is not None
        assert (done.state, done.block_number) == ("anchored", 7)
        with pytest.raises(NotFound):
            audit.anchored(tx, 9, block_number=1)


# --- Sessions --------------------------------------------------------------------------------


def _session(number: int, expires_ms: int = 100) -> Session:
    return Session(
        id=id32("session", number),
        account=id32("account", number % 2),
        key_wrapped=b"wrapped",
        expires_ms=expires_ms,
    )


def test_a_session_lasts_until_it_expires_or_ends(database: Database) -> None:
    with database.transaction() as tx:
        for number in range(4):
            sessions.add(tx, _session(number, expires_ms=100 + number))
        assert sessions.get(tx, id32("session", 0), now_ms=99) == _session(0)
        assert sessions.get(tx, id32("session", 0), now_ms=100) is None
        assert sessions.end(tx, id32("session", 3))
        assert not sessions.end(tx, id32("session", 3))
        assert sessions.purge(tx, now_ms=100) == 1
        assert sessions.end_all(tx, id32("account", 1)) == 1
        assert sessions.get(tx, id32("session", 2), now_ms=0) is not None
    with pytest.raises(Conflict), database.transaction() as tx:
        sessions.add(tx, _session(2))


# --- Copies ----------------------------------------------------------------------------------


def _copy(record: int, handle: int = 1, *, of: int = 1, expires_ms: int = 100) -> Copy:
    return Copy(
        record_id=id32("record", record),
        vault=id32("vault", of),
        handle=id32("handle", handle),
        content_wrapped=b"wrapped",
        expires_ms=expires_ms,
    )


@pytest.fixture
def filled(database: Database) -> Database:
    """Two vaults with copies under two handles."""
    with database.transaction() as tx:
        for number in (1, 2):
            vaults.add(tx, vault(number))
        copies.put(tx, [_copy(1), _copy(2, expires_ms=50), _copy(1, 2), _copy(3, of=2)])
    return database


def _left(tx: Transaction) -> int:
    row = tx.one("SELECT count(*) FROM remote_copy")
    assert row is not None
    return int(row[0])


def test_a_copy_is_read_under_its_handle_until_it_expires(filled: Database) -> None:
    tag, handle, ids = id32("vault", 1), id32("handle", 1), [id32("record", n) for n in range(4)]
    with filled.transaction() as tx:
        assert set(copies.get(tx, tag, handle, ids, now_ms=49)) == {ids[1], ids[2]}
        assert set(copies.get(tx, tag, handle, ids, now_ms=50)) == {ids[1]}
        assert copies.get(tx, tag, id32("handle", 9), ids, now_ms=0) == {}
        assert copies.of_handle(tx, tag, handle, now_ms=50) == [_copy(1)]
        assert copies.renew(tx, tag, handle, expires_ms=200, now_ms=50) == 1
        assert set(copies.get(tx, tag, handle, ids, now_ms=150)) == {ids[1]}


def test_putting_a_copy_again_replaces_it(filled: Database) -> None:
    with filled.transaction() as tx:
        copies.put(tx, [replace(_copy(1), content_wrapped=b"new", expires_ms=300)])
        [kept] = copies.of_handle(tx, id32("vault", 1), id32("handle", 1), now_ms=200)
        assert kept.content_wrapped == b"new"
        assert _left(tx) == 4


def test_copies_go_with_their_handle_their_vault_or_their_time(filled: Database) -> None:
    with filled.transaction() as tx:
        assert copies.drop_handle(tx, id32("vault", 1), id32("handle", 2)) == 1
        assert copies.purge(tx, now_ms=50) == 1
        assert copies.drop_vault(tx, id32("vault", 2)) == 1
        assert _left(tx) == 1


def test_a_copy_needs_a_vault_with_a_key(filled: Database) -> None:
    with pytest.raises(Conflict), filled.transaction() as tx:
        copies.put(tx, [_copy(1, of=9)])
