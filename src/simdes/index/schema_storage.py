"""Tables of the content store: what is ours, who keeps copies of it, what is kept for others.

A part of `simdes.index.schema`. CIDs of sealed bytes alone; nothing here says whose they are.
"""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, PrimaryKeyConstraint

from simdes.index.columns import between, blob, id32, integer, one_of, string, table

table(
    "content",
    string("cid"),
    string("kind"),
    id32("record_id", nullable=True),  # null: of no single record
    string("state"),
    string("plan"),  # the choice of keepers that `content_copy` follows; "" before the first
    integer("created_ms"),
    integer("next_ms"),  # when it is read again here
    integer("damaged"),  # 1: it was missing or wrong here when it was read last
    PrimaryKeyConstraint("cid"),
    one_of("kind", "body", "capsule", "manifest", "vault", "letter", "organisation"),
    one_of("state", "kept", "erasing", "erased"),
    between("damaged", 0, 1),
    Index(None, "state", "next_ms"),
    Index(None, "state", "plan"),
    Index(None, "record_id"),
)

table(
    "copy_receipt",
    id32("digest"),
    id32("organisation"),
    blob("token"),  # the signed answer: what that organisation said of which contents
    integer("received_ms"),
    PrimaryKeyConstraint("digest"),
)

table(
    "content_copy",
    string("cid", ForeignKey("content.cid")),
    id32("organisation"),
    string("state"),
    integer("assigned"),  # 0: kept there from an earlier choice; does not count
    integer("tries"),
    integer("next_ms"),  # when that organisation is asked about it again
    id32("receipt", ForeignKey("copy_receipt.digest"), nullable=True),  # null: never confirmed
    PrimaryKeyConstraint("cid", "organisation"),
    one_of("state", "wanted", "held", "dropping", "dropped"),
    between("assigned", 0, 1),
    Index(None, "organisation", "state", "next_ms"),
    Index(None, "state", "assigned"),
    Index(None, "receipt"),
)

table(
    "kept_content",
    string("cid"),
    id32("organisation"),  # whose it is
    integer("bytes"),
    string("state"),
    integer("tries"),
    integer("next_ms"),  # when it is fetched, read or deleted next
    PrimaryKeyConstraint("cid", "organisation"),
    one_of("state", "wanted", "held", "dropping", "dropped"),
    Index(None, "state", "next_ms"),
    Index(None, "organisation", "state", "bytes"),
)

table(
    "duty",
    string("name"),
    string("holder", nullable=True),  # null: nobody does it now
    integer("held_until_ms"),
    PrimaryKeyConstraint("name"),
)
