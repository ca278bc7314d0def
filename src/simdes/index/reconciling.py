"""Rows of comparing audit trails: what is being opened, what others must show, what was found.

An opening is written before the first custodian is asked and goes with the entry that says how it
ended; one that nobody ended becomes an entry of its own and stays. A witness row stands for one
event that another organisation's trail must hold, too; it goes once that was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simdes.errors import NotFound
from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction

OPEN, CLOSED = "open", "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Records that somebody here began to open; ``seq`` is the entry about it, None so far."""

    id: bytes
    vault: bytes
    attempt_wrapped: bytes
    begun_ms: int
    seq: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWitness:
    """An event that ``organisation`` must show under ``verb``; ``seq`` is our entry of it.

    ``records`` are ids, one after the other; ``reason`` is "" for what was granted; ``token`` is
    the receipt in which they said so, None where there is none.
    """

    seq: int
    organisation: bytes
    verb: str
    reason: str
    said_ms: int
    records: bytes
    token: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness(NewWitness):
    """As kept: since when they are asked, None before the first time."""

    id: int
    first_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that does not agree, about an organisation."""

    id: bytes
    kind: str
    organisation: bytes
    vault: bytes | None
    seq: int | None
    batch_seq: int | None
    token: bytes | None
    found_ms: int
    again_ms: int
    state: str = OPEN
    why: str = ""
    closed_by: str = ""
    closed_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Repeated:
    """An audit root that stands on chain twice: where it came later, and whose it was first."""

    organisation: bytes
    seq: int
    first: bytes
    block_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """Counts of one moment; ``done_ms`` is when the last comparison ended, None before the first.

    ``findings`` are the open ones, ``waiting`` the events that others have not shown yet.
    """

    findings: int
    waiting: int
    done_ms: int | None


_OPENING = select(Opening, "audit_opening")
_WITNESS = select(Witness, "audit_witness")
_FINDING = select(Finding, "audit_finding")


# Openings -------------------------------------------------------------------------------------


def begin_opening(tx: Transaction, opening: Opening) -> None:
    """Write down what somebody is about to open."""
    tx.insert("audit_opening", [row_of(opening)])


def end_opening(tx: Transaction, id_: bytes) -> None:
    """Forget an opening whose entries are written down in this transaction."""
    tx.run("DELETE FROM audit_opening WHERE id = :id AND seq IS NULL", id=id_)


def unended(tx: Transaction, *, before_ms: int, limit: int = 1000) -> list[Opening]:
    """Return openings begun before a time of which nothing is written down."""
    rows = tx.all(
        _OPENING + " WHERE seq IS NULL AND begun_ms < :before ORDER BY begun_ms LIMIT :limit",
        before=before_ms,
        limit=limit,
    )
    return [read(Opening, row) for row in rows]


def ended_by(tx: Transaction, id_: bytes, *, seq: int) -> None:
    """Note the entry of an opening that nobody ended."""
    tx.run("UPDATE audit_opening SET seq = :seq WHERE id = :id", seq=seq, id=id_)


def unended_entries(tx: Transaction, vault: bytes, *, from_ms: int, to_ms: int) -> list[int]:
    """Return the entries about openings of a vault, begun in a time, that nobody ended."""
    rows = tx.all(
        "SELECT seq FROM audit_opening WHERE vault = :vault AND seq IS NOT NULL"
        " AND begun_ms BETWEEN :from_ms AND :to_ms ORDER BY seq",
        vault=vault,
        from_ms=from_ms,
        to_ms=to_ms,
    )
    return [row[0] for row in rows]


# What others must show ------------------------------------------------------------------------


def add_witnesses(tx: Transaction, witnesses: Sequence[NewWitness]) -> None:
    """Remember events that other organisations must show."""
    tx.insert("audit_witness", [row_of(one) | {"first_ms": None} for one in witnesses])


def asked_of(tx: Transaction, *, before_ms: int) -> dict[bytes, int]:
    """Return who is to be asked about something of before a time, and about how much."""
    rows = tx.all(
        "SELECT organisation, count(*) FROM audit_witness WHERE said_ms < :before"
        " GROUP BY organisation ORDER BY organisation",
        before=before_ms,
    )
    return {row[0]: int(row[1]) for row in rows}


def due(
    tx: Transaction, organisation: bytes, *, before_ms: int, after: int = 0, limit: int
) -> list[Witness]:
    """Return what an organisation is to be asked about, oldest first, behind row ``after``."""
    rows = tx.all(
        _WITNESS + " WHERE organisation = :organisation AND said_ms < :before AND id > :after"
        " ORDER BY id LIMIT :limit",
        organisation=organisation,
        before=before_ms,
        after=after,
        limit=limit,
    )
    return [read(Witness, row) for row in rows]


def drop_witnesses(tx: Transaction, ids: Sequence[int]) -> None:
    """Forget events that were shown, or that there is a finding about."""
    if ids:
        tx.run("DELETE FROM audit_witness WHERE id IN :ids", ids=ids)


def put_off(tx: Transaction, ids: Sequence[int], *, now_ms: int) -> None:
    """Note since when an organisation owes us an answer about these events."""
    if ids:
        tx.run(
            "UPDATE audit_witness SET first_ms = :now WHERE id IN :ids AND first_ms IS NULL",
            ids=ids,
            now=now_ms,
        )


def owed_since(tx: Transaction, organisation: bytes) -> int | None:
    """Return since when an organisation owes an answer, None where it does not."""
    row = tx.one(
        "SELECT min(first_ms) FROM audit_witness WHERE organisation = :organisation",
        organisation=organisation,
    )
    return None if row is None else row[0]


# The chain ------------------------------------------------------------------------------------


def repeated_roots(tx: Transaction, *, after_block: int) -> list[Repeated]:
    """Return audit roots appended behind a block that stood on chain before."""
    rows = tx.all(
        "SELECT l.organisation, l.seq, f.organisation, l.block_number"
        " FROM chain_audit_root AS l JOIN chain_audit_root AS f ON f.root = l.root"
        " WHERE l.block_number > :after AND (f.block_number < l.block_number"
        " OR (f.block_number = l.block_number AND (f.organisation < l.organisation"
        " OR (f.organisation = l.organisation AND f.seq < l.seq))))"
        " ORDER BY l.block_number, l.organisation, l.seq",
        after=after_block,
    )
    return [Repeated(*row) for row in rows]


# Findings -------------------------------------------------------------------------------------


def find(tx: Transaction, finding: Finding) -> bool:
    """Write a finding down; whether it is new. One that is known is noted as seen again."""
    made = tx.insert("audit_finding", [row_of(finding)], conflict="(id) DO NOTHING", returning="id")
    if not made:
        tx.run(
            "UPDATE audit_finding SET again_ms = :again WHERE id = :id",
            again=finding.again_ms,
            id=finding.id,
        )
    return bool(made)


def findings(
    tx: Transaction, *, state: str | None = OPEN, after: bytes | None = None, limit: int = 1000
) -> list[Finding]:
    """Return findings, the newest first; ``after`` is the last one of the page before."""
    conditions = ["1 = 1"]
    given: dict[str, int | str | bytes] = {"limit": limit}
    if state is not None:
        conditions.append("state = :state")
        given["state"] = state
    if after is not None:
        last = finding_of(tx, after)
        conditions.append("(found_ms < :at OR (found_ms = :at AND id > :last))")
        given |= {"at": last.found_ms, "last": last.id}
    rows = tx.all(
        f"{_FINDING} WHERE {' AND '.join(conditions)} ORDER BY found_ms DESC, id LIMIT :limit",
        **given,
    )
    return [read(Finding, row) for row in rows]


def finding_of(tx: Transaction, id_: bytes) -> Finding:
    """Return a finding by its id; raises `NotFound`."""
    row = tx.one(_FINDING + " WHERE id = :id", id=id_)
    if row is None:
        raise NotFound("There is no such finding.")
    return read(Finding, row)


def close(tx: Transaction, id_: bytes, *, why: str, by: str, now_ms: int) -> bool:
    """Close an open finding; whether it was open."""
    return bool(
        tx.run(
            "UPDATE audit_finding SET state = 'closed', why = :why, closed_by = :by,"
            " closed_ms = :now WHERE id = :id AND state = 'open'",
            why=why,
            by=by,
            now=now_ms,
            id=id_,
        )
    )


def reconciliation(tx: Transaction, *, done: str) -> Reconciliation:
    """Count; ``done`` is the checkpoint whose number is the time of the last comparison."""
    row = tx.one(
        "SELECT (SELECT count(*) FROM audit_finding WHERE state = 'open'),"
        " (SELECT count(*) FROM audit_witness),"
        " (SELECT block_number FROM checkpoint WHERE name = :done)",
        done=done,
    )
    found, waiting, done_ms = row or (0, 0, None)
    return Reconciliation(findings=found, waiting=waiting, done_ms=done_ms)
