"""Faults of the database: each is made on a real one, and named."""

from __future__ import annotations

import re
import secrets
import socket
import sqlite3
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from adapters.postgres import Databases, running_postgres
from simdes.index.migrations import HEAD, migrate
from unit.doctor.conftest import Patient

CHECKS = ("answers", "schema", "modes", "rights", "connections", "clock")


@pytest.fixture
def url(postgres_databases: Databases) -> Iterator[str]:
    """A PostgreSQL database of this program's."""
    made = postgres_databases.create()
    yield made
    postgres_databases.give_back(made)


def run(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as one:
        for statement in statements:
            one.execute(statement.encode())


@contextmanager
def role(url: str, *grants: str) -> Iterator[str]:
    """The URL of a new user, which has no rights but these."""
    name = f"doctor_{secrets.token_hex(4)}"
    run(url, f"CREATE ROLE {name} LOGIN", *(one.format(name) for one in grants))
    try:
        yield re.sub(r"//[^@/]*@", f"//{name}@", url)
    finally:
        run(url, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


EVERYTHING = (
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}",
    "GRANT CREATE, USAGE ON SCHEMA public TO {}",
)


def test_a_durable_postgresql_of_ours_raises_nothing(north: Patient) -> None:
    with running_postgres(durable=True) as url:
        migrate(url)
        north.set(database_url=url)
        found = north.examine(*(f"database-{one}" for one in CHECKS))
    assert [one.state for one in found] == ["ok"] * len(CHECKS)


def test_a_server_that_is_away_is_named(north: Patient) -> None:
    north.set(database_url="postgresql://name@127.0.0.1:1/name")
    state, said = north.found("database-answers")
    assert state == "failed" and "PostgreSQL does not take a connection" in said
    assert north.found("database-schema")[0] == "unknown"


def test_a_file_that_is_missing_or_none_is_named(north: Patient, tmp_path: Path) -> None:
    north.set(database_url=f"sqlite:{tmp_path}/nowhere.sqlite")
    assert north.found("database-answers")[0] == "failed"
    (tmp_path / "text.sqlite").write_text("this is no database, but text " * 100)
    north.set(database_url=f"sqlite:{tmp_path}/text.sqlite")
    assert north.found("database-answers")[0] == "failed"
    assert north.found("database-schema")[0] == "unknown"


@pytest.mark.parametrize(
    ("version", "oldest", "state", "said"),
    [
        ("0001", "0014", "failed", "this program needs"),
        ("9999", "9999", "failed", f"this program knows {HEAD} at most"),
        ("9999", "0014", "warning", f"this program knows {HEAD} and may go on"),
    ],
)
def test_another_releases_schema_is_named(
    north: Patient, url: str, version: str, oldest: str, state: str, said: str
) -> None:
    north.set(database_url=url)
    revision, release = "UPDATE alembic_version SET version_num", "UPDATE schema_release SET oldest"
    run(url, f"{revision} = '{version}'", f"{release} = '{oldest}'")
    found, words = north.found("database-schema")
    run(url, f"{revision} = '{HEAD}'", f"{release} = '0014'")
    assert (found, said in words) == (state, True)


def test_a_database_of_nobodys_is_named(
    north: Patient, postgres_databases: Databases, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "other.sqlite")) as other:
        other.execute("CREATE TABLE something (x)")
    for empty in (postgres_databases.create_empty(), f"sqlite:{tmp_path}/other.sqlite"):
        north.set(database_url=empty)
        assert north.found("database-schema") == (
            "failed",
            "The database holds no schema of SIMDES.",
        )


def test_commits_that_are_not_durable_are_named(north: Patient, url: str, tmp_path: Path) -> None:
    north.set(database_url=url)  # the tests' server does not sync
    state, said = north.found("database-modes")
    assert state == "failed" and "fsync is off" in said
    with closing(sqlite3.connect(tmp_path / "delete.sqlite")) as other:
        other.execute("CREATE TABLE something (x)")
    north.set(database_url=f"sqlite:{tmp_path}/delete.sqlite")
    assert north.found("database-modes") == ("failed", "journal_mode is delete, not wal.")


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("default_transaction_isolation = 'serializable'", "isolation is serializable"),
        ("default_transaction_read_only = on", "read_only is on"),
    ],
)
def test_sessions_that_begin_otherwise_are_named(
    north: Patient, url: str, setting: str, said: str
) -> None:
    with role(url, *EVERYTHING, f"ALTER ROLE {{}} SET {setting}") as theirs:
        north.set(database_url=theirs)
        assert said in north.found("database-modes")[1]


def test_missing_rights_are_named(north: Patient, url: str) -> None:
    with role(url, "GRANT SELECT ON alembic_version TO {}") as theirs:
        north.set(database_url=theirs)
        state, said = north.found("database-rights")
        assert state == "failed" and "may not read and change" in said
    with role(url, *EVERYTHING) as theirs:
        north.set(database_url=theirs)
        state, said = north.found("database-rights")
        assert state == "warning" and "an upgrade will fail" in said


def test_too_few_connections_are_named(north: Patient, url: str) -> None:
    north.set(database_url=url)
    assert north.found("database-connections")[0] == "ok"
    with ExitStack() as stack, psycopg.connect(url) as one:
        row = one.execute("SHOW max_connections").fetchone()
        assert row is not None
        count = one.execute("SELECT count(*) FROM pg_stat_activity").fetchone()
        assert count is not None
        for _ in range(int(row[0]) - int(count[0]) - 5):
            stack.enter_context(psycopg.connect(url))
        state, said = north.found("database-connections")
    assert state == "warning" and "connections left" in said


def test_another_time_at_the_server_is_named(north: Patient, url: str) -> None:
    north.set(database_url=url)
    state, said = north.found("database-clock", clock=lambda: time.time() + 60)
    assert state == "failed" and "-60 seconds off" in said


def test_a_pooler_in_between_is_named(north: Patient, url: str) -> None:
    with pooler(url) as through:
        north.set(database_url=through)
        state, said = north.found("database-modes")
    assert state == "failed" and "A pooler stands between" in said


@contextmanager
def pooler(url: str) -> Iterator[str]:
    """Passes everything on, and gives a process id of its own, as poolers do."""
    parts = urlsplit(url)
    home = parse_qs(parts.query)["host"][0]
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    client = server.accept()[0]
                except OSError:
                    return
                behind = socket.socket(socket.AF_UNIX)
                behind.connect(f"{home}/.s.PGSQL.5432")
                threading.Thread(target=_pass, args=(client, behind), daemon=True).start()
                threading.Thread(target=_pass, args=(behind, client, True), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield f"postgresql://postgres@127.0.0.1:{server.getsockname()[1]}{parts.path}?sslmode=disable"
        server.shutdown(socket.SHUT_RDWR)


def _pass(source: socket.socket, target: socket.socket, rename: bool = False) -> None:
    with source, target:
        while data := source.recv(65_536):
            at = data.find(b"K" + struct.pack("!I", 12)) if rename else -1
            if at >= 0:
                data = data[: at + 5] + struct.pack("!I", 7) + data[at + 9 :]
            target.sendall(data)
