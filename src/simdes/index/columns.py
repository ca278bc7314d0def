"""How this package spells columns and constraints, for `simdes.index.schema` and its parts.

SQLAlchemy is used for DDL and migrations only; the path of a request never imports it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMES)

Int = BigInteger().with_variant(Integer(), "sqlite")  # STRICT tables know no BIGINT


def table(name: str, *parts: Any, serial: bool = False, clustered: bool = False) -> Table:
    """Add a STRICT table; a ``clustered`` one lies in the order of its primary key on SQLite."""
    # AUTOINCREMENT: ids of deleted rows are never given out again, so a late worker that still
    # holds one meets nothing instead of somebody else's row.
    return Table(
        name,
        metadata,
        *parts,
        sqlite_strict=True,
        sqlite_autoincrement=serial,
        sqlite_with_rowid=not clustered,
    )


def integer(name: str, *parts: Any, **options: Any) -> Column[int]:
    """A whole number of 64 bits."""
    return Column(name, Int, *parts, nullable=options.pop("nullable", False), **options)


def string(name: str, *parts: Any, nullable: bool = False) -> Column[str]:
    """Text."""
    return Column(name, Text, *parts, nullable=nullable)


def blob(
    name: str, *parts: Any, length: int | None = None, nullable: bool = False
) -> Column[bytes]:
    """Bytes, of an exact length when one is given."""
    checks = [] if length is None else [CheckConstraint(f"length({name}) = {length}", name)]
    return Column(name, LargeBinary, *parts, *checks, nullable=nullable)


def id32(name: str, *parts: Any, nullable: bool = False) -> Column[bytes]:
    """An identifier or digest of 32 bytes."""
    return blob(name, *parts, length=32, nullable=nullable)


def serial_id() -> Column[int]:
    """A row id that the database counts up."""
    return Column("id", Int, primary_key=True, autoincrement=True)


def one_of(column: str, *values: str) -> CheckConstraint:
    """A rule: the column has one of these texts."""
    return CheckConstraint(f"{column} IN ({', '.join(repr(value) for value in values)})", column)


def between(column: str, low: int, high: int) -> CheckConstraint:
    """A rule: the number lies between two others, both included."""
    return CheckConstraint(f"{column} BETWEEN {low} AND {high}", column)


def partial_index(name: str, where: str, *columns: str, table: str) -> Index:
    """An index over the rows that meet a condition."""
    return Index(
        f"ix_{table}_{name}", *columns, sqlite_where=text(where), postgresql_where=text(where)
    )


def category() -> tuple[Column[int], Column[int], CheckConstraint, CheckConstraint]:
    """The columns category (0 to 63) and labels (63 bits at most), with their rules."""
    return (
        integer("category"),
        integer("labels"),
        between("category", 0, 63),
        CheckConstraint("labels >= 0", "labels"),
    )
