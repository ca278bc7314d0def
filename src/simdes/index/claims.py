"""What is stated of encounters' costs here, and what is done with claims, each step until the
ledger has it. Amounts, blinds and resources are wrapped under the vault's key.

A cost is stated, built into a batch, issued once that stands in the forest. A step is ``begun``
(the ledger may have it or not), then ``done`` or ``refused``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from simdes.errors import Conflict
from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction

STATED, BUILT, ISSUED, INSERTED = "stated", "built", "issued", "inserted"
BEGUN = "begun"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCost:
    """A statement of what an encounter (the id of the resource) of a vault costs."""

    vault: bytes
    encounter: str
    version: int
    leaf: bytes
    content_wrapped: bytes
    created_ms: int
    state: str = STATED
    waits: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost(NewCost):
    """A statement as kept; ``batch`` and ``place`` from ``built``; ``waits`` 1: to be claimed."""

    id: int
    batch: int | None
    place: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCostBatch:
    """A batch of ``leaves`` (32 bytes each) for a period of the timetable."""

    slot: int
    root: bytes
    leaves: bytes
    created_ms: int
    state: str = BUILT


@dataclass(frozen=True, slots=True, kw_only=True)
class CostBatch(NewCostBatch):
    """A batch as kept."""

    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewStep:
    """A step of ``claim`` (its id on the ledger): ``verb``, what the ledger will say (``expects``).

    ``resource`` is the id of the Claim, ``encounter`` of the Encounter ("" at the insurer),
    ``other`` the organisation on the other side, ``account`` in whose name; nobody else takes it up
    before ``until_ms``.
    """

    claim: bytes
    tag: bytes
    vault: bytes
    resource: str
    encounter: str
    other: bytes
    verb: str
    expects: bytes
    content_wrapped: bytes
    account: bytes
    until_ms: int
    created_ms: int
    state: str = BEGUN
    ended: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(NewStep):
    """A step as kept."""

    id: int


_COST = select(Cost, "cost")
_BATCH = select(CostBatch, "cost_batch")
_STEP = select(Step, "claim_step")
_HERE = " AND EXISTS (SELECT 1 FROM vault AS v WHERE v.tag = vault AND v.key_wrapped IS NOT NULL)"
_OPENED = " WHERE verb = 'open' AND state = 'done'" + _HERE
_ANEW = (
    "EXISTS (SELECT 1 FROM claim_step AS other WHERE other.claim = claim_step.claim"
    " AND other.verb = claim_step.verb AND other.expects = claim_step.expects"
    " AND other.state <> 'refused'"
)
_LOST = " WHERE id > (SELECT max(id) FROM claim_step) - 10000 AND state = 'refused'"
"""Among the newest alone, where a worker can be slow."""
_WAITING = (
    " WHERE state = 'issued' AND waits = 1 AND NOT EXISTS (SELECT 1 FROM cost AS later"
    " WHERE later.vault = cost.vault AND later.encounter = cost.encounter"
    " AND later.version > cost.version)"
)


# Costs ----------------------------------------------------------------------------------------


def add_cost(tx: Transaction, new: NewCost) -> bool:
    """Write a statement down; False where another worker was first with this version."""
    made = tx.insert(
        "cost",
        [row_of(new)],
        conflict="(vault, encounter, version) DO NOTHING",
        returning="id",
    )
    return bool(made)


def costs_of(tx: Transaction, vault: bytes, encounter: str) -> list[Cost]:
    """Every statement of an encounter, the newest version last."""
    rows = tx.all(
        _COST + " WHERE vault = :vault AND encounter = :encounter ORDER BY version",
        vault=vault,
        encounter=encounter,
    )
    return [read(Cost, row) for row in rows]


def waiting(tx: Transaction) -> list[Cost]:
    """Issued statements that are to be claimed, each the newest of its encounter; none of a vault
    that was erased here."""
    rows = tx.all(_COST + _WAITING + _HERE + " ORDER BY id")
    return [read(Cost, row) for row in rows]


def wait(tx: Transaction, vault: bytes, encounter: str, *, waits: bool = True) -> None:
    """Have an encounter's newest statement looked at again, or no more."""
    tx.run(
        "UPDATE cost SET waits = :waits WHERE vault = :vault AND encounter = :encounter"
        " AND version = (SELECT max(version) FROM cost AS every"
        " WHERE every.vault = :vault AND every.encounter = :encounter)",
        waits=int(waits),
        vault=vault,
        encounter=encounter,
    )


