"""Tables of bulk export: jobs and the pieces of their files; see `simdes.index.schema`.

What was asked for and what is in a piece is wrapped by the caller; a position holds row ids and
counts alone. Pieces go with their job.
"""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, PrimaryKeyConstraint

from simdes.index.columns import blob, id32, integer, one_of, string, table

table(
    "bulk_job",
    id32("id"),
    string("kind"),
    id32("account"),  # who asked
    string("client"),  # through which app: services share an account
    blob("asked_wrapped"),
    integer("mark"),  # the transactions under way when it was asked for; 0 on SQLite
    integer("begun_ms"),  # the state that is exported: what was written until then
    integer("expires_ms"),
    string("state"),
    string("failure"),  # the issue code that ended it; "" for none
    string("position"),
    integer("step"),  # how many slices are done
    string("holder", nullable=True),  # null: nobody works on it now
    integer("held_until_ms"),
    integer("polled_ms"),
    PrimaryKeyConstraint("id"),
    one_of("kind", "export", "import"),
    one_of("state", "running", "done", "failed"),
    Index(None, "state", "held_until_ms"),
    Index(None, "expires_ms"),
)

table(
    "bulk_part",
    id32("job", ForeignKey("bulk_job.id", ondelete="CASCADE")),
    integer("file"),
    integer("part"),
    string("kind"),
    string("type"),
    integer("count"),
    blob("content_wrapped"),
    PrimaryKeyConstraint("job", "file", "part"),
    one_of("kind", "output", "deleted", "error", "input"),
)
