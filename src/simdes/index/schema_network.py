"""Tables about the network: what the chain says, what a custodian keeps for others, who looked.

Part of `simdes.index.schema`, which says what columns mean.
"""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    UniqueConstraint,
)

from simdes.index.columns import (
    Int,
    between,
    blob,
    category,
    id32,
    integer,
    one_of,
    partial_index,
    string,
    table,
)

# --- Read model of the chain's events -----------------------------------------------------------

table(
    "chain_organisation",
    id32("id"),
    integer("kind"),
    integer("state"),
    id32("descriptor"),
    id32("account"),
    integer("block_number"),
    PrimaryKeyConstraint("id"),
)

table(
    "chain_account",
    id32("id"),
    id32("organisation"),
    integer("role"),
    integer("state"),
    blob("address", length=20),
    integer("frozen"),
    integer("block_number"),
    PrimaryKeyConstraint("id"),
    between("frozen", 0, 1),
    Index(None, "address"),
    Index(None, "organisation"),
)

table(
    "chain_vault",
    id32("tag"),
    id32("organisation"),
    id32("descriptor"),
    integer("m"),
    integer("n"),
    integer("epoch"),
    integer("generation"),
    id32("control", nullable=True),  # null: provisional
    integer("block_number"),
    PrimaryKeyConstraint("tag"),
    Index(None, "control"),
    Index(None, "organisation"),
)

table(
    "chain_epoch",
    id32("tag"),
    integer("epoch"),
    id32("descriptor"),
    PrimaryKeyConstraint("tag", "epoch"),
)

table(
    "chain_consent",
    id32("vault"),
    id32("handle"),
    integer("state"),  # as in Consents: 1 granted, 2 revoked or burned, 3 emergency
    integer("emergency"),  # 1: it is or was one
    integer("generation"),
    id32("commitment", nullable=True),  # null: burned before it was granted, or an emergency
    id32("pointer", nullable=True),  # null: as commitment
    id32("account", nullable=True),  # who opened an emergency; this and the next: null for grants
    id32("organisation", nullable=True),
    id32("reason", nullable=True),
    integer("opened_seconds", nullable=True),
    integer("until_seconds", nullable=True),
    integer("review_due_seconds", nullable=True),
    integer("outcome"),  # of an emergency's review: 0 none, 1 justified, 2 unjustified
    integer("block_number"),
    PrimaryKeyConstraint("vault", "handle"),
    between("state", 1, 3),
    between("emergency", 0, 1),
    between("outcome", 0, 2),
    Index(None, "handle"),
    Index(None, "organisation"),
)

table(
    "chain_batch",
    id32("batch_id"),
    id32("organisation"),
    id32("root"),
    integer("count"),
    blob("manifest"),  # the CID as on chain
    integer("block_number"),
    id32("transaction_hash"),
    PrimaryKeyConstraint("batch_id"),
    Index(None, "organisation"),
    Index(None, "block_number"),
)

table(
    "chain_leaf",
    id32("organisation"),
    id32("leaf"),
    integer("status"),  # as in Records: 1 superseded, 2 erased
    id32("successor", nullable=True),  # null: erased
    integer("block_number"),
    PrimaryKeyConstraint("organisation", "leaf"),
    between("status", 1, 2),
    Index(None, "leaf"),
)

table(
    "chain_audit_root",
    id32("organisation"),
    integer("seq"),
    id32("previous_root"),
    id32("root"),
    integer("count"),
    integer("block_number"),
    id32("transaction_hash"),
    PrimaryKeyConstraint("organisation", "seq"),
    Index(None, "root"),
)

# --- Custody for others -------------------------------------------------------------------------

table(
    "terms",
    id32("vault"),
    id32("handle"),
    blob("terms"),
    id32("salt"),
    integer("block_number"),
    blob("records", nullable=True),  # null: the consent names no records
    PrimaryKeyConstraint("vault", "handle"),
    Index(None, "handle"),
)

table(
    "custody_key",
    id32("public_digest"),
    blob("public"),
    blob("private_wrapped", nullable=True),  # null: destroyed
    id32("vault", nullable=True),  # null: still in the pool
    integer("epoch", nullable=True),  # null: still in the pool
    string("state"),
    integer("created_ms"),
    PrimaryKeyConstraint("public_digest"),
    UniqueConstraint("vault", "epoch"),
    one_of("state", "pool", "bound", "destroyed"),
    CheckConstraint("(state = 'destroyed') = (private_wrapped IS NULL)", "private"),
    CheckConstraint("(vault IS NULL) = (epoch IS NULL)", "binding"),
    partial_index("pool", "state = 'pool'", "created_ms", table="custody_key"),
)

# Keyed by batch too: an organisation that lists somebody else's record id must not hide the real
# entry.
table(
    "manifest_entry",
    id32("batch_id"),
    id32("record_id"),
    id32("vault"),
    *category(),
    string("types"),
    string("body_cid"),
    id32("body_digest"),
    string("capsule_cid"),
    string("indexes"),
    id32("organisation"),
    blob("author", length=20),
    integer("created_ms"),
    PrimaryKeyConstraint("batch_id", "record_id"),
    Index(None, "vault", "category"),
    Index(None, "record_id"),
)

table(
    "release_nonce",
    id32("nonce"),
    integer("expires_ms"),
    PrimaryKeyConstraint("nonce"),
    Index(None, "expires_ms"),
)

table(
    "refusal_counter",
    id32("fold"),
    integer("first_ms"),
    integer("count"),
    PrimaryKeyConstraint("fold"),
    CheckConstraint("count > 0", "count"),
    Index(None, "first_ms"),
)

# --- Audit --------------------------------------------------------------------------------------

table(
    "audit_batch",
    Column("seq", Int, primary_key=True, autoincrement=False),
    id32("previous_root"),
    id32("root"),
    integer("count"),
    integer("first_seq"),
    integer("last_seq"),  # first_seq - 1: an empty batch
    id32("filler", nullable=True),  # the one random leaf of an empty batch; null in all others
    string("state"),
    id32("transaction_hash", nullable=True),  # null: not sent yet
    integer("block_number", nullable=True),  # null: not in a block yet
    integer("created_ms"),
    CheckConstraint("(filler IS NULL) = (last_seq >= first_seq)", "emptiness"),
    one_of("state", "built", "sent", "anchored"),
)

table(
    "audit_entry",
    Column("seq", Int, primary_key=True, autoincrement=False),
    id32("previous"),
    id32("digest"),
    blob("entry"),
    id32("salt"),
    id32("leaf"),
    id32("vault", nullable=True),  # null: about no one vault
    integer("batch_seq", ForeignKey("audit_batch.seq"), nullable=True),  # null: not in a batch yet
    integer("created_ms"),
    UniqueConstraint("digest"),
    Index(None, "vault", "seq"),
    Index(None, "batch_seq"),
    Index(None, "created_ms"),
)

# --- The schema itself --------------------------------------------------------------------------

# One row: the revision of the oldest program that may still run on this schema.
table(
    "schema_release",
    integer("id", autoincrement=False),
    string("oldest"),
    PrimaryKeyConstraint("id"),
    between("id", 1, 1),
)
