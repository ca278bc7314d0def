"""To whom mails go, codes that show whose an address is, mails on their way (`schema_mail`).

Times are unix milliseconds. Nothing here reads an address: the caller wraps and unwraps it.
"""

# ruff: noqa: S608
# Text is made of names in this package; every value is bound.

from __future__ import annotations

from dataclasses import dataclass

from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An account's address, shown to be its owner's. ``vault``: whose local key wraps it, None: the
    organisation's key does; ``due_ms``: when a mail goes out, None: nothing is new."""

    account: bytes
    vault: bytes | None
    address_wrapped: bytes
    stop: bytes
    language: str
    kinds: str
    most: int
    digest: int
    confirmed_ms: int
    stopped_ms: int | None = None
    due_ms: int | None = None
    alarm: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """An address that waits for the code that was sent to it; ``tries`` wrong ones are left."""

    account: bytes
    address_wrapped: bytes
    nonce: bytes
    language: str
    tries: int
    expires_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A mail on its way, tried again at ``next_ms`` and given up at ``until_ms``."""

    id: bytes
    account: bytes
    kind: str
    address_wrapped: bytes | None
    nonce: bytes | None
    language: str
    made_ms: int
    next_ms: int
    until_ms: int
    tries: int = 0
    holder: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many mails wait, how many of them failed before, since when the oldest does (None: none
    waits)."""

    letters: int
    again: int
    oldest_ms: int | None


_ADDRESS = select(Address, "mail_address")
_CODE = select(Code, "mail_code")
_OUTGOING = select(Outgoing, "mail_letter")
_CONTROL = "SELECT control FROM vault WHERE tag = :vault AND control IS NOT NULL"
# An address goes with the vault whose key it is under; its patient's under no vault's, as well.
_GOES_WITH = f" WHERE vault = :vault OR (vault IS NULL AND account IN ({_CONTROL}))"

# Codes --------------------------------------------------------------------------------------------


def put_code(tx: Transaction, code: Code) -> None:
    """Let an address wait for its code, in the place of whatever waited for this account."""
    tx.run("DELETE FROM mail_letter WHERE account = :account AND nonce IS NOT NULL", **_of(code))
    tx.run("DELETE FROM mail_code WHERE account = :account", **_of(code))
    tx.insert("mail_code", [row_of(code)])


def code(tx: Transaction, account: bytes, *, now_ms: int) -> Code | None:
    """Return the address that waits, with tries left, before its time is over."""
    row = tx.one(
        _CODE + " WHERE account = :account AND expires_ms > :now AND tries > 0",
        account=account,
        now=now_ms,
    )
    return None if row is None else read(Code, row)


def use_try(tx: Transaction, account: bytes, *, now_ms: int) -> Code | None:
    """Take one of the tries that are left; the address that waits, None where none is left."""
    taken = tx.run(
        "UPDATE mail_code SET tries = tries - 1"
        " WHERE account = :account AND tries > 0 AND expires_ms > :now",
        account=account,
        now=now_ms,
    )
    row = tx.one(_CODE + " WHERE account = :account", account=account) if taken else None
    return None if row is None else read(Code, row)


def drop_code(tx: Transaction, account: bytes) -> None:
    """Forget the address that waits, and the mail with its code."""
    tx.run(
        "DELETE FROM mail_letter WHERE account = :account AND nonce IS NOT NULL", account=account
    )
    tx.run("DELETE FROM mail_code WHERE account = :account", account=account)


# Addresses ----------------------------------------------------------------------------------------


def put(tx: Transaction, address: Address) -> None:
    """Keep an account's address in the place of another."""
    tx.run("DELETE FROM mail_address WHERE account = :account", **_of(address))
    tx.insert("mail_address", [row_of(address)])


def get(tx: Transaction, account: bytes) -> Address | None:
    """Return an account's address."""
    row = tx.one(_ADDRESS + " WHERE account = :account", account=account)
    return None if row is None else read(Address, row)


def choose(
    tx: Transaction, account: bytes, *, kinds: str, most: int, digest: int, language: str
) -> bool:
    """Say what mails come about, and how often; False without an address."""
    changed = tx.run(
        "UPDATE mail_address SET kinds = :kinds, most = :most, digest = :digest,"
        " language = :language WHERE account = :account",
        kinds=kinds,
        most=most,
        digest=digest,
        language=language,
        account=account,
    )
    return bool(changed)


def by_stop(tx: Transaction, stop_: bytes) -> Address | None:
    """Return the address that a mail with this id went to."""
    row = tx.one(_ADDRESS + " WHERE stop = :stop", stop=stop_)
    return None if row is None else read(Address, row)


