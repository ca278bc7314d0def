"""Fingerprints across insurers: shares of keys, what was evaluated, published and seen.

What an insurer may have evaluated in a day is charged by one statement that can't pass the limit,
however many ask at once, and stands across restarts. Format: ``docs/formats/fingerprints.md``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from simdes.index.rows import read, row_of, select
from simdes.index.statements import Value
from simdes.index.transaction import Transaction

AGREED, HELD, ENDED = "agreed", "held", "ended"
PAGE_BATCHES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """A plan that the operator agreed to, and how far it came here."""

    plan: bytes
    content: bytes
    state: str
    dealing: bytes | None
    key: bytes | None
    share_wrapped: bytes | None
    agreed_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LineRow:
    """What one fingerprint of ours is of: kind, by what the person is matched, claim and line.

    It is published once its claim is ``accepted``.
    """

    function: bytes
    fingerprint: bytes
    kind: str
    matched_by: str
    detail: str
    claim: str
    line: int
    day: str
    coordinated: int
    accepted: int
    batch: int | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """One published batch: fingerprints and dummies, sorted, one behind the other."""

    number: int
    content: bytes


# Keys ---------------------------------------------------------------------------------------------


def agree(tx: Transaction, plan: bytes, content: bytes, *, now_ms: int) -> None:
    """Keep a plan that the operator agreed to; again, nothing changes."""
    row = PlanRow(
        plan=plan,
        content=content,
        state=AGREED,
        dealing=None,
        key=None,
        share_wrapped=None,
        agreed_ms=now_ms,
    )
    tx.insert("fingerprint_plan", [row_of(row)], conflict="(plan) DO NOTHING")


def plan(tx: Transaction, digest: bytes) -> PlanRow | None:
    """The plan with this digest, None where nobody here agreed to it."""
    row = tx.one(select(PlanRow, "fingerprint_plan") + " WHERE plan = :plan", plan=digest)
    return None if row is None else read(PlanRow, row)


def plans(tx: Transaction) -> list[PlanRow]:
    """Every plan, oldest first."""
    rows = tx.all(select(PlanRow, "fingerprint_plan") + " ORDER BY agreed_ms, plan")
    return [read(PlanRow, row) for row in rows]


def held(tx: Transaction, key: bytes) -> PlanRow | None:
    """The plan by which a share of this key is held, None where none is."""
    row = tx.one(
        select(PlanRow, "fingerprint_plan") + " WHERE key = :key AND state = 'held'", key=key
    )
    return None if row is None else read(PlanRow, row)


def keep_dealing(tx: Transaction, digest: bytes, dealing: bytes) -> bytes:
    """Keep what we dealt under a plan; returns what stands, which is the first one for ever."""
    tx.run(
        "UPDATE fingerprint_plan SET dealing = :dealing WHERE plan = :plan AND dealing IS NULL",
        dealing=dealing,
        plan=digest,
    )
    found = plan(tx, digest)
    return dealing if found is None or found.dealing is None else found.dealing


def keep_share(tx: Transaction, digest: bytes, *, key: bytes, wrapped: bytes) -> bool:
    """Keep our share of a plan's key; False where another key came of the plan here before."""
    tx.run(
        "UPDATE fingerprint_plan SET state = 'held', key = :key, share_wrapped = :wrapped"
        " WHERE plan = :plan AND state = 'agreed'",
        key=key,
        wrapped=wrapped,
        plan=digest,
    )
    found = plan(tx, digest)
    return found is not None and found.state == HELD and found.key == key


def end(tx: Transaction, key: bytes) -> int:
    """Destroy our share of a key that was handed on, or is not to be used any more; how many."""
    return tx.run(
        "UPDATE fingerprint_plan SET state = 'ended', share_wrapped = NULL"
        " WHERE key = :key AND state = 'held'",
        key=key,
    )


def adopt(tx: Transaction, key: bytes, content: bytes, *, now_ms: int) -> None:
    """Work with a finished key from now on."""
    row: dict[str, Value] = {"key": key, "content": content, "adopted_ms": now_ms}
    tx.insert(
        "fingerprint_key",
        [row],
        conflict="(key) DO UPDATE SET adopted_ms = excluded.adopted_ms",
    )


