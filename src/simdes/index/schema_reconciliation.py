"""Tables of comparing audit trails; see `simdes.index.schema`."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, PrimaryKeyConstraint

from simdes.index.columns import (
    blob,
    id32,
    integer,
    one_of,
    partial_index,
    serial_id,
    string,
    table,
)

# What is being opened elsewhere; a row without an entry is under way, or was when we died.
table(
    "audit_opening",
    id32("id"),
    id32("vault"),
    blob("attempt_wrapped"),
    integer("begun_ms"),
    integer("seq", nullable=True),  # null: nothing is written down yet
    PrimaryKeyConstraint("id"),
    Index(None, "vault", "begun_ms"),
    partial_index("open", "seq IS NULL", "begun_ms", table="audit_opening"),
)

# What must stand in another organisation's trail, too, until it was found there.
table(
    "audit_witness",
    serial_id(),
    integer("seq"),  # our own entry of the same
    id32("organisation"),
    string("verb"),
    string("reason"),
    integer("said_ms"),
    blob("records"),  # 32 bytes each, one after the other
    blob("token", nullable=True),  # the receipt; null: our own entry is all there is
    integer("first_ms", nullable=True),  # null: was not asked about yet
    Index(None, "organisation", "id"),
    serial=True,
)

table(
    "audit_finding",
    id32("id"),
    string("kind"),
    id32("organisation"),
    id32("vault", nullable=True),  # null: about no one vault
    integer("seq", nullable=True),  # our own entry; null: there is none of it
    integer("batch_seq", nullable=True),  # their batch; null: they showed none
    blob("token", nullable=True),  # a receipt that speaks against them
    integer("found_ms"),
    integer("again_ms"),
    string("state"),
    string("why"),  # of closing it
    string("closed_by"),
    integer("closed_ms", nullable=True),  # null: open
    PrimaryKeyConstraint("id"),
    one_of("state", "open", "closed"),
    CheckConstraint("(state = 'closed') = (closed_ms IS NOT NULL)", "closed"),
    Index(None, "organisation"),
    Index(None, "state", "found_ms"),
)
