"""Contents of ours, their copies, and what is kept for others, on both databases."""

from __future__ import annotations

import pytest

from adapters.index_rows import id32
from simdes.index import contents, safekeeping
from simdes.index.contents import DROPPED, DROPPING, HELD, WANTED, Receipt
from simdes.index.database import Database
from simdes.index.transaction import Transaction

SOUTH, EAST = id32("south"), id32("east")
DAY = contents.FIRST_READ_MS


def stored(tx: Transaction, *cids: str, now_ms: int = 0) -> None:
    contents.add(tx, [(cid, contents.BODY, id32(cid)) for cid in cids], now_ms=now_ms)


def receipt(organisation: bytes, name: str, at_ms: int = 5) -> Receipt:
    return Receipt(
        digest=id32(name), organisation=organisation, token=name.encode(), received_ms=at_ms
    )


def states(tx: Transaction, cid: str) -> dict[bytes, tuple[str, int]]:
    return {one.organisation: (one.state, one.assigned) for one in contents.copies(tx, [cid])[cid]}


def test_a_content_is_noted_once_and_read_again_a_day_later(database: Database) -> None:
    with database.transaction() as tx:
        stored(tx, "a", now_ms=7)
        stored(tx, "a", "b", now_ms=9)
        found = contents.get_many(tx, ["a", "b", "none"])
        assert [(one.cid, one.created_ms, one.next_ms) for one in found.values()] == [
            ("a", 7, 7 + DAY),
            ("b", 9, 9 + DAY),
        ]
        assert [one.cid for one in contents.of_records(tx, [id32("b")])] == ["b"]
        assert contents.to_read(tx, now_ms=6 + DAY, limit=9) == []
        assert [one.cid for one in contents.to_read(tx, now_ms=9 + DAY, limit=1)] == ["a"]


def test_keepers_are_chosen_anew_and_what_was_held_before_stays_uncounted(
    database: Database,
) -> None:
    with database.transaction() as tx:
        stored(tx, "a", "b")
        assert sorted(contents.unplanned(tx, "p1", limit=9)) == ["a", "b"]
        contents.assign(tx, {"a": [SOUTH, EAST], "b": [SOUTH]}, plan="p1", now_ms=3)
        assert contents.unplanned(tx, "p1", limit=9) == []
        assert contents.asked_of(tx, state=WANTED, now_ms=2) == []
        assert contents.asked_of(tx, state=WANTED, now_ms=3) == sorted([SOUTH, EAST])
        contents.confirmed(tx, receipt(SOUTH, "r"), ["a"], state=HELD, next_ms=50)
        contents.assign(tx, {"a": [EAST]}, plan="p2", now_ms=4)
        assert states(tx, "a") == {SOUTH: (HELD, 0), EAST: (WANTED, 1)}
        assert contents.unplanned(tx, "p2", limit=9) == ["b"]


def test_a_lost_copy_is_wanted_again_and_receipts_go_when_nothing_rests_on_them(
    database: Database,
) -> None:
    with database.transaction() as tx:
        stored(tx, "a")
        contents.assign(tx, {"a": [SOUTH]}, plan="p", now_ms=0)
        contents.confirmed(tx, receipt(SOUTH, "r1"), ["a"], state=HELD, next_ms=10)
        contents.confirmed(tx, receipt(SOUTH, "r2"), ["a"], state=HELD, next_ms=20)
        contents.confirmed(tx, receipt(SOUTH, "r3"), [], state=HELD, next_ms=20)
        assert [one.digest for one in contents.receipts(tx, ["a"])] == [id32("r2")]
        assert contents.drop_receipts(tx) == 1
        [due] = contents.due(tx, SOUTH, state=HELD, now_ms=20, limit=9)
        assert (due.tries, due.receipt) == (0, id32("r2"))
        contents.put_off(tx, SOUTH, ["a"], next_ms=30, lost=True)
        [due] = contents.due(tx, SOUTH, state=WANTED, now_ms=30, limit=9)
        assert due.tries == 1
        contents.put_off(tx, SOUTH, [], next_ms=99)
        assert contents.due(tx, SOUTH, state=WANTED, now_ms=29, limit=9) == []


def test_reading_again_notes_damage_and_everything_may_be_read_at_once(database: Database) -> None:
    with database.transaction() as tx:
        stored(tx, "a", "b")
        contents.was_read(tx, "a", damaged=True, next_ms=2 * DAY)
        assert contents.get_many(tx, ["a"])["a"].damaged == 1
        contents.read_soon(tx, ["a"])
        assert [one.cid for one in contents.to_read(tx, now_ms=0, limit=9)] == ["a"]
        contents.read_all_soon(tx)
        assert len(contents.to_read(tx, now_ms=0, limit=9)) == 2


