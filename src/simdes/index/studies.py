"""Documents of studies that are known here, and releases that were ordered on pages.

States of an order: ``reading`` those who take part (and making the release of them), ``made``,
``failed``. Packages are sealed; they are read by themselves, lists go without them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction

READING: Final = "reading"
MADE: Final = "made"
FAILED: Final = "failed"
KEPT_MS: Final = 7 * 86_400_000
"""How long an order, and what came of it, is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A release that was ordered: how far it is, and what came of it."""

    id: bytes
    study: bytes
    account: bytes
    state: str
    done: int = 0
    total: int = 0
    number: int = 0
    patients: int = 0
    failure: str = ""
    report: bytes = b""
    asked_ms: int
    changed_ms: int


_ORDER = select(Order, "study_release")


def keep_document(tx: Transaction, study: bytes, content: bytes) -> None:
    """Keep a study's document; one that is kept already stays."""
    row = {"study": study, "content": content}
    tx.insert("study_document", [row], conflict="(study) DO NOTHING")


def documents(tx: Transaction, studies: Collection[bytes]) -> dict[bytes, bytes]:
    """The documents of these studies, of those that are known, in one statement."""
    if not studies:
        return {}
    rows = tx.all("SELECT study, content FROM study_document WHERE study IN :ids", ids=[*studies])
    return {bytes(row[0]): bytes(row[1]) for row in rows}


def add_order(tx: Transaction, order: Order) -> None:
    """Add an order."""
    tx.insert("study_release", [row_of(order) | {"package": b""}])


def orders(tx: Transaction, study: bytes) -> Sequence[Order]:
    """The orders of a study, the newest first."""
    rows = tx.all(f"{_ORDER} WHERE study = :study ORDER BY asked_ms DESC, id", study=study)
    return [read(Order, row) for row in rows]


def reading(tx: Transaction, account: bytes) -> Sequence[Order]:
    """The orders of an account that wait or run, or stalled."""
    rows = tx.all(
        f"{_ORDER} WHERE account = :account AND state = :reading", account=account, reading=READING
    )
    return [read(Order, row) for row in rows]


def order(tx: Transaction, id_: bytes) -> Order | None:
    """One order."""
    row = tx.one(f"{_ORDER} WHERE id = :id", id=id_)
    return None if row is None else read(Order, row)


def package(tx: Transaction, id_: bytes) -> bytes:
    """The sealed package of an order; empty where there is none."""
    row = tx.one("SELECT package FROM study_release WHERE id = :id", id=id_)
    return b"" if row is None else bytes(row[0])


def advance(tx: Transaction, id_: bytes, *, done: int, total: int, now_ms: int) -> bool:
    """Note how many were read; whether the order still runs."""
    changed = tx.run(
        "UPDATE study_release SET done = :done, total = :total, changed_ms = :now"
        " WHERE id = :id AND state = :reading",
        done=done,
        total=total,
        now=now_ms,
        id=id_,
        reading=READING,
    )
    return changed == 1


def touch(tx: Transaction, id_: bytes, *, now_ms: int) -> None:
    """Note that an order waits or runs."""
    tx.run(
        "UPDATE study_release SET changed_ms = :now WHERE id = :id AND state = :reading",
        now=now_ms,
        id=id_,
        reading=READING,
    )


def finish(
    tx: Transaction,
    id_: bytes,
    *,
    number: int,
    patients: int,
    report: bytes,
    package: bytes,
    now_ms: int,
) -> None:
    """Note that a release was made, and keep it, if the order still runs."""
    tx.run(
        "UPDATE study_release SET state = :made, number = :number, patients = :patients,"
        " report = :report, package = :package, changed_ms = :now"
        " WHERE id = :id AND state = :reading",
        made=MADE,
        number=number,
        patients=patients,
        report=report,
        package=package,
        now=now_ms,
        id=id_,
        reading=READING,
    )


def fail(tx: Transaction, id_: bytes, failure: str, *, now_ms: int) -> None:
    """Note why nothing came of an order, if it still runs."""
    tx.run(
        "UPDATE study_release SET state = :failed, failure = :failure, changed_ms = :now"
        " WHERE id = :id AND state = :reading",
        failed=FAILED,
        failure=failure,
        now=now_ms,
        id=id_,
        reading=READING,
    )


def forget(tx: Transaction, *, now_ms: int) -> None:
    """Drop orders, with their packages, whose time is over."""
    tx.run("DELETE FROM study_release WHERE changed_ms < :before", before=now_ms - KEPT_MS)
