"""Keys, limits, lines and batches of fingerprints, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from simdes.index import fingerprints as rows
from simdes.index.database import Database

PLAN, KEY, FUNCTION, EAST, WEST = (bytes([n]) * 32 for n in range(1, 6))


def test_a_share_is_kept_once_and_destroyed(database: Database) -> None:
    with database.transaction() as tx:
        rows.agree(tx, PLAN, b"plan", now_ms=1)
        rows.agree(tx, PLAN, b"plan", now_ms=2)
        assert rows.keep_dealing(tx, PLAN, b"first") == b"first"
        assert rows.keep_dealing(tx, PLAN, b"second") == b"first"
        assert rows.keep_share(tx, PLAN, key=KEY, wrapped=b"share")
        assert rows.keep_share(tx, PLAN, key=KEY, wrapped=b"again")
        assert not rows.keep_share(tx, PLAN, key=EAST, wrapped=b"other")
    with database.read() as tx:
        held = rows.held(tx, KEY)
        assert held is not None and held.share_wrapped == b"share" and held.agreed_ms == 1
    with database.transaction() as tx:
        assert rows.end(tx, KEY) == 1 and rows.end(tx, KEY) == 0
        assert rows.held(tx, KEY) is None
        assert [one.share_wrapped for one in rows.plans(tx)] == [None]
        assert not rows.keep_share(tx, PLAN, key=KEY, wrapped=b"back")


def test_the_last_key_adopted_is_meant(database: Database) -> None:
    with database.transaction() as tx:
        assert rows.adopted(tx) is None
        rows.adopt(tx, KEY, b"one", now_ms=1)
        rows.adopt(tx, EAST, b"two", now_ms=2)
        assert rows.adopted(tx) == b"two"
        rows.adopt(tx, KEY, b"one", now_ms=3)
        assert rows.adopted(tx) == b"one"


def test_no_number_of_askers_at_once_gets_past_the_limit(database: Database) -> None:
    def ask(_: int) -> bool:
        return database.write(lambda tx: rows.charge(tx, EAST, day=7, count=3, limit=20))

    with ThreadPoolExecutor(8) as pool:
        granted = sum(pool.map(ask, range(24)))
    assert granted == 6
    with database.transaction() as tx:
        assert rows.spent(tx, EAST, 7) == 18
        assert rows.charge(tx, EAST, day=7, count=2, limit=20)
        assert not rows.charge(tx, EAST, day=7, count=1, limit=20)
        assert rows.charge(tx, EAST, day=8, count=20, limit=20)
        assert rows.charge(tx, WEST, day=7, count=20, limit=20)
        assert rows.spent_on(tx, 7) == {EAST: 20, WEST: 20}


def line(fingerprint: bytes, claim: str = "c") -> rows.LineRow:
    return rows.LineRow(
        function=FUNCTION,
        fingerprint=fingerprint,
        kind="service",
        matched_by="identifier",
        detail="",
        claim=claim,
        line=1,
        day="2026-03-01",
        coordinated=0,
        accepted=0,
    )


def test_lines_are_published_once_accepted_and_once(database: Database) -> None:
    one, two = b"1" * 16, b"2" * 16
    with database.transaction() as tx:
        rows.add_lines(tx, [line(one), line(two), line(two, "d")])
        rows.add_lines(tx, [line(one)])
        assert rows.waiting(tx, FUNCTION, most=9) == []
        assert rows.accept(tx, FUNCTION, "c") == 2 and rows.accept(tx, FUNCTION, "c") == 0
        assert sorted(rows.waiting(tx, FUNCTION, most=9)) == [one, two]
        assert len(rows.waiting(tx, FUNCTION, most=1)) == 1
        assert rows.published_ms(tx, FUNCTION) == 0
        number = rows.publish(tx, FUNCTION, [one, two], one + two, now_ms=5)
        assert rows.waiting(tx, FUNCTION, most=9) == []
        assert rows.published_ms(tx, FUNCTION) == 5
        assert [one.content for one in rows.batches(tx, FUNCTION, after=0)] == [one + two]
        assert rows.batches(tx, FUNCTION, after=number) == []
        assert rows.batches(tx, EAST, after=0) == []


def test_accepted_claims_that_share_a_fingerprint_are_found(database: Database) -> None:
    one, two = b"1" * 16, b"2" * 16
    with database.transaction() as tx:
        rows.add_lines(tx, [line(one), line(one, "d"), line(two, "d"), line(two, "e")])
        assert rows.accepted(tx, FUNCTION, []) == rows.accepted(tx, FUNCTION, [one, two]) == {}
        assert rows.lines(tx, FUNCTION) == []
        rows.accept(tx, FUNCTION, "c")
        assert rows.accepted(tx, FUNCTION, [one, two]) == {one: {"c"}}
        assert [(each.claim, each.fingerprint) for each in rows.lines(tx, FUNCTION)] == [("d", one)]
        assert rows.accepted(tx, EAST, [one]) == {}


def test_batches_are_numbered_by_time_and_never_backwards(database: Database) -> None:
    with database.transaction() as tx:
        made = [
            rows.publish(tx, function, [], b"", now_ms=at)
            for function, at in ((FUNCTION, 700), (FUNCTION, 700), (EAST, 400), (FUNCTION, 900))
        ]
        assert made == [700, 701, 702, 900]
        assert [one.number for one in rows.batches(tx, FUNCTION, after=700)] == [701, 900]
        assert (rows.published_ms(tx, FUNCTION), rows.published_ms(tx, EAST)) == (900, 400)
        rows.publish(tx, FUNCTION, [], b"", now_ms=300)
        assert rows.published_ms(tx, FUNCTION) == 300, "as the clock said when it was set back"


def test_processes_that_publish_at_once_get_numbers_of_their_own(database: Database) -> None:
    def publish(_: int) -> int:
        return database.write(lambda tx: rows.publish(tx, FUNCTION, [], b"", now_ms=500))

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(publish, range(8))) == list(range(500, 508))


def test_what_others_published_is_found_and_read_on_from_where_it_was(database: Database) -> None:
    one, two = b"1" * 16, b"2" * 16
    with database.transaction() as tx:
        rows.add_lines(tx, [line(one), line(two, "d")])
        assert rows.read_up_to(tx, FUNCTION, EAST) == 0
        rows.see(tx, FUNCTION, EAST, rows.Batch(4, one + b"x" * 16), size=16)
        rows.see(tx, FUNCTION, EAST, rows.Batch(6, one), size=16)
        rows.see(tx, FUNCTION, WEST, rows.Batch(1, one), size=16)
        assert rows.read_up_to(tx, FUNCTION, EAST) == 6
        assert [each.claim for each in rows.lines(tx, FUNCTION)] == ["c"]
        assert rows.seen(tx, FUNCTION, [one, one, two]) == {one: [EAST, WEST]}
        assert [each.fingerprint for each in rows.of_claim(tx, FUNCTION, "d")] == [two]
