"""Whose records an account read lately, for rules that look for unusual reading.

One row for each account and vault, with the last time; purged with what else expires
(`simdes.index.authorization.purge`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from simdes.index.statements import Value
from simdes.index.transaction import Transaction


def add_readings(
    tx: Transaction, account: bytes, vaults: Mapping[bytes, bool], *, now_ms: int
) -> None:
    """Remember that an account reads these patients' records now.

    ``vaults`` leads from their vaults to whether they are in treatment where the reader works.
    """
    rows: list[dict[str, Value]] = [
        {"account": account, "vault": vault, "treating": int(treating), "read_ms": now_ms}
        for vault, treating in sorted(vaults.items())
    ]
    changes = "treating = excluded.treating, read_ms = excluded.read_ms"
    tx.insert("recent_reading", rows, conflict=f"(account, vault) DO UPDATE SET {changes}")


def read_since(
    tx: Transaction, account: bytes, vaults: Collection[bytes], *, since_ms: int
) -> set[bytes]:
    """Return those of the vaults that an account read since then."""
    rows = tx.all(
        "SELECT vault FROM recent_reading"
        " WHERE account = :account AND vault IN :vaults AND read_ms > :since",
        account=account,
        vaults=sorted(vaults),
        since=since_ms,
    )
    return {bytes(vault) for (vault,) in rows}


def patients_read(tx: Transaction, account: bytes, asked: Sequence[tuple[int, bool]]) -> list[int]:
    """Return how many patients' records an account read, for each (since_ms, strangers) asked.

    ``strangers``: only of patients who are not in treatment where the reader works.
    """
    if not asked:
        return []
    counts, given = [], {}
    for number, (since_ms, strangers) in enumerate(asked):
        given[f"since_{number}"], given[f"below_{number}"] = since_ms, 1 if strangers else 2
        counts.append(
            f"count(CASE WHEN read_ms > :since_{number} AND treating < :below_{number} THEN 1 END)"
        )
    row = tx.one(
        # Numbers alone are written into the text; every value is bound.
        f"SELECT {', '.join(counts)} FROM recent_reading"  # noqa: S608
        " WHERE account = :account AND read_ms > :first",
        account=account,
        first=min(since_ms for since_ms, _ in asked),
        **given,
    )
    return [int(count) for count in row or ()]


def in_treatment(
    tx: Transaction, vaults: Collection[bytes], *, category: int, since_ms: int
) -> set[bytes]:
    """Return those of the vaults into which something of this category was written since then."""
    rows = tx.all(
        "SELECT DISTINCT vault FROM resource"
        " WHERE vault IN :vaults AND category = :category AND created_ms > :since",
        vaults=sorted(vaults),
        category=category,
        since=since_ms,
    )
    return {bytes(vault) for (vault,) in rows}
