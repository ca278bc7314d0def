"""Whose records an account read lately, for rules that look for unusual reading.

One row for each account and vault, with the last time; purged with what else expires
(`simdes.index.authorization.purge`).
"""

from __future__ import annotations

from simdes.index.statements import Value
from simdes.index.transaction import Transaction


def add_reading(
    tx: Transaction, account: bytes, vault: bytes, *, treating: bool, now_ms: int
) -> None:
    """Remember that an account reads a patient's records now."""
    row: dict[str, Value] = {
        "account": account,
        "vault": vault,
        "treating": int(treating),
        "read_ms": now_ms,
    }
    changes = "treating = excluded.treating, read_ms = excluded.read_ms"
    tx.insert("recent_reading", [row], conflict=f"(account, vault) DO UPDATE SET {changes}")


def read_since(tx: Transaction, account: bytes, vault: bytes, *, since_ms: int) -> bool:
    """Whether an account read a patient's records since then."""
    return (
        tx.one(
            "SELECT 1 FROM recent_reading"
            " WHERE account = :account AND vault = :vault AND read_ms > :since",
            account=account,
            vault=vault,
            since=since_ms,
        )
        is not None
    )


def patients_read(tx: Transaction, account: bytes, *, since_ms: int, strangers: bool) -> int:
    """Return how many patients' records an account read since then.

    ``strangers``: only of patients who are not in treatment where the reader works.
    """
    row = tx.one(
        "SELECT count(*) FROM recent_reading"
        " WHERE account = :account AND read_ms > :since AND treating < :below",
        account=account,
        since=since_ms,
        below=1 if strangers else 2,
    )
    return 0 if row is None else int(row[0])


def in_treatment(tx: Transaction, vault: bytes, *, category: int, since_ms: int) -> bool:
    """Whether something of this category was written here about a patient since then."""
    return (
        tx.one(
            "SELECT 1 FROM resource"
            " WHERE vault = :vault AND category = :category AND created_ms > :since LIMIT 1",
            vault=vault,
            category=category,
            since=since_ms,
        )
        is not None
    )
