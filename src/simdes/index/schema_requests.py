"""What staff asked patients for, why they broke glass, and what patients want corrected elsewhere;
see `simdes.index.schema`."""

from __future__ import annotations

from sqlalchemy import Index, PrimaryKeyConstraint

from simdes.index.columns import (
    between,
    blob,
    id32,
    integer,
    one_of,
    partial_index,
    string,
    table,
)

# What somebody asked a patient whose account is hosted here to open to them.
table(
    "access_request",
    id32("id"),
    id32("vault"),
    id32("account"),
    id32("organisation"),
    integer("role"),
    integer("categories"),
    integer("purpose"),
    integer("days"),
    blob("words_wrapped"),  # the asker's name and reason
    integer("asked_ms"),
    string("state"),
    integer("answered_ms", nullable=True),  # not yet
    id32("handle", nullable=True),  # the consent that came of it
    PrimaryKeyConstraint("id"),
    one_of("state", "waiting", "accepted", "declined"),
    between("days", 1, 366),
    Index("ix_access_request_vault_account", "vault", "account"),
)

# Why an emergency was opened, at who opened it and at who hosts the patient's account.
table(
    "emergency_reason",
    id32("vault"),
    id32("handle"),
    blob("words_wrapped"),  # the salt of the digest on chain, code and text
    integer("told_ms", nullable=True),  # the patient's organisation does not know it yet
    integer("created_ms"),
    PrimaryKeyConstraint("vault", "handle"),
)

# What patients here asked to have corrected that another organisation wrote, until it was told.
table(
    "correction_sent",
    string("id"),  # of the Communication
    id32("vault"),
    id32("author"),
    string("about"),  # Type/id of the entry
    blob("words_wrapped", nullable=True),  # gone once they were told
    integer("asked_ms"),
    integer("next_ms"),
    integer("settled_ms", nullable=True),  # neither told nor turned away yet
    string("state"),
    PrimaryKeyConstraint("id"),
    one_of("state", "waiting", "told", "refused"),
    Index(None, "vault"),
    partial_index("waiting", "state = 'waiting'", "next_ms", table="correction_sent"),
)

# What other organisations told us that their patients want corrected of what we wrote.
table(
    "correction_heard",
    string("id"),
    id32("vault"),
    id32("teller"),
    string("about"),
    blob("words_wrapped", nullable=True),  # gone once they were answered
    integer("heard_ms"),
    integer("answered_ms", nullable=True),  # not yet
    PrimaryKeyConstraint("id"),
    Index(None, "vault"),
    partial_index("waiting", "answered_ms IS NULL", "heard_ms", table="correction_heard"),
)
