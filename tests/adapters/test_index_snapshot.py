"""A database as of one moment and back, on both kinds, and through schemas of earlier releases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.index_rows import id32, submit, vault
from adapters.postgres import Databases
from simdes.errors import Conflict, Unavailable, Unsupported
from simdes.index import custody, keys, outbox, snapshot, vaults
from simdes.index.custody import NewKey
from simdes.index.database import Database, open_database
from simdes.index.migrations import HEAD, migrate, revision
from simdes.index.migrations.upgrade import upgrade
from simdes.index.snapshot import Part, Plan


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def empty(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Two addresses at which there is no database yet, or an empty one."""
    if kind == "sqlite":
        yield [f"sqlite:{tmp_path / str(number)}.sqlite" for number in range(2)]
        return
    databases: Databases = request.getfixturevalue("postgres_databases")
    yield [databases.create_empty() for _ in range(2)]


def taken(url: str) -> tuple[Plan, list[Part]]:
    with snapshot.taken(url) as one:
        return one.plan, list(one.parts())


def filled(url: str, schema: str = "head") -> Database:
    upgrade(url, revision=schema)
    database = open_database(url)
    with database.transaction() as tx:
        submit(tx, range(3))
        custody.add_keys(
            tx,
            [
                NewKey(
                    public_digest=id32("k"),
                    public=b"public",
                    private_wrapped=b"secret of a custodian",
                    created_ms=1,
                )
            ],
        )
    return database


def test_everything_comes_back_but_the_keys(empty: list[str]) -> None:
    source, target = empty
    database = filled(source)
    with database.read() as tx:
        held = keys.held(tx)
        rows = tx.all("SELECT * FROM resource ORDER BY id")
        waiting = outbox.pending(tx, now_ms=0)
    plan, parts = taken(source)
    data = b"".join(piece for _, piece in parts)
    assert b"secret of a custodian" not in data
    assert plan.revision == HEAD
    assert Plan.from_dict(plan.to_dict()) == plan
    snapshot.lay(target, plan, parts, replace=False)
    database.close()
    laid = open_database(target)
    with laid.transaction() as tx:
        assert tx.all("SELECT * FROM resource ORDER BY id") == rows
        assert outbox.pending(tx, now_ms=0) == waiting
        assert keys.held(tx) == keys.NONE
        back = keys.give_back(tx, held, lambda _: b"", lambda _: [], now_ms=0)
        assert (back.custody_keys, back.vault_keys) == (1, 1)
        assert keys.held(tx) == held
        # Ids go on behind the last that was given out.
        [new] = tx.insert(
            "happening",
            [{"type": "Patient", "logical_id": "1", "version": 1, "deleted": 0, "entry": 1}],
            returning="id",
        )
        assert new[0] >= 1
    laid.close()


@pytest.mark.parametrize("schema", ["0003", "0010"])
def test_an_older_schema_is_brought_up_after_it_was_laid(empty: list[str], schema: str) -> None:
    source, target = empty
    upgrade(source, revision=schema)
    database = open_database(source)
    with database.transaction() as tx:
        vaults.add(tx, vault())
    database.close()
    plan, parts = taken(source)
    assert plan.revision == schema
    snapshot.lay(target, plan, parts, replace=False)
    assert migrate(target) == HEAD
    laid = open_database(target)
    with laid.read() as tx:
        assert vaults.get(tx, vault().tag) is not None
    assert revision(laid) == HEAD
    laid.close()


def test_a_snapshot_is_one_moment_while_others_write(empty: list[str]) -> None:
    source, target = empty
    database = filled(source)
    with database.transaction() as tx:
        tx.run("DELETE FROM outbox")
        tx.run("DELETE FROM resource")
    stop = threading.Event()
    failures: list[Exception] = []

    def write() -> None:
        """Two rows at a time, always together."""
        number = 100
        while not stop.is_set():
            number += 2
            try:
                with database.transaction() as tx:
                    tx.insert("duty", [_duty(number), _duty(number + 1)])
            except Exception as error:
                failures.append(error)
                return

    threads = [threading.Thread(target=write) for _ in range(1)]
    for thread in threads:
        thread.start()
    try:
        found = [taken(source) for _ in range(3)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    plan, parts = found[-1]
    snapshot.lay(target, plan, parts, replace=False)
    database.close()
    laid = open_database(target)
    with laid.read() as tx:
        numbers = sorted(int(row[0]) for row in tx.all("SELECT name FROM duty"))
    laid.close()
    assert numbers == list(range(102, 102 + len(numbers)))
    assert len(numbers) % 2 == 0


def _duty(number: int) -> dict[str, object]:
    return {"name": str(number), "holder": None, "held_until_ms": 0}


def test_nothing_is_laid_over_what_is_there_or_onto_another_kind(
    empty: list[str], kind: str, tmp_path: Path
) -> None:
    source, target = empty
    filled(source).close()
    plan, parts = taken(source)
    snapshot.lay(target, plan, parts, replace=False)
    with pytest.raises(Conflict):
        snapshot.lay(target, plan, parts, replace=False)
    other = "postgresql://nowhere/none" if kind == "sqlite" else f"sqlite:{tmp_path / 'x'}"
    with pytest.raises(Unsupported):
        snapshot.lay(other, plan, parts, replace=False)
    if kind == "postgresql":
        snapshot.require_free(target, plan, replace=True)
        with pytest.raises(Conflict, match="tables"):
            snapshot.require_free(target, plan, replace=False)
        snapshot.lay(target, plan, parts, replace=True)


def test_a_database_that_is_not_there_gives_none(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        taken(f"sqlite:{tmp_path / 'none'}")
    with pytest.raises(Unavailable):
        taken("postgresql://nobody@/none?host=%2Fnowhere")


def test_keys_that_are_in_no_copy_are_destroyed_and_stay_so(empty: list[str]) -> None:
    source, _ = empty
    database = filled(source)
    with database.transaction() as tx:
        held = keys.held(tx)
        before = keys.marks(tx)
        custody.bind(tx, vault().tag, 1)
        assert keys.marks(tx) != before
        bound = keys.held(tx)
        custody.destroy(tx, vault().tag, through_epoch=1)
        vaults.erase(tx, vault().tag)
        now = keys.held(tx)
    known = held.followed_by(bound).followed_by(now)
    assert known.custody == {} and known.vaults == {}
    assert (known.destroyed, known.erased) == ({id32("k")}, {vault().tag})
    assert known.followed_by(held) == known  # an older database brings nothing back
    database.close()


def test_a_database_of_then_with_its_keys_loses_those_destroyed_since(empty: list[str]) -> None:
    source, _ = empty
    database = filled(source)
    with database.transaction() as tx:
        custody.bind(tx, vault().tag, 1)
        held = keys.held(tx)
    gone = keys.Keys(
        custody={},
        vaults={},
        destroyed=frozenset(held.custody),
        erased=frozenset(held.vaults),
        contents=frozenset(),
        dropped=frozenset(),
    )
    with database.transaction() as tx:
        done = keys.give_back(tx, gone, lambda _: b"", lambda _: [], now_ms=0)
        assert (done.custody_keys_destroyed, done.vaults_erased) == (1, 1)
        again = keys.give_back(tx, gone, lambda _: b"", lambda _: [], now_ms=0)
        assert (again.custody_keys_destroyed, again.vaults_erased) == (0, 0)
        assert keys.held(tx).custody == {}
    database.close()
