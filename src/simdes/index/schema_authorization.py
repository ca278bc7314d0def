"""The tables of the authorization server; see `simdes.index.schema` for the conventions.

Codes, tokens and handles stand here as digests alone: whoever reads this database can present none
of them. Account keys are wrapped under those secrets.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, PrimaryKeyConstraint

from simdes.index.columns import between, blob, id32, integer, one_of, string, table

table(
    "client",
    string("id"),
    string("name"),
    string("kind"),
    id32("secret_digest", nullable=True),  # null: it has no secret
    string("keys", nullable=True),  # null: it has no keys, or they are at keys_url
    string("keys_url", nullable=True),  # null: keys by value, or none
    string("redirect_uris"),  # a JSON list
    string("launch_url", nullable=True),  # null: it isn't started from here
    string("scope"),  # the most it may ask for
    integer("created_ms"),
    PrimaryKeyConstraint("id"),
    one_of("kind", "public", "confidential", "backend"),
    CheckConstraint("keys IS NULL OR keys_url IS NULL", "keys"),
)

table(
    "launch_context",
    id32("id"),
    string("client_id", ForeignKey("client.id")),
    id32("account"),
    id32("vault", ForeignKey("vault.tag"), nullable=True),  # null: no patient is open
    string("patient"),
    string("encounter"),
    integer("expires_ms"),
    PrimaryKeyConstraint("id"),
    Index(None, "client_id"),
    Index(None, "vault"),
    Index(None, "expires_ms"),
)

table(
    "authorization_request",
    id32("id"),
    string("client_id", ForeignKey("client.id")),
    string("parameters"),  # a JSON object
    id32("launch_account", nullable=True),  # null: not launched by somebody here
    id32("vault", ForeignKey("vault.tag"), nullable=True),  # null: to be chosen, or none
    string("patient"),
    string("encounter"),
    integer("created_ms"),
    integer("expires_ms"),
    PrimaryKeyConstraint("id"),
    Index(None, "client_id"),
    Index(None, "vault"),
    Index(None, "expires_ms"),
)

# What somebody allowed an app. Codes, refresh tokens and sessions go with it: by the database, so
# that one added at the same moment can't outlive it.
table(
    "authorization_grant",
    id32("id"),
    string("client_id", ForeignKey("client.id")),
    id32("account"),
    string("scope"),
    id32("vault", ForeignKey("vault.tag"), nullable=True),  # null: no patient in context
    string("patient"),
    string("encounter"),
    string("fhir_user"),
    integer("authenticated_ms"),
    string("methods"),  # RFC 8176, blanks between
    string("lasting"),
    string("thumbprint"),  # of the DPoP key, "" for none
    integer("created_ms"),
    integer("expires_ms"),
    PrimaryKeyConstraint("id"),
    one_of("lasting", "none", "online", "offline"),
    Index(None, "client_id"),
    Index(None, "account"),
    Index(None, "vault"),
    Index(None, "expires_ms"),
)

# When an app last got a token by a grant. Apart from it: a refresh changes nothing of what a person
# allowed, and whoever ends a grant ends this, too.
table(
    "grant_use",
    id32("grant_id", ForeignKey("authorization_grant.id", ondelete="CASCADE")),
    integer("used_ms"),
    PrimaryKeyConstraint("grant_id"),
)

table(
    "authorization_code",
    id32("id"),
    id32("grant_id", ForeignKey("authorization_grant.id", ondelete="CASCADE")),
    string("redirect_uri"),
    string("challenge"),
    string("nonce"),
    blob("key_wrapped", nullable=True),  # null: used
    integer("expires_ms"),
    PrimaryKeyConstraint("id"),
    Index(None, "grant_id"),
    Index(None, "expires_ms"),
)

table(
    "refresh_token",
    id32("id"),
    id32("grant_id", ForeignKey("authorization_grant.id", ondelete="CASCADE")),
    blob("key_wrapped", nullable=True),  # null: used, its successor is in force
    integer("expires_ms"),
    PrimaryKeyConstraint("id"),
    Index(None, "grant_id"),
    Index(None, "expires_ms"),
)

table(
    "spent_assertion",
    id32("id"),
    integer("expires_ms"),
    PrimaryKeyConstraint("id"),
    Index(None, "expires_ms"),
)

# Whose records an account read lately: for rules that look for unusual reading.
table(
    "recent_reading",
    id32("account"),
    id32("vault"),
    integer("treating"),  # 1: the patient is in treatment where the reader works
    integer("read_ms"),
    PrimaryKeyConstraint("account", "vault"),
    between("treating", 0, 1),
    Index(None, "read_ms"),
)
