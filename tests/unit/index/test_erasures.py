"""The rows of erasures that go on: what replaces, takes and forgets one."""

from __future__ import annotations

from dataclasses import replace

from simdes.index import erasures
from simdes.index.database import Database
from simdes.index.erasures import Begun

SIGNED = Begun(vault=bytes(32), signed="what the patient signed", begun_ms=1, next_ms=2)


def kept(database: Database) -> Begun | None:
    with database.read() as tx:
        return erasures.get(tx, SIGNED.vault)


def test_an_order_stays_where_what_comes_after_brings_none(database: Database) -> None:
    later = replace(SIGNED, signed="", tries=3, next_ms=7)
    stands = replace(later, signed=SIGNED.signed)
    assert database.write(lambda tx: erasures.put(tx, SIGNED)) == SIGNED
    assert database.write(lambda tx: erasures.put(tx, later)) == stands == kept(database)
    anew = replace(SIGNED, signed="what they signed anew")
    assert database.write(lambda tx: erasures.put(tx, anew)) == anew == kept(database)


def test_nothing_is_forgotten_but_the_very_row(database: Database) -> None:
    database.write(lambda tx: erasures.put(tx, SIGNED))
    for name, other in (("signed", ""), ("begun_ms", 9), ("tries", 9), ("next_ms", 9)):
        changed = replace(SIGNED, **{name: other})
        assert not database.write(lambda tx, one=changed: erasures.forget(tx, one))
    assert kept(database) == SIGNED
    assert database.write(lambda tx: erasures.forget(tx, SIGNED)) and kept(database) is None


def test_a_row_is_taken_once_until_others_may(database: Database) -> None:
    database.write(lambda tx: erasures.put(tx, SIGNED))
    assert database.write(lambda tx: erasures.take(tx, SIGNED, until_ms=60))
    assert not database.write(lambda tx: erasures.take(tx, SIGNED, until_ms=60))
    with database.read() as tx:
        assert erasures.due(tx, now_ms=59, limit=9) == []
        assert erasures.due(tx, now_ms=60, limit=9) == [replace(SIGNED, next_ms=60)]
    database.write(lambda tx: erasures.settle(tx, SIGNED.vault, now_ms=61))
    late = replace(SIGNED, next_ms=60)
    assert not database.write(lambda tx: erasures.take(tx, late, until_ms=99))
