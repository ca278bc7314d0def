"""Tables of prescriptions: what is stated here, what the chain says, what is dispensed here."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, PrimaryKeyConstraint, UniqueConstraint

from simdes.index.columns import (
    Int,
    blob,
    id32,
    integer,
    one_of,
    partial_index,
    serial_id,
    string,
    table,
)

# A batch of statements of prescriptions, one in each period of the timetable.
table(
    "statement_batch",
    serial_id(),
    integer("slot"),
    id32("root"),
    blob("leaves"),  # 32 bytes each, in their places
    string("state"),
    integer("created_ms"),
    UniqueConstraint("slot"),
    UniqueConstraint("root"),
    one_of("state", "built", "inserted"),
    Index(None, "state"),
)

# A prescription that was written here; its secret and terms wrapped under the vault's key.
table(
    "prescription",
    serial_id(),
    id32("vault"),
    string("request"),
    id32("leaf"),
    blob("content_wrapped"),
    string("state"),
    Column("batch", Int, ForeignKey("statement_batch.id"), nullable=True),  # null: in none yet
    Column("place", Int, nullable=True),  # null: the same
    string("cancel"),
    integer("created_ms"),
    UniqueConstraint("leaf"),
    one_of("state", "stated", "built", "issued", "withdrawn"),
    one_of("cancel", "no", "wanted", "done"),
    Index(None, "vault", "request"),
    Index(None, "batch"),
    partial_index("stated", "state = 'stated'", "id", table="prescription"),
    partial_index("cancel", "cancel = 'wanted'", "id", table="prescription"),
)

# Vaults that are looked at for whom to tell of their prescriptions.
table("prescription_announce", id32("vault"), PrimaryKeyConstraint("vault"))

# Prescriptions (by tag) whose patient let a pharmacy in, in the order in which it is told of them.
table(
    "prescription_told",
    integer("number", primary_key=True, autoincrement=False),
    id32("prescription"),
    id32("vault"),
    id32("pharmacy"),
    id32("handle"),
    UniqueConstraint("prescription", "handle"),
    Index(None, "pharmacy", "number"),
    Index(None, "vault"),
)

# At the pharmacy: up to which number it heard a hospital.
table(
    "prescription_heard",
    id32("provider"),
    integer("number"),
    PrimaryKeyConstraint("provider"),
)

# At the pharmacy: in whose vault a prescription is, as its hospital told under this number.
table(
    "prescription_known",
    id32("prescription"),
    id32("vault"),
    id32("provider"),
    integer("number"),
    PrimaryKeyConstraint("prescription"),
    Index(None, "vault"),
)

# The forest of prescriptions as events tell it: the roots of batches by forest and place.
table(
    "chain_statement",
    integer("forest"),
    integer("place"),
    id32("organisation"),
    id32("root"),
    PrimaryKeyConstraint("forest", "place"),
    Index(None, "root"),
)

# Every step by which something was dispensed, by anybody.
table(
    "chain_dispense",
    id32("tag"),
    integer("part"),
    id32("pharmacy"),
    integer("fill_day"),
    PrimaryKeyConstraint("tag", "part"),
)

# What this organisation dispenses: from before its proof is sent until it is in the record.
table(
    "dispensing",
    serial_id(),
    id32("tag"),
    id32("vault"),
    string("request"),
    string("dispense"),
    integer("units_before"),
    integer("units_after"),
    integer("part_after"),
    blob("content_wrapped"),
    id32("account"),
    string("state"),
    integer("until_ms"),
    integer("created_ms"),
    one_of("state", "begun", "dispensed", "refused", "queued", "conflict"),
    Index(None, "tag"),
    Index(None, "vault"),
    partial_index("open", "state IN ('begun', 'queued')", "id", table="dispensing"),
)