def adopted(tx: Transaction) -> bytes | None:
    """The finished key that was adopted last, None before the first."""
    row = tx.one("SELECT content FROM fingerprint_key ORDER BY adopted_ms DESC LIMIT 1")
    return None if row is None else row[0]


# What insurers had us evaluate --------------------------------------------------------------------


def charge(tx: Transaction, organisation: bytes, *, day: int, count: int, limit: int) -> bool:
    """Count what an insurer has us evaluate; False, and nothing counted, beyond the day's limit."""
    row: dict[str, Value] = {"organisation": organisation, "day": day, "spent": 0}
    tx.insert("fingerprint_spent", [row], conflict="(organisation, day) DO NOTHING")
    changed = tx.run(
        "UPDATE fingerprint_spent SET spent = spent + :count"
        " WHERE organisation = :organisation AND day = :day AND spent + :count <= :limit",
        organisation=organisation,
        day=day,
        count=count,
        limit=limit,
    )
    return changed == 1


def spent(tx: Transaction, organisation: bytes, day: int) -> int:
    """How many an insurer had us evaluate on a day."""
    row = tx.one(
        "SELECT spent FROM fingerprint_spent WHERE organisation = :organisation AND day = :day",
        organisation=organisation,
        day=day,
    )
    return 0 if row is None else int(row[0])


def spent_on(tx: Transaction, day: int) -> dict[bytes, int]:
    """How many each insurer had us evaluate on a day."""
    rows = tx.all(
        "SELECT organisation, spent FROM fingerprint_spent WHERE day = :day ORDER BY organisation",
        day=day,
    )
    return {row[0]: int(row[1]) for row in rows}


# Our own lines and batches ------------------------------------------------------------------------


def add_lines(tx: Transaction, lines: Iterable[LineRow]) -> None:
    """Keep what fingerprints of ours are of; one that is there stays."""
    tx.insert(
        "fingerprint_line",
        [row_of(one) for one in lines],
        conflict="(function, fingerprint, claim, line) DO NOTHING",
    )


def lines(tx: Transaction, function: bytes) -> list[LineRow]:
    """Every line of ours whose fingerprint somebody else published, too, or another accepted claim
    of ours has."""
    matched = (
        " WHERE l.function = :function AND (EXISTS (SELECT 1 FROM fingerprint_seen s"
        " WHERE s.function = l.function AND s.fingerprint = l.fingerprint)"
        " OR EXISTS (SELECT 1 FROM fingerprint_line o WHERE o.function = l.function"
        " AND o.fingerprint = l.fingerprint AND o.claim <> l.claim AND o.accepted = 1))"
        " ORDER BY l.claim, l.line, l.kind, l.fingerprint"
    )
    rows = tx.all(select(LineRow, "fingerprint_line l", prefix="l.") + matched, function=function)
    return [read(LineRow, row) for row in rows]


def accepted(
    tx: Transaction, function: bytes, fingerprints: Sequence[bytes]
) -> dict[bytes, frozenset[str]]:
    """The accepted claims of ours that have each of these fingerprints."""
    if not fingerprints:
        return {}
    rows = tx.all(
        "SELECT fingerprint, claim FROM fingerprint_line"
        " WHERE function = :function AND fingerprint IN :all AND accepted = 1",
        function=function,
        all=list(fingerprints),
    )
    found: dict[bytes, set[str]] = defaultdict(set)
    for fingerprint, claim in rows:
        found[bytes(fingerprint)].add(str(claim))
    return {one: frozenset(its) for one, its in found.items()}


def of_claim(tx: Transaction, function: bytes, claim: str) -> list[LineRow]:
    """Every fingerprint of one claim."""
    rows = tx.all(
        select(LineRow, "fingerprint_line") + " WHERE claim = :claim AND function = :function"
        " ORDER BY line, kind, fingerprint",
        claim=claim,
        function=function,
    )
    return [read(LineRow, row) for row in rows]