def written(
    tx: Transaction, types: Sequence[str], *, after: int, limit: int
) -> list[tuple[int, bytes]]:
    """Versions of these types that were written behind a row id: (row id, vault), in order."""
    rows = tx.all(
        "SELECT id, vault FROM resource WHERE id > :after AND type IN :types"
        " ORDER BY id LIMIT :limit",
        after=after,
        types=list(types),
        limit=limit,
    )
    return [(int(id_), bytes(vault)) for id_, vault in rows]


def stated(tx: Transaction, *, limit: int) -> list[Cost]:
    """Statements that are in no batch, oldest first."""
    rows = tx.all(_COST + " WHERE state = 'stated' ORDER BY id LIMIT :n", n=limit)
    return [read(Cost, row) for row in rows]


def newest_slot(tx: Transaction) -> int | None:
    """The period of the newest batch, None before the first."""
    row = tx.one("SELECT max(slot) FROM cost_batch")
    return None if row is None or row[0] is None else int(row[0])


def build(tx: Transaction, batch: NewCostBatch, places: Mapping[int, int]) -> None:
    """Put statements (id to place) into a batch. Raises Conflict where the period has its batch."""
    made = tx.insert("cost_batch", [row_of(batch)], returning="id")
    rows = [{"id": id_, "batch": made[0][0], "place": at} for id_, at in places.items()]
    if rows and tx.many(
        "UPDATE cost SET state = 'built', batch = :batch, place = :place"
        " WHERE id = :id AND state = 'stated'",
        rows,
    ) != len(rows):
        raise Conflict("Another worker put a cost into a batch")


def batch(tx: Transaction, id_: int) -> CostBatch | None:
    """A batch by its id."""
    row = tx.one(_BATCH + " WHERE id = :id", id=id_)
    return None if row is None else read(CostBatch, row)


def unfinished(tx: Transaction) -> list[CostBatch]:
    """Batches that are not known to stand in the forest, oldest first."""
    rows = tx.all(_BATCH + " WHERE state = 'built' ORDER BY id")
    return [read(CostBatch, row) for row in rows]


def inserted(tx: Transaction, id_: int) -> int:
    """Say that a batch stands in the forest; how many costs are issued with it."""
    tx.run("UPDATE cost_batch SET state = 'inserted' WHERE id = :id", id=id_)
    return tx.run("UPDATE cost SET state = 'issued' WHERE batch = :id AND state = 'built'", id=id_)


# Steps ----------------------------------------------------------------------------------------


def begin(tx: Transaction, new: NewStep) -> Step | None:
    """Write a step down; None while one of this tag is open: one at a time."""
    tx.lock(f"claim {new.tag.hex()}")
    if tx.one("SELECT 1 FROM claim_step WHERE tag = :tag AND state = 'begun'", tag=new.tag):
        return None
    made = tx.insert("claim_step", [row_of(new)], returning="id")
    return Step(**row_of(new), id=int(made[0][0]))  # type: ignore[arg-type]


def confirm(tx: Transaction, id_: int) -> bool:
    """Say that the ledger has a step; False where that was said before.

    Also of a step that was taken for refused while its worker was slow, unless another one began it
    anew: then the ledger has that one.
    """
    changed = tx.run(
        "UPDATE claim_step SET state = 'done' WHERE id = :id AND (state = 'begun'"  # noqa: S608
        f" OR state = 'refused' AND NOT {_ANEW} AND other.id > claim_step.id))",
        id=id_,
    )
    return bool(changed)


def refuse(tx: Transaction, id_: int, *, until_ms: int) -> None:
    """Say that the ledger does not have a begun step; it is looked for once more after a time."""
    tx.run(
        "UPDATE claim_step SET state = 'refused', until_ms = :until"
        " WHERE id = :id AND state <> 'done'",
        until=until_ms,
        id=id_,
    )


def lost(tx: Transaction, *, now_ms: int) -> Step | None:
    """The oldest step to look for once more: a slow worker may have sent it after it was taken for
    refused, and died before it wrote that down. None of what the ledger has another step for."""
    row = tx.one(
        f"{_STEP}{_LOST} AND until_ms <= :now AND NOT {_ANEW}) ORDER BY id LIMIT 1",
        now=now_ms,
    )
    return None if row is None else read(Step, row)


