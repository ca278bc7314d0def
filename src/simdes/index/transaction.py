"""What a database and its transactions can do, whichever product is behind them.

`simdes.index.sqlite` and `simdes.index.postgresql` implement it; `simdes.index.database` opens one.
"""

from __future__ import annotations

import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Literal, TypeVar

from simdes.errors import Unavailable
from simdes.index.statements import Value

Row = tuple[Any, ...]
"""One result row, columns in the order of the SELECT."""

Dialect = Literal["sqlite", "postgresql"]
T = TypeVar("T")

INSERT_ROWS = 500
"""Rows of one INSERT statement; longer inserts are split."""


class Repeat(Unavailable):
    """The database ended the transaction for another one's sake; the same body may succeed now."""


class Transaction(ABC):
    """Statements of one open transaction. Not for use by two threads at once.

    ``statements`` counts what was sent to the database (a multi-row call counts once per
    statement); tests use it to keep batch paths free of one-statement-per-row loops.
    """

    dialect: ClassVar[Dialect]
    skip_locked: ClassVar[str]
    """Ends a sub-select that claims rows: other claimers pass over them instead of waiting."""
    lock_rows: ClassVar[str]
    """Ends a select of rows that nobody else may lock so or change until the end."""
    unled: ClassVar[str]
    """Stands before a column that must not choose the index, where the planner knows no better."""

    __slots__ = ("shredding", "statements")

    def __init__(self) -> None:
        self.statements = 0
        self.shredding = False

    def shred(self) -> None:
        """What this transaction deletes is to leave the files with it: a key was destroyed.

        SQLite's file and log of commits keep older pages otherwise until the log is full.
        PostgreSQL's are its operator's (docs/operations/backup.md).
        """
        self.shredding = True

    @abstractmethod
    def run(self, sql: str, /, **params: Value) -> int:
        """Run a statement and return how many rows it changed."""

    @abstractmethod
    def all(self, sql: str, /, **params: Value) -> list[Row]:
        """Run a query and return every row."""

    @abstractmethod
    def one(self, sql: str, /, **params: Value) -> Row | None:
        """Run a query and return its first row, or None."""

    @abstractmethod
    def many(self, sql: str, rows: Sequence[Mapping[str, Value]], /) -> int:
        """Run one statement for each row of parameters in one go; rows changed in all."""

    @abstractmethod
    def insert(
        self,
        table: str,
        rows: Sequence[Mapping[str, Value]],
        *,
        conflict: str = "",
        returning: str = "",
    ) -> list[Row]:
        """Insert rows (all with the same columns) in few statements.

        ``conflict`` is what follows ``ON CONFLICT``; ``returning`` names columns to return for the
        rows really inserted, in no particular order. Without ``returning`` the list is empty.
        """

    @abstractmethod
    def lock(self, name: str) -> None:
        """Wait until no other transaction holds the lock called ``name``; held until the end."""


class Database(ABC):
    """A pool of connections to one database. Safe to share between threads."""

    dialect: ClassVar[Dialect]

    @abstractmethod
    def transaction(self) -> AbstractContextManager[Transaction]:
        """Open a writing transaction: committed and durable at the end, undone on any exception.

        Raises:
            Conflict: a row breaks a constraint.
            Unavailable: the database does not answer, or ended the transaction (see ``write``).

        """

    @abstractmethod
    def read(self) -> AbstractContextManager[Transaction]:
        """Open a reading transaction on one consistent snapshot; writing in it fails."""

    @abstractmethod
    def look(self) -> AbstractContextManager[Transaction]:
        """As `read` for a single query: each sees what is committed by then.

        A third of the round trips. Nothing may be written in it.
        """

    @abstractmethod
    def close(self) -> None:
        """Close every connection."""

    def write(self, body: Callable[[Transaction], T], *, attempts: int = 6) -> T:
        """Run ``body`` in a transaction, again when the database ended it by deadlock.

        ``body`` may run more than once, so it must do nothing but database work.
        """
        for attempt in range(1, attempts + 1):
            try:
                with self.transaction() as tx:
                    return body(tx)
            except Repeat:
                if attempt == attempts:
                    raise
                time.sleep(0.005 * 2**attempt * (1 + secrets.randbelow(100) / 100))
        raise AssertionError("unreachable: the last attempt returns or raises")
