"""Tables of the facade: how far another FHIR server was read; a part of `simdes.index.schema`.

Nothing of a patient stands here but the ids under which that server keeps what it deleted.
"""

from __future__ import annotations

from sqlalchemy import ForeignKey, PrimaryKeyConstraint

from simdes.index.columns import between, integer, string, table

table(
    "facade_source",
    string("url"),
    string("mode"),  # how changes are found there; "" before it was asked
    integer("asked_ms", nullable=True),  # null: nobody asked for a round since the last began
    integer("begun_ms", nullable=True),  # null: no round yet
    integer("ended_ms", nullable=True),  # null: none came to its end yet
    string("failure"),  # the issue code that ended the last round; "" where none did
    string("holder", nullable=True),  # null: nobody reads it now
    integer("held_until_ms"),
    PrimaryKeyConstraint("url"),
)

table(
    "facade_stream",
    string("url", ForeignKey("facade_source.url")),
    string("name"),
    integer("position_ms", nullable=True),  # null: from the beginning
    integer("loaded"),  # 1: the first pass came to its end
    integer("total", nullable=True),  # null: the source did not say how many there are
    integer("taken"),
    integer("refused"),
    PrimaryKeyConstraint("url", "name"),
    between("loaded", 0, 1),
)

table(
    "facade_deletion",
    string("url", ForeignKey("facade_source.url")),
    string("type"),
    string("logical_id"),
    integer("seen_ms"),
    PrimaryKeyConstraint("url", "type", "logical_id"),
)
