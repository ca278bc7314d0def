"""How each claim that was opened here stood when its provider's software last looked, since when.

The ledger says how a claim stands, not since when; a patient who is told what is new needs both.
"""

from __future__ import annotations

from dataclasses import dataclass

from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """A ``claim`` (its id on the ledger) of a vault at an insurer, its ``state`` there as a number,
    and when it was first seen so."""

    claim: bytes
    vault: bytes
    insurer: bytes
    state: int
    at_ms: int


_NEWS = select(News, "claim_news")


def tell(tx: Transaction, news: News) -> None:
    """Keep how a claim stands now; where that is known, the time stays what it was."""
    tx.insert(
        "claim_news",
        [row_of(news)],
        conflict="(claim) DO UPDATE SET state = excluded.state, at_ms = excluded.at_ms"
        " WHERE claim_news.state <> excluded.state",
    )


def stood(tx: Transaction, claim: bytes) -> int:
    """The state that a claim was last seen in, 0 for none."""
    row = tx.one("SELECT state FROM claim_news WHERE claim = :claim", claim=claim)
    return 0 if row is None else int(row[0])


def of_vault(tx: Transaction, vault: bytes, *, since_ms: int) -> list[News]:
    """The claims of a vault that changed since then, newest first."""
    rows = tx.all(
        _NEWS + " WHERE vault = :vault AND at_ms >= :since ORDER BY at_ms DESC, claim",
        vault=vault,
        since=since_ms,
    )
    return [read(News, row) for row in rows]
