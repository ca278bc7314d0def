"""Tables of subscriptions: who is to be told of what, how far they were told, what happened.

Part of `simdes.index.schema`. What is subscribed to, where notifications go and their secrets stand
in the Subscription resource alone, encrypted; here is whose it is and where it has got to. Nothing
of a patient stands here but ids of resources.
"""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, PrimaryKeyConstraint, Text

from simdes.index.columns import (
    between,
    blob,
    id32,
    integer,
    one_of,
    partial_index,
    serial_id,
    string,
    table,
)

table(
    "subscription",
    Column("id", Text, primary_key=True),
    integer("resource_id"),  # the version that is in force
    id32("account"),
    string("client"),
    string("scope"),
    blob("grant_id", nullable=True),  # null: no app's permission
    id32("launch_vault", nullable=True),  # null: no patient in context
    integer("purpose"),
    string("type"),  # what happens to resources of this type is looked at
    string("channel"),
    string("status"),
    string("reason"),  # the issue code of what went wrong last; "" where nothing did
    integer("position"),  # of the last happening that was looked at
    integer("events"),  # how many were numbered
    integer("delivered"),  # number of the last that arrived
    integer("failures"),  # in a row
    integer("next_ms"),  # not before
    integer("sent_ms"),  # when something was sent last
    integer("heartbeat_ms"),  # 0: none wanted
    integer("end_ms", nullable=True),  # null: no end
    string("holder", nullable=True),  # null: nobody serves it now
    integer("held_until_ms"),
    one_of("status", "requested", "active", "error", "off"),
    one_of("channel", "rest-hook", "websocket"),
    Index(None, "type", "status"),
    Index(None, "account"),
    Index(None, "next_ms"),
)

# What became findable of types that somebody subscribed to; numbered in the order of commits.
table(
    "happening",
    serial_id(),
    integer("position", nullable=True),  # null: not numbered yet
    string("type"),
    string("logical_id"),
    integer("version"),
    integer("deleted"),
    integer("entry"),
    integer("resource_id", nullable=True),  # null: a copy of another organisation's
    Index(None, "type", "position"),
    partial_index("new", "position IS NULL", "id", table="happening"),
    Index(None, "position"),
    serial=True,
)

table(
    "subscription_event",
    string("subscription", ForeignKey("subscription.id", ondelete="CASCADE")),
    integer("number"),
    integer("at_ms"),
    string("type"),
    string("logical_id"),
    integer("version"),
    integer("deleted"),
    integer("entry"),
    integer("resource_id", nullable=True),  # null: a copy of another organisation's
    PrimaryKeyConstraint("subscription", "number"),
    between("deleted", 0, 1),
    Index(None, "subscription", "logical_id"),
    clustered=True,
)

# Who may listen to which subscriptions over a websocket, until when.
table(
    "subscription_binding",
    Column("token", LargeBinary, primary_key=True),  # a digest of what the client presents
    id32("account"),
    string("client"),
    id32("session"),
    integer("session_until_ms"),
    string("names"),  # ids of subscriptions with spaces between
    integer("expires_ms"),
    Index(None, "expires_ms"),
)

# How far what others anchor was looked through, of patients whose consents let subscribers see it.
table(
    "arrival",
    id32("vault"),
    integer("block"),  # batches up to it were looked for twice
    integer("ahead"),  # and up to it once
    integer("looked_ms"),
    PrimaryKeyConstraint("vault"),
)
