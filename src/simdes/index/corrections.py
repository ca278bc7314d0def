"""Requests for corrections between organisations: told to who wrote an entry, heard from elsewhere.

Who hosts the patient keeps a row until its author took the words, and after that only that it did;
who wrote the entry keeps them until its staff answered.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction

WAITING, TOLD, REFUSED = "waiting", "told", "refused"
MOST_AT_ONCE: Final = 50
"""Rows that one round of a worker takes up."""
PAGE: Final = 50
"""Rows that are read of a queue at once, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request of a patient here about an entry (``about``: Type/id) that ``author`` wrote.

    ``id`` is its Communication's. It is tried again from ``next_ms`` on; ``settled_ms`` is when the
    author took it or turned it away, and the words go then. Times are unix milliseconds.
    """

    id: str
    vault: bytes
    author: bytes
    about: str
    words_wrapped: bytes | None
    asked_ms: int
    next_ms: int
    settled_ms: int | None = None
    state: str = WAITING


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A request about an entry of ours that ``teller``, who hosts its patient, told us of."""

    id: str
    vault: bytes
    teller: bytes
    about: str
    words_wrapped: bytes | None
    heard_ms: int
    answered_ms: int | None = None


_SENT = select(Sent, "correction_sent")
_HEARD = select(Heard, "correction_heard")

# At who hosts the patient -----------------------------------------------------------------------


def send(tx: Transaction, row: Sent) -> None:
    """Keep what is to be told; what is kept already stays as it is."""
    tx.insert("correction_sent", [row_of(row)], conflict="(id) DO NOTHING")


def due(tx: Transaction, *, now_ms: int) -> list[Sent]:
    """What is to be tried now, longest due first, `MOST_AT_ONCE` at most."""
    rows = tx.all(
        _SENT + " WHERE state = 'waiting' AND next_ms <= :now ORDER BY next_ms, id LIMIT :most",
        now=now_ms,
        most=MOST_AT_ONCE,
    )
    return [read(Sent, row) for row in rows]


def put_off(tx: Transaction, id_: str, *, next_ms: int) -> None:
    """Try it again later."""
    tx.run(
        "UPDATE correction_sent SET next_ms = :next WHERE id = :id AND state = 'waiting'",
        next=next_ms,
        id=id_,
    )


def settle(tx: Transaction, id_: str, state: str, *, now_ms: int) -> bool:
    """Note that its author took it, or turned it away; False where that was noted before."""
    return bool(
        tx.run(
            "UPDATE correction_sent SET state = :state, settled_ms = :now, words_wrapped = NULL"
            " WHERE id = :id AND state = 'waiting'",
            state=state,
            now=now_ms,
            id=id_,
        )
    )


def take_back(tx: Transaction, id_: str) -> None:
    """Tell nobody any more: it was answered here."""
    tx.run("DELETE FROM correction_sent WHERE id = :id AND state = 'waiting'", id=id_)


def sent(tx: Transaction, ids: Sequence[str]) -> dict[str, Sent]:
    """Those of these requests that go, or went, to who wrote the entry."""
    if not ids:
        return {}
    rows = tx.all(_SENT + " WHERE id IN :ids", ids=sorted(ids))
    return {one.id: one for one in (read(Sent, row) for row in rows)}


def count_untold(tx: Transaction, vault: bytes) -> int:
    """How many requests about a vault nobody took yet."""
    row = tx.one(
        "SELECT count(*) FROM correction_sent WHERE vault = :vault AND state = 'waiting'",
        vault=vault,
    )
    assert row is not None  # noqa: S101 (counts have a row)
    return int(row[0])


# At who wrote the entry -------------------------------------------------------------------------


def hear(tx: Transaction, row: Heard) -> None:
    """Keep what another organisation told; told again, it stays as it is."""
    tx.insert("correction_heard", [row_of(row)], conflict="(id) DO NOTHING")


def heard(tx: Transaction, id_: str) -> Heard | None:
    """Return a request that was told."""
    row = tx.one(_HEARD + " WHERE id = :id", id=id_)
    return None if row is None else read(Heard, row)


def unanswered(tx: Transaction, *, after: Heard | None = None) -> list[Heard]:
    """Requests without an answer behind one of them, oldest first, `PAGE` at most."""
    rows = tx.all(
        _HEARD + " WHERE answered_ms IS NULL AND (heard_ms, id) > (:ms, :id)"
        " ORDER BY heard_ms, id LIMIT :most",
        ms=after.heard_ms if after else -1,
        id=after.id if after else "",
        most=PAGE,
    )
    return [read(Heard, row) for row in rows]


def among(tx: Transaction, vaults: Collection[bytes]) -> set[bytes]:
    """Those of the vaults whose patients wait here for an answer."""
    rows = tx.all(
        "SELECT DISTINCT vault FROM correction_heard WHERE vault IN :vaults"
        " AND answered_ms IS NULL",
        vaults=sorted(vaults),
    )
    return {bytes(vault) for (vault,) in rows}


def count_waiting(tx: Transaction, *, vault: bytes, teller: bytes) -> tuple[int, int]:
    """How many wait about a vault, and how many that one organisation told."""
    row = tx.one(
        "SELECT (SELECT count(*) FROM correction_heard WHERE vault = :vault"
        " AND answered_ms IS NULL), (SELECT count(*) FROM correction_heard"
        " WHERE teller = :teller AND answered_ms IS NULL)",
        vault=vault,
        teller=teller,
    )
    assert row is not None  # noqa: S101 (counts have a row)
    return int(row[0]), int(row[1])


def answer(tx: Transaction, id_: str, *, now_ms: int) -> None:
    """Note that staff here answered; the words are needed no more."""
    tx.run(
        "UPDATE correction_heard SET answered_ms = :now, words_wrapped = NULL"
        " WHERE id = :id AND answered_ms IS NULL",
        now=now_ms,
        id=id_,
    )


def drop_about(tx: Transaction, *, vault: bytes, about: str) -> None:
    """Forget what was told of an entry (Type/id) of ours that is deleted: nobody can answer."""
    tx.run(
        "DELETE FROM correction_heard WHERE vault = :vault AND about = :about",
        vault=vault,
        about=about,
    )


# Both -------------------------------------------------------------------------------------------


def drop_vault(tx: Transaction, vault: bytes) -> None:
    """Forget what was asked about a vault that is erased here."""
    tx.run("DELETE FROM correction_sent WHERE vault = :vault", vault=vault)
    tx.run("DELETE FROM correction_heard WHERE vault = :vault", vault=vault)
