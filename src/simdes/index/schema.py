"""Every table of the gateway's database, as SQLAlchemy metadata for DDL and migrations only.

The path of a request never imports this file: verbs use plain SQL. Conventions: times are unix
milliseconds; identifiers and digests are 32 bytes; flags are 0 or 1; content in ``…_wrapped``
columns was encrypted by the caller; label sets are bit sets of 63 bits at most. A column is NOT
NULL unless a comment says why. Foreign keys carry an index of their own, or lead another.
"""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    UniqueConstraint,
    text,
)

from simdes.index import (
    schema_authorization,
    schema_bulk,
    schema_claims,
    schema_counts,
    schema_credentials,
    schema_erasures,
    schema_facade,
    schema_fingerprints,
    schema_guardians,
    schema_links,
    schema_mail,
    schema_merges,
    schema_network,
    schema_prescriptions,
    schema_reconciliation,
    schema_renewals,
    schema_requests,
    schema_search,
    schema_storage,
    schema_studies,
    schema_subscriptions,
)
from simdes.index.columns import (
    Int,
    between,
    blob,
    category,
    id32,
    integer,
    metadata,
    one_of,
    partial_index,
    serial_id,
    string,
    table,
)

__all__ = [
    "metadata",
    "schema_authorization",
    "schema_bulk",
    "schema_claims",
    "schema_counts",
    "schema_credentials",
    "schema_erasures",
    "schema_facade",
    "schema_fingerprints",
    "schema_guardians",
    "schema_links",
    "schema_mail",
    "schema_merges",
    "schema_network",
    "schema_prescriptions",
    "schema_reconciliation",
    "schema_renewals",
    "schema_requests",
    "schema_search",
    "schema_storage",
    "schema_studies",
    "schema_subscriptions",
]

# --- Patients' vaults and their resources -------------------------------------------------------

table(
    "vault",
    Column("tag", LargeBinary, CheckConstraint("length(tag) = 32", "tag"), primary_key=True),
    integer("m"),
    integer("n"),
    integer("epoch"),
    string("descriptor_cid"),
    id32("control", nullable=True),  # null: provisional, no patient holds it yet
    integer("home"),  # 1: this organisation opened it
    blob("key_wrapped", nullable=True),  # null: erased
    string("state"),
    integer("created_ms"),
    CheckConstraint("m BETWEEN 1 AND n", "m"),
    between("home", 0, 1),
    one_of("state", "opening", "open", "erased"),
    Index(None, "control"),
    Index(None, "state", "created_ms"),
)

table(
    "identifier",
    string("system"),
    string("value"),
    id32("tag", ForeignKey("vault.tag"), nullable=False),
    PrimaryKeyConstraint("system", "value"),
    Index(None, "tag"),
)

table(
    "vault_merge",
    id32("prior", ForeignKey("vault.tag")),
    id32("survivor", ForeignKey("vault.tag")),
    string("state"),
    integer("created_ms"),
    PrimaryKeyConstraint("prior", "survivor"),
    one_of("state", "moved", "waiting"),
    CheckConstraint("prior <> survivor", "two"),
    Index(None, "survivor"),
)

table(
    "source",
    serial_id(),
    id32("digest"),
    string("kind"),
    blob("content_wrapped"),
    id32("vault", ForeignKey("vault.tag"), nullable=True),  # null: of several patients
    integer("received_ms"),
    integer("resources"),
    UniqueConstraint("digest"),
    Index(None, "vault"),
    serial=True,
)

table(
    "quarantine",
    serial_id(),
    id32("digest"),
    string("name"),
    integer("position"),  # of the message in its input, from 0
    string("kind"),
    string("event"),
    string("sender"),
    string("code"),
    string("reason"),
    string("advice"),
    blob("content_wrapped", nullable=True),  # null: removed by retention
    integer("received_ms"),
    integer("tried_ms", nullable=True),  # null: never replayed
    integer("settled_ms", nullable=True),  # null: open
    string("state"),
    UniqueConstraint("digest"),
    one_of("state", "open", "replayed", "dismissed"),
    CheckConstraint("(state = 'open') = (settled_ms IS NULL)", "settled"),
    CheckConstraint("state <> 'open' OR content_wrapped IS NOT NULL", "content"),
    Index(None, "state", "received_ms", "position", "id"),
    serial=True,
)

# Everything that was ever decided about a document; rows are only added.
table(
    "quarantine_action",
    serial_id(),
    integer("quarantine_id", ForeignKey("quarantine.id")),
    string("action"),
    id32("account", nullable=True),  # null: the operator, by the program itself
    blob("why_wrapped", nullable=True),  # null: no reason is asked for
    id32("digest", nullable=True),  # null: not a correction
    blob("content_wrapped", nullable=True),  # null: no correction, or removed by retention
    integer("source_id", ForeignKey("source.id"), nullable=True),  # null: nothing was accepted
    integer("created_ms"),
    one_of("action", "corrected", "refused", "replayed", "dismissed", "reopened", "expired"),
    CheckConstraint("(action = 'corrected') = (digest IS NOT NULL)", "corrected"),
    CheckConstraint("content_wrapped IS NULL OR digest IS NOT NULL", "content"),
    CheckConstraint("source_id IS NULL OR action = 'replayed'", "source"),
    Index(None, "quarantine_id"),
    partial_index("source_id", "source_id IS NOT NULL", "source_id", table="quarantine_action"),
    serial=True,
)

# --- Sealed records and anchor batches ----------------------------------------------------------

