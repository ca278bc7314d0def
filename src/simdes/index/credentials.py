"""How people sign in with a browser: sessions, passkeys, one-time and recovery codes, delays.

What is stored neither admits nor signs by itself (`schema_credentials`). Times are unix
milliseconds, ids and digests 32 bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simdes.errors import Conflict
from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction

HALF, WHOLE = "half", "whole"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserSession:
    """A browser's session until ``expires_ms``. ``half``: a factor is still to come."""

    id: bytes
    account: bytes
    key_wrapped: bytes | None
    methods: str
    state: str
    client_wrapped: bytes
    proved_ms: int
    started_ms: int
    seen_ms: int
    expires_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """A WebAuthn credential. ``id`` is the digest of ``credential``, ``public`` its COSE key."""

    id: bytes
    account: bytes
    credential: bytes
    public: bytes
    sign_count: int
    synchronised: int
    key_wrapped: bytes | None
    label_wrapped: bytes
    created_ms: int
    used_ms: int | None = None
    doubted_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneTimeCode:
    """A person's TOTP secret, wrapped, and the last time step that was accepted."""

    account: bytes
    secret_wrapped: bytes
    last_step: int
    confirmed: int
    created_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """Failed tries of a subject, and until when another has to wait."""

    subject: bytes
    failures: int
    last_ms: int
    until_ms: int


_SESSION = select(BrowserSession, "browser_session")
_PASSKEY = select(Passkey, "passkey")
_CODE = select(OneTimeCode, "one_time_code")
_DELAY = select(Delay, "sign_in_delay")

# Sessions -----------------------------------------------------------------------------------------


def add_session(tx: Transaction, session: BrowserSession) -> None:
    """Open a session; `Conflict` when its id is taken."""
    tx.insert("browser_session", [row_of(session)])


def session(tx: Transaction, id: bytes, *, now_ms: int, idle_ms: int) -> BrowserSession | None:
    """Return a session that neither expired nor rested for longer than ``idle_ms``."""
    row = tx.one(
        _SESSION + " WHERE id = :id AND expires_ms > :now AND seen_ms > :rest",
        id=id,
        now=now_ms,
        rest=now_ms - idle_ms,
    )
    return None if row is None else read(BrowserSession, row)


def touch_session(tx: Transaction, id: bytes, *, now_ms: int) -> None:
    """Note that a session was used now."""
    tx.run(
        "UPDATE browser_session SET seen_ms = :now WHERE id = :id AND seen_ms < :now",
        id=id,
        now=now_ms,
    )


def end_session(tx: Transaction, account: bytes, id: bytes) -> bool:
    """End a session of an account; False when it has no such session."""
    return (
        tx.run(
            "DELETE FROM browser_session WHERE id = :id AND account = :account",
            id=id,
            account=account,
        )
        > 0
    )


def end_sessions(tx: Transaction, account: bytes, *, but: bytes) -> int:
    """End every session of an account but one; how many."""
    return tx.run(
        "DELETE FROM browser_session WHERE account = :account AND id <> :but",
        account=account,
        but=but,
    )


def sessions(tx: Transaction, account: bytes, *, now_ms: int, idle_ms: int) -> list[BrowserSession]:
    """Return the live whole sessions of an account, the last used first."""
    rows = tx.all(
        _SESSION + " WHERE account = :account AND state = 'whole' AND expires_ms > :now"
        " AND seen_ms > :rest ORDER BY seen_ms DESC, id",
        account=account,
        now=now_ms,
        rest=now_ms - idle_ms,
    )
    return [read(BrowserSession, row) for row in rows]


def purge(tx: Transaction, *, now_ms: int, idle_ms: int, forget_ms: int) -> None:
    """Drop what time has ended: sessions, spent challenges, delays without a recent failure."""
    tx.run(
        "DELETE FROM browser_session WHERE expires_ms <= :now OR seen_ms <= :rest",
        now=now_ms,
        rest=now_ms - idle_ms,
    )
    tx.run("DELETE FROM spent_challenge WHERE expires_ms <= :now", now=now_ms)
    tx.run("DELETE FROM sign_in_delay WHERE last_ms <= :old", old=now_ms - forget_ms)


# Passkeys -----------------------------------------------------------------------------------------


def add_passkey(tx: Transaction, passkey: Passkey, *, most: int) -> None:
    """Keep a passkey; `Conflict` when it is kept already or the account has ``most`` of them."""
    tx.lock("passkeys")
    if len(passkeys(tx, passkey.account)) >= most:
        raise Conflict("There are as many passkeys as an account may have.")
    tx.insert("passkey", [row_of(passkey)])


def passkey(tx: Transaction, id: bytes) -> Passkey | None:
    """Return a passkey by the digest of its credential id."""
    row = tx.one(_PASSKEY + " WHERE id = :id", id=id)
    return None if row is None else read(Passkey, row)


def passkeys(tx: Transaction, account: bytes) -> list[Passkey]:
    """Return an account's passkeys, oldest first."""
    rows = tx.all(_PASSKEY + " WHERE account = :account ORDER BY created_ms, id", account=account)
    return [read(Passkey, row) for row in rows]


