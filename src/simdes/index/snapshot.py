"""A database as of one moment, for a backup, without the keys in it; and laying it down again.

What erasure destroys, the local keys of vaults and a custodian's private keys, is left out: it has
a copy of its own that keeps no history (`simdes.index.keys`). An SQLite database is copied by its
online backup (https://www.sqlite.org/backup.html), a PostgreSQL one by COPY in one REPEATABLE READ
snapshot, as pg_dump does (https://www.postgresql.org/docs/current/sql-copy.html); writers go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from simdes.errors import Unsupported
from simdes.index.transaction import Dialect

KEYS: Final[Mapping[str, str]] = {"vault": "key_wrapped", "custody_key": "private_wrapped"}
"""The columns that are left out, by table. What was there is empty, what was not stays null."""

PIECE_BYTES: Final = 1 << 20

Part = tuple[str, bytes]
"""A part's name and its next bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a snapshot holds: ``tables`` with their columns in the order of the parts (PostgreSQL),
    ``sequences`` with the last id each gave out."""

    dialect: Dialect
    revision: str
    tables: Mapping[str, tuple[str, ...]]
    sequences: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "dialect": self.dialect,
            "revision": self.revision,
            "tables": {name: list(columns) for name, columns in self.tables.items()},
            "sequences": dict(self.sequences),
        }

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Plan:
        """Read what `to_dict` wrote."""
        return cls(
            dialect=found["dialect"],
            revision=str(found["revision"]),
            tables={name: tuple(columns) for name, columns in found["tables"].items()},
            sequences={name: int(value) for name, value in found["sequences"].items()},
        )


class Snapshot(Protocol):
    """A database as of one moment."""

    @property
    def plan(self) -> Plan:
        """What it holds."""

    @property
    def size(self) -> int:
        """About how many bytes `parts` gives."""

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query of this package's callers finds at that moment; before `parts`."""

    def parts(self) -> Iterator[Part]:
        """The bytes, part by part; those of a part come together. Once only."""


def taken(url: str) -> AbstractContextManager[Snapshot]:
    """A snapshot of the database at ``url``, until the end.

    SQLite: its copy lies beside the database meanwhile. Raises Unavailable where the database does
    not answer or there is no room for the copy.
    """
    if url.startswith("sqlite:"):
        from simdes.index import snapshot_sqlite  # noqa: PLC0415 - it builds on this module

        return snapshot_sqlite.taken(url)
    from simdes.index import snapshot_postgresql  # noqa: PLC0415 - the same; and loads psycopg

    return snapshot_postgresql.taken(url)


def require_free(url: str, plan: Plan, *, replace: bool) -> None:
    """Raise what would keep `lay` from laying the snapshot down there; nothing is changed.

    Conflict: a PostgreSQL database is in use, or holds tables and ``replace`` is not given.
    """
    _require_kind(url, plan)
    if plan.dialect == "postgresql":
        from simdes.index import snapshot_postgresql  # noqa: PLC0415 - see `taken`

        snapshot_postgresql.require_free(url, replace=replace)


def _require_kind(url: str, plan: Plan) -> None:
    if (plan.dialect == "sqlite") != url.startswith("sqlite:"):
        raise Unsupported(
            f"The backup is of a database on {plan.dialect}, the settings name another kind.",
            advice="Restore to the kind of database that was backed up (SIMDES_DATABASE_URL).",
        )


def lay(url: str, plan: Plan, parts: Iterable[Part], *, replace: bool) -> None:
    """Lay a snapshot down as the database at ``url``, at the schema revision it had.

    PostgreSQL: all or nothing. SQLite: ``url`` names a file that is not there. Raises Conflict
    where something is there (``replace`` lets PostgreSQL's go), Unsupported where the database is
    of another kind.
    """
    _require_kind(url, plan)
    if plan.dialect == "sqlite":
        from simdes.index import snapshot_sqlite  # noqa: PLC0415 - it builds on this module

        snapshot_sqlite.lay(url, parts)
        return
    from simdes.index import snapshot_postgresql  # noqa: PLC0415 - the same; and loads psycopg

    snapshot_postgresql.lay(url, plan, parts, replace=replace)
