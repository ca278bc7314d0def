"""The quarantine's rows on both databases: states, order, selections, history, the upgrade."""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.index_rows import id32, vault
from adapters.postgres import Databases
from simdes.errors import Conflict
from simdes.index import migrations, quarantine, sources, vaults
from simdes.index.database import Database, open_database
from simdes.index.migrations import HEAD, revision
from simdes.index.migrations.upgrade import upgrade
from simdes.index.quarantine import (
    DISMISSED,
    OPEN,
    REPLAYED,
    NewAction,
    NewQuarantined,
    Quarantined,
    Selection,
)
from simdes.index.sources import NewSource
from simdes.index.transaction import Transaction


def refused(number: int, *, code: str = "truncated-header", event: str = "") -> NewQuarantined:
    return NewQuarantined(
        digest=id32("refused", number),
        name=f"file{number}",
        position=0,
        kind="hl7v2",
        event=event,
        sender="LAB|SITE",
        code=code,
        reason="no MSH",
        advice="Send it again",
        content_wrapped=b"wrapped",
        received_ms=number,
    )


def added(tx: Transaction, *documents: NewQuarantined) -> list[Quarantined]:
    quarantine.add(tx, documents)
    found = [quarantine.find(tx, one.digest) for one in documents]
    return [one for one in found if one is not None]


def ids(tx: Transaction, selection: Selection | None = None, **page: int) -> list[int]:
    return [one.id for one in quarantine.page(tx, selection or Selection(), **page)]


def test_an_open_document_that_comes_again_has_the_newest_reason(database: Database) -> None:
    with database.transaction() as tx:
        [first] = added(tx, refused(1))
        [again] = added(tx, replace(refused(1, code="no-patient"), reason="no PID", received_ms=9))
        assert (again.id, again.code, again.reason) == (first.id, "no-patient", "no PID")
        assert (again.state, again.received_ms, again.settled_ms) == (OPEN, 1, None)
        assert quarantine.count(tx) == 1


def test_the_same_document_twice_in_one_feed_is_kept_once(database: Database) -> None:
    with database.transaction() as tx:
        quarantine.add(tx, [refused(1), refused(2), refused(1)])
        assert quarantine.count(tx) == 2


@pytest.mark.parametrize("state", [REPLAYED, DISMISSED])
def test_a_settled_document_that_comes_again_stays_settled(database: Database, state: str) -> None:
    with database.transaction() as tx:
        [one] = added(tx, refused(1))
        quarantine.settle(tx, one.id, state, now_ms=7)
        [again] = added(tx, refused(1, code="other"))
        assert (again.state, again.code, again.settled_ms) == (state, one.code, 7)
        assert not quarantine.refuse(tx, replace(again, code="late"), now_ms=8)
        assert ids(tx) == []


def test_what_is_replayed_is_so_for_good(database: Database) -> None:
    with database.transaction() as tx:
        [one] = added(tx, refused(1))
        quarantine.settle(tx, one.id, REPLAYED, now_ms=7)
        for state in (REPLAYED, DISMISSED):
            with pytest.raises(Conflict):
                quarantine.settle(tx, one.id, state, now_ms=8)
        with pytest.raises(Conflict):
            quarantine.reopen(tx, one.id)


def test_a_dismissal_is_taken_back_or_overtaken_by_what_was_accepted(database: Database) -> None:
    with database.transaction() as tx:
        one, two = added(tx, refused(1), refused(2))
        for document in (one, two):
            quarantine.settle(tx, document.id, DISMISSED, now_ms=7)
        quarantine.reopen(tx, one.id)
        quarantine.settle(tx, two.id, REPLAYED, now_ms=8)
        assert ids(tx) == [one.id]
        assert ids(tx, Selection(state=REPLAYED)) == [two.id]
        with pytest.raises(Conflict):
            quarantine.settle(tx, 10_000, REPLAYED, now_ms=8)


def test_documents_come_in_the_order_of_their_arrival_a_page_at_a_time(database: Database) -> None:
    with database.transaction() as tx:
        late, early = added(tx, refused(5), refused(3))
        second, first = added(
            tx,
            replace(refused(10), received_ms=4, position=2),
            replace(refused(11), received_ms=4, position=1),
        )
        order = [early.id, first.id, second.id, late.id]
        assert ids(tx) == order
        assert ids(tx, after=early.id, limit=2) == order[1:3]
        assert ids(tx, after=late.id) == []
        assert ids(tx, after=10_000) == []


def test_a_selection_names_what_its_filters_have_in_common(database: Database) -> None:
    with database.transaction() as tx:
        one, two, three = added(
            tx,
            refused(1, event="ADT^A01"),
            replace(refused(2, event="ADT^A01"), sender="RIS|SITE", kind="x12"),
            refused(3, code="too-large"),
        )
        for selection, expected in (
            (Selection(code="truncated-header"), [one.id, two.id]),
            (Selection(event="ADT^A01", sender="LAB|SITE"), [one.id]),
            (Selection(kind="x12"), [two.id]),
            (Selection(since_ms=2, before_ms=3), [two.id]),
            (Selection(last_id=two.id), [one.id, two.id]),
            (Selection(code="' OR 1=1 --"), []),
            (Selection(state=None), [one.id, two.id, three.id]),
        ):
            assert ids(tx, selection) == expected
            assert quarantine.count(tx, selection) == len(expected)


