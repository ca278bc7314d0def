"""A custodian's keys, manifests, terms, nonces and folded refusals on both databases."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from adapters.index_rows import id32
from simdes.errors import Conflict, Invalid, Unavailable
from simdes.index import custody
from simdes.index.custody import Fold, ManifestEntry, NewKey, Terms
from simdes.index.database import Database, Transaction

TAG = id32("tag")


def _keys(tx: Transaction, count: int) -> None:
    custody.add_keys(
        tx,
        [
            NewKey(
                public_digest=id32("public", number),
                public=b"public" * 200,
                private_wrapped=b"private%d" % number,
                created_ms=number,
            )
            for number in range(count)
        ],
    )


def test_a_vaults_epoch_has_one_key_for_good(database: Database) -> None:
    with database.transaction() as tx:
        _keys(tx, 3)
        _keys(tx, 3)
        assert custody.pool_size(tx) == 3
        first = custody.bind(tx, TAG, 1)
        assert custody.bind(tx, TAG, 1) == first
        assert (first.public_digest, first.state) == (id32("public", 0), custody.BOUND)
        second = custody.bind(tx, TAG, 2)
        assert custody.pool_size(tx) == 1
        assert custody.keys_of(tx, TAG) == [first, second]
        assert custody.bound_keys(tx) == [first, second]
        assert custody.key_of(tx, TAG, 2) == second
        assert custody.key_of(tx, TAG, 3) is None
        assert custody.keys_by_digest(tx, [first.public_digest, id32("x")]) == [first]


def test_an_empty_pool_is_unavailable(database: Database) -> None:
    with pytest.raises(Unavailable), database.transaction() as tx:
        custody.bind(tx, TAG, 1)


def test_a_destroyed_key_is_gone_and_is_never_replaced(database: Database) -> None:
    with database.transaction() as tx:
        _keys(tx, 4)
        for epoch in (1, 2, 3):
            custody.bind(tx, TAG, epoch)
        assert custody.destroy(tx, TAG, through_epoch=2) == 2
        assert custody.destroy(tx, TAG, through_epoch=2) == 0
        assert [key.private_wrapped for key in custody.keys_of(tx, TAG)] == [
            None,
            None,
            b"private2",
        ]
        with pytest.raises(Conflict):
            custody.bind(tx, TAG, 1)
        assert [key.epoch for key in custody.bound_keys(tx)] == [3]


def test_threads_that_bind_keys_share_none(database: Database) -> None:
    with database.transaction() as tx:
        _keys(tx, 20)
    bound: list[tuple[int, bytes]] = []
    failures: list[Exception] = []

    def work(thread: int) -> None:
        try:
            for number in range(5):
                with database.transaction() as tx:  # two threads ask for each vault
                    key = custody.bind(tx, id32("vault", thread // 2, number), 1)
                bound.append(((thread // 2) * 10 + number, key.public_digest))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(bound) == 40
    assert len(set(bound)) == 20
    assert len({digest for _, digest in bound}) == 20


def _entry(number: int, **changes: object) -> ManifestEntry:
    values: dict[str, object] = {
        "batch_id": id32("batch"), "record_id": id32("record", number), "vault": TAG,
        "category": 3, "labels": 0, "types": ("Observation", "DiagnosticReport"),
        "body_cid": "body", "body_digest": id32("body"), "capsule_cid": "capsule",
        "indexes": (number, number + 1), "organisation": id32("org"),
        "author": id32("author")[:20], "created_ms": number,
    }  # fmt: skip
    return ManifestEntry(**(values | changes))  # type: ignore[arg-type]


def test_manifest_entries_are_kept_once_and_come_back_whole(database: Database) -> None:
    with database.transaction() as tx:
        for _ in range(2):
            custody.add_entries(tx, [_entry(1), _entry(2)])
        assert custody.entries_of(tx, [id32("record", 1)]) == [_entry(1)]
        assert custody.entries(tx, TAG, categories=range(64)) == [_entry(1), _entry(2)]


def test_listing_anothers_record_in_ones_own_batch_hides_nothing(database: Database) -> None:
    forged = _entry(1, batch_id=id32("forged"), capsule_cid="forged", created_ms=0)
    with database.transaction() as tx:
        custody.add_entries(tx, [forged])
        custody.add_entries(tx, [_entry(1)])
        assert custody.entries_of(tx, [id32("record", 1)]) == [forged, _entry(1)]


def test_entries_are_filtered_by_category_and_labels_and_read_in_pages(database: Database) -> None:
    with database.transaction() as tx:
        custody.add_entries(
            tx,
            [
                *(_entry(number, created_ms=5) for number in range(4)),
                _entry(10, category=4),
                _entry(11, labels=0b110),
            ],
        )

        def listed(**options: object) -> set[ManifestEntry]:
            return set(custody.entries(tx, TAG, **options))  # type: ignore[arg-type]

        assert listed(categories=[4]) == {_entry(10, category=4)}
        assert len(listed(categories=[3], labels=0b010)) == 4
        assert len(listed(categories=[3], labels=0b110)) == 5
        seen: list[bytes] = []
        after = (-1, b"")
        while page := custody.entries(tx, TAG, categories=[3], labels=0, after=after, limit=3):
            seen += [one.record_id for one in page]
            after = (page[-1].created_ms, page[-1].record_id)
        assert sorted(seen) == sorted(id32("record", number) for number in range(4))


def test_an_entry_with_labels_beyond_the_table_is_invalid(database: Database) -> None:
    with pytest.raises(Invalid), database.transaction() as tx:
        custody.add_entries(tx, [_entry(1, labels=1 << 63)])


def test_terms_are_kept_by_vault_and_handle(database: Database) -> None:
    kept = Terms(
        vault=TAG, handle=id32("handle"), terms=b"terms", salt=id32("salt"), block_number=1
    )
    with database.transaction() as tx:
        custody.add_terms(tx, kept)
        custody.add_terms(tx, replace(kept, terms=b"other"))
        custody.add_terms(tx, replace(kept, vault=id32("other vault"), terms=b"other"))
        assert custody.terms(tx, TAG, kept.handle) == kept
        assert custody.terms_of(tx, TAG) == [kept]
        assert custody.terms(tx, TAG, id32("x")) is None


def test_a_nonce_is_spent_once_by_whichever_replica(database: Database) -> None:
    spent: list[bool] = []

    def replica() -> None:
        with database.transaction() as tx:
            spent.append(custody.spend_nonce(tx, id32("nonce"), expires_ms=60))

    threads = [threading.Thread(target=replica) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(spent) == [False, False, False, False, True]
    with database.transaction() as tx:
        assert custody.purge_nonces(tx, now_ms=60) == 0
        assert custody.purge_nonces(tx, now_ms=61) == 1


def test_equal_refusals_are_counted_until_they_are_taken(database: Database) -> None:
    with database.transaction() as tx:
        counts = [custody.fold_refusal(tx, id32("a"), now_ms=now) for now in (10, 20, 30)]
        assert counts == [1, 2, 3]
        assert custody.fold_refusal(tx, id32("b"), now_ms=5) == 1
        assert custody.fold_refusal(tx, id32("c"), now_ms=50) == 1
        assert custody.take_folds(tx, before_ms=40) == [
            Fold(id32("b"), 5, 1),
            Fold(id32("a"), 10, 3),
        ]
        assert custody.take_folds(tx, before_ms=40) == []
        assert custody.fold_refusal(tx, id32("a"), now_ms=60) == 1
