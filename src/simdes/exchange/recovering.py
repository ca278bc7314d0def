"""A lost key: guardians let a new one in, after a delay in which the owner can say no; or two
organisations do (`exchange.attesting`), which nobody can stop.

Whoever lost their passphrase chooses a new one; a new key waits under it and has a code. The owner
reads the code to their guardians, who let just that key in (`exchange.guardians`). With enough of
them the chain has the recovery; it takes the network's delay before it counts, is shown to whoever
still has the old key, and can be vetoed once. Then the new key is the account's, the old one is
nobody's, and what the old one unlocked (sessions, passkeys, codes, apps) is gone. Records are not
touched by it: custodians ask who controls a vault, not with which key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from simdes.access import accounts as people
from simdes.access import attempts
from simdes.access.asking import ask
from simdes.access.audit_event import Verb
from simdes.access.guardians import LASTING_SECONDS, code_of, key_said, start_of_code
from simdes.access.keystore import Person
from simdes.access.messages import SeatBody, VouchBody
from simdes.access.requests import hexed
from simdes.crypto import cbor
from simdes.crypto.keys import SigningKey, unwrap, wrap
from simdes.errors import Invalid, NotFound, SimdesError
from simdes.exchange import attesting, credentials
from simdes.exchange.guardians import guarded
from simdes.exchange.node import Node
from simdes.exchange.signin import Session
from simdes.index import attested_recoveries, authorization, sessions, subscriptions
from simdes.index import credentials as credential_rows
from simdes.index import guardians as rows
from simdes.index.guardians import Recovery
from simdes.index.transaction import Transaction
from simdes.ledger.accounts import Account, GuardianProof, PendingKey
from simdes.ledger.lane import Call

MOST_OPEN: Final = 500
"""Keys that wait for one account at a time, so that strangers who ask for keys in somebody's name
neither fill the table nor soon push the right one out; a newer one takes the oldest one's place."""
_LOCKED: Final = b"simdes/recovery/v1"

_log = structlog.get_logger("simdes.recovering")


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What whoever lost their key reads to their guardians, and until when."""

    code: str
    until_seconds: int


def begin(node: Node, user: str, passphrase: str, *, address: str) -> Begun:
    """Make a new key under a new passphrase; it is nobody's until guardians let it in.

    Answers the same, as slowly, for a user whom nobody knows. Raises Invalid for a passphrase that
    is none, TooLarge where there were too many for this user or network address.
    """
    user = user.strip().lower()
    people.check_passphrase(passphrase)
    if passphrase.strip().lower() == user:
        raise Invalid("A passphrase is not the user name.")
    keystore = node.desk.keystore
    subjects = attempts.recovery_subjects(keystore, user, address=address)
    node.database.write(lambda tx: attempts.count(tx, subjects, now_ms=node.now_ms()))
    key = SigningKey.generate(node.random)
    locked = keystore.lock_key(key, passphrase)
    deadline = node.now_seconds() + LASTING_SECONDS
    person = next((one for one in keystore.people() if one.user == user), None)
    known = None if person is None else node.contracts.accounts.account(person.account)
    if person is not None and known is not None:
        _wait(node, person, known, key.address, locked, deadline)
    return Begun(code=code_of(key.address), until_seconds=deadline)


def _wait(
    node: Node, person: Person, known: Account, address: bytes, locked: bytes, deadline: int
) -> None:
    row = Recovery(
        account=person.account,
        address=address,
        locked_wrapped=wrap(
            node.desk.keystore.database_key,
            locked,
            aad=_LOCKED + person.account + address,
            random=node.random,
        ),
        nonce=known.guardian_nonce,
        deadline_seconds=deadline,
        begun_ms=node.now_ms(),
        state=rows.OPEN,
    )

    def write(tx: Transaction) -> None:
        kept = rows.recoveries(tx, person.account)
        waiting = [one for one in kept if one.state == rows.OPEN]
        over = len(waiting) - MOST_OPEN + 1
        for one in waiting:  # strangers push out nothing that somebody signed for
            if over > 0 and not _is_signed_for(tx, one):
                rows.drop_recovery(tx, one.account, one.address)
                over -= 1
        if any(one.address == address for one in kept):  # a wallet's, which was not sent
            rows.drop_recovery(tx, person.account, address)
        rows.add_recovery(tx, row)
        credentials.audit(node, tx, person, Verb.RECOVER)

    node.database.write(write)


def _is_signed_for(tx: Transaction, one: Recovery) -> bool:
    """Whether a guardian, or an administrator, said that a key is its owner's."""
    signed = rows.proofs(tx, one.account, one.address)
    return bool(signed or attested_recoveries.of_key(tx, one.account, one.address))


