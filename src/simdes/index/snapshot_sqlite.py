"""An SQLite database as of one moment; see `simdes.index.snapshot`.

The copy is made page by page while one reading transaction is open, so that writers neither wait
nor are half in it. It lies beside the database, for its owner alone, and goes at the end.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from simdes.errors import Conflict, Tampered, Unavailable
from simdes.index import sqlite
from simdes.index.snapshot import KEYS, PIECE_BYTES, Part, Plan

COPY_SUFFIX: Final = "-backup"
_PAGES: Final = 4096
_BESIDE: Final = ("-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True)
class SqliteSnapshot:
    """A copy in a file; see `simdes.index.snapshot.Snapshot`."""

    plan: Plan
    path: Path

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.path.stat().st_size

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """See `Snapshot`."""
        with closing(sqlite3.connect(self.path)) as copied:
            return copied.execute(query).fetchall()

    def parts(self) -> Iterator[Part]:
        """The file, as one part."""
        with self.path.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                yield "database", piece


@contextmanager
def taken(url: str) -> Iterator[SqliteSnapshot]:
    """See `simdes.index.snapshot.taken`."""
    path = sqlite.path_of(url)
    if not path.is_file():
        raise Unavailable(f"There is no database at {path}.")
    place = path.with_name(path.name + COPY_SUFFIX)
    try:
        _require_room(path)
        _copy(path, place)
        yield SqliteSnapshot(_blank(place), place)
    finally:
        _remove(place)


def copy_file(path: Path, place: Path) -> None:
    """Copy any SQLite file as of one moment, its writer going on; ``place`` is made anew."""
    _copy(path, place)
    with closing(sqlite3.connect(place, isolation_level=None)) as copied:
        copied.execute("PRAGMA journal_mode=DELETE")


def _require_room(path: Path) -> None:
    needed = path.stat().st_size
    free = shutil.disk_usage(path.parent).free
    if free < needed + (16 << 20):
        raise Unavailable(
            f"No room for the database's copy: {needed >> 20} MiB are needed beside it,"
            f" {free >> 20} MiB are free.",
            advice="Make room on the database's disk and try again.",
        )


def _copy(path: Path, place: Path) -> None:
    _remove(place)
    try:
        os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with (
            closing(sqlite3.connect(path, timeout=sqlite.WAIT_SECONDS)) as source,
            closing(sqlite3.connect(place, isolation_level=None)) as copied,
        ):
            source.isolation_level = None
            # Opened by reading: from here on this connection sees one moment.
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
            source.backup(copied, pages=_PAGES)
            source.execute("ROLLBACK")
    except (OSError, sqlite3.Error) as error:
        _remove(place)
        raise Unavailable(
            f"The database can't be copied ({type(error).__name__}).",
            advice="Check the free space and the rights of the database's folder.",
        ) from error


def _blank(place: Path) -> Plan:
    """Take the keys out of the copy, their bytes too, and say what it holds."""
    try:
        with closing(sqlite3.connect(place, isolation_level=None)) as copied:
            for setting in ("journal_mode=DELETE", "secure_delete=ON"):
                copied.execute(f"PRAGMA {setting}")
            for table, column in KEYS.items():
                # Names of ours; the value is bound.
                copied.execute(
                    f"UPDATE {table} SET {column} = ? WHERE {column} IS NOT NULL",  # noqa: S608
                    (b"",),
                )
            [(revision,)] = copied.execute("SELECT version_num FROM alembic_version").fetchall()
    except (sqlite3.Error, ValueError) as error:
        raise Unavailable(
            "The database holds no schema of SIMDES.", advice="Run `simdes doctor`."
        ) from error
    return Plan(dialect="sqlite", revision=revision, tables={}, sequences={})


def lay(url: str, parts: Iterable[Part]) -> None:
    """See `simdes.index.snapshot.lay`."""
    path = sqlite.path_of(url)
    try:
        with open(path, "xb", opener=lambda file, flags: os.open(file, flags, 0o600)) as file:
            for _, piece in parts:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        with closing(sqlite3.connect(path)) as laid:
            [(found,)] = laid.execute("PRAGMA quick_check(1)").fetchall()
    except FileExistsError:
        raise Conflict(f"{path} exists already.") from None
    except sqlite3.Error as error:
        raise Tampered("The database in the backup can't be read.") from error
    except OSError as error:
        raise Unavailable(
            f"The database can't be written ({os.strerror(error.errno or 0)}).",
            advice="Make room and try again.",
        ) from error
    if found != "ok":
        raise Tampered("The database in the backup is damaged.", advice="Use an older backup.")


def _remove(place: Path) -> None:
    for suffix in ("", *_BESIDE):
        with suppress(FileNotFoundError):
            place.with_name(place.name + suffix).unlink()
