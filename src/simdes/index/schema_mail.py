"""To whom mails go, and mails on their way; see `simdes.index.schema`.

An address is wrapped under the local key of its patient's vault, so that it goes with that key,
also from backups; of people without a vault under the organisation's key, as all that is kept of
them.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, PrimaryKeyConstraint

from simdes.index.columns import between, blob, id32, integer, partial_index, string, table

# The address of an account, once its owner showed that mails reach them there.
table(
    "mail_address",
    id32("account"),
    id32("vault", nullable=True),  # null: under the organisation's key
    blob("address_wrapped"),
    blob("stop", length=16),  # what stands in a mail, signed, to say that no more shall come
    string("language"),
    string("kinds"),  # separated by blanks
    integer("most"),  # mails a day
    integer("digest"),  # 1: once a day
    integer("confirmed_ms"),
    integer("stopped_ms", nullable=True),  # null: mails may come
    integer("due_ms", nullable=True),  # null: nothing is new
    integer("alarm"),  # 1: what is new can't wait
    PrimaryKeyConstraint("account"),
    between("digest", 0, 1),
    between("alarm", 0, 1),
    CheckConstraint("most >= 1", "most"),
    Index("ix_mail_address_stop", "stop", unique=True),
    Index("ix_mail_address_vault", "vault"),
    partial_index("due", "due_ms IS NOT NULL", "due_ms", table="mail_address"),
)

# An address that its owner has not shown to be theirs. No code is kept: it follows from `nonce` and
# the organisation's key.
table(
    "mail_code",
    id32("account"),
    blob("address_wrapped"),
    id32("nonce"),
    string("language"),
    integer("tries"),  # wrong codes that are left
    integer("expires_ms"),
    PrimaryKeyConstraint("account"),
    Index(None, "expires_ms"),
)

# Mails on their way; gone when the server took or refused them, or their time was over.
table(
    "mail_letter",
    blob("id", length=16),
    id32("account"),
    string("kind"),
    blob("address_wrapped", nullable=True),  # null: to the account's address of then
    blob("nonce", nullable=True),  # of a code
    string("language"),
    integer("tries"),
    integer("next_ms"),
    integer("until_ms"),
    string("holder", nullable=True),  # null: nobody sends it now
    integer("made_ms"),
    PrimaryKeyConstraint("id"),
    Index(None, "next_ms"),
    Index(None, "account"),
)

# How much went to whom on a day; subjects are keyed digests.
table(
    "mail_count",
    id32("subject"),
    integer("day"),
    integer("count"),
    PrimaryKeyConstraint("subject", "day"),
    Index(None, "day"),
)