def of_vault(tx: Transaction, vault: bytes) -> Address | None:
    """Return the address that goes with a vault."""
    row = tx.one(_ADDRESS + _GOES_WITH, vault=vault)
    return None if row is None else read(Address, row)


def stop(tx: Transaction, account: bytes, *, now_ms: int) -> None:
    """Let no more mails come to an account's address."""
    tx.run(
        "UPDATE mail_address SET stopped_ms = :now, due_ms = NULL, alarm = 0"
        " WHERE account = :account",
        account=account,
        now=now_ms,
    )
    tx.run(
        "DELETE FROM mail_letter WHERE account = :account AND address_wrapped IS NULL",
        account=account,
    )


def forget(tx: Transaction, account: bytes) -> None:
    """Drop an account's address, and mails that were to go to it."""
    tx.run("DELETE FROM mail_address WHERE account = :account", account=account)
    tx.run(
        "DELETE FROM mail_letter WHERE account = :account AND address_wrapped IS NULL",
        account=account,
    )


def forget_vault(tx: Transaction, vault: bytes) -> None:
    """Drop what went to whom a vault is about, and what waits for a code: it is erased here."""
    for (account,) in tx.all("SELECT account FROM mail_address" + _GOES_WITH, vault=vault):
        forget(tx, account)
        drop_code(tx, account)
    for (account,) in tx.all(_CONTROL, vault=vault):
        drop_code(tx, account)


# News ---------------------------------------------------------------------------------------------


def any_address(tx: Transaction) -> bool:
    """Whether anybody is written to."""
    return tx.one("SELECT 1 FROM mail_address WHERE stopped_ms IS NULL LIMIT 1") is not None


def note(tx: Transaction, account: bytes, *, due_ms: int, alarm: int) -> None:
    """Something is new for an account: a mail goes out then, or when one was due before."""
    tx.run(
        "UPDATE mail_address SET alarm = CASE WHEN alarm > :alarm THEN alarm ELSE :alarm END,"
        " due_ms = CASE WHEN due_ms < :due THEN due_ms ELSE :due END"
        " WHERE account = :account AND stopped_ms IS NULL",
        alarm=alarm,
        due=due_ms,
        account=account,
    )


def alarm(tx: Transaction, account: bytes, *, at_ms: int) -> None:
    """Something happened that can't wait; what was before the address was given is not told."""
    tx.run(
        "UPDATE mail_address SET alarm = 1, due_ms = 0"
        " WHERE account = :account AND stopped_ms IS NULL AND confirmed_ms <= :at",
        account=account,
        at=at_ms,
    )


def of_patient(tx: Transaction, vault: bytes) -> Address | None:
    """Return where the account is written to that controls a vault."""
    row = tx.one(
        select(Address, "mail_address AS a", prefix="a.")
        + " JOIN chain_vault AS v ON v.control = a.account"
        " WHERE v.tag = :vault AND a.stopped_ms IS NULL",
        vault=vault,
    )
    return None if row is None else read(Address, row)


def audited(tx: Transaction, *, after: int, upto: int) -> list[tuple[int, bytes]]:
    """Return the numbers of audit entries about vaults whose patients are written to, with the
    accounts of these, in order; entries from before an address was given are left out."""
    rows = tx.all(
        "SELECT e.seq, a.account FROM audit_entry AS e JOIN chain_vault AS v ON v.tag = e.vault"
        " JOIN mail_address AS a ON a.account = v.control WHERE e.seq > :after AND e.seq <= :upto"
        " AND a.stopped_ms IS NULL AND e.created_ms >= a.confirmed_ms ORDER BY e.seq",
        after=after,
        upto=upto,
    )
    return [(int(seq), bytes(account)) for seq, account in rows]


def is_news_due(tx: Transaction, *, now_ms: int) -> bool:
    """Whether anybody is to be told now."""
    return tx.one("SELECT 1 FROM mail_address WHERE due_ms <= :now LIMIT 1", now=now_ms) is not None


def due(tx: Transaction, *, now_ms: int, limit: int) -> list[Address]:
    """Return those who are to be told now, held until the end of the transaction."""
    rows = tx.all(
        _ADDRESS + f" WHERE due_ms <= :now ORDER BY due_ms LIMIT :limit {tx.skip_locked}",
        now=now_ms,
        limit=limit,
    )
    return [read(Address, row) for row in rows]


def put_off_news(tx: Transaction, account: bytes, *, due_ms: int) -> None:
    """Tell later."""
    tx.run(
        "UPDATE mail_address SET due_ms = :due WHERE account = :account",
        due=due_ms,
        account=account,
    )


