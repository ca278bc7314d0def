"""Every table of the gateway's database, as SQLAlchemy metadata for DDL and migrations only.

The path of a request never imports this file: verbs use plain SQL. Conventions: times are unix
milliseconds; identifiers and digests are 32 bytes; flags are 0 or 1; content in ``…_wrapped``
columns was encrypted by the caller; label sets are bit sets of 63 bits at most. A column is NOT
NULL unless a comment says why. Foreign keys carry an index of their own, or lead another.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
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

_Int = BigInteger().with_variant(Integer(), "sqlite")  # STRICT tables know no BIGINT


def _table(name: str, *parts: Any, serial: bool = False) -> Table:
    # AUTOINCREMENT: ids of deleted rows are never given out again, so a late worker that still
    # holds one meets nothing instead of somebody else's row.
    return Table(name, metadata, *parts, sqlite_strict=True, sqlite_autoincrement=serial)


def _int(name: str, *parts: Any, **options: Any) -> Column[int]:
    return Column(name, _Int, *parts, nullable=options.pop("nullable", False), **options)


def _text(name: str, *parts: Any, nullable: bool = False) -> Column[str]:
    return Column(name, Text, *parts, nullable=nullable)


def _bytes(
    name: str, *parts: Any, length: int | None = None, nullable: bool = False
) -> Column[bytes]:
    checks = [] if length is None else [CheckConstraint(f"length({name}) = {length}", name)]
    return Column(name, LargeBinary, *parts, *checks, nullable=nullable)


def _id(name: str, *parts: Any, nullable: bool = False) -> Column[bytes]:
    return _bytes(name, *parts, length=32, nullable=nullable)


def _serial() -> Column[int]:
    return Column("id", _Int, primary_key=True, autoincrement=True)


def _one_of(column: str, *values: str) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(value) for value in values)})", column)


def _between(column: str, low: int, high: int) -> CheckConstraint:
    return CheckConstraint(f"{column} BETWEEN {low} AND {high}", column)


def _index_where(name: str, where: str, *columns: str, table: str) -> Index:
    return Index(
        f"ix_{table}_{name}", *columns, sqlite_where=text(where), postgresql_where=text(where)
    )


def _category() -> tuple[Column[int], Column[int], CheckConstraint, CheckConstraint]:
    return (
        _int("category"),
        _int("labels"),
        _between("category", 0, 63),
        CheckConstraint("labels >= 0", "labels"),
    )


# --- Patients' vaults and their resources -------------------------------------------------------

_table(
    "vault",
    Column("tag", LargeBinary, CheckConstraint("length(tag) = 32", "tag"), primary_key=True),
    _int("m"),
    _int("n"),
    _int("epoch"),
    _text("descriptor_cid"),
    _id("control", nullable=True),  # null: provisional, no patient holds it yet
    _int("home"),  # 1: this organisation opened it
    _bytes("key_wrapped", nullable=True),  # null: erased
    _text("state"),
    _int("created_ms"),
    CheckConstraint("m BETWEEN 1 AND n", "m"),
    _between("home", 0, 1),
    _one_of("state", "opening", "open", "erased"),
    Index(None, "control"),
)

_table(
    "identifier",
    _text("system"),
    _text("value"),
    _id("tag", ForeignKey("vault.tag"), nullable=False),
    PrimaryKeyConstraint("system", "value"),
    Index(None, "tag"),
)

_table(
    "source",
    _serial(),
    _id("digest"),
    _text("kind"),
    _bytes("content_wrapped"),
    _id("vault", ForeignKey("vault.tag"), nullable=True),  # null: of several patients
    _int("received_ms"),
    _int("resources"),
    UniqueConstraint("digest"),
    Index(None, "vault"),
    serial=True,
)

_table(
    "quarantine",
    _serial(),
    _id("digest"),
    _text("name"),
    _text("reason"),
    _text("advice"),
    _bytes("content_wrapped"),
    _int("received_ms"),
    _text("state"),
    UniqueConstraint("digest"),
    _one_of("state", "open", "replayed", "discarded"),
    Index(None, "state"),
    serial=True,
)

# --- Sealed records and anchor batches ----------------------------------------------------------

_table(
    "batch",
    Column("batch_id", LargeBinary, CheckConstraint("length(batch_id) = 32", "batch_id")),
    _id("root"),
    _int("count"),
    _text("manifest_cid"),
    _text("state"),
    _id("transaction_hash", nullable=True),  # null: not sent yet
    _int("block_number", nullable=True),  # null: not in a block yet
    _int("created_ms"),
    PrimaryKeyConstraint("batch_id"),
    CheckConstraint("count > 0", "count"),
    _one_of("state", "built", "sent", "anchored"),
    _index_where("unfinished", "state <> 'anchored'", "created_ms", table="batch"),
)

_table(
    "record",
    _id("record_id"),
    _id("vault", ForeignKey("vault.tag")),
    *_category(),
    _int("epoch"),
    _text("body_cid"),
    _id("body_digest"),
    _text("capsule_cid"),
    _id("organisation"),
    _bytes("author", length=20),
    _id("batch_id", ForeignKey("batch.batch_id"), nullable=True),  # null: not in a batch yet
    _int("created_ms"),
    PrimaryKeyConstraint("record_id"),
    Index(None, "vault"),
    Index(None, "batch_id"),
    _index_where("unbatched", "batch_id IS NULL", "created_ms", table="record"),
)

_table(
    "resource",
    _serial(),
    _text("type"),
    _text("logical_id"),
    _int("version"),
    _id("vault", ForeignKey("vault.tag")),
    *_category(),
    _bytes("content_wrapped"),
    _id("digest"),
    _id("salt"),
    _text("state"),
    _id("record_id", ForeignKey("record.record_id"), nullable=True),  # null: not sealed yet
    _id("leaf", nullable=True),  # null: not sealed yet
    _int("source_id", ForeignKey("source.id"), nullable=True),  # null: came by the FHIR API
    _int("created_ms"),
    UniqueConstraint("type", "logical_id", "version"),
    _one_of("state", "pending", "sealed", "anchored"),
    Index(None, "vault", "category"),
    Index(None, "record_id"),
    Index(None, "source_id"),
    serial=True,
)

_table(
    "leaf",
    _id("leaf"),
    _id("record_id", ForeignKey("record.record_id"), nullable=True),  # null: fills an empty batch
    _int("resource_id", ForeignKey("resource.id"), nullable=True),  # null: fills an empty batch
    _int("place"),  # order inside its record
    _id("batch_id", ForeignKey("batch.batch_id"), nullable=True),  # null: not in a batch yet
    _int("position", nullable=True),  # null: not in a batch yet
    PrimaryKeyConstraint("leaf"),
    UniqueConstraint("batch_id", "position"),
    UniqueConstraint("record_id", "place"),
    Index(None, "resource_id"),
)

# --- Work to do, and what was sent --------------------------------------------------------------

_table(
    "outbox",
    _serial(),
    _int("resource_id", ForeignKey("resource.id")),
    _text("claimed_by", nullable=True),  # null: nobody works on it
    _int("claimed_until_ms"),
    _int("attempts"),
    UniqueConstraint("resource_id"),
    Index(None, "claimed_until_ms", "id"),
    serial=True,
)

# A refused transaction's nonce is used again, so (lane, nonce) is not unique.
_table(
    "ledger_transaction",
    _id("hash"),
    _text("lane"),
    _int("nonce"),
    _bytes("raw"),
    _text("label"),
    _text("state"),
    _int("block_number", nullable=True),  # null: not in a block
    PrimaryKeyConstraint("hash"),
    _one_of("state", "sent", "succeeded", "reverted", "refused"),
    _index_where("unsettled", "state = 'sent'", "lane", "nonce", table="ledger_transaction"),
)

_table(
    "checkpoint",
    _text("name"),
    _int("block_number"),
    _id("block_hash"),
    PrimaryKeyConstraint("name"),
)

# --- Read model of the chain's events -----------------------------------------------------------

_table(
    "chain_organisation",
    _id("id"),
    _int("kind"),
    _int("state"),
    _id("descriptor"),
    _id("account"),
    _int("block_number"),
    PrimaryKeyConstraint("id"),
)

_table(
    "chain_account",
    _id("id"),
    _id("organisation"),
    _int("role"),
    _int("state"),
    _bytes("address", length=20),
    _int("frozen"),
    _int("block_number"),
    PrimaryKeyConstraint("id"),
    _between("frozen", 0, 1),
    Index(None, "address"),
    Index(None, "organisation"),
)

_table(
    "chain_vault",
    _id("tag"),
    _id("organisation"),
    _id("descriptor"),
    _int("m"),
    _int("n"),
    _int("epoch"),
    _int("generation"),
    _id("control", nullable=True),  # null: provisional
    _int("block_number"),
    PrimaryKeyConstraint("tag"),
    Index(None, "control"),
    Index(None, "organisation"),
)

_table(
    "chain_consent",
    _id("vault"),
    _id("handle"),
    _int("state"),  # as in Consents: 1 granted, 2 revoked or burned, 3 emergency
    _int("emergency"),  # 1: it is or was one
    _int("generation"),
    _id("commitment", nullable=True),  # null: burned before it was granted, or an emergency
    _id("pointer", nullable=True),  # null: as commitment
    _id("account", nullable=True),  # who opened an emergency; this and the next: null for grants
    _id("organisation", nullable=True),
    _id("reason", nullable=True),
    _int("opened_seconds", nullable=True),
    _int("until_seconds", nullable=True),
    _int("review_due_seconds", nullable=True),
    _int("outcome"),  # of an emergency's review: 0 none, 1 justified, 2 unjustified
    _int("block_number"),
    PrimaryKeyConstraint("vault", "handle"),
    _between("state", 1, 3),
    _between("emergency", 0, 1),
    _between("outcome", 0, 2),
    Index(None, "handle"),
    Index(None, "organisation"),
)

_table(
    "chain_batch",
    _id("batch_id"),
    _id("organisation"),
    _id("root"),
    _int("count"),
    _bytes("manifest"),  # the CID as on chain
    _int("block_number"),
    _id("transaction_hash"),
    PrimaryKeyConstraint("batch_id"),
    Index(None, "organisation"),
    Index(None, "block_number"),
)

_table(
    "chain_leaf",
    _id("organisation"),
    _id("leaf"),
    _int("status"),  # as in Records: 1 superseded, 2 erased
    _id("successor", nullable=True),  # null: erased
    _int("block_number"),
    PrimaryKeyConstraint("organisation", "leaf"),
    _between("status", 1, 2),
    Index(None, "leaf"),
)

_table(
    "chain_audit_root",
    _id("organisation"),
    _int("seq"),
    _id("previous_root"),
    _id("root"),
    _int("count"),
    _int("block_number"),
    _id("transaction_hash"),
    PrimaryKeyConstraint("organisation", "seq"),
)

# --- Custody for others -------------------------------------------------------------------------

_table(
    "terms",
    _id("vault"),
    _id("handle"),
    _bytes("terms"),
    _id("salt"),
    _int("block_number"),
    PrimaryKeyConstraint("vault", "handle"),
    Index(None, "handle"),
)

_table(
    "custody_key",
    _id("public_digest"),
    _bytes("public"),
    _bytes("private_wrapped", nullable=True),  # null: destroyed
    _id("vault", nullable=True),  # null: still in the pool
    _int("epoch", nullable=True),  # null: still in the pool
    _text("state"),
    _int("created_ms"),
    PrimaryKeyConstraint("public_digest"),
    UniqueConstraint("vault", "epoch"),
    _one_of("state", "pool", "bound", "destroyed"),
    CheckConstraint("(state = 'destroyed') = (private_wrapped IS NULL)", "private"),
    CheckConstraint("(vault IS NULL) = (epoch IS NULL)", "binding"),
    _index_where("pool", "state = 'pool'", "created_ms", table="custody_key"),
)

# Keyed by batch too: an organisation that lists somebody else's record id must not hide the real
# entry.
_table(
    "manifest_entry",
    _id("batch_id"),
    _id("record_id"),
    _id("vault"),
    *_category(),
    _text("types"),
    _text("body_cid"),
    _id("body_digest"),
    _text("capsule_cid"),
    _text("indexes"),
    _id("organisation"),
    _bytes("author", length=20),
    _int("created_ms"),
    PrimaryKeyConstraint("batch_id", "record_id"),
    Index(None, "vault", "category"),
    Index(None, "record_id"),
)

_table(
    "release_nonce",
    _id("nonce"),
    _int("expires_ms"),
    PrimaryKeyConstraint("nonce"),
    Index(None, "expires_ms"),
)

_table(
    "refusal_counter",
    _id("fold"),
    _int("first_ms"),
    _int("count"),
    PrimaryKeyConstraint("fold"),
    CheckConstraint("count > 0", "count"),
    Index(None, "first_ms"),
)

# --- Audit --------------------------------------------------------------------------------------

_table(
    "audit_batch",
    Column("seq", _Int, primary_key=True, autoincrement=False),
    _id("previous_root"),
    _id("root"),
    _int("count"),
    _int("first_seq"),
    _int("last_seq"),  # first_seq - 1: an empty batch
    _id("filler", nullable=True),  # the one random leaf of an empty batch; null in all others
    _text("state"),
    _id("transaction_hash", nullable=True),  # null: not sent yet
    _int("block_number", nullable=True),  # null: not in a block yet
    _int("created_ms"),
    CheckConstraint("(filler IS NULL) = (last_seq >= first_seq)", "emptiness"),
    _one_of("state", "built", "sent", "anchored"),
)

_table(
    "audit_entry",
    Column("seq", _Int, primary_key=True, autoincrement=False),
    _id("previous"),
    _id("digest"),
    _bytes("entry"),
    _id("salt"),
    _id("leaf"),
    _id("vault", nullable=True),  # null: about no one vault
    _int("batch_seq", ForeignKey("audit_batch.seq"), nullable=True),  # null: not in a batch yet
    _int("created_ms"),
    UniqueConstraint("digest"),
    Index(None, "vault", "seq"),
    Index(None, "batch_seq"),
)

# --- People signed in, and copies of what they read ---------------------------------------------

_table(
    "session",
    _id("id"),
    _id("account"),
    _bytes("key_wrapped"),
    _int("expires_ms"),
    PrimaryKeyConstraint("id"),
    Index(None, "account"),
    Index(None, "expires_ms"),
)

_table(
    "remote_copy",
    _id("record_id"),
    _id("vault", ForeignKey("vault.tag")),
    _id("handle"),
    _bytes("content_wrapped"),
    _int("expires_ms"),
    PrimaryKeyConstraint("vault", "record_id", "handle"),
    Index(None, "vault", "handle"),
    Index(None, "expires_ms"),
)