def vouch(node: Node, session: Session, ward: bytes, code: str) -> str:
    """Let a key in, as a guardian who heard its code from the ward; the code as it is written.

    Raises Invalid for what is no code, NotFound for somebody whom the guardian does not guard,
    Forbidden where no key waits under the code, Tampered where the ward's organisation names
    another key.
    """
    start = start_of_code(code)
    found = guarded(node, session.actor.account, ward)
    caller = node.caller(session.key)
    body = VouchBody(account=hexed(ward), code=code_of(start), seat=SeatBody.of(found.seat))
    said = ask(caller, found.organisation, "vouch", body).body
    key, deadline = key_said(said, start, now_seconds=node.now_seconds())
    known = node.contracts.accounts.account(ward)
    if known is None:
        raise NotFound("The network knows no such account.")
    digest = node.contracts.accounts.recover_digest(
        account=ward, key=key, nonce=known.guardian_nonce, deadline=deadline
    )
    signed = VouchBody(
        account=body.account,
        code=body.code,
        seat=body.seat,
        signature=hexed(session.key.sign(digest)),
    )
    ask(caller, found.organisation, "vouch", signed)
    return code_of(start)


def veto(node: Node, session: Session) -> None:
    """Stop a recovery that the owner did not ask for; once for one set of guardians.

    A new key of the owner's own that waits stays. Raises Conflict where none waits, or the veto was
    used.
    """
    call = node.contracts.accounts.veto_recovery()
    stop(node, session.actor.account, lambda: _sent(node, session, call))


def stop(node: Node, account: bytes, send: Callable[[], None]) -> None:
    """As `veto`, by ``send``, which tells the ledger so."""
    accounts = node.contracts.accounts
    stopped, own = accounts.pending_recovery(account), accounts.pending_rotation(account)
    send()
    person = node.desk.keystore.person_of(account)

    def write(tx: Transaction) -> None:
        if stopped is not None and (own is None or own.key != stopped.key):
            rows.drop_recovery(tx, account, stopped.key)
        if person is not None:
            credentials.audit(node, tx, person, Verb.RECOVER)

    node.database.write(write)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """A recovery of somebody here: its code, how many guardians let it in, of how many needed, how
    many organisations attested it; ``ready_at`` 0 while the chain does not have it."""

    user: str
    code: str
    signed: int
    needed: int
    attested: int
    until_seconds: int
    ready_at: int


def under_way(node: Node) -> list[UnderWay]:
    """Recoveries of people here, oldest first."""
    with node.database.read() as tx:
        listed = [(one, len(_signed(tx, one))) for one in rows.recoveries(tx)]
    found: list[UnderWay] = []
    for one, signed in listed:
        person = node.desk.keystore.person_of(one.account)
        known = node.contracts.accounts.account(one.account)
        if person is None or known is None:
            continue
        pending, _ = _pending(node, one)
        found.append(
            UnderWay(
                user=person.user,
                code=code_of(one.address),
                signed=signed,
                needed=known.guardian_threshold,
                attested=len(attesting.standing(node, one, known)),
                until_seconds=one.deadline_seconds,
                ready_at=pending.ready_at if pending is not None else 0,
            )
        )
    return found


