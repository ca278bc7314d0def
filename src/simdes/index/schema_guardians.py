"""Guardians of people hosted here, whose guardians they are, recoveries; see `index.schema`."""

from __future__ import annotations

from sqlalchemy import PrimaryKeyConstraint

from simdes.index.columns import blob, id32, integer, one_of, string, table

# The sets that people of ours appointed: one row for each guardian of a set.
table(
    "guardian",
    id32("account"),  # whose guardian
    id32("root"),  # the set, as it stands on chain
    integer("number"),  # the guardian's place in the set
    blob("details_wrapped"),
    integer("told"),  # 1: the guardian's organisation has it
    PrimaryKeyConstraint("account", "root", "number"),
)

# Whose guardians people of ours are.
table(
    "guardianship",
    id32("guardian"),
    id32("account"),
    id32("root"),  # the set
    blob("details_wrapped"),
    integer("received_ms"),
    PrimaryKeyConstraint("guardian", "account", "root"),
)

# New keys of people of ours who lost theirs, until the chain has one of them or time is over.
table(
    "recovery",
    id32("account"),
    blob("address", length=20),
    blob("locked_wrapped"),  # the new key, locked under the new passphrase
    integer("nonce"),
    integer("deadline_seconds"),
    integer("begun_ms"),
    string("state"),
    PrimaryKeyConstraint("account", "address"),
    one_of("state", "open", "sent"),
)

# What guardians signed for one of them.
table(
    "recovery_proof",
    id32("account"),
    blob("address", length=20),
    blob("signer", length=20),
    blob("proof"),
    PrimaryKeyConstraint("account", "address", "signer"),
)

# What guardians of people of ours sign to freeze their accounts, until it is sent or time is over.
table(
    "account_freeze",
    id32("account"),
    integer("nonce"),
    integer("deadline_seconds"),
    integer("begun_ms"),
    PrimaryKeyConstraint("account"),
)

# What each of them signed.
table(
    "freeze_proof",
    id32("account"),
    blob("signer", length=20),
    blob("proof"),
    PrimaryKeyConstraint("account", "signer"),
)

# What administrators signed who saw a person of ours and their papers.
table(
    "recovery_attestation",
    id32("account"),
    blob("address", length=20),  # the new key
    id32("organisation"),
    blob("details_wrapped"),
    PrimaryKeyConstraint("account", "address", "organisation"),
)
