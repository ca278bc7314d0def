"""Jobs of bulk export and import, and the pieces of their files.

A job is worked on in slices under a lease. A slice's pieces and the position behind it are one
commit that counts the step up, so that of two workers at the same slice one writes nothing: it goes
on where it was, whoever is killed. Deleting a job deletes its pieces and stops its worker.
"""

# Text is made of names in this package; every value is bound.

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from simdes.errors import Conflict
from simdes.index.entries import Entry
from simdes.index.leading import On
from simdes.index.predicates import Predicates
from simdes.index.rows import read, row_of, select
from simdes.index.sql import both
from simdes.index.transaction import Transaction
from simdes.index.visible import Visible

RUNNING, DONE, FAILED = "running", "done", "failed"


class Superseded(Conflict):
    """The job was cancelled, or another worker went on with it: undo the slice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job. ``begun_ms`` is the moment whose state is exported, ``step`` counts slices done."""

    id: bytes
    kind: str
    account: bytes
    client: str
    asked_wrapped: bytes
    mark: int
    begun_ms: int
    expires_ms: int
    state: str = RUNNING
    failure: str = ""
    position: str = ""
    step: int = 0
    holder: str | None = None
    held_until_ms: int = 0
    polled_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of a file; ``count`` is how many lines it stands for."""

    job: bytes
    file: int
    part: int
    kind: str
    type: str
    count: int
    content_wrapped: bytes


@dataclass(frozen=True, slots=True)
class File:
    """A file of a job, and how many lines it has."""

    number: int
    kind: str
    type: str
    count: int


_JOB = select(Job, "bulk_job AS j", prefix="j.")
_PART = select(Part, "bulk_part")
# What is held for longer than anybody holds was held by a clock that was set back since.
# MATERIALIZED: the row is picked and locked once, whatever plan the update gets.
_CLAIM = """
    WITH picked AS MATERIALIZED (
        SELECT id FROM bulk_job WHERE state = 'running'
         AND (held_until_ms <= :now OR held_until_ms > :far) AND kind IN :kinds
         ORDER BY held_until_ms, begun_ms LIMIT 1 /* lock */
    )
    UPDATE bulk_job SET holder = :worker, held_until_ms = :until
     WHERE id IN (SELECT id FROM picked) RETURNING id
"""


def add(tx: Transaction, job: Job) -> None:
    """Begin a job."""
    tx.insert("bulk_job", [row_of(job)])


def get(tx: Transaction, id: bytes, *, account: bytes, client: str, now_ms: int) -> Job | None:
    """Return a job of this account through this app that has not expired."""
    row = tx.one(
        _JOB + " WHERE j.id = :id AND j.account = :account AND j.client = :client"
        " AND j.expires_ms > :now",
        id=id,
        account=account,
        client=client,
        now=now_ms,
    )
    return None if row is None else read(Job, row)


def running_of(tx: Transaction, kind: str, *, account: bytes, client: str) -> int:
    """Return how many jobs of a kind, of an account through an app, are not done."""
    row = tx.one(
        "SELECT count(*) FROM bulk_job WHERE state = 'running' AND account = :account"
        " AND client = :client AND kind = :kind",
        account=account,
        client=client,
        kind=kind,
    )
    return 0 if row is None else int(row[0])


def waits(tx: Transaction, kinds: Sequence[str], *, now_ms: int) -> bool:
    """Whether there is a job of these kinds to work on, or any one to purge."""
    row = tx.one(
        "SELECT 1 FROM bulk_job WHERE (state = 'running' AND held_until_ms <= :now"
        " AND kind IN :kinds) OR expires_ms <= :now LIMIT 1",
        now=now_ms,
        kinds=list(kinds),
    )
    return row is not None


def claim(
    tx: Transaction, kinds: Sequence[str], *, worker: str, now_ms: int, lease_ms: int
) -> Job | None:
    """Claim the job of these kinds that waited longest; two workers never hold the same one."""
    row = tx.one(
        _CLAIM.replace("/* lock */", tx.skip_locked),
        kinds=list(kinds),
        now=now_ms,
        until=now_ms + lease_ms,
        far=now_ms + 2 * lease_ms,
        worker=worker,
    )
    found = None if row is None else tx.one(_JOB + " WHERE j.id = :id", id=row[0])
    return None if found is None else read(Job, found)


def advance(
    tx: Transaction,
    job: Job,
    *,
    position: str,
    parts: Sequence[Part] = (),
    state: str = RUNNING,
    failure: str = "",
    expires_ms: int,
) -> None:
    """Finish a slice: its pieces and what comes next.

    Raises `Superseded` where the job was cancelled, or another worker did the slice; undo then.
    """
    changed = tx.run(
        "UPDATE bulk_job SET position = :position, state = :state, failure = :failure,"
        " expires_ms = :expires, step = step + 1 WHERE id = :id AND step = :step",
        position=position,
        state=state,
        failure=failure,
        expires=expires_ms,
        id=job.id,
        step=job.step,
    )
    if not changed:
        raise Superseded("The job was cancelled, or another worker went on with it.")
    if parts:
        tx.insert("bulk_part", [row_of(one) for one in parts])


def hold(tx: Transaction, id: bytes, *, worker: str, until_ms: int) -> bool:
    """Hold a job until then, or give it back until then; False where another holds it."""
    sql = "UPDATE bulk_job SET held_until_ms = :until WHERE id = :id AND holder = :worker"
    return tx.run(sql, until=until_ms, id=id, worker=worker) > 0


def polled(tx: Transaction, id: bytes, *, now_ms: int) -> None:
    """Remember when somebody asked for the state."""
    tx.run("UPDATE bulk_job SET polled_ms = :now WHERE id = :id", now=now_ms, id=id)


def drop(tx: Transaction, id: bytes) -> bool:
    """Drop a job with its files; False where there was none."""
    return tx.run("DELETE FROM bulk_job WHERE id = :id", id=id) > 0


def purge(tx: Transaction, *, now_ms: int) -> int:
    """Drop what has expired; how many jobs."""
    return tx.run("DELETE FROM bulk_job WHERE expires_ms <= :now", now=now_ms)


# Files --------------------------------------------------------------------------------------------


def files(tx: Transaction, id: bytes) -> list[File]:
    """Return a job's files in order."""
    rows = tx.all(
        "SELECT file, kind, type, sum(count) FROM bulk_part WHERE job = :id"
        " GROUP BY file, kind, type ORDER BY file",
        id=id,
    )
    return [File(int(number), kind, type_, int(count)) for number, kind, type_, count in rows]


