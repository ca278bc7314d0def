"""Tables of how people sign in with a browser; a part of `simdes.index.schema`.

Nothing here admits anybody: cookies and codes stand as digests, an account's key is wrapped under
what only its owner brings (a cookie's secret, a passkey's output), names under the organisation's
key.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, PrimaryKeyConstraint

from simdes.index.columns import between, blob, id32, integer, one_of, string, table

table(
    "browser_session",
    id32("id"),
    id32("account"),
    blob("key_wrapped", nullable=True),  # null: half, and the passphrase is still to come
    string("methods"),  # of RFC 8176, separated by blanks
    string("state"),
    blob("client_wrapped"),
    integer("proved_ms"),
    integer("started_ms"),
    integer("seen_ms"),
    integer("expires_ms"),
    PrimaryKeyConstraint("id"),
    one_of("state", "half", "whole"),
    CheckConstraint("state = 'half' OR key_wrapped IS NOT NULL", "key"),
    Index(None, "account"),
    Index(None, "expires_ms"),
)

table(
    "passkey",
    id32("id"),
    id32("account"),
    blob("credential"),
    blob("public"),
    integer("sign_count"),
    integer("synchronised"),  # 1: its maker copies it between devices
    blob("key_wrapped", nullable=True),  # null: it has no PRF, so the passphrase is asked besides
    blob("label_wrapped"),
    integer("created_ms"),
    integer("used_ms", nullable=True),  # null: not used yet
    integer("doubted_ms", nullable=True),  # null: no sign that somebody copied it
    PrimaryKeyConstraint("id"),
    between("synchronised", 0, 1),
    Index(None, "account", "created_ms"),
)

table(
    "one_time_code",
    id32("account"),
    blob("secret_wrapped"),
    integer("last_step"),
    integer("confirmed"),  # 0: shown, no code of it came back yet
    integer("created_ms"),
    PrimaryKeyConstraint("account"),
    between("confirmed", 0, 1),
)

table(
    "recovery_code",
    id32("digest"),
    id32("account"),
    PrimaryKeyConstraint("digest"),
    Index(None, "account"),
)

table(
    "sign_in_delay",
    id32("subject"),
    integer("failures"),
    integer("last_ms"),
    integer("until_ms"),
    PrimaryKeyConstraint("subject"),
    CheckConstraint("failures > 0", "failures"),
    Index(None, "last_ms"),
)

table(
    "spent_challenge",
    id32("digest"),
    integer("expires_ms"),
    PrimaryKeyConstraint("digest"),
    Index(None, "expires_ms"),
)
