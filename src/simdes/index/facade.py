"""How far another FHIR server was read: its streams' positions, who reads it, what it deleted.

One program at a time reads a source: it holds the row of it for a while and longer with each step,
so that a dead one is followed by another. A position moves in a transaction of its own, behind the
one that made what lies before it durable.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from simdes.errors import Conflict
from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A server that is read; see `simdes.index.schema_facade` for what None means."""

    url: str
    mode: str
    asked_ms: int | None
    begun_ms: int | None
    ended_ms: int | None
    failure: str
    holder: str | None
    held_until_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One sequence of changes: ``position_ms`` is the source's time up to which all is here.

    ``total`` is how many resources it has at first, ``taken`` and ``refused`` count what came.
    """

    url: str
    name: str
    position_ms: int | None
    loaded: int
    total: int | None
    taken: int
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """A resource that the source deleted, and that people here wrote to."""

    url: str
    type: str
    logical_id: str
    seen_ms: int


_SOURCE = select(Source, "facade_source")
_STREAM = select(Stream, "facade_stream")
_DELETION = select(Deletion, "facade_deletion")


def add(tx: Transaction, url: str) -> None:
    """Begin with a source; one that is known stays as it is."""
    row = Source(
        url=url,
        mode="",
        asked_ms=None,
        begun_ms=None,
        ended_ms=None,
        failure="",
        holder=None,
        held_until_ms=0,
    )
    tx.insert("facade_source", [row_of(row)], conflict="(url) DO NOTHING")


def get(tx: Transaction, url: str) -> Source | None:
    """A source, None where it was never read."""
    row = tx.one(_SOURCE + " WHERE url = :url", url=url)
    return None if row is None else read(Source, row)


def ask(tx: Transaction, url: str, *, now_ms: int) -> None:
    """Ask whoever reads the source to begin a round."""
    tx.run(
        "UPDATE facade_source SET asked_ms = :now WHERE url = :url AND asked_ms IS NULL",
        url=url,
        now=now_ms,
    )


def hold(tx: Transaction, url: str, holder: str, *, now_ms: int, until_ms: int) -> bool:
    """Take the source, or hold it longer; whether ``holder`` has it now."""
    return bool(
        tx.run(
            "UPDATE facade_source SET holder = :holder, held_until_ms = :until"
            " WHERE url = :url AND (holder IS NULL OR holder = :holder OR held_until_ms <= :now"
            " OR held_until_ms > :far)",
            url=url,
            holder=holder,
            now=now_ms,
            until=until_ms,
            far=2 * until_ms - now_ms,
        )
    )


def let_go(tx: Transaction, url: str, holder: str) -> None:
    """Leave the source to others."""
    tx.run(
        "UPDATE facade_source SET holder = NULL, held_until_ms = 0"
        " WHERE url = :url AND holder = :holder",
        url=url,
        holder=holder,
    )


def begin(tx: Transaction, url: str, *, now_ms: int) -> None:
    """Begin a round; what was asked for until now is what it does."""
    tx.run(
        "UPDATE facade_source SET begun_ms = :now, asked_ms = NULL WHERE url = :url",
        url=url,
        now=now_ms,
    )


def end(tx: Transaction, url: str, holder: str, *, failure: str, now_ms: int) -> None:
    """End a round of ``holder``; ``failure`` is the issue code of what broke it off, "" without."""
    held = " WHERE url = :url AND holder = :holder"
    tx.run(
        f"UPDATE facade_source SET failure = :failure {held}",  # noqa: S608
        failure=failure,
        url=url,
        holder=holder,
    )
    if not failure:
        tx.run(
            f"UPDATE facade_source SET ended_ms = :now {held}",  # noqa: S608
            now=now_ms,
            url=url,
            holder=holder,
        )


def set_mode(tx: Transaction, url: str, mode: str) -> None:
    """Note how changes are found at the source."""
    tx.run("UPDATE facade_source SET mode = :mode WHERE url = :url", url=url, mode=mode)


def streams(tx: Transaction, url: str) -> list[Stream]:
    """Every stream of a source, by name."""
    rows = tx.all(_STREAM + " WHERE url = :url ORDER BY name", url=url)
    return [read(Stream, row) for row in rows]


def open_stream(
    tx: Transaction, url: str, name: str, *, position_ms: int | None, total: int | None
) -> Stream:
    """The stream as it stands; a new one begins at ``position_ms``."""
    new = Stream(
        url=url,
        name=name,
        position_ms=position_ms,
        loaded=0,
        total=total,
        taken=0,
        refused=0,
    )
    tx.insert("facade_stream", [row_of(new)], conflict="(url, name) DO NOTHING")
    row = tx.one(_STREAM + " WHERE url = :url AND name = :name", url=url, name=name)
    return new if row is None else read(Stream, row)


def advance(
    tx: Transaction,
    stream: Stream,
    holder: str,
    *,
    position_ms: int | None,
    loaded: bool,
    taken: int,
    refused: int,
) -> Stream:
    """Move a stream on and add to its counts; a position never moves back.

    Raises Conflict where another program reads the source by now.
    """
    held = tx.one(
        f"SELECT holder FROM facade_source WHERE url = :url {tx.lock_rows}",  # noqa: S608
        url=stream.url,
    )
    if held is None or held[0] != holder:
        raise Conflict("Another program reads this FHIR server by now")
    now = open_stream(tx, stream.url, stream.name, position_ms=None, total=None)
    known = [at for at in (now.position_ms, position_ms) if at is not None]
    tx.run(
        "UPDATE facade_stream SET taken = taken + :taken, refused = refused + :refused,"
        " loaded = :loaded, position_ms = :position WHERE url = :url AND name = :name",
        taken=taken,
        refused=refused,
        loaded=int(loaded or now.loaded),
        position=max(known, default=None),
        url=stream.url,
        name=stream.name,
    )
    return open_stream(tx, stream.url, stream.name, position_ms=None, total=None)


def forget_streams(tx: Transaction, url: str) -> None:
    """Begin every stream of a source anew."""
    tx.run("DELETE FROM facade_stream WHERE url = :url", url=url)


def deleted(tx: Transaction, url: str, names: Iterable[tuple[str, str]], *, now_ms: int) -> None:
    """Note (type, id) of resources that the source deleted, for people to decide on."""
    rows = [Deletion(url=url, type=type_, logical_id=id_, seen_ms=now_ms) for type_, id_ in names]
    tx.insert(
        "facade_deletion",
        [row_of(one) for one in rows],
        conflict="(url, type, logical_id) DO NOTHING",
    )


def settled(tx: Transaction, url: str, names: Iterable[tuple[str, str]]) -> None:
    """Forget deletions that were carried out, or of what is there again."""
    for type_, id_ in names:
        tx.run(
            "DELETE FROM facade_deletion WHERE url = :url AND type = :type AND logical_id = :id",
            url=url,
            type=type_,
            id=id_,
        )


def deletions(tx: Transaction, url: str, *, limit: int = 1000) -> list[Deletion]:
    """Deletions that wait to be carried out here, oldest first."""
    rows = tx.all(
        _DELETION + " WHERE url = :url ORDER BY seen_ms, type, logical_id LIMIT :limit",
        url=url,
        limit=limit,
    )
    return [read(Deletion, row) for row in rows]


def count_deletions(tx: Transaction, url: str) -> int:
    """How many wait."""
    row = tx.one("SELECT count(*) FROM facade_deletion WHERE url = :url", url=url)
    return 0 if row is None else int(row[0])
