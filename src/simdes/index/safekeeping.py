"""What is kept in the store for other organisations, and who of this organisation tends the store.

A row is wanted (its bytes are to be fetched), held, to be deleted, or deleted; deleted is the last
word. One content may be kept for several organisations; it goes when none of them wants it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simdes.index.contents import DROPPED, DROPPING, HELD, WANTED
from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction

__all__ = ["DROPPED", "DROPPING", "HELD", "WANTED", "Kept", "Load"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A content kept for ``organisation``; see `simdes.index.schema_storage`."""

    cid: str
    organisation: bytes
    bytes: int
    state: str
    tries: int
    next_ms: int


@dataclass(frozen=True, slots=True)
class Load:
    """What an organisation has here: bytes held, and contents that wait to be fetched."""

    bytes: int
    waiting: int


_KEPT = select(Kept, "kept_content")


def known(tx: Transaction, organisation: bytes, cids: Sequence[str]) -> dict[str, str]:
    """Return the state of each of these contents that an organisation asked to keep."""
    rows = tx.all(
        "SELECT cid, state FROM kept_content WHERE organisation = :organisation AND cid IN :cids",
        organisation=organisation,
        cids=cids,
    )
    return {row[0]: row[1] for row in rows}


def load(tx: Transaction, organisation: bytes) -> Load:
    """Count what an organisation has here."""
    row = tx.one(
        "SELECT coalesce(sum(bytes), 0),"
        " coalesce(sum(CASE state WHEN 'wanted' THEN 1 ELSE 0 END), 0)"
        " FROM kept_content WHERE organisation = :organisation AND state IN ('wanted', 'held')",
        organisation=organisation,
    )
    return Load(0, 0) if row is None else Load(int(row[0]), int(row[1]))


def want(tx: Transaction, organisation: bytes, cids: Sequence[str], *, now_ms: int) -> None:
    """Note contents to be fetched and kept; those that are known stay as they are."""
    rows = [
        row_of(
            Kept(cid=cid, organisation=organisation, bytes=0, state=WANTED, tries=0, next_ms=now_ms)
        )
        for cid in cids
    ]
    tx.insert("kept_content", rows, conflict="(cid, organisation) DO NOTHING")


def drop(tx: Transaction, organisation: bytes, cids: Sequence[str], *, now_ms: int) -> None:
    """Note contents to be deleted; also such as lie here by chance and were never kept."""
    rows = [
        row_of(
            Kept(
                cid=cid, organisation=organisation, bytes=0, state=DROPPING, tries=0, next_ms=now_ms
            )
        )
        for cid in cids
    ]
    tx.insert(
        "kept_content",
        rows,
        conflict="(cid, organisation) DO UPDATE SET state = 'dropping',"
        " next_ms = excluded.next_ms, tries = 0 WHERE kept_content.state <> 'dropped'",
    )


def due(tx: Transaction, *, state: str, now_ms: int, limit: int) -> list[Kept]:
    """Return what is to be fetched, read again or deleted now, longest due first."""
    rows = tx.all(
        _KEPT + " WHERE state = :state AND next_ms <= :now ORDER BY next_ms LIMIT :limit",
        state=state,
        now=now_ms,
        limit=limit,
    )
    return [read(Kept, row) for row in rows]


def held(tx: Transaction, one: Kept, *, size: int, next_ms: int) -> None:
    """Note that a content lies here whole; what is to be deleted meanwhile stays so."""
    tx.run(
        "UPDATE kept_content SET state = 'held', bytes = :size, tries = 0, next_ms = :next"
        " WHERE cid = :cid AND organisation = :organisation AND state IN ('wanted', 'held')",
        size=size,
        next=next_ms,
        cid=one.cid,
        organisation=one.organisation,
    )


def missing(tx: Transaction, one: Kept, *, next_ms: int) -> None:
    """Note that a content is not here, or could not be fetched: it is wanted then."""
    tx.run(
        "UPDATE kept_content SET state = 'wanted', tries = tries + 1, next_ms = :next"
        " WHERE cid = :cid AND organisation = :organisation AND state IN ('wanted', 'held')",
        next=next_ms,
        cid=one.cid,
        organisation=one.organisation,
    )


def dropped(tx: Transaction, one: Kept) -> None:
    """Note that a content was deleted."""
    tx.run(
        "UPDATE kept_content SET state = 'dropped', bytes = 0"
        " WHERE cid = :cid AND organisation = :organisation AND state = 'dropping'",
        cid=one.cid,
        organisation=one.organisation,
    )


def still_kept(tx: Transaction, cid: str) -> bool:
    """Whether a content is ours and not erased, or kept for any organisation."""
    own = tx.one("SELECT 1 FROM content WHERE cid = :cid AND state = 'kept'", cid=cid)
    others = tx.one(
        "SELECT 1 FROM kept_content WHERE cid = :cid AND state IN ('wanted', 'held') LIMIT 1",
        cid=cid,
    )
    return own is not None or others is not None


def read_soon(tx: Transaction, cids: Sequence[str]) -> None:
    """Let these contents be read again at once."""
    tx.run("UPDATE kept_content SET next_ms = 0 WHERE state = 'held' AND cid IN :cids", cids=cids)


def read_all_soon(tx: Transaction) -> None:
    """Let everything be read again, as fast as it may be."""
    tx.run("UPDATE kept_content SET next_ms = 0 WHERE state = 'held'")


def unread(tx: Transaction) -> int:
    """Count what `read_soon` and `contents.read_soon` named and nobody has read since."""
    row = tx.one(
        "SELECT (SELECT count(*) FROM kept_content WHERE state = 'held' AND next_ms = 0)"
        " + (SELECT count(*) FROM content WHERE state = 'kept' AND next_ms = 0)"
    )
    return 0 if row is None else int(row[0])


def hold(tx: Transaction, name: str, holder: str, *, now_ms: int, until_ms: int) -> bool:
    """Take a duty of the organisation, or keep it longer; whether ``holder`` has it now.

    Of several processes one tends the store at a time; a dead one's time runs out. What is held for
    twice as long as it is asked for was held by a clock that was set back since.
    """
    tx.insert(
        "duty",
        [{"name": name, "holder": None, "held_until_ms": 0}],
        conflict="(name) DO NOTHING",
    )
    return bool(
        tx.run(
            "UPDATE duty SET holder = :holder, held_until_ms = :until WHERE name = :name"
            " AND (holder IS NULL OR holder = :holder OR held_until_ms <= :now"
            " OR held_until_ms > :far)",
            name=name,
            holder=holder,
            until=until_ms,
            now=now_ms,
            far=2 * until_ms - now_ms,
        )
    )


def hold_longer(tx: Transaction, name: str, holder: str, *, until_ms: int) -> bool:
    """Keep a duty longer; False where somebody else took it since, whether or not they have it."""
    return bool(
        tx.run(
            "UPDATE duty SET held_until_ms = :until WHERE name = :name AND holder = :holder",
            name=name,
            holder=holder,
            until=until_ms,
        )
    )


def let_go(tx: Transaction, name: str, holder: str) -> None:
    """Give a duty back, so that others need not wait for the end of its time."""
    tx.run(
        "UPDATE duty SET holder = NULL, held_until_ms = 0 WHERE name = :name AND holder = :holder",
        name=name,
        holder=holder,
    )