def test_erasing_asks_every_organisation_and_ends_when_all_have_dropped_it(
    database: Database,
) -> None:
    with database.transaction() as tx:
        stored(tx, "a", "b")
        contents.assign(tx, {"a": [SOUTH]}, plan="p", now_ms=0)
        contents.confirmed(tx, receipt(SOUTH, "r1"), ["a"], state=HELD, next_ms=10)
        contents.erase(tx, ["a"], [SOUTH, EAST], now_ms=9)
        assert states(tx, "a") == {SOUTH: (DROPPING, 1), EAST: (DROPPING, 0)}
        assert contents.erasing(tx, limit=9) == ["a"]
        # Somebody who signs to hold it meanwhile is asked to drop it all the same.
        contents.confirmed(tx, receipt(SOUTH, "r2"), ["a"], state=HELD, next_ms=10)
        assert states(tx, "a")[SOUTH][0] == DROPPING
        contents.erased_here(tx, ["a"])
        assert contents.erasing(tx, limit=9) == []
        contents.confirmed(tx, receipt(SOUTH, "r3"), ["a"], state=DROPPED, next_ms=10)
        assert contents.close_erased(tx) == 0
        contents.confirmed(tx, receipt(EAST, "r4"), ["a"], state=DROPPED, next_ms=10)
        assert contents.close_erased(tx) == 1
        assert contents.get_many(tx, ["a"])["a"].state == contents.ERASED
        assert [one.cid for one in contents.to_read(tx, now_ms=9 * DAY, limit=9)] == ["b"]


def test_what_is_kept_for_others_is_fetched_held_and_counted(database: Database) -> None:
    with database.transaction() as tx:
        safekeeping.want(tx, SOUTH, ["a", "b"], now_ms=1)
        safekeeping.want(tx, SOUTH, ["a"], now_ms=9)
        assert safekeeping.known(tx, SOUTH, ["a", "b", "c"]) == {"a": WANTED, "b": WANTED}
        assert safekeeping.load(tx, SOUTH) == safekeeping.Load(0, 2)
        first, second = safekeeping.due(tx, state=WANTED, now_ms=1, limit=9)
        safekeeping.held(tx, first, size=100, next_ms=50)
        safekeeping.missing(tx, second, next_ms=60)
        assert safekeeping.load(tx, SOUTH) == safekeeping.Load(100, 1)
        [again] = safekeeping.due(tx, state=WANTED, now_ms=60, limit=9)
        assert (again.cid, again.tries) == (second.cid, 1)
        assert safekeeping.load(tx, EAST) == safekeeping.Load(0, 0)


def test_deleted_is_the_last_word_on_what_was_kept_for_others(database: Database) -> None:
    with database.transaction() as tx:
        safekeeping.want(tx, SOUTH, ["a"], now_ms=0)
        safekeeping.want(tx, EAST, ["a"], now_ms=0)
        [row] = [
            one
            for one in safekeeping.due(tx, state=WANTED, now_ms=0, limit=9)
            if one.organisation == SOUTH
        ]
        safekeeping.drop(tx, SOUTH, ["a", "never"], now_ms=4)
        safekeeping.held(tx, row, size=9, next_ms=1)  # fetched while it was being dropped
        assert safekeeping.known(tx, SOUTH, ["a", "never"]) == {"a": DROPPING, "never": DROPPING}
        assert safekeeping.still_kept(tx, "a")  # for east
        assert not safekeeping.still_kept(tx, "never")
        for one in safekeeping.due(tx, state=DROPPING, now_ms=4, limit=9):
            safekeeping.dropped(tx, one)
        safekeeping.want(tx, SOUTH, ["a"], now_ms=5)
        safekeeping.drop(tx, SOUTH, ["a"], now_ms=6)
        assert safekeeping.known(tx, SOUTH, ["a"]) == {"a": DROPPED}


def test_contents_of_ours_are_still_kept_until_they_are_erased(database: Database) -> None:
    with database.transaction() as tx:
        stored(tx, "a")
        assert safekeeping.still_kept(tx, "a")
        contents.erase(tx, ["a"], [], now_ms=0)
        assert not safekeeping.still_kept(tx, "a")


@pytest.mark.parametrize("state", [WANTED, HELD])
def test_everything_kept_for_others_may_be_read_again_at_once(
    database: Database, state: str
) -> None:
    with database.transaction() as tx:
        safekeeping.want(tx, SOUTH, ["a"], now_ms=0)
        [row] = safekeeping.due(tx, state=WANTED, now_ms=0, limit=9)
        if state == HELD:
            safekeeping.held(tx, row, size=1, next_ms=99)
        safekeeping.read_all_soon(tx)
        assert len(safekeeping.due(tx, state=state, now_ms=0, limit=9)) == 1
