"""How far an import is, as it is kept; and where its pieces lie until it is over.

A position holds counts alone. Files with numbers below 0 are the work's own: no address leads to
them (`gateway.fhir.routes`).
"""

from __future__ import annotations

import msgspec

from simdes.decoding import ready
from simdes.index.bulk import Job

FETCH, READ, ORDER, WRITE = "fetch", "read", "order", "write"
"""The stages: files come in; lines are looked at; put in order; written."""

CHUNKS, NAMES, BATCHES, INPUTS, BEGUN = -1, -2, -3, -4, -5
"""Lines; what they are called and refer to, by chunk; the batches to write; a manifest's files; an
export that was begun elsewhere."""


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Where the next slice begins.

    ``input`` is the file that is fetched, ``chunks`` those kept, the last of them of that file from
    ``base`` on; ``lines`` and ``size`` are of the files that are whole. ``at`` is the next chunk to
    look at, or the next of ``batches`` to write, of which ``skip`` groups are. ``good`` and ``bad``
    count lines by input.
    """

    stage: str = FETCH
    input: int = 0
    base: int = 0
    chunks: int = 0
    lines: int = 0
    size: int = 0
    tries: int = 0
    not_before_ms: int = 0
    at: int = 0
    skip: int = 0
    batches: int = 0
    good: tuple[int, ...] = ()
    bad: tuple[int, ...] = ()


def position_of(job: Job) -> Position:
    """How far a job is."""
    return msgspec.json.decode(job.position, type=ready(Position))


def text_of(position: Position) -> str:
    """The same as it is kept."""
    return msgspec.json.encode(position).decode()


def progress(job: Job) -> str:
    """How far an import is, for people."""
    at = position_of(job)
    if at.stage == WRITE:
        done = sum(at.good) + sum(at.bad)
        return f"{done} of {max(at.lines, done)} resources done"
    return {
        FETCH: f"fetching file {at.input + 1}",
        READ: f"{at.lines} lines are looked at",
        ORDER: f"{at.lines} lines are put in order",
    }[at.stage]
