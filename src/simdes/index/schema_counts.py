"""Tables of noisy counts for research; see `simdes.index.schema`."""

from __future__ import annotations

from sqlalchemy import PrimaryKeyConstraint

from simdes.index.columns import between, id32, integer, string, table

# What a researcher's answers cost together, in millionths of epsilon.
table(
    "count_budget",
    string("researcher"),
    integer("spent"),
    PrimaryKeyConstraint("researcher"),
    between("spent", 0, 1_000_000_000),
)

# What was answered, so that the same question is answered the same.
table(
    "count_answer",
    id32("question"),
    integer("noisy"),
    integer("answered_ms"),
    PrimaryKeyConstraint("question"),
)
