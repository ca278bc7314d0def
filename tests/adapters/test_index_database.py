"""Transactions on SQLite and PostgreSQL: all or nothing, isolated, durable, safe for threads."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from adapters.index_rows import id32
from adapters.postgres import Databases
from simdes.errors import Conflict, Invalid, Unavailable
from simdes.index import checkpoints
from simdes.index.checkpoints import Checkpoint
from simdes.index.database import Database, Repeat, open_database

ADD = "INSERT INTO checkpoint (name, block_number, block_hash) VALUES (:name, :number, :hash)"


def _put(database: Database, name: str, number: int = 1) -> None:
    with database.transaction() as tx:
        checkpoints.put(tx, name, Checkpoint(number, id32(number)))


def _names(database: Database) -> list[str]:
    with database.read() as tx:
        return [row[0] for row in tx.all("SELECT name FROM checkpoint ORDER BY name")]


def test_what_a_transaction_wrote_is_there_afterwards(database: Database) -> None:
    _put(database, "a")
    assert _names(database) == ["a"]


def test_an_exception_undoes_everything(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.transaction() as tx:
        checkpoints.put(tx, "a", Checkpoint(1, id32(1)))
        raise ZeroDivisionError
    assert _names(database) == []
    _put(database, "b")
    assert _names(database) == ["b"]


def test_a_broken_rule_is_a_conflict_without_the_values(database: Database) -> None:
    with pytest.raises(Conflict) as refusal, database.transaction() as tx:
        tx.run(ADD, name="Jane Doe", number=1, hash=b"short")
    assert "ck_checkpoint_block_hash" in str(refusal.value)
    assert "Jane" not in str(refusal.value)
    assert refusal.value.__cause__ is None and refusal.value.__suppress_context__
    with pytest.raises(Conflict) as refusal, database.transaction() as tx:
        tx.run(ADD, name="Jane Doe", number=1, hash=id32(1))
        tx.run(ADD, name="Jane Doe", number=1, hash=id32(1))
    assert "Jane" not in str(refusal.value)
    assert _names(database) == []


def test_swallowing_an_error_inside_never_commits_half(database: Database) -> None:
    """PostgreSQL undoes the whole transaction; SQLite the statement. Neither lies about it."""
    try:
        with database.transaction() as tx:
            tx.run(ADD, name="a", number=1, hash=id32(1))
            with pytest.raises(Conflict):
                tx.run(ADD, name="a", number=2, hash=id32(2))
    except Unavailable:
        assert _names(database) == []
    else:
        assert _names(database) == ["a"]


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_a_number_beyond_64_bits_is_invalid(database: Database, value: int) -> None:
    with pytest.raises(Invalid), database.transaction() as tx:
        tx.run(ADD, name="a", number=value, hash=id32(1))


def test_bytes_text_numbers_and_null_come_back_as_they_went_in(database: Database) -> None:
    blob = {"sqlite": "BLOB", "postgresql": "BYTEA"}[database.dialect]
    values = (bytes(range(256)), "Zoë 🩺 % :x '", 2**63 - 1, None)
    with database.transaction() as tx:
        row = tx.one(
            f"SELECT CAST(:a AS {blob}), CAST(:b AS TEXT), CAST(:c AS BIGINT), CAST(:d AS TEXT)",
            a=values[0],
            b=values[1],
            c=values[2],
            d=values[3],
        )
    assert row == values


def test_lists_of_each_kind_and_the_empty_list_select_rows(database: Database) -> None:
    for number in range(3):
        _put(database, f"n{number}", number)
    with database.read() as tx:
        by = "SELECT name FROM checkpoint WHERE {} IN :values ORDER BY name"
        assert tx.all(by.format("name"), values=["n0", "n2", "x"]) == [("n0",), ("n2",)]
        assert tx.all(by.format("block_number"), values=[1, 2**40]) == [("n1",)]
        assert tx.all(by.format("block_hash"), values=[id32(0)]) == [("n0",)]
        assert tx.all(by.format("block_hash"), values=[]) == []
        assert tx.all(by.format("block_number"), values=range(2)) == [("n0",), ("n1",)]


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(Unavailable), database.read() as tx:
        tx.run(ADD, name="a", number=1, hash=id32(1))
    assert _names(database) == []


def test_a_reader_sees_one_moment_while_others_write(database: Database) -> None:
    _put(database, "a")
    with database.read() as tx:
        assert tx.one("SELECT count(*) FROM checkpoint") == (1,)
        thread = threading.Thread(target=_put, args=(database, "b"))
        thread.start()
        thread.join()
        assert tx.one("SELECT count(*) FROM checkpoint") == (1,)
    assert _names(database) == ["a", "b"]


def test_a_transaction_inside_a_transaction_is_refused_instead_of_waiting(
    database: Database,
) -> None:
    with pytest.raises(Conflict), database.transaction(), database.transaction():
        pass
    _put(database, "a")


def test_many_rows_go_in_few_statements(database: Database) -> None:
    rows = [{"name": f"n{i}", "block_number": i, "block_hash": id32(i)} for i in range(1200)]
    with database.transaction() as tx:
        found = tx.insert(
            "checkpoint", rows, conflict="(name) DO NOTHING", returning="block_number"
        )
        assert tx.statements == {"sqlite": 3, "postgresql": 1}[tx.dialect]
        assert sorted(number for (number,) in found) == list(range(1200))
        assert (
            tx.insert("checkpoint", rows[:5], conflict="(name) DO NOTHING", returning="name") == []
        )
        assert tx.insert("checkpoint", [], returning="name") == []
    with database.transaction() as tx:
        changed = tx.many(
            "UPDATE checkpoint SET block_number = :to WHERE name = :name AND block_number = :of",
            [{"name": f"n{i}", "of": i, "to": -i} for i in range(-1, 10)],
        )
        assert (changed, tx.statements) == (10, 1)
        assert tx.many("DELETE FROM checkpoint WHERE name = :name", []) == 0


def test_threads_that_add_to_one_number_lose_no_addition(database: Database) -> None:
    _put(database, "sum", 0)

    def work() -> None:
        for _ in range(25):
            with database.transaction() as tx:
                tx.lock("sum")
                row = tx.one("SELECT block_number FROM checkpoint WHERE name = 'sum'")
                assert row is not None
                tx.run("UPDATE checkpoint SET block_number = :n", n=row[0] + 1)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as tx:
        assert tx.one("SELECT block_number FROM checkpoint") == (150,)


def test_write_repeats_a_body_that_a_deadlock_ended(database: Database) -> None:
    for name in ("a", "b"):
        _put(database, name, 0)
    both_have_one = threading.Barrier(2)
    runs: list[str] = []

    def work(first: str, second: str) -> None:
        waited = False

        def body(tx: object) -> None:
            nonlocal waited
            runs.append(first)
            add = "UPDATE checkpoint SET block_number = block_number + 1 WHERE name = :name"
            tx.run(add, name=first)  # type: ignore[attr-defined]
            if not waited and database.dialect == "postgresql":
                waited = True
                both_have_one.wait(timeout=20)
            tx.run(add, name=second)  # type: ignore[attr-defined]

        database.write(body)

    threads = [threading.Thread(target=work, args=pair) for pair in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as tx:
        assert tx.all("SELECT block_number FROM checkpoint") == [(2,), (2,)]
    assert len(runs) == (3 if database.dialect == "postgresql" else 2)


def test_write_gives_up_after_its_attempts(database: Database) -> None:
    runs = 0

    def body(tx: object) -> None:
        nonlocal runs
        runs += 1
        raise Repeat("again")

    with pytest.raises(Unavailable):
        database.write(body, attempts=2)
    assert runs == 2


WRITER = """
import sys
from simdes.index.database import open_database
db = open_database(sys.argv[1])
with db.transaction() as tx:
    tx.insert("checkpoint", [{"name": "kept", "block_number": 1, "block_hash": bytes(32)}])
