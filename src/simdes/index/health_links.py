"""SMART Health Links of patients here, and who opened them. The caller encrypts contents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction

MOST_USES: Final = 200
"""Uses that are kept of a link; the audit trail has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthLink:
    """A link; ``tries`` wrong passcodes are left, ``passcode`` is None where none is asked."""

    id: bytes
    vault: bytes
    details_wrapped: bytes
    flags: str
    passcode: bytes | None
    content: bytes
    tries: int
    created_ms: int
    changed_ms: int
    expires_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A link was opened, or a wrong passcode was tried."""

    link: bytes
    number: int
    recipient_wrapped: bytes
    opened: int
    at_ms: int


_LINK = select(HealthLink, "health_link")
_USE = select(Use, "health_link_use")


def add(tx: Transaction, link: HealthLink) -> None:
    """Keep a link."""
    tx.insert("health_link", [row_of(link)])


def get(tx: Transaction, id: bytes, *, now_ms: int) -> HealthLink | None:
    """Return a link whose time is not over and whose tries are not used up."""
    row = tx.one(_LINK + " WHERE id = :id AND expires_ms > :now AND tries > 0", id=id, now=now_ms)
    return None if row is None else read(HealthLink, row)


def of_vault(tx: Transaction, vault: bytes) -> list[HealthLink]:
    """Return a vault's links, newest first."""
    rows = tx.all(_LINK + " WHERE vault = :vault ORDER BY created_ms DESC, id", vault=vault)
    return [read(HealthLink, row) for row in rows]


def put_content(tx: Transaction, id: bytes, content: bytes, *, now_ms: int) -> None:
    """Give a link other content."""
    tx.run(
        "UPDATE health_link SET content = :content, changed_ms = :now WHERE id = :id",
        content=content,
        now=now_ms,
        id=id,
    )


def count_try(tx: Transaction, id: bytes) -> int:
    """Count a wrong passcode; how many tries are left. At none the link is closed for good."""
    tx.run("UPDATE health_link SET tries = tries - 1 WHERE id = :id AND tries > 0", id=id)
    row = tx.one("SELECT tries FROM health_link WHERE id = :id", id=id)
    return 0 if row is None else int(row[0])


def add_use(
    tx: Transaction, link: bytes, recipient_wrapped: bytes, *, opened: bool, now_ms: int
) -> None:
    """Note a use; the oldest beyond `MOST_USES` are forgotten."""
    row = tx.one("SELECT max(number) FROM health_link_use WHERE link = :link", link=link)
    number = 1 + (int(row[0]) if row is not None and row[0] is not None else 0)
    tx.insert(
        "health_link_use",
        [
            row_of(
                Use(
                    link=link,
                    number=number,
                    recipient_wrapped=recipient_wrapped,
                    opened=int(opened),
                    at_ms=now_ms,
                )
            )
        ],
    )
    tx.run(
        "DELETE FROM health_link_use WHERE link = :link AND number <= :old",
        link=link,
        old=number - MOST_USES,
    )


def uses(tx: Transaction, link: bytes) -> list[Use]:
    """Return what is kept of a link's uses, newest first."""
    rows = tx.all(_USE + " WHERE link = :link ORDER BY number DESC", link=link)
    return [read(Use, row) for row in rows]


def drop(tx: Transaction, id: bytes) -> None:
    """Forget a link, its content and its uses."""
    tx.run("DELETE FROM health_link_use WHERE link = :id", id=id)
    tx.run("DELETE FROM health_link WHERE id = :id", id=id)


def drop_vault(tx: Transaction, vault: bytes) -> None:
    """Forget every link of a vault."""
    tx.run(
        "DELETE FROM health_link_use WHERE link IN"
        " (SELECT id FROM health_link WHERE vault = :vault)",
        vault=vault,
    )
    tx.run("DELETE FROM health_link WHERE vault = :vault", vault=vault)