def tend(node: Node) -> int:
    """Take each recovery as far as it goes now; how many new keys are in force. A worker's step."""
    with node.database.read() as tx:
        listed = rows.recoveries(tx)
    done = 0
    for one in listed:
        try:
            done += _advance(node, one)
        except SimdesError as error:
            _log.warning("a recovery waits", issue=error.issue)
    return done


def _advance(node: Node, one: Recovery) -> bool:
    accounts = node.contracts.accounts
    known = accounts.account(one.account)
    if known is None:
        return False
    pending, complete = _pending(node, one)
    if pending is not None and one.state == rows.OPEN:  # killed after it was asked for
        node.database.write(lambda tx: rows.set_sent(tx, one.account, one.address))
    if pending is not None and known.key != one.address:
        if pending.ready_at > accounts.ledger.head().timestamp:
            return False
        node.agent.transact(complete(one.account))
        known = accounts.account(one.account) or known
    if known.key == one.address:
        _install(node, one)
        return True
    if one.state == rows.SENT or one.deadline_seconds <= node.now_seconds():
        # Vetoed, replaced by another one, or nobody came.
        node.database.write(lambda tx: rows.drop_recovery(tx, one.account, one.address))
        return False
    call = _let_in(node, one, known) if one.nonce == known.guardian_nonce else None
    if call is not None:
        node.agent.transact(call)
        node.database.write(lambda tx: rows.set_sent(tx, one.account, one.address))
    return False


def _let_in(node: Node, one: Recovery, known: Account) -> Call | None:
    """What asks the ledger for a new key: two organisations' word, or enough guardians'; None
    while there is neither."""
    accounts = node.contracts.accounts
    key, deadline = one.address, one.deadline_seconds
    if attested := attesting.signatures(node, one, known):
        return accounts.recover_attested(
            account=one.account, key=key, deadline=deadline, attestations=attested
        )
    with node.database.read() as tx:
        signed = _signed(tx, one)
    if 0 < known.guardian_threshold <= len(signed):
        return accounts.recover(account=one.account, key=key, deadline=deadline, proofs=signed)
    return None


def _pending(node: Node, one: Recovery) -> tuple[PendingKey | None, Callable[[bytes], Call]]:
    """What the chain has waiting for a key, and what puts it in force."""
    accounts = node.contracts.accounts
    rotation = accounts.pending_rotation(one.account)
    if rotation is not None and rotation.key == one.address:
        return rotation, accounts.complete_rotation
    recovery = accounts.pending_recovery(one.account)
    found = recovery if recovery is not None and recovery.key == one.address else None
    return found, accounts.complete_recovery


# A key that is not lost -----------------------------------------------------------------------


def rotate(node: Node, session: Session, passphrase: str) -> int:
    """Ask for a new key for one's own account, under a passphrase; when it is in force.

    It waits for the network's delay, and is the account's then as after a recovery. A newer one
    takes the place of one that waits. Raises Invalid for a passphrase that is none, NotFound where
    the account is hosted elsewhere, Forbidden where it may not act.
    """
    people.check_passphrase(passphrase)
    key = SigningKey.generate(node.random)
    return rotate_to(node, session, key.address, node.desk.keystore.lock_key(key, passphrase))


def rotate_to(node: Node, session: Session, address: bytes, locked: bytes) -> int:
    """As `rotate`, to a key that is locked already; nothing locked: to a wallet (`moving`)."""
    call = node.contracts.accounts.rotate_key(address)
    account = session.actor.account
    return rotate_by(node, account, address, locked, lambda: _sent(node, session, call))


