"""Tables of fingerprints across insurers; see `simdes.index.schema`."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, PrimaryKeyConstraint

from simdes.index.columns import blob, id32, integer, one_of, serial_id, string, table

# Keys of which this organisation holds a share, or is to hold one: what its operator agreed to,
# what it dealt, and, wrapped, its share.
table(
    "fingerprint_plan",
    id32("plan"),
    blob("content"),
    string("state"),
    blob("dealing", nullable=True),
    id32("key", nullable=True),
    blob("share_wrapped", nullable=True),
    integer("agreed_ms"),
    PrimaryKeyConstraint("plan"),
    one_of("state", "agreed", "held", "ended"),
    CheckConstraint("(state = 'held') = (share_wrapped IS NOT NULL)", "held"),
    Index(None, "key"),
)

# Finished keys that this organisation works with; the newest one is meant.
table(
    "fingerprint_key",
    id32("key"),
    blob("content"),
    integer("adopted_ms"),
    PrimaryKeyConstraint("key"),
    Index(None, "adopted_ms"),
)

# What each insurer had us evaluate in a day, so that nobody can try out who was treated.
table(
    "fingerprint_spent",
    id32("organisation"),
    integer("day"),
    integer("spent"),
    PrimaryKeyConstraint("organisation", "day"),
)

# What an insurer published, in batches among dummies.
table(
    "fingerprint_batch",
    serial_id(),
    id32("function"),
    blob("content"),
    integer("made_ms"),
    serial=True,
)

# An insurer's own lines: what each fingerprint is of.
table(
    "fingerprint_line",
    id32("function"),
    blob("fingerprint", length=16),
    string("kind"),
    string("matched_by"),
    string("detail"),
    string("claim"),
    integer("line"),
    string("day"),
    integer("coordinated"),
    integer("accepted"),
    integer("batch", nullable=True),
    PrimaryKeyConstraint("function", "fingerprint", "claim", "line"),
    Index(None, "claim"),
    Index(None, "batch"),
)

# What other insurers published, and how far we have read.
table(
    "fingerprint_seen",
    id32("function"),
    blob("fingerprint", length=16),
    id32("organisation"),
    integer("batch"),
    PrimaryKeyConstraint("function", "fingerprint", "organisation"),
)
table(
    "fingerprint_read",
    id32("function"),
    id32("organisation"),
    integer("batch"),
    PrimaryKeyConstraint("function", "organisation"),
)
