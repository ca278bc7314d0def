"""Tables that searches run on: the current version of everything readable here, and its values.

Part of `simdes.index.schema`, which says what columns mean. A search row's ``slot`` is the number
of a slot's name (`simdes.index.values`), ``n`` counts an entry's rows of a table, ``part`` joins
the components of a composite. Rows lie in the order of their entry, so that what one entry has
under a slot is read at one place; one index a table leads from a value to entries, in the order of
pages sorted by that value. Texts that anybody may write have a bounded length in indexes, because
PostgreSQL refuses long index rows.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    REAL,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
)

from simdes.index.columns import (
    between,
    category,
    id32,
    integer,
    partial_index,
    serial_id,
    string,
    table,
)
from simdes.index.values import WIDE_MS

Real: Any = Double().with_variant(REAL(), "sqlite")
Bytewise: Any = Text(collation="C").with_variant(Text(), "sqlite")
"""Text in the order of its UTF-8 bytes on both databases, whatever the server's locale."""


def key(name: str) -> Column[str]:
    """Text that is looked up by its beginning, or sorted by."""
    return Column(name, Bytewise, nullable=False)


def real(name: str) -> Column[float]:
    """A number of double precision."""
    return Column(name, Real, nullable=False)


table(
    "entry",
    serial_id(),
    string("type"),
    key("logical_id"),
    id32("vault", ForeignKey("vault.tag")),
    *category(),
    integer("version"),
    integer("deleted"),
    integer("updated_ms"),
    id32("handle"),  # zeros: written by this organisation
    id32("organisation"),
    integer("resource_id", ForeignKey("resource.id"), nullable=True),  # null: an opened copy
    id32("record_id", nullable=True),  # null: an own resource
    integer("item", nullable=True),  # as record_id
    ForeignKeyConstraint(
        ["vault", "record_id", "handle"],
        ["remote_copy.vault", "remote_copy.record_id", "remote_copy.handle"],
        ondelete="CASCADE",
    ),
    UniqueConstraint("type", "logical_id", "vault", "handle", "organisation"),
    between("deleted", 0, 1),
    CheckConstraint("(resource_id IS NULL) = (record_id IS NOT NULL)", "content"),
    CheckConstraint("(record_id IS NULL) = (item IS NULL)", "item"),
    Index(None, "vault", "type"),
    Index(None, "type", "updated_ms", "id"),
    Index(None, "type", "id"),
    partial_index("resource_id", "resource_id IS NOT NULL", "resource_id", table="entry"),
    partial_index("copy", "record_id IS NOT NULL", "vault", "record_id", "handle", table="entry"),
    serial=True,
)


def _rows(name: str, *parts: Any) -> None:
    table(
        name,
        integer("entry", ForeignKey("entry.id", ondelete="CASCADE")),
        integer("slot"),
        integer("n"),
        integer("part"),
        *parts,
        PrimaryKeyConstraint("entry", "slot", "n"),
        clustered=True,
    )


_rows(
    "search_token",
    integer("system"),  # a number of the system's URI; 0: none
    key("code"),
    Index(None, "slot", "code", "entry", "system"),
)

_rows(
    "search_text",
    key("head"),  # the beginning of what is compared
    Column("folded", Bytewise, nullable=True),  # null: head is all of it
    key("exact"),
    Index(None, "slot", "head", "entry"),
)

_rows(
    "search_span",
    integer("low_ms"),
    integer("high_ms"),
    Index(None, "slot", "low_ms", "entry", "high_ms"),
    partial_index(
        "wide", f"high_ms > low_ms + {WIDE_MS}", "slot", "high_ms", "entry", table="search_span"
    ),
)

_rows(
    "search_number",
    real("value"),
    real("low"),
    real("high"),
    Index(None, "slot", "value", "entry"),
)

_rows(
    "search_quantity",
    real("value"),
    real("low"),
    real("high"),
    integer("system"),
    key("code"),
    key("unit"),
    Index(None, "slot", "value", "entry"),
)

_rows(
    "search_reference",
    string("type"),  # "": target is a URL
    key("target"),  # an id, or a URL
    key("version"),
    integer("subject"),
    between("subject", 0, 1),
    Index(None, "slot", "target", "entry", "type"),
)

_rows(
    "search_uri",
    key("text"),
    Index(None, "slot", "text", "entry"),
)

# What searches can't find yet, stored by an earlier release.
table(
    "unindexed",
    integer("resource_id", ForeignKey("resource.id"), primary_key=True, autoincrement=False),
)