def accept(tx: Transaction, function: bytes, claim: str) -> int:
    """Let a claim's fingerprints be published; how many were not before."""
    return tx.run(
        "UPDATE fingerprint_line SET accepted = 1"
        " WHERE claim = :claim AND function = :function AND accepted = 0",
        claim=claim,
        function=function,
    )


def waiting(tx: Transaction, function: bytes, *, most: int) -> list[bytes]:
    """Fingerprints of accepted lines that are in no batch yet, each once."""
    rows = tx.all(
        "SELECT DISTINCT fingerprint FROM fingerprint_line"
        " WHERE batch IS NULL AND accepted = 1 AND function = :function LIMIT :most",
        function=function,
        most=most,
    )
    return [row[0] for row in rows]


def publish(
    tx: Transaction, function: bytes, own: Sequence[bytes], content: bytes, *, now_ms: int
) -> int:
    """Publish a batch, which holds these of ours; returns its number.

    It is the time, or one more than the newest number where the clock says less: a counter would
    start again behind a backup that was restored, and repeat numbers that others have read.
    """
    tx.lock("fingerprints")
    newest = tx.one("SELECT max(id) FROM fingerprint_batch")
    number = max(now_ms, 1 + int((newest and newest[0]) or 0))
    row: dict[str, Value] = {
        "id": number,
        "function": function,
        "content": content,
        "made_ms": now_ms,
    }
    tx.insert("fingerprint_batch", [row])
    tx.many(
        "UPDATE fingerprint_line SET batch = :batch"
        " WHERE function = :function AND fingerprint = :fingerprint AND batch IS NULL",
        [{"batch": number, "function": function, "fingerprint": one} for one in own],
    )
    return number


def published_ms(tx: Transaction, function: bytes) -> int:
    """When the last batch was published, by the clock of then; 0 before the first."""
    row = tx.one(
        "SELECT made_ms FROM fingerprint_batch WHERE function = :function ORDER BY id DESC LIMIT 1",
        function=function,
    )
    return 0 if row is None else int(row[0])


def batches(tx: Transaction, function: bytes, *, after: int) -> list[Batch]:
    """The next batches behind a number, a page of them."""
    rows = tx.all(
        "SELECT id, content FROM fingerprint_batch WHERE function = :function AND id > :after"
        " ORDER BY id LIMIT :most",
        function=function,
        after=after,
        most=PAGE_BATCHES,
    )
    return [Batch(*row) for row in rows]


# What others published ----------------------------------------------------------------------------


def read_up_to(tx: Transaction, function: bytes, organisation: bytes) -> int:
    """The number of the last batch that was read of an insurer, 0 before the first."""
    row = tx.one(
        "SELECT batch FROM fingerprint_read"
        " WHERE function = :function AND organisation = :organisation",
        function=function,
        organisation=organisation,
    )
    return 0 if row is None else int(row[0])


def see(tx: Transaction, function: bytes, organisation: bytes, batch: Batch, *, size: int) -> None:
    """Keep a batch that another insurer published, and that it was read."""
    content = batch.content
    rows: list[dict[str, Value]] = [
        {
            "function": function,
            "fingerprint": content[at : at + size],
            "organisation": organisation,
            "batch": batch.number,
        }
        for at in range(0, len(content), size)
    ]
    tx.insert("fingerprint_seen", rows, conflict="(function, fingerprint, organisation) DO NOTHING")
    mark: dict[str, Value] = {
        "function": function,
        "organisation": organisation,
        "batch": batch.number,
    }
    tx.insert(
        "fingerprint_read",
        [mark],
        conflict="(function, organisation) DO UPDATE SET batch = excluded.batch",
    )


def seen(
    tx: Transaction, function: bytes, fingerprints: Sequence[bytes]
) -> dict[bytes, list[bytes]]:
    """Who else published each of these: fingerprint to organisations, in a fixed order."""
    found: dict[bytes, list[bytes]] = {}
    for one in dict.fromkeys(fingerprints):
        rows = tx.all(
            "SELECT organisation FROM fingerprint_seen"
            " WHERE function = :function AND fingerprint = :fingerprint ORDER BY organisation",
            function=function,
            fingerprint=one,
        )
        if rows:
            found[one] = [row[0] for row in rows]
    return found
