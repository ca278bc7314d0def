"""Contents that this organisation wrote to the store, and which organisations keep copies of them.

A content is kept until it is erased, and its row stays afterwards. Each copy is a row: wanted of an
organisation, held by it (with the receipt it signed), to be dropped there, dropped there. Times are
unix milliseconds by the caller's clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction

KEPT, ERASING, ERASED = "kept", "erasing", "erased"
WANTED, HELD, DROPPING, DROPPED = "wanted", "held", "dropping", "dropped"
BODY, CAPSULE, MANIFEST = "body", "capsule", "manifest"
VAULT, LETTER, ORGANISATION = "vault", "letter", "organisation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A content of ours; see `simdes.index.schema_storage`."""

    cid: str
    kind: str
    record_id: bytes | None
    state: str
    plan: str
    created_ms: int
    next_ms: int
    damaged: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A copy of a content at another organisation."""

    cid: str
    organisation: bytes
    state: str
    assigned: int
    tries: int
    next_ms: int
    receipt: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What an organisation signed of contents: its whole answer, by SHA-256."""

    digest: bytes
    organisation: bytes
    token: bytes
    received_ms: int


_CONTENT = select(Content, "content")
_COPY = select(Copy, "content_copy")
_RECEIPT = select(Receipt, "copy_receipt")
_OF_CONTENTS = (
    " WHERE digest IN (SELECT receipt FROM content_copy WHERE cid IN :cids)"
    " ORDER BY received_ms, digest"
)


FIRST_READ_MS = 86_400_000
"""How long after it was stored a content is read again for the first time."""


def add(tx: Transaction, stored: Iterable[tuple[str, str, bytes | None]], *, now_ms: int) -> None:
    """Note contents that were just stored: (CID, kind, record id); known ones stay as they are."""
    rows = [
        row_of(
            Content(
                cid=cid,
                kind=kind,
                record_id=record_id,
                state=KEPT,
                plan="",
                created_ms=now_ms,
                next_ms=now_ms + FIRST_READ_MS,
                damaged=0,
            )
        )
        for cid, kind, record_id in stored
    ]
    tx.insert("content", rows, conflict="(cid) DO NOTHING")


def get_many(tx: Transaction, cids: Sequence[str]) -> dict[str, Content]:
    """Return the known ones among ``cids``."""
    rows = tx.all(_CONTENT + " WHERE cid IN :cids", cids=cids)
    return {row[0]: read(Content, row) for row in rows}


def of_records(tx: Transaction, records: Sequence[bytes]) -> list[Content]:
    """Return the contents of records: bodies and capsules."""
    rows = tx.all(_CONTENT + " WHERE record_id IN :ids ORDER BY cid", ids=records)
    return [read(Content, row) for row in rows]


def kept_of_vault(tx: Transaction, vault: bytes) -> list[str]:
    """Return the CIDs of our records' contents in a vault that nobody erased yet."""
    rows = tx.all(
        "SELECT cid FROM content WHERE state = 'kept'"
        " AND record_id IN (SELECT record_id FROM record WHERE vault = :vault) ORDER BY cid",
        vault=vault,
    )
    return [row[0] for row in rows]


def copies(tx: Transaction, cids: Sequence[str]) -> dict[str, list[Copy]]:
    """Return the copies of contents by CID, in the order of organisations."""
    found: dict[str, list[Copy]] = {cid: [] for cid in cids}
    for row in tx.all(_COPY + " WHERE cid IN :cids ORDER BY cid, organisation", cids=cids):
        found[row[0]].append(read(Copy, row))
    return found


# Choosing who keeps them ------------------------------------------------------------------------


def unplanned(tx: Transaction, plan: str, *, limit: int) -> list[str]:
    """Return contents whose keepers were chosen by another plan than this one."""
    rows = tx.all(
        "SELECT cid FROM content WHERE state = 'kept' AND plan < :plan"
        " UNION ALL SELECT cid FROM content WHERE state = 'kept' AND plan > :plan LIMIT :limit",
        plan=plan,
        limit=limit,
    )
    return [row[0] for row in rows]


def assign(
    tx: Transaction, chosen: Mapping[str, Sequence[bytes]], *, plan: str, now_ms: int
) -> None:
    """Note who is to keep contents by a plan.

    Copies that others hold already stay and count no more; those that were only wanted go.
    """
    cids = list(chosen)
    for statement in (
        "DELETE FROM content_copy WHERE cid IN :cids AND state = 'wanted'",
        "UPDATE content_copy SET assigned = 0 WHERE cid IN :cids AND state = 'held'",
    ):
        tx.run(statement, cids=cids)
    rows = [
        row_of(
            Copy(
                cid=cid,
                organisation=one,
                state=WANTED,
                assigned=1,
                tries=0,
                next_ms=now_ms,
                receipt=None,
            )
        )
        for cid, keepers in chosen.items()
        for one in keepers
    ]
    tx.insert("content_copy", rows, conflict="(cid, organisation) DO UPDATE SET assigned = 1")
    tx.run(
        "UPDATE content SET plan = :plan WHERE cid IN :cids AND state = 'kept'",
        plan=plan,
        cids=cids,
    )


# Asking for them --------------------------------------------------------------------------------


def asked_of(tx: Transaction, *, state: str, now_ms: int) -> list[bytes]:
    """Return the organisations that are to be asked about copies in a state now."""
    rows = tx.all(
        "SELECT DISTINCT organisation FROM content_copy WHERE state = :state AND next_ms <= :now",
        state=state,
        now=now_ms,
    )
    return sorted(row[0] for row in rows)