def begun(tx: Transaction, *, now_ms: int) -> list[Step]:
    """Steps that nobody works on now and that are not settled, oldest first."""
    rows = tx.all(
        _STEP + " WHERE state = 'begun' AND until_ms <= :now ORDER BY id",
        now=now_ms,
    )
    return [read(Step, row) for row in rows]


def steps(
    tx: Transaction, *, claim: bytes | None = None, tag: bytes | None = None, verb: str = ""
) -> list[Step]:
    """Steps that were done, of a claim or tag (None: any), of one verb ("": any), in order."""
    rows = tx.all(
        _STEP + " WHERE state = 'done' AND (:all_claims = 1 OR claim = :claim)"
        " AND (:all_tags = 1 OR tag = :tag) AND (:verb = '' OR verb = :verb) ORDER BY id",
        all_claims=int(claim is None),
        claim=claim or b"",
        all_tags=int(tag is None),
        tag=tag or b"",
        verb=verb,
    )
    return [read(Step, row) for row in rows]


def opened_here(tx: Transaction) -> list[Step]:
    """The openings of claims, oldest first.

    None of a vault that was erased here: what their steps hold can't be opened any more.
    """
    return [read(Step, row) for row in tx.all(_STEP + _OPENED + " ORDER BY id")]


def running(tx: Transaction) -> list[Step]:
    """The same of claims that may still need something of their provider."""
    return [read(Step, row) for row in tx.all(_STEP + _OPENED + " AND ended = 0 ORDER BY id")]


def among(tx: Transaction, vaults: Collection[bytes]) -> set[bytes]:
    """Those of the vaults with a claim that may still need something of their provider."""
    rows = tx.all(
        "SELECT DISTINCT vault FROM claim_step WHERE vault IN :vaults"
        " AND verb = 'open' AND state = 'done' AND ended = 0",
        vaults=sorted(vaults),
    )
    return {bytes(vault) for (vault,) in rows}


def end(tx: Transaction, id_: int) -> None:
    """Say that a claim needs nothing more of its provider."""
    tx.run("UPDATE claim_step SET ended = 1 WHERE id = :id", id=id_)


def resume(tx: Transaction, claim: bytes) -> None:
    """Have a claim that had ended looked at once more by its provider's software."""
    tx.run(
        "UPDATE claim_step SET ended = 0"
        " WHERE claim = :claim AND verb = 'open' AND state = 'done' AND ended = 1",
        claim=claim,
    )


def opened(tx: Transaction, vault: bytes, resource: str) -> Step | None:
    """The step by which a Claim was opened here."""
    row = tx.one(
        _STEP + " WHERE state = 'done' AND verb = 'open' AND vault = :vault AND resource = :id"
        " ORDER BY id DESC LIMIT 1",
        vault=vault,
        id=resource,
    )
    return None if row is None else read(Step, row)


def of_vault(tx: Transaction, vault: bytes, verb: str) -> list[Step]:
    """Steps of one verb that were done in a vault, in order."""
    rows = tx.all(
        _STEP + " WHERE state = 'done' AND verb = :verb AND vault = :vault ORDER BY id",
        verb=verb,
        vault=vault,
    )
    return [read(Step, row) for row in rows]


# Records for insurers -------------------------------------------------------------------------


def sealed_alone(
    tx: Transaction, resources: Sequence[int], among: Sequence[bytes]
) -> dict[int, bytes]:
    """For versions (by row id) that one of these records holds, that record's id."""
    if not among:
        return {}
    rows = tx.all(
        "SELECT resource_id, record_id FROM leaf"
        " WHERE resource_id IN :ids AND record_id IN :records",
        ids=list(resources),
        records=list(among),
    )
    return {int(resource): bytes(record) for resource, record in rows}


def unanchored(tx: Transaction, records: Sequence[bytes]) -> int:
    """How many of these records are in no block yet."""
    row = tx.one(
        "SELECT count(*) FROM record AS r LEFT JOIN batch AS b ON b.batch_id = r.batch_id"
        " WHERE r.record_id IN :ids AND (b.state IS NULL OR b.state <> 'anchored')",
        ids=list(records),
    )
    return 0 if row is None else int(row[0])