def told(tx: Transaction, account: bytes) -> None:
    """Nothing is new any more."""
    tx.run(
        "UPDATE mail_address SET due_ms = NULL, alarm = 0 WHERE account = :account",
        account=account,
    )


# Mails on their way -------------------------------------------------------------------------------


def add(tx: Transaction, letter: Outgoing) -> None:
    """Let a mail go out."""
    tx.insert("mail_letter", [row_of(letter)])


def is_due(tx: Transaction, *, now_ms: int) -> bool:
    """Whether any mail is to go out now."""
    return tx.one("SELECT 1 FROM mail_letter WHERE next_ms <= :now LIMIT 1", now=now_ms) is not None


def claim(
    tx: Transaction, holder: str, *, now_ms: int, until_ms: int, limit: int
) -> list[Outgoing]:
    """Take mails that are due and that nobody sends, until a time at which others may."""
    rows = tx.all(
        "UPDATE mail_letter SET holder = :holder, next_ms = :until, tries = tries + 1"
        " WHERE id IN (SELECT id FROM mail_letter WHERE next_ms <= :now ORDER BY next_ms"
        f" LIMIT :limit {tx.skip_locked}) RETURNING id",
        holder=holder,
        now=now_ms,
        until=until_ms,
        limit=limit,
    )
    if not rows:
        return []
    found = tx.all(_OUTGOING + " WHERE id IN :ids ORDER BY made_ms", ids=[row[0] for row in rows])
    return [read(Outgoing, row) for row in found]


def is_held(tx: Transaction, letter: Outgoing, holder: str) -> bool:
    """Whether a mail is still to go out, by this holder: it may have been stopped meanwhile."""
    return (
        tx.one(
            "SELECT 1 FROM mail_letter WHERE id = :id AND holder = :holder AND tries = :tries",
            id=letter.id,
            holder=holder,
            tries=letter.tries,
        )
        is not None
    )


def done(tx: Transaction, id_: bytes) -> None:
    """A mail was taken, or is given up."""
    tx.run("DELETE FROM mail_letter WHERE id = :id", id=id_)


def put_off(tx: Transaction, id_: bytes, holder: str, *, next_ms: int) -> None:
    """Try a held mail again then."""
    tx.run(
        "UPDATE mail_letter SET next_ms = :next, holder = NULL WHERE id = :id AND holder = :holder",
        next=next_ms,
        id=id_,
        holder=holder,
    )


def waiting(tx: Transaction) -> Waiting:
    """How many mails wait."""
    row = tx.one(
        "SELECT count(*), COALESCE(sum(CASE WHEN tries > 1 THEN 1 ELSE 0 END), 0), min(made_ms)"
        " FROM mail_letter"
    )
    assert row is not None  # noqa: S101 (an aggregate has a row)
    return Waiting(int(row[0]), int(row[1]), None if row[2] is None else int(row[2]))


# Counts -------------------------------------------------------------------------------------------


def spend(tx: Transaction, subjects: dict[bytes, int], *, day: int) -> bool:
    """Count one more for every subject on a day; False, counting nothing, where one of them had as
    many as it may."""
    tx.lock("mail count")
    rows = tx.all(
        "SELECT subject, count FROM mail_count WHERE day = :day AND subject IN :subjects",
        day=day,
        subjects=list(subjects),
    )
    had = {bytes(subject): int(count) for subject, count in rows}
    if any(had.get(one, 0) >= most for one, most in subjects.items()):
        return False
    tx.insert(
        "mail_count",
        [{"subject": one, "day": day, "count": had.get(one, 0) + 1} for one in subjects],
        conflict="(subject, day) DO UPDATE SET count = excluded.count",
    )
    return True


def is_over(tx: Transaction, *, now_ms: int, day: int, letters: bool = False) -> bool:
    """Whether there is anything for `purge`."""
    over = _over(now_ms, day, letters=letters)
    return any(tx.one(f"SELECT 1 FROM {what} LIMIT 1", end=end) is not None for what, end in over)


def purge(tx: Transaction, *, now_ms: int, day: int, letters: bool = False) -> None:
    """Drop what time has ended: codes, counts of earlier days; mails on their way if asked to."""
    for what, end in _over(now_ms, day, letters=letters):
        tx.run(f"DELETE FROM {what}", end=end)


def _over(now_ms: int, day: int, *, letters: bool) -> list[tuple[str, int]]:
    over = [("mail_code WHERE expires_ms <= :end", now_ms), ("mail_count WHERE day < :end", day)]
    return [*over, ("mail_letter WHERE until_ms <= :end", now_ms)] if letters else over


def _of(row: Address | Code) -> dict[str, bytes]:
    return {"account": row.account}
