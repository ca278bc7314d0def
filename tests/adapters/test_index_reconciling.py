"""Comparing audit trails: openings, what others must show, findings; on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.index_rows import id32
from simdes.errors import NotFound
from simdes.index import chain, checkpoints, reconciling
from simdes.index.chain import AuditRoot
from simdes.index.checkpoints import Checkpoint
from simdes.index.database import Database
from simdes.index.reconciling import Finding, NewWitness, Opening, Reconciliation, Repeated


def _opening(number: int, **changes: object) -> Opening:
    values: dict[str, object] = {
        "id": id32("opening", number),
        "vault": id32("vault"),
        "attempt_wrapped": b"attempt%d" % number,
        "begun_ms": number,
    }
    return Opening(**(values | changes))  # type: ignore[arg-type]


def _witness(number: int, **changes: object) -> NewWitness:
    values: dict[str, object] = {
        "seq": number,
        "organisation": id32("custodian"),
        "verb": "release",
        "reason": "",
        "said_ms": number,
        "records": id32("record", number) * 2,
        "token": b"receipt%d" % number,
    }
    return NewWitness(**(values | changes))  # type: ignore[arg-type]


def _finding(number: int, **changes: object) -> Finding:
    values: dict[str, object] = {
        "id": id32("finding", number),
        "kind": "omitted",
        "organisation": id32("custodian"),
        "vault": id32("vault"),
        "seq": number,
        "batch_seq": None,
        "token": b"receipt",
        "found_ms": number,
        "again_ms": number,
    }
    return Finding(**(values | changes))  # type: ignore[arg-type]


def _root(organisation: str, seq: int, root: str, block: int) -> AuditRoot:
    return AuditRoot(
        organisation=id32(organisation),
        seq=seq,
        previous_root=id32("before", organisation, seq),
        root=id32("root", root),
        count=1,
        block_number=block,
        transaction_hash=id32("transaction", organisation, seq),
    )


def test_an_opening_goes_with_its_end_and_stays_where_nobody_ended_it(database: Database) -> None:
    with database.transaction() as tx:
        for number in (1, 2, 3):
            reconciling.begin_opening(tx, _opening(number))
        assert reconciling.unended(tx, before_ms=3) == [_opening(1), _opening(2)]
        assert reconciling.unended(tx, before_ms=9, limit=1) == [_opening(1)]
        reconciling.end_opening(tx, id32("opening", 1))
        reconciling.ended_by(tx, id32("opening", 2), seq=7)
        assert reconciling.unended(tx, before_ms=9) == [_opening(3)]
        reconciling.end_opening(tx, id32("opening", 2))  # an entry of its own stands for it
        assert reconciling.unended_entries(tx, id32("vault"), from_ms=2, to_ms=2) == [7]


def test_openings_that_nobody_ended_are_told_by_vault_and_time(database: Database) -> None:
    with database.transaction() as tx:
        for number in (1, 2, 3, 4):
            at = _opening(number, vault=id32("vault", number % 2))
            reconciling.begin_opening(tx, at)
            if number != 4:
                reconciling.ended_by(tx, at.id, seq=10 - number)
        odd = id32("vault", 1)
        assert reconciling.unended_entries(tx, odd, from_ms=1, to_ms=3) == [7, 9]
        assert reconciling.unended_entries(tx, odd, from_ms=2, to_ms=3) == [7]
        assert reconciling.unended_entries(tx, id32("vault", 0), from_ms=0, to_ms=9) == [8]


def test_others_are_asked_about_what_is_old_enough_in_pages(database: Database) -> None:
    other = id32("other")
    with database.transaction() as tx:
        reconciling.add_witnesses(tx, [_witness(number) for number in (1, 2, 3)])
        reconciling.add_witnesses(tx, [_witness(4, organisation=other, token=None, reason="none")])
        reconciling.add_witnesses(tx, [])
        custodian = id32("custodian")
        assert reconciling.asked_of(tx, before_ms=3) == {custodian: 2}
        assert reconciling.asked_of(tx, before_ms=9) == {custodian: 3, other: 1}
        first = reconciling.due(tx, custodian, before_ms=9, limit=2)
        assert [one.seq for one in first] == [1, 2]
        assert first[0].records == id32("record", 1) * 2 and first[0].first_ms is None
        rest = reconciling.due(tx, custodian, before_ms=9, after=first[-1].id, limit=2)
        assert [one.seq for one in rest] == [3]
        [theirs] = reconciling.due(tx, other, before_ms=9, limit=2)
        assert (theirs.token, theirs.reason, theirs.verb) == (None, "none", "release")


def test_what_is_owed_keeps_its_first_time_until_it_is_shown(database: Database) -> None:
    custodian = id32("custodian")
    with database.transaction() as tx:
        reconciling.add_witnesses(tx, [_witness(number) for number in (1, 2, 3)])
        ids = [one.id for one in reconciling.due(tx, custodian, before_ms=9, limit=9)]
        assert reconciling.owed_since(tx, custodian) is None
        reconciling.put_off(tx, ids[:1], now_ms=50)
        reconciling.put_off(tx, ids[:2], now_ms=60)
        reconciling.put_off(tx, [], now_ms=70)
        assert reconciling.owed_since(tx, custodian) == 50
        assert reconciling.owed_since(tx, id32("other")) is None
        reconciling.drop_witnesses(tx, ids[:1])
        reconciling.drop_witnesses(tx, [])
        assert reconciling.owed_since(tx, custodian) == 60
        left = reconciling.due(tx, custodian, before_ms=9, limit=9)
        assert [(one.seq, one.first_ms) for one in left] == [(2, 60), (3, None)]


def test_a_root_that_stands_twice_is_told_with_whose_it_was_first(database: Database) -> None:
    with database.transaction() as tx:
        chain.add_audit_roots(
            tx,
            [
                _root("north", 1, "a", 10),
                _root("south", 1, "a", 12),  # taken from north
                _root("north", 2, "b", 12),
                _root("north", 3, "b", 12),  # its own again, in the same block
                _root("east", 1, "c", 13),
            ],
        )
        north, south = id32("north"), id32("south")
        found = reconciling.repeated_roots(tx, after_block=0)
        assert set(found) == {Repeated(south, 1, north, 12), Repeated(north, 3, north, 12)}
        assert len(found) == 2
        assert reconciling.repeated_roots(tx, after_block=12) == []


def test_a_finding_is_new_once_and_seen_again(database: Database) -> None:
    with database.transaction() as tx:
        assert reconciling.find(tx, _finding(1))
        assert not reconciling.find(tx, replace(_finding(1), found_ms=9, again_ms=9, kind="x"))
        known = reconciling.finding_of(tx, id32("finding", 1))
        assert known == replace(_finding(1), again_ms=9)
        with pytest.raises(NotFound):
            reconciling.finding_of(tx, id32("finding", 2))


def test_findings_are_paged_from_the_newest(database: Database) -> None:
    with database.transaction() as tx:
        for number in range(1, 8):
            reconciling.find(tx, replace(_finding(number), found_ms=number // 2))
        whole = reconciling.findings(tx)
        assert [one.found_ms for one in whole] == [3, 3, 2, 2, 1, 1, 0]
        paged: list[Finding] = []
        while page := reconciling.findings(tx, after=paged[-1].id if paged else None, limit=3):
            paged += page
        assert paged == whole


def test_a_finding_is_closed_once_with_a_reason(database: Database) -> None:
    with database.transaction() as tx:
        for number in (1, 2):
            reconciling.find(tx, _finding(number))
        one = id32("finding", 1)
        assert reconciling.close(tx, one, why="a clock", by="admin", now_ms=5)
        assert not reconciling.close(tx, one, why="again", by="nobody", now_ms=6)
        kept = reconciling.finding_of(tx, one)
        assert (kept.state, kept.why, kept.closed_by, kept.closed_ms) == (
            reconciling.CLOSED, "a clock", "admin", 5,
        )  # fmt: skip
        assert [each.id for each in reconciling.findings(tx)] == [id32("finding", 2)]
        assert reconciling.findings(tx, state=reconciling.CLOSED) == [kept]
        assert len(reconciling.findings(tx, state=None)) == 2


def test_the_counts_of_a_moment_are_what_stands_open(database: Database) -> None:
    with database.transaction() as tx:
        assert reconciling.reconciliation(tx, done="done") == Reconciliation(
            findings=0, waiting=0, done_ms=None
        )
        reconciling.find(tx, _finding(1))
        reconciling.find(tx, _finding(2))
        reconciling.close(tx, id32("finding", 1), why="", by="admin", now_ms=5)
        reconciling.add_witnesses(tx, [_witness(1)])
        checkpoints.put(tx, "done", Checkpoint(1234, id32("block")))
        assert reconciling.reconciliation(tx, done="done") == Reconciliation(
            findings=1, waiting=1, done_ms=1234
        )