def due(tx: Transaction, organisation: bytes, *, state: str, now_ms: int, limit: int) -> list[Copy]:
    """Return copies that an organisation is to be asked about now, longest due first."""
    rows = tx.all(
        _COPY + " WHERE organisation = :organisation AND state = :state AND next_ms <= :now"
        " ORDER BY next_ms LIMIT :limit",
        organisation=organisation,
        state=state,
        now=now_ms,
        limit=limit,
    )
    return [read(Copy, row) for row in rows]


def confirmed(
    tx: Transaction, receipt: Receipt, cids: Sequence[str], *, state: str, next_ms: int
) -> None:
    """Note what an organisation signed of copies: that it holds them, or has dropped them.

    Whoever signs to hold what is to be dropped meanwhile is still asked to drop it.
    """
    if not cids:
        return
    tx.insert("copy_receipt", [row_of(receipt)], conflict="(digest) DO NOTHING")
    before = ("wanted", "held") if state == HELD else ("dropping",)
    tx.run(
        "UPDATE content_copy SET state = :state, receipt = :receipt, tries = 0, next_ms = :next"
        " WHERE organisation = :organisation AND cid IN :cids AND state IN :before",
        state=state,
        receipt=receipt.digest,
        next=next_ms,
        organisation=receipt.organisation,
        cids=cids,
        before=before,
    )


def put_off(
    tx: Transaction, organisation: bytes, cids: Sequence[str], *, next_ms: int, lost: bool = False
) -> None:
    """Ask again later; ``lost``: what was held there is wanted again."""
    if cids:
        tx.run(
            "UPDATE content_copy SET tries = tries + 1, next_ms = :next,"
            " state = CASE WHEN :lost = 1 AND state = 'held' THEN 'wanted' ELSE state END"
            " WHERE organisation = :organisation AND cid IN :cids",
            next=next_ms,
            lost=int(lost),
            organisation=organisation,
            cids=cids,
        )


def receipts(tx: Transaction, cids: Sequence[str]) -> list[Receipt]:
    """Return what other organisations signed of these contents last."""
    rows = tx.all(_RECEIPT + _OF_CONTENTS, cids=cids)
    return [read(Receipt, row) for row in rows]


def drop_receipts(tx: Transaction) -> int:
    """Drop receipts that newer ones took the place of; how many."""
    return tx.run(
        "DELETE FROM copy_receipt WHERE NOT EXISTS"
        " (SELECT 1 FROM content_copy AS c WHERE c.receipt = copy_receipt.digest)"
    )


# Reading them again here ------------------------------------------------------------------------


def to_read(tx: Transaction, *, now_ms: int, limit: int) -> list[Content]:
    """Return contents that are to be read again, longest due first."""
    rows = tx.all(
        _CONTENT + " WHERE state = 'kept' AND next_ms <= :now ORDER BY next_ms LIMIT :limit",
        now=now_ms,
        limit=limit,
    )
    return [read(Content, row) for row in rows]


def was_read(tx: Transaction, cid: str, *, damaged: bool, next_ms: int) -> None:
    """Note what a reading found."""
    tx.run(
        "UPDATE content SET damaged = :damaged, next_ms = :next WHERE cid = :cid",
        damaged=int(damaged),
        next=next_ms,
        cid=cid,
    )


def read_soon(tx: Transaction, cids: Sequence[str]) -> None:
    """Let these contents be read again at once."""
    tx.run("UPDATE content SET next_ms = 0 WHERE state = 'kept' AND cid IN :cids", cids=cids)


def read_all_soon(tx: Transaction) -> None:
    """Let everything be read again, as fast as it may be."""
    tx.run("UPDATE content SET next_ms = 0 WHERE state = 'kept'")


# Erasing them -----------------------------------------------------------------------------------


def erase(
    tx: Transaction, cids: Sequence[str], organisations: Sequence[bytes], *, now_ms: int
) -> None:
    """Begin to erase contents here and at all these organisations, whoever keeps a copy."""
    tx.run("UPDATE content SET state = 'erasing', next_ms = 0 WHERE cid IN :cids", cids=cids)
    tx.run(
        "UPDATE content_copy SET state = 'dropping', next_ms = :now, tries = 0"
        " WHERE cid IN :cids AND state <> 'dropped'",
        now=now_ms,
        cids=cids,
    )
    rows = [
        row_of(
            Copy(
                cid=cid,
                organisation=one,
                state=DROPPING,
                assigned=0,
                tries=0,
                next_ms=now_ms,
                receipt=None,
            )
        )
        for cid in cids
        for one in organisations
    ]
    tx.insert("content_copy", rows, conflict="(cid, organisation) DO NOTHING")


def erasing(tx: Transaction, *, limit: int) -> list[str]:
    """Return contents that are still to be deleted here."""
    rows = tx.all(
        "SELECT cid FROM content WHERE state = 'erasing' AND next_ms = 0 LIMIT :limit", limit=limit
    )
    return [row[0] for row in rows]


def erased_here(tx: Transaction, cids: Sequence[str]) -> None:
    """Note that contents are deleted here."""
    tx.run("UPDATE content SET next_ms = 1 WHERE state = 'erasing' AND cid IN :cids", cids=cids)


def close_erased(tx: Transaction) -> int:
    """Note what is deleted here and dropped everywhere else; how many contents."""
    return tx.run(
        "UPDATE content SET state = 'erased' WHERE state = 'erasing' AND next_ms = 1"
        " AND NOT EXISTS (SELECT 1 FROM content_copy AS c"
        " WHERE c.cid = content.cid AND c.state <> 'dropped')"
    )
