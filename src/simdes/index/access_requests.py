"""What staff asked patients whose accounts are hosted here to open to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction

WAITING, ACCEPTED, DECLINED = "waiting", "accepted", "declined"
MAX_LIST: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRequest:
    """A request: who asks (account, organisation, role), for which categories (a mask), purpose and
    days. ``handle`` is the consent that came of it. Times are unix milliseconds."""

    id: bytes
    vault: bytes
    account: bytes
    organisation: bytes
    role: int
    categories: int
    purpose: int
    days: int
    words_wrapped: bytes
    asked_ms: int
    state: str = WAITING
    answered_ms: int | None = None
    handle: bytes | None = None


_REQUEST = select(AccessRequest, "access_request")


def put(tx: Transaction, request: AccessRequest) -> None:
    """Keep a request in the place of whatever the same account waits for in this vault."""
    tx.run(
        "DELETE FROM access_request"
        " WHERE vault = :vault AND account = :account AND state = 'waiting'",
        vault=request.vault,
        account=request.account,
    )
    tx.insert("access_request", [row_of(request)])


def get(tx: Transaction, id_: bytes) -> AccessRequest | None:
    """Return a request."""
    row = tx.one(_REQUEST + " WHERE id = :id", id=id_)
    return None if row is None else read(AccessRequest, row)


def of_vault(
    tx: Transaction, vault: bytes, *, state: str = WAITING, since_ms: int = 0
) -> list[AccessRequest]:
    """Return a vault's requests in a state that came since a time, newest first."""
    rows = tx.all(
        _REQUEST + " WHERE vault = :vault AND state = :state AND asked_ms >= :since"
        " ORDER BY asked_ms DESC, id LIMIT :limit",
        vault=vault,
        state=state,
        since=since_ms,
        limit=MAX_LIST,
    )
    return [read(AccessRequest, row) for row in rows]


def declined_since(tx: Transaction, vault: bytes, account: bytes, *, since_ms: int) -> bool:
    """Whether the patient declined something that this account asked for, since a time."""
    found = tx.one(
        "SELECT 1 FROM access_request WHERE vault = :vault AND account = :account"
        " AND state = 'declined' AND answered_ms >= :since LIMIT 1",
        vault=vault,
        account=account,
        since=since_ms,
    )
    return found is not None


def answer(
    tx: Transaction, id_: bytes, state: str, *, now_ms: int, handle: bytes | None = None
) -> bool:
    """Note the answer to a request that waits; False where none does."""
    return bool(
        tx.run(
            "UPDATE access_request SET state = :state, answered_ms = :now, handle = :handle"
            " WHERE id = :id AND state = 'waiting'",
            state=state,
            now=now_ms,
            handle=handle,
            id=id_,
        )
    )


def drop_vault(tx: Transaction, vault: bytes) -> None:
    """Forget what was asked about a vault that is erased here."""
    tx.run("DELETE FROM access_request WHERE vault = :vault", vault=vault)
