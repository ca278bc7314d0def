"""SMART Health Links that patients here made; see `simdes.index.schema`."""

from __future__ import annotations

from sqlalchemy import Index, PrimaryKeyConstraint

from simdes.index.columns import blob, id32, integer, string, table

# A link: who has its address and key reads `content`, a JWE that only they can open.
table(
    "health_link",
    id32("id"),  # a digest of what stands in its address
    id32("vault"),
    blob("details_wrapped"),  # label, address and key, under the vault's local key
    string("flags"),
    blob("passcode", nullable=True),  # null: none; keyed digest
    blob("content"),
    integer("tries"),  # wrong passcodes that are left
    integer("created_ms"),
    integer("changed_ms"),
    integer("expires_ms"),
    PrimaryKeyConstraint("id"),
    Index("ix_health_link_vault_created_ms", "vault", "created_ms"),
)

# Who opened a link, or tried to: what they call themselves.
table(
    "health_link_use",
    id32("link"),
    integer("number"),
    blob("recipient_wrapped"),  # under the vault's local key
    integer("opened"),  # 0: a wrong passcode
    integer("at_ms"),
    PrimaryKeyConstraint("link", "number"),
)
