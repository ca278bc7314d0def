"""Prescriptions that were written here, and the batches in which they are stated.

A prescription is stated (durable with its MedicationRequest), built into a batch, issued once the
batch stands in the forest; or withdrawn before it was in any. What is secret is wrapped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simdes.errors import Conflict
from simdes.index import merges
from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction

STATED, BUILT, ISSUED, WITHDRAWN = "stated", "built", "issued", "withdrawn"
INSERTED = "inserted"
NO, WANTED, DONE = "no", "wanted", "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPrescription:
    """A statement to issue for ``request`` (the id of a MedicationRequest) of a vault."""

    vault: bytes
    request: str
    leaf: bytes
    content_wrapped: bytes
    created_ms: int
    state: str = STATED
    cancel: str = NO


@dataclass(frozen=True, slots=True, kw_only=True)
class Prescription(NewPrescription):
    """A statement as kept; ``batch`` and ``place`` from ``built`` on."""

    id: int
    batch: int | None
    place: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch:
    """A batch of ``leaves`` (32 bytes each) for a period of the timetable."""

    slot: int
    root: bytes
    leaves: bytes
    created_ms: int
    state: str = BUILT


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch(NewBatch):
    """A batch as kept."""

    id: int


_PRESCRIPTION = select(Prescription, "prescription")
_BATCH = select(Batch, "statement_batch")


def add(tx: Transaction, new: Sequence[NewPrescription]) -> None:
    """Write statements down."""
    tx.insert("prescription", [row_of(one) for one in new])


def of_request(tx: Transaction, vault: bytes, request: str) -> list[Prescription]:
    """Every statement of a MedicationRequest, the newest last."""
    rows = tx.all(
        _PRESCRIPTION + " WHERE vault = :vault AND request = :request ORDER BY id",
        vault=vault,
        request=request,
    )
    return [read(Prescription, row) for row in rows]


def withdraw(tx: Transaction, vault: bytes, request: str) -> int:
    """End the statements of a MedicationRequest; how many are to be cancelled on the ledger.

    What no batch holds yet is never issued.
    """
    tx.run(
        "UPDATE prescription SET state = 'withdrawn'"
        " WHERE vault = :vault AND request = :request AND state = 'stated'",
        vault=vault,
        request=request,
    )
    return tx.run(
        "UPDATE prescription SET cancel = 'wanted' WHERE vault = :vault AND request = :request"
        " AND cancel = 'no' AND state IN ('built', 'issued')",
        vault=vault,
        request=request,
    )


def stated(tx: Transaction, *, limit: int) -> list[Prescription]:
    """Statements that are in no batch, oldest first."""
    rows = tx.all(_PRESCRIPTION + " WHERE state = 'stated' ORDER BY id LIMIT :n", n=limit)
    return [read(Prescription, row) for row in rows]


def unissued(tx: Transaction, batch: int, *, limit: int) -> list[Prescription]:
    """Statements that a batch holds and that are not issued yet."""
    rows = tx.all(
        _PRESCRIPTION + " WHERE batch = :batch AND state = 'built' ORDER BY place LIMIT :n",
        batch=batch,
        n=limit,
    )
    return [read(Prescription, row) for row in rows]


def issue(tx: Transaction, one: Prescription) -> bool:
    """Say that a statement is issued: its batch stands in the forest. False: it was said."""
    said = tx.run(
        "UPDATE prescription SET state = 'issued' WHERE id = :id AND state = 'built'", id=one.id
    )
    if said:
        note(tx, one.vault)
    return bool(said)


def issued(tx: Transaction, vault: bytes) -> list[Prescription]:
    """Issued statements of a vault that nobody cancelled, oldest first."""
    rows = tx.all(
        _PRESCRIPTION + " WHERE vault = :vault AND state = 'issued' AND cancel = 'no' ORDER BY id",
        vault=vault,
    )
    return [read(Prescription, row) for row in rows]


def note(tx: Transaction, vault: bytes) -> None:
    """Have a vault looked at for whom to tell of its prescriptions, if it has any, or those that
    were joined to it have."""
    tx.run(
        "INSERT INTO prescription_announce (vault) SELECT DISTINCT :vault FROM prescription"
        " WHERE vault IN :tags ON CONFLICT DO NOTHING",
        vault=vault,
        tags=[vault, *merges.joined(tx, vault)],
    )


def to_announce(tx: Transaction, *, after: bytes = b"", limit: int) -> list[bytes]:
    """Vaults that wait to be looked at, behind one of them."""
    rows = tx.all(
        "SELECT vault FROM prescription_announce WHERE vault > :after ORDER BY vault LIMIT :n",
        after=after,
        n=limit,
    )
    return [bytes(row[0]) for row in rows]


def announced(tx: Transaction, vault: bytes) -> None:
    """Say that a vault is looked at now."""
    tx.run("DELETE FROM prescription_announce WHERE vault = :vault", vault=vault)


def to_cancel(tx: Transaction, *, limit: int) -> list[Prescription]:
    """Statements that are to be cancelled on the ledger and may be, oldest first."""
    rows = tx.all(
        _PRESCRIPTION + " WHERE cancel = 'wanted' AND state = 'issued' ORDER BY id LIMIT :n",
        n=limit,
    )
    return [read(Prescription, row) for row in rows]


def cancelled(tx: Transaction, id_: int) -> None:
    """Say that a statement is cancelled on the ledger."""
    tx.run("UPDATE prescription SET cancel = 'done' WHERE id = :id", id=id_)


def newest_slot(tx: Transaction) -> int | None:
    """The period of the newest batch, None before the first."""
    row = tx.one("SELECT max(slot) FROM statement_batch")
    return None if row is None or row[0] is None else int(row[0])


def build(tx: Transaction, batch: NewBatch, places: Mapping[int, int]) -> None:
    """Put statements (id to place) into a batch, all or none.

    Raises Conflict where the period has its batch, or a statement went meanwhile.
    """
    made = tx.insert("statement_batch", [row_of(batch)], returning="id")
    rows = [{"id": id_, "batch": made[0][0], "place": at} for id_, at in places.items()]
    if not rows:
        return
    taken = tx.many(
        "UPDATE prescription SET state = 'built', batch = :batch, place = :place"
        " WHERE id = :id AND state = 'stated'",
        rows,
    )
    if taken != len(rows):
        raise Conflict("A prescription was withdrawn while its batch was built")


def unfinished(tx: Transaction) -> list[Batch]:
    """Batches that do not stand in the forest, or hold what is not issued yet, oldest first."""
    rows = tx.all(_BATCH + " WHERE state = 'built' ORDER BY id")
    return [read(Batch, row) for row in rows]


def inserted(tx: Transaction, id_: int) -> None:
    """Say that a batch stands in the forest and that all it holds is issued."""
    tx.run("UPDATE statement_batch SET state = 'inserted' WHERE id = :id", id=id_)


def standing(tx: Transaction, *, after: int, limit: int) -> list[Prescription]:
    """Issued statements that nobody cancelled, behind the one with the id ``after``, by batch."""
    rows = tx.all(
        _PRESCRIPTION + " WHERE id > :after AND state = 'issued' AND cancel = 'no'"
        " ORDER BY id LIMIT :n",
        after=after,
        n=limit,
    )
    return [read(Prescription, row) for row in rows]


def insert_again(
    tx: Transaction, *, forest: int, organisation: bytes, first: int, limit: int
) -> int:
    """Mark batches from ``first`` on that a forest lacks as not inserted, oldest first."""
    return tx.run(
        "UPDATE statement_batch SET state = 'built' WHERE id IN ("
        " SELECT b.id FROM statement_batch b WHERE b.id >= :first AND b.state = 'inserted'"
        " AND NOT EXISTS (SELECT 1 FROM chain_statement c WHERE c.forest = :forest"
        " AND c.organisation = :organisation AND c.root = b.root) ORDER BY b.id LIMIT :n)",
        first=first,
        forest=forest,
        organisation=organisation,
        n=limit,
    )