def rotate_by(
    node: Node, account: bytes, address: bytes, locked: bytes, send: Callable[[], None]
) -> int:
    """As `rotate_to`, by ``send``, which asks the ledger for it."""
    accounts = node.contracts.accounts
    person, known = node.desk.keystore.person_of(account), accounts.account(account)
    if person is None or known is None:
        raise NotFound("The account is not hosted here any more.")
    _wait(node, person, known, address, locked, node.now_seconds() + LASTING_SECONDS)
    send()
    node.database.write(lambda tx: rows.set_sent(tx, account, address))
    waiting = accounts.pending_rotation(account)
    return waiting.ready_at if waiting is not None else 0


def waiting_wallet(node: Node, account: bytes) -> PendingKey | None:
    """The wallet that an account moves to and its time; None where none waits."""
    waiting = node.contracts.accounts.pending_rotation(account)
    if waiting is None:
        return None
    with node.database.read() as tx:
        listed = [one for one in rows.recoveries(tx, account) if one.address == waiting.key]
    return waiting if any(not _locked(node, one) for one in listed) else None


def cancel_rotation(node: Node, session: Session) -> None:
    """Withdraw a new key of one's own that waits; Conflict where none does."""
    call = node.contracts.accounts.cancel_rotation()
    keep_key(node, session.actor.account, lambda: _sent(node, session, call))


def keep_key(node: Node, account: bytes, send: Callable[[], None]) -> None:
    """As `cancel_rotation`, by ``send``, which tells the ledger so."""
    waiting = node.contracts.accounts.pending_rotation(account)
    send()
    person = node.desk.keystore.person_of(account)

    def write(tx: Transaction) -> None:
        if waiting is not None:
            rows.drop_recovery(tx, account, waiting.key)
        if person is not None:
            credentials.audit(node, tx, person, Verb.RECOVER)

    node.database.write(write)


def _sent(node: Node, session: Session, call: Call) -> None:
    node.lane(session.key).transact(call)


def _signed(tx: Transaction, one: Recovery) -> Sequence[GuardianProof]:
    """What guardians signed for a key, in the order of their addresses, as the contract asks."""
    found: list[GuardianProof] = []
    for kept in rows.proofs(tx, one.account, one.address):
        said = cbor.decode(kept.proof)
        assert isinstance(said, dict)  # noqa: S101 (our own writing)
        found.append(
            GuardianProof(said["salt"], said["index"], tuple(said["path"]), said["signature"])  # type: ignore[arg-type]
        )
    return found


def _locked(node: Node, one: Recovery) -> bytes:
    """The key that waits as its passphrase locked it; nothing where a wallet keeps it."""
    aad = _LOCKED + one.account + one.address
    return unwrap(node.desk.keystore.database_key, one.locked_wrapped, aad=aad)


def _install(node: Node, one: Recovery) -> None:
    """The chain has the new key: from now on the new passphrase, or the wallet, opens the account,
    alone.

    A rotation does not end a recovery; the key of one that waits is kept.
    """
    keystore, account = node.desk.keystore, one.account
    keystore.replace_key(account, one.address, _locked(node, one))
    attesting.keep_checked(node, one)
    person, waits = keystore.person_of(account), node.contracts.accounts.pending_recovery(account)

    def write(tx: Transaction) -> None:
        credential_rows.end_sessions(tx, account, but=bytes(32))
        for passkey in credential_rows.passkeys(tx, account):
            credential_rows.remove_passkey(tx, account, passkey.id)
        credential_rows.remove_code(tx, account)
        credential_rows.set_recovery(tx, account, [])
        sessions.end_all(tx, account)
        granted = authorization.grants_of(tx, account, now_ms=node.now_ms())
        authorization.end_grants(tx, [grant.id for grant in granted])
        subscriptions.end_all(tx, account, now_ms=node.now_ms())
        for row in rows.recoveries(tx, account):
            if waits is None or row.address != waits.key:
                rows.drop_recovery(tx, account, row.address)
        if person is not None:
            credentials.audit(node, tx, person, Verb.CREDENTIALS)

    node.database.write(write)
