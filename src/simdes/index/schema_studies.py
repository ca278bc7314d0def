"""Tables of research: documents of studies, and releases that were ordered on pages.

See `simdes.index.schema`.
"""

from __future__ import annotations

from sqlalchemy import Index, PrimaryKeyConstraint

from simdes.index.columns import blob, id32, integer, one_of, string, table

# A study's document, as its sponsor published it: its id on the ledger commits to every word.
table(
    "study_document",
    id32("study"),
    blob("content"),
    PrimaryKeyConstraint("study"),
)

# A release that a researcher of ours ordered on a page.
table(
    "study_release",
    id32("id"),
    id32("study"),
    id32("account"),  # who ordered it
    string("state"),
    integer("done"),  # how many were read, of `total`
    integer("total"),
    integer("number"),  # of the release on the ledger; 0: none yet
    integer("patients"),
    string("failure"),  # what is told of it; "" for nothing
    blob("report"),  # how it was made less telling, in numbers and pictures; empty while made
    blob("package"),  # sealed to this organisation; empty while made
    integer("asked_ms"),
    integer("changed_ms"),
    PrimaryKeyConstraint("id"),
    one_of("state", "reading", "made", "failed"),
    Index(None, "study", "asked_ms"),
)