def use_passkey(tx: Transaction, id: bytes, *, sign_count: int, now_ms: int) -> bool:
    """Note a use; False when the counter did not rise, so that a copy of the passkey may exist.

    An authenticator without a counter always says 0 (WebAuthn Level 3, section 6.1.1).
    """
    return (
        tx.run(
            "UPDATE passkey SET sign_count = :count, used_ms = :now"
            " WHERE id = :id AND doubted_ms IS NULL"
            " AND (sign_count < :count OR (sign_count = 0 AND :count = 0))",
            id=id,
            count=sign_count,
            now=now_ms,
        )
        > 0
    )


def doubt_passkey(tx: Transaction, id: bytes, *, now_ms: int) -> None:
    """Note that a passkey may have been copied: it admits nobody from now on."""
    tx.run(
        "UPDATE passkey SET doubted_ms = :now WHERE id = :id AND doubted_ms IS NULL",
        id=id,
        now=now_ms,
    )


def rename_passkey(tx: Transaction, account: bytes, id: bytes, label_wrapped: bytes) -> bool:
    """Give a passkey of an account another name; False when it has no such passkey."""
    return (
        tx.run(
            "UPDATE passkey SET label_wrapped = :label WHERE id = :id AND account = :account",
            id=id,
            account=account,
            label=label_wrapped,
        )
        > 0
    )


def remove_passkey(tx: Transaction, account: bytes, id: bytes) -> bool:
    """Forget a passkey of an account; False when it has no such passkey."""
    return (
        tx.run("DELETE FROM passkey WHERE id = :id AND account = :account", id=id, account=account)
        > 0
    )


# Codes --------------------------------------------------------------------------------------------


def put_code(tx: Transaction, code: OneTimeCode) -> None:
    """Keep a TOTP secret in the place of one that was never confirmed.

    Raises `Conflict` when the account has a confirmed one.
    """
    tx.run(
        "DELETE FROM one_time_code WHERE account = :account AND confirmed = 0",
        account=code.account,
    )
    tx.insert("one_time_code", [row_of(code)])


def code(tx: Transaction, account: bytes) -> OneTimeCode | None:
    """Return an account's TOTP secret."""
    row = tx.one(_CODE + " WHERE account = :account", account=account)
    return None if row is None else read(OneTimeCode, row)


def use_code(tx: Transaction, account: bytes, *, step: int) -> bool:
    """Accept the code of a time step, which confirms the secret; False for a step used before."""
    return (
        tx.run(
            "UPDATE one_time_code SET last_step = :step, confirmed = 1"
            " WHERE account = :account AND last_step < :step",
            account=account,
            step=step,
        )
        > 0
    )


def remove_code(tx: Transaction, account: bytes) -> bool:
    """Forget an account's TOTP secret; False when it has none."""
    return tx.run("DELETE FROM one_time_code WHERE account = :account", account=account) > 0


def set_recovery(tx: Transaction, account: bytes, digests: Sequence[bytes]) -> None:
    """Replace an account's recovery codes."""
    tx.run("DELETE FROM recovery_code WHERE account = :account", account=account)
    tx.insert("recovery_code", [{"digest": one, "account": account} for one in digests])


def use_recovery(tx: Transaction, account: bytes, digest: bytes) -> bool:
    """Spend a recovery code; False when there is no such code any more."""
    return (
        tx.run(
            "DELETE FROM recovery_code WHERE digest = :digest AND account = :account",
            digest=digest,
            account=account,
        )
        > 0
    )


def count_recovery(tx: Transaction, account: bytes) -> int:
    """How many recovery codes an account has left."""
    row = tx.one("SELECT count(*) FROM recovery_code WHERE account = :account", account=account)
    return 0 if row is None else int(row[0])


# Tries and challenges -----------------------------------------------------------------------------


def delays(tx: Transaction, subjects: Sequence[bytes]) -> dict[bytes, Delay]:
    """Return what stands against each of these subjects."""
    rows = tx.all(_DELAY + " WHERE subject IN :subjects", subjects=list(subjects))
    return {one.subject: one for one in (read(Delay, row) for row in rows)}


def put_delays(tx: Transaction, delays: Sequence[Delay]) -> None:
    """Write failures down."""
    tx.insert(
        "sign_in_delay",
        [row_of(one) for one in delays],
        conflict="(subject) DO UPDATE SET failures = excluded.failures,"
        " last_ms = excluded.last_ms, until_ms = excluded.until_ms",
    )


def clear_delays(tx: Transaction, subjects: Sequence[bytes]) -> None:
    """Forget the failures of these subjects."""
    tx.run("DELETE FROM sign_in_delay WHERE subject IN :subjects", subjects=list(subjects))


def spend(tx: Transaction, digest: bytes, *, expires_ms: int) -> bool:
    """Spend a challenge; False when it was spent before."""
    return bool(
        tx.insert(
            "spent_challenge",
            [{"digest": digest, "expires_ms": expires_ms}],
            conflict="(digest) DO NOTHING",
            returning="digest",
        )
    )