table(
    "batch",
    Column("batch_id", LargeBinary, CheckConstraint("length(batch_id) = 32", "batch_id")),
    id32("root"),
    integer("count"),
    string("manifest_cid"),
    string("state"),
    id32("transaction_hash", nullable=True),  # null: not sent yet
    integer("block_number", nullable=True),  # null: not in a block yet
    integer("created_ms"),
    PrimaryKeyConstraint("batch_id"),
    CheckConstraint("count > 0", "count"),
    one_of("state", "built", "sent", "anchored"),
    partial_index("unfinished", "state <> 'anchored'", "created_ms", table="batch"),
)

table(
    "record",
    id32("record_id"),
    id32("vault", ForeignKey("vault.tag")),
    *category(),
    integer("epoch"),
    string("body_cid"),
    id32("body_digest"),
    string("capsule_cid"),
    id32("organisation"),
    blob("author", length=20),
    id32("batch_id", ForeignKey("batch.batch_id"), nullable=True),  # null: not in a batch yet
    integer("created_ms"),
    PrimaryKeyConstraint("record_id"),
    Index(None, "vault"),
    Index(None, "batch_id"),
    partial_index("unbatched", "batch_id IS NULL", "created_ms", table="record"),
)

table(
    "resource",
    serial_id(),
    string("type"),
    string("logical_id"),
    integer("version"),
    id32("vault", ForeignKey("vault.tag")),
    *category(),
    blob("content_wrapped"),
    id32("digest"),
    id32("salt"),
    string("state"),
    id32("record_id", ForeignKey("record.record_id"), nullable=True),  # null: not sealed yet
    id32("leaf", nullable=True),  # null: not sealed yet
    integer("source_id", ForeignKey("source.id"), nullable=True),  # null: came by the FHIR API
    integer("created_ms"),
    # 1: a tombstone. Default and rule stand with the column, as SQLite adds columns.
    Column(
        "deleted",
        Int,
        CheckConstraint("deleted BETWEEN 0 AND 1", "deleted"),
        nullable=False,
        server_default=text("0"),
    ),
    id32("account", nullable=True),  # who wrote it over the API; null: came by a feed
    UniqueConstraint("type", "logical_id", "vault", "version"),
    one_of("state", "pending", "sealed", "anchored"),
    Index(None, "vault", "category"),
    # Partial: a new version touches neither, which saves a fifth of what its commit writes.
    partial_index("record_id", "record_id IS NOT NULL", "record_id", table="resource"),
    partial_index("source_id", "source_id IS NOT NULL", "source_id", table="resource"),
    serial=True,
)

table(
    "resource_moment",
    integer("resource_id", ForeignKey("resource.id"), primary_key=True, autoincrement=False),
    integer("event_ms", nullable=True),  # null: the sender did not say
    integer("sent_ms", nullable=True),  # null: the sender did not say
    CheckConstraint("event_ms IS NOT NULL OR sent_ms IS NOT NULL", "said"),
)

table(
    "leaf",
    id32("leaf"),
    id32("record_id", ForeignKey("record.record_id"), nullable=True),  # null: fills an empty batch
    integer("resource_id", ForeignKey("resource.id"), nullable=True),  # null: fills an empty batch
    integer("place"),  # order inside its record
    id32("batch_id", ForeignKey("batch.batch_id"), nullable=True),  # null: not in a batch yet
    integer("position", nullable=True),  # null: not in a batch yet
    PrimaryKeyConstraint("leaf"),
    UniqueConstraint("batch_id", "position"),
    UniqueConstraint("record_id", "place"),
    Index(None, "resource_id"),
)

# --- Work to do, and what was sent --------------------------------------------------------------

# No index on the lease: claims walk the ids in order, past the few rows that are claimed now.
table(
    "outbox",
    serial_id(),
    integer("resource_id", ForeignKey("resource.id")),
    string("claimed_by", nullable=True),  # null: nobody works on it
    integer("claimed_until_ms"),
    integer("attempts"),
    UniqueConstraint("resource_id"),
    serial=True,
)

# A refused transaction's nonce is used again, so (lane, nonce) is not unique.
table(
    "ledger_transaction",
    id32("hash"),
    string("lane"),
    integer("nonce"),
    blob("raw"),
    string("label"),
    string("state"),
    integer("block_number", nullable=True),  # null: not in a block
    PrimaryKeyConstraint("hash"),
    one_of("state", "sent", "succeeded", "reverted", "refused"),
    partial_index("unsettled", "state = 'sent'", "lane", "nonce", table="ledger_transaction"),
)

table(
    "checkpoint",
    string("name"),
    integer("block_number"),
    id32("block_hash"),
    PrimaryKeyConstraint("name"),
)

# --- People signed in, and copies of what they read ---------------------------------------------

table(
    "session",
    id32("id"),
    id32("account"),
    blob("key_wrapped", nullable=True),  # null: the organisation's agent, whose key is at hand
    id32(  # null: no app's
        "grant_id", ForeignKey("authorization_grant.id", ondelete="CASCADE"), nullable=True
    ),
    id32("vault", nullable=True),  # null: no patient in context
    integer("expires_ms"),
    PrimaryKeyConstraint("id"),
    Index(None, "account"),
    Index(None, "grant_id"),
    Index(None, "expires_ms"),
)

table(
    "remote_copy",
    id32("record_id"),
    id32("vault", ForeignKey("vault.tag")),
    id32("handle"),
    blob("content_wrapped"),
    integer("expires_ms"),
    PrimaryKeyConstraint("vault", "record_id", "handle"),
    Index(None, "vault", "handle"),
    Index(None, "expires_ms"),
)
