"""Tables of vaults' next epochs; see `simdes.index.schema`."""

from __future__ import annotations

from sqlalchemy import Index, PrimaryKeyConstraint

from simdes.index.columns import blob, id32, integer, one_of, string, table

# What this organisation sees to: one at a time for each vault.
table(
    "renewal",
    id32("tag"),
    integer("epoch"),
    id32("descriptor"),
    integer("m"),
    integer("n"),
    integer("deadline_seconds"),
    blob("signatures"),  # 65 bytes each, one after the other
    string("state"),
    PrimaryKeyConstraint("tag"),
    one_of("state", "agreed", "done"),
    Index(None, "state"),
)

# Where a record's capsule of a later epoch than the one it was written in lies.
table(
    "renewed_capsule",
    id32("record_id"),
    integer("epoch"),
    id32("vault"),
    string("capsule_cid"),
    PrimaryKeyConstraint("record_id", "epoch"),
    Index(None, "vault", "epoch"),
)