def test_groups_count_by_reason_event_and_sender(database: Database) -> None:
    with database.transaction() as tx:
        added(tx, *(refused(number, event="ADT^A01") for number in range(2, 5)), refused(9))
        largest, other = quarantine.groups(tx, Selection())
        assert (largest.event, largest.count, largest.oldest_ms, largest.newest_ms) == (
            "ADT^A01",
            3,
            2,
            4,
        )
        assert (other.event, other.count, other.advice) == ("", 1, "Send it again")


def action(document: Quarantined, name: str, **values: object) -> NewAction:
    return replace(
        NewAction(quarantine_id=document.id, action=name, account=None, created_ms=1),
        **values,  # type: ignore[arg-type]
    )


def test_the_newest_correction_counts_and_history_is_whole(database: Database) -> None:
    with database.transaction() as tx:
        [one] = added(tx, refused(1))
        assert quarantine.correction(tx, one.id) is None
        vaults.add(tx, vault())
        new = NewSource(
            digest=id32("m"), kind="k", content_wrapped=b"w", vault=vault().tag,
            received_ms=1, resources=1,
        )  # fmt: skip
        [source] = sources.add_many(tx, [new]).values()
        for text in (b"first", b"second"):
            copy = {"digest": id32(text), "content_wrapped": text, "account": id32("admin")}
            quarantine.record(tx, [action(one, "corrected", **copy)])
        quarantine.record(tx, [action(one, "replayed", source_id=source)])
        newest = quarantine.correction(tx, one.id)
        assert newest is not None and newest.content_wrapped == b"second"
        assert [line.action for line in quarantine.history(tx, one.id)] == [
            "corrected",
            "corrected",
            "replayed",
        ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": "forgotten"},
        {"action": "corrected"},
        {"action": "refused", "digest": id32("x")},
        {"action": "dismissed", "content_wrapped": b"x"},
        {"action": "refused", "quarantine_id": 10_000},
    ],
    ids=str,
)
def test_a_history_line_that_makes_no_sense_is_refused(
    database: Database, wrong: dict[str, object]
) -> None:
    with pytest.raises(Conflict), database.transaction() as tx:
        [one] = added(tx, refused(1))
        quarantine.record(tx, [action(one, "refused", **wrong)])


def test_retention_takes_the_content_of_old_settled_documents_alone(database: Database) -> None:
    with database.transaction() as tx:
        waiting, old, young = added(tx, refused(1), refused(2), refused(3))
        copy = {"digest": id32("c"), "content_wrapped": b"c"}
        for one in (waiting, old):
            quarantine.record(tx, [action(one, "corrected", **copy)])
        quarantine.settle(tx, old.id, DISMISSED, now_ms=10)
        quarantine.settle(tx, young.id, DISMISSED, now_ms=20)
        assert quarantine.count_expired(tx, before_ms=20) == 1
        assert quarantine.expired(tx, before_ms=20) == [old.id]
        quarantine.remove_content(tx, [waiting.id, old.id])
        left = {one.id: one for one in quarantine.page(tx, Selection(state=None))}
        assert left[waiting.id].content_wrapped is not None
        assert left[old.id].content_wrapped is None
        assert quarantine.expired(tx, before_ms=20) == []
        gone = quarantine.correction(tx, old.id)
        assert gone is not None and gone.content_wrapped is None
        with pytest.raises(Conflict):
            quarantine.reopen(tx, old.id)


# --- The upgrade from revision 0001 -------------------------------------------------------------

ROWS = 2_000


@pytest.fixture(params=["sqlite", "postgresql"])
def first_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database at revision 0001 with a full quarantine."""
    if request.param == "sqlite":
        url = f"sqlite:{tmp_path / 'first.db'}"
    else:
        databases: Databases = request.getfixturevalue("postgres_databases")
        url = databases.create_empty()
    scripts = shutil.copytree(Path(migrations.__file__).parent, tmp_path / "scripts")
    for later in (scripts / "versions").glob("r0*.py"):
        if not later.name.startswith("r0001"):
            later.unlink()
    upgrade(url, scripts=scripts)
    with closing(open_database(url)) as database, database.transaction() as tx:
        tx.insert(
            "quarantine",
            [
                {
                    "digest": id32("old", number),
                    "name": f"file{number}",
                    "reason": f"no-patient: PID: missing in {number}" if number % 2 else "odd",
                    "advice": "Send it again",
                    "content_wrapped": b"wrapped",
                    "received_ms": number,
                    "state": ("open", "replayed", "discarded")[number % 3],
                }
                for number in range(ROWS)
            ],
        )
    return url


def test_an_upgrade_keeps_every_quarantined_document_with_its_reason(first_url: str) -> None:
    upgrade(first_url)
    with closing(open_database(first_url)) as database:
        assert revision(database) == HEAD
        with database.transaction() as tx:
            counts = [
                quarantine.count(tx, Selection(state=state))
                for state in (OPEN, REPLAYED, DISMISSED)
            ]
            assert counts == [667, 667, 666]
            found = quarantine.find(tx, id32("old", 3))
            assert found is not None
            assert (found.code, found.reason) == ("no-patient", "PID: missing in 3")
            assert (found.name, found.content_wrapped, found.settled_ms) == (
                "file3",
                b"wrapped",
                None,
            )
            unnamed = quarantine.find(tx, id32("old", 4))
            assert unnamed is not None
            assert (unnamed.code, unnamed.reason, unnamed.settled_ms) == ("unknown", "odd", 4)
            [new] = added(tx, refused(1))
            assert new.id > found.id
            assert new.id > ROWS
