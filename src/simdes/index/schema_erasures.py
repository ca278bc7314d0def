"""What organisations signed of erasing vaults; see `simdes.index.schema`."""

from __future__ import annotations

from sqlalchemy import PrimaryKeyConstraint

from simdes.index.columns import blob, id32, integer, one_of, partial_index, string, table

# Erasures that were asked for here, each gone on with until everybody signed.
table(
    "erasure",
    id32("vault"),
    string("signed"),  # the patient's order; "": this organisation's software asks
    integer("begun_ms"),
    integer("tries"),  # in a row that brought no receipt
    integer("next_ms"),
    integer("settled_ms", nullable=True),  # NULL: somebody has not signed
    PrimaryKeyConstraint("vault"),
    partial_index("due", "settled_ms IS NULL", "next_ms", table="erasure"),
)

# Why an organisation has not signed, as found last; gone with its receipt.
table(
    "erasure_missing",
    id32("vault"),
    id32("organisation"),
    string("why"),
    integer("asked_ms"),
    PrimaryKeyConstraint("vault", "organisation"),
)

# Of erasures that were asked for here: one row for each organisation that signed.
table(
    "erasure_receipt",
    id32("vault"),
    id32("organisation"),
    integer("epochs"),  # its keys of this epoch and all before it are gone
    string("chart"),
    string("duty"),  # the law by which a chart is kept
    blob("token"),  # the signed answer
    integer("received_ms"),
    PrimaryKeyConstraint("vault", "organisation"),
    one_of("chart", "none", "erased", "kept"),
)