def part(tx: Transaction, id: bytes, file: int, *, after: int = -1) -> Part | None:
    """Return the piece of a file behind another one."""
    row = tx.one(
        _PART + " WHERE job = :id AND file = :file AND part > :after ORDER BY part LIMIT 1",
        id=id,
        file=file,
        after=after,
    )
    return None if row is None else read(Part, row)


def add_parts(tx: Transaction, parts: Sequence[Part]) -> None:
    """Add pieces."""
    tx.insert("bulk_part", [row_of(one) for one in parts])


def drop_parts(tx: Transaction, id: bytes, file: int, *, since: int) -> int:
    """Drop the pieces of a file from one on; how many."""
    return tx.run(
        "DELETE FROM bulk_part WHERE job = :id AND file = :file AND part >= :since",
        id=id,
        file=file,
        since=since,
    )


def drop_inputs(tx: Transaction, id: bytes, *, but: int) -> int:
    """Drop what was taken in for a job, but for one file; how many pieces."""
    return tx.run(
        "DELETE FROM bulk_part WHERE job = :id AND kind = 'input' AND file <> :but", id=id, but=but
    )


# What is exported ---------------------------------------------------------------------------------


def mark(tx: Transaction) -> int:
    """Return a mark of the transactions under way: `settled` when they have all ended.

    SQLite has one writer at a time, and this transaction is it.
    """
    if tx.dialect == "sqlite":
        return 0
    row = tx.one("SELECT CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint)")
    return 0 if row is None else int(row[0])


def settled(tx: Transaction, marked: int) -> bool:
    """Whether what was being written at a mark is written by now, or undone.

    https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT
    """
    if tx.dialect == "sqlite":
        return True
    row = tx.one("SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)")
    return row is not None and int(row[0]) >= marked


def as_of(
    tx: Transaction, type: str, names: Collection[tuple[str, bytes]], *, until_ms: int
) -> dict[tuple[str, bytes], tuple[int, int]]:
    """Return the versions of own resources that stood at a time: (row id, time written).

    ``names`` are logical id and vault; what was not there then, or deleted, is left out.
    """
    rows = tx.all(
        "SELECT logical_id, vault, id, created_ms, deleted FROM resource WHERE type = :type"
        " AND logical_id IN :ids AND vault IN :vaults AND created_ms <= :until ORDER BY version",
        type=type,
        ids=sorted({one for one, _ in names}),
        vaults=sorted({vault for _, vault in names}),
        until=until_ms,
    )
    last = {
        (str(name), bytes(vault)): (int(row), int(at), gone) for name, vault, row, at, gone in rows
    }
    return {key: (row, at) for key, (row, at, gone) in last.items() if key in names and not gone}


def ended(
    tx: Transaction,
    visible: Visible,
    types: Collection[str],
    *,
    since_ms: int,
    until_ms: int,
    before: int,
    limit: int,
) -> list[Entry]:
    """Return what a caller could see and was deleted in a time, newest first by row id."""
    seen = frozenset(types) & visible.scopes.keys()
    if not seen or not visible.grounds:
        return []
    written = Predicates(visible, tx.unled)
    bound, on = written.bound, On("e", seen)
    parts = (
        written.seen(on, deleted=True, chosen=False),
        "e.deleted = 1",
        f"e.updated_ms > {bound(since_ms)}",
        f"e.updated_ms <= {bound(until_ms)}",
        f"e.id < {bound(before)}",
    )
    rows = tx.all(
        select(Entry, "entry AS e", prefix="e.")
        + f" WHERE {both(parts)} ORDER BY e.id DESC LIMIT {bound(limit)}",
        **bound.values,
    )
    return [read(Entry, row) for row in rows]


def types_held(tx: Transaction, handles: Collection[bytes]) -> list[str]:
    """Return of which types there are entries under these handles."""
    if not handles:
        return []
    rows = tx.all(
        "SELECT DISTINCT type FROM entry WHERE record_id IS NOT NULL AND handle IN :handles"
        " ORDER BY type",
        handles=sorted(handles),
    )
    return [str(type_) for (type_,) in rows]