with db.transaction() as tx:
    tx.insert("checkpoint", [
        {"name": f"half{i}", "block_number": 1, "block_hash": bytes(32)} for i in range(5000)])
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_a_killed_writer_leaves_nothing_of_its_open_transaction(database_url: str) -> None:
    with closing(open_database(database_url)) as before:
        _put(before, "before")
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, database_url],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    with closing(open_database(database_url)) as database:
        assert _names(database) == ["before", "kept"]
        _put(database, "after")
        assert _names(database) == ["after", "before", "kept"]


def test_a_closed_database_is_unavailable(database_url: str) -> None:
    database = open_database(database_url)
    _put(database, "a")
    _names(database)
    database.close()
    with pytest.raises(Unavailable):
        _names(database)
    with pytest.raises(Unavailable):
        _put(database, "b")


@pytest.mark.parametrize("url", ["", "mysql://x", "sqlite:", "sqlite::memory:", "index.db"])
def test_a_url_of_another_kind_is_refused_with_advice(url: str) -> None:
    with pytest.raises(Invalid) as refusal:
        open_database(url)
    assert refusal.value.advice


def test_a_database_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        open_database(f"sqlite:{tmp_path / 'absent' / 'index.db'}")
    (tmp_path / "rubbish.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(Unavailable):
        open_database(f"sqlite:{tmp_path / 'rubbish.db'}")
    with pytest.raises(Unavailable) as refusal:
        open_database("postgresql://user:secret@127.0.0.1:9/none")
    assert "secret" not in str(refusal.value)


def test_an_sqlite_file_that_somebody_just_makes_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "new.sqlite"
    maker = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    maker.execute("CREATE TABLE made (id INTEGER)")
    maker.execute("BEGIN IMMEDIATE")
    done = threading.Timer(0.3, maker.execute, ("COMMIT",))
    done.start()
    try:
        with closing(open_database(f"sqlite:{path}")) as database, database.read() as tx:
            assert tx.one("SELECT count(*) FROM made") == (0,)
    finally:
        done.join()
        maker.close()


def test_an_sqlite_file_is_for_its_owner_alone_and_fully_durable(tmp_path: Path) -> None:
    with closing(open_database(f"sqlite:{tmp_path / 'index.db'}")) as database:
        assert (tmp_path / "index.db").stat().st_mode & 0o077 == 0
        with database.transaction() as tx:
            settings = {
                name: tx.one(f"PRAGMA {name}")
                for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
            }
    assert settings == {
        "journal_mode": ("wal",),
        "synchronous": (2,),
        "foreign_keys": (1,),
        "secure_delete": (1,),
    }


def test_connections_that_the_server_ended_are_replaced(postgres_databases: Databases) -> None:
    url = postgres_databases.create()
    with closing(open_database(url, connections=2)) as database:
        _put(database, "a")
        with psycopg.connect(postgres_databases.url, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = %s AND pid <> pg_backend_pid()",
                [url.split("///")[-1].split("?")[0].rsplit("/", 1)[-1]],
            )
        with pytest.raises(Unavailable):
            _names(database)
        assert _names(database) == ["a"]


def test_a_small_pool_serves_many_threads(database_url: str) -> None:
    with closing(open_database(database_url, connections=2)) as database:
        threads = [
            threading.Thread(target=_put, args=(database, f"n{number:02}")) for number in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(_names(database)) == 20


def test_statements_are_planned_for_their_values_however_often_they_ran(
    postgres_databases: Databases,
) -> None:
    with (
        closing(open_database(postgres_databases.create())) as database,
        database.read() as tx,
    ):
        for number in range(20):
            tx.all("SELECT name FROM checkpoint WHERE block_number = :number", number=number)
        plans = tx.one(
            "SELECT CAST(sum(generic_plans) AS INT), CAST(sum(custom_plans) AS INT)"
            " FROM pg_prepared_statements WHERE statement LIKE '%block_number%'"
        )
    assert plans is not None
    assert plans[0] == 0
    assert plans[1] > 10
