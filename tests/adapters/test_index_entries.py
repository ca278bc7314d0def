"""Entries on both databases: what is put, what replaces it, and what goes with what."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.index_entries import (
    CONSENT,
    add_vaults,
    copied,
    date,
    found,
    ground,
    has_token,
    own,
    refers,
    sees,
    text,
    token,
)
from adapters.index_rows import id32
from simdes.errors import Conflict
from simdes.fhir.search.conditions import (
    Kind,
    Number,
    Quantity,
    Query,
    Slot,
    Uri,
    Valued,
)
from simdes.index import copies, entries, vaults
from simdes.index.database import Database
from simdes.index.transaction import Transaction
from simdes.index.values import TABLES
from simdes.index.visible import OWN

EVERY_KIND = (
    token("x.token", "1"),
    text("x.text", "word " * 40),
    date("x.date", 5),
    refers("x.reference", "Patient/p"),
    Valued(Slot("x.number", Kind.NUMBER), Number(1.5, 1.0, 2.0)),
    Valued(Slot("x.quantity", Kind.QUANTITY), Quantity(5.0, 5.0, 5.0, "u", "g", "gram")),
    Valued(Slot("x.uri", Kind.URI), Uri("http://x/y")),
)


def counts(tx: Transaction) -> dict[str, int]:
    """How many rows each table of searches has."""
    found = {name: tx.one(f"SELECT count(*) FROM {name}") for name in ("entry", *TABLES.values())}
    return {name: row[0] for name, row in found.items() if row}


def test_a_new_version_takes_the_place_of_the_old_one(database: Database) -> None:
    with database.transaction() as tx:
        add_vaults(tx, 1)
        first = own(tx, "Observation/o", *EVERY_KIND)
        assert set(counts(tx).values()) == {1}
        again = own(tx, "Observation/o", token("x.token", "2"), content="second", updated_ms=2)
        assert again == first
        assert counts(tx) == dict.fromkeys(TABLES.values(), 0) | {"entry": 1, "search_token": 1}
        [entry] = entries.get_many(tx, [first])
        assert (entry.version, entry.updated_ms) == (2, 2)
        assert (
            found(tx, sees(), Query(types=("Observation",), where=has_token("x.token", "1"))) == []
        )


def test_an_older_version_takes_no_place(database: Database) -> None:
    with database.transaction() as tx:
        add_vaults(tx, 1)
        row = own(tx, "Observation/o", token("x.token", "1"))
        own(tx, "Observation/o", token("x.token", "2"), content="second")
        [entry] = entries.get_many(tx, [row])
        for version in (1, 2):
            late = replace(entry, version=version)
            new = {name: getattr(late, name) for name in entries.NewEntry.__slots__}
            entries.put(tx, [(entries.NewEntry(**new), [token("x.token", "3")])])
        query = Query(types=("Observation",), where=has_token("x.token", "2"))
        assert found(tx, sees(), query) == ["Observation/o"]


def test_a_tombstone_has_no_values_and_is_not_found(database: Database) -> None:
    with database.transaction() as tx:
        add_vaults(tx, 1)
        own(tx, "Observation/o", *EVERY_KIND)
        own(tx, "Observation/o", content="ended", deleted=1)
        assert counts(tx) == dict.fromkeys(TABLES.values(), 0) | {"entry": 1}
        assert found(tx, sees(), Query(types=("Observation",))) == []


def test_what_is_neither_own_nor_copied_is_refused(database: Database) -> None:
    with database.transaction() as tx:
        add_vaults(tx, 1)
        row = own(tx, "Observation/o")
        [entry] = entries.get_many(tx, [row])
        with pytest.raises(Conflict):
            entries.put(tx, [(replace(entry, handle=CONSENT), ())])


@pytest.mark.parametrize("how", ["expired", "revoked", "emptied", "erased", "dropped"])
def test_when_a_copy_goes_nothing_is_left_that_searches_know_of_it(
    database: Database, how: str
) -> None:
    with database.transaction() as tx:
        add_vaults(tx, 1, 2)
        kept = own(tx, "Observation/kept", *EVERY_KIND, vault=2)
        gone = copied(tx, "Observation/gone", *EVERY_KIND, expires_ms=5)
        tag = id32("vault", 1)
        if how == "expired":
            copies.purge(tx, now_ms=5)
        elif how == "revoked":
            copies.drop_handle(tx, tag, CONSENT)
        elif how == "emptied":
            copies.drop_vault(tx, tag)
        elif how == "erased":
            vaults.erase(tx, tag)
        else:
            entries.drop(tx, [gone])
        assert set(counts(tx).values()) == {1}
        assert entries.get_many(tx, [kept, gone]) == entries.get_many(tx, [kept])


def test_putting_many_entries_takes_few_statements(database: Database) -> None:
    with database.transaction() as tx:
        add_vaults(tx, 1)
        rows = [own(tx, f"Observation/o{at}", *EVERY_KIND) for at in range(100)]
        taken = []
        for count in (1, 100):
            new = []
            for entry in entries.get_many(tx, rows[:count]):
                fields = {name: getattr(entry, name) for name in entries.NewEntry.__slots__}
                fields["version"] = entry.version + 1
                new.append((entries.NewEntry(**fields), EVERY_KIND))
            before = tx.statements
            entries.put(tx, new)
            taken.append(tx.statements - before)
        assert taken == [16, 16]
        assert set(counts(tx).values()) == {100}


def test_contents_come_from_where_they_lie(database: Database) -> None:
    with database.transaction() as tx:
        add_vaults(tx, 1)
        mine = own(tx, "Observation/mine", content="wrapped")
        theirs = copied(tx, "Observation/theirs")
        listed = entries.get_many(tx, [theirs, mine])
        assert [one.id for one in listed] == [theirs, mine]
        before = tx.statements
        assert entries.contents(tx, listed) == {mine: b"wrapped", theirs: b"a record"}
        assert tx.statements == before + 2
        assert [one.handle for one in entries.of_vault(tx, id32("vault", 1))] == [OWN, CONSENT]
        assert found(tx, sees(ground(1, handle=CONSENT)), Query(types=("Observation",))) == [
            "Observation/theirs"
        ]
