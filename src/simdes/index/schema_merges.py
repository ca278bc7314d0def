"""What patients are asked before records of theirs are joined; see `index.merge_questions`."""

from __future__ import annotations

from sqlalchemy import Index, PrimaryKeyConstraint

from simdes.index.columns import blob, id32, integer, one_of, string, table

# A merge that waits for the accounts that control its vaults. `id` is the digest of all of it.
table(
    "merge_question",
    id32("id"),
    id32("message"),  # the digest of the message that merges
    id32("prior"),
    id32("survivor"),
    id32("kept"),  # the one of the two that the records go on in
    id32("prior_control", nullable=True),  # null: nobody
    id32("survivor_control", nullable=True),
    integer("asked_ms"),
    integer("until_seconds"),
    PrimaryKeyConstraint("id"),
    Index(None, "message"),
    Index(None, "prior_control"),
    Index(None, "survivor_control"),
)

# What an account answered, signed by the key (address) that it had then.
table(
    "merge_answer",
    id32("question"),
    id32("account"),
    blob("address", length=20),
    string("state"),
    blob("signature", length=65),
    integer("answered_ms"),
    PrimaryKeyConstraint("question", "account", "address"),
    one_of("state", "accepted", "declined", "withdrawn"),
)
