"""Tables of insurance claims: costs that are stated here, and what is done with claims here."""

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

# A batch of statements of costs, one in each period of the timetable.
table(
    "cost_batch",
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
    serial=True,
)

# What an encounter costs, as it is stated; what it says is wrapped under the vault's key.
table(
    "cost",
    serial_id(),
    id32("vault"),
    string("encounter"),
    integer("version"),
    id32("leaf"),
    blob("content_wrapped"),
    string("state"),
    Column("batch", Int, ForeignKey("cost_batch.id"), nullable=True),  # null: in none yet
    Column("place", Int, nullable=True),  # null: the same
    integer("waits"),  # 1: is to be claimed, or looked at again
    integer("created_ms"),
    UniqueConstraint("leaf"),
    UniqueConstraint("vault", "encounter", "version"),
    one_of("state", "stated", "built", "issued"),
    Index(None, "batch"),
    partial_index("stated", "state = 'stated'", "id", table="cost"),
    partial_index("waits", "state = 'issued' AND waits = 1", "id", table="cost"),
    serial=True,
)

# What this organisation does with a claim: from before it is sent until the ledger has it.
table(
    "claim_step",
    serial_id(),
    id32("claim"),
    id32("tag"),
    id32("vault"),
    string("resource"),
    string("encounter"),
    id32("other"),
    string("verb"),
    id32("expects"),
    blob("content_wrapped"),
    id32("account"),
    string("state"),
    integer("ended"),  # 1: its claim needs nothing more of its provider
    integer("until_ms"),
    integer("created_ms"),
    one_of("verb", "open", "ask", "adjudicate", "settle", "reverse", "free"),
    one_of("state", "begun", "done", "refused"),
    Index(None, "claim"),
    Index(None, "tag"),
    Index(None, "vault"),
    partial_index("begun", "state = 'begun'", "id", table="claim_step"),
    partial_index("running", "verb = 'open' AND ended = 0", "id", table="claim_step"),
    serial=True,
)

# A provider's claims that their insurer may look at, in the order in which it is told of them.
table(
    "claim_told",
    integer("number", primary_key=True, autoincrement=False),
    id32("claim"),
    id32("vault"),
    id32("insurer"),
    UniqueConstraint("claim"),
    Index(None, "insurer", "number"),
)

# At the insurer: up to which number it heard a provider.
table(
    "claim_heard",
    id32("provider"),
    integer("number"),
    PrimaryKeyConstraint("provider"),
)

# At the insurer: in whose vault a claim is, as its provider told under this number.
table(
    "claim_known",
    id32("claim"),
    id32("vault"),
    id32("provider"),
    integer("number"),
    PrimaryKeyConstraint("claim"),
    Index(None, "provider", "number"),
)

# How each claim that was opened here stood when its provider's software last looked.
table(
    "claim_news",
    id32("claim"),
    id32("vault"),
    id32("insurer"),
    integer("state"),
    integer("at_ms"),
    PrimaryKeyConstraint("claim"),
    Index("ix_claim_news_vault_at_ms", "vault", "at_ms"),
)
