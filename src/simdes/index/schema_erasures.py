"""What organisations signed of erasing vaults; see `simdes.index.schema`."""

from __future__ import annotations

from sqlalchemy import PrimaryKeyConstraint

from simdes.index.columns import blob, id32, integer, one_of, string, table

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
