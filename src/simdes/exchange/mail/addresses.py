"""Where people let themselves be written to: given, confirmed by a code, chosen about, taken back.

Whoever sits in front of somebody's open session could send their mails elsewhere, so giving and
removing an address needs a fresh proof, and the address from before is told. What an address gets
before it is confirmed is one code, a few times a day at most, whoever asks for it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from simdes.access.audit_event import Verb
from simdes.errors import (
    Conflict,
    Invalid,
    NotFound,
    SimdesError,
    TooLarge,
    Unauthenticated,
    Unsupported,
)
from simdes.exchange.credentials import Visit, audit, require_recent
from simdes.exchange.mail import sealing
from simdes.exchange.mail.kinds import chosen_first, kinds_of
from simdes.exchange.mail.port import checked_address, domain_of
from simdes.exchange.mail.words import CHANGED, CODE, ERASED, SIGN_IN, WORDS
from simdes.exchange.node import Node
from simdes.index import mail as rows
from simdes.index.transaction import Transaction

CODE_MS: Final = 3_600_000
TRIES: Final = 5
PERSON_A_DAY: Final = 5
"""Codes that one account asks for."""
NETWORK_A_DAY: Final = 20
"""Codes that are asked for from one network address."""
PERSON_MAILBOX_A_DAY: Final = 3
"""Codes that one mailbox gets because one account asks for them."""
MAILBOX_A_DAY: Final = 10
"""Codes that one mailbox gets, whoever asks for them."""
MAILBOX_FIRST_A_DAY: Final = 30
"""The same, for an account's first of the day: what others ask for keeps nobody from theirs."""
SIGN_IN_A_DAY: Final = 5
"""Mails about changed passphrases, passkeys and one-time codes that an account gets."""
MOST_A_DAY: Final = 10
MOST_TYPED: Final = 320
"""Characters of what is typed for an address; the address itself is shorter."""
FIRST_A_DAY: Final = 3
LAST_MS: Final = 86_400_000
"""How long a mail is tried that goes to an address which is not kept any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Where somebody is written to ("": nowhere), what about, and how often. ``waiting``: an
    address whose code has not come back; ``stopped_ms``: since when none come, by a mail's link."""

    address: str = field(repr=False)
    waiting: str = field(repr=False)
    kinds: frozenset[str]
    most: int
    digest: bool
    stopped_ms: int | None


def held(node: Node, visit: Visit) -> Held:
    """Where the person is written to."""
    account = visit.person.account
    with node.database.read() as tx:
        row = rows.get(tx, account)
        address = "" if row is None else _opened(node, tx, row)
        code = rows.code(tx, account, now_ms=node.now_ms())
    waiting = "" if code is None else sealing.open_passing(node, account, code.address_wrapped)
    first = chosen_first(visit.person.role)
    if row is None or not address:
        return Held(
            address="",
            waiting=waiting,
            kinds=first,
            most=FIRST_A_DAY,
            digest=False,
            stopped_ms=None,
        )
    return Held(
        address=address,
        waiting=waiting,
        kinds=frozenset(row.kinds.split()),
        most=row.most,
        digest=row.digest == 1,
        stopped_ms=row.stopped_ms,
    )


def give(node: Node, visit: Visit, text: str, *, language: str, network: str) -> None:
    """Send a code to an address; what was confirmed before stays until the code came back.

    The answer is the same whether the mailbox had its codes of today already: others may have asked
    for those. Raises Invalid for what is no address, TooLarge where this account or
    network address asked often enough today.
    """
    require_recent(node, visit)
    if not node.mail.possible:
        raise Unsupported("This organisation sends no mails.", advice="Come and look here.")
    address, account, now = checked_address(text), visit.person.account, node.now_ms()
    nonce, wrapped = node.random(32), sealing.seal_passing(node, account, address)
    code = rows.Code(
        account=account,
        address_wrapped=wrapped,
        nonce=nonce,
        language=_language(language),
        tries=TRIES,
        expires_ms=now + CODE_MS,
    )
    letter = rows.Outgoing(
        id=node.random(16),
        account=account,
        kind=CODE,
        address_wrapped=wrapped,
        nonce=nonce,
        language=code.language,
        made_ms=now,
        next_ms=now,
        until_ms=code.expires_ms,
    )
    asked = {
        sealing.subject(node, "code-of", account): PERSON_A_DAY,
        sealing.subject(node, "code-from", network.encode()): NETWORK_A_DAY,
    }
    day = now // 86_400_000

    def write(tx: Transaction) -> None:
        if not rows.spend(tx, asked, day=day):
            raise TooLarge(
                "There were as many codes today as there may be.", advice="Try again tomorrow."
            )
        if _may_write(node, tx, address, account, day=day):
            rows.put_code(tx, code)
            rows.add(tx, letter)
        elif not _waits(node, tx, account, address):
            rows.put_code(tx, code)
        audit(node, tx, visit.person, Verb.CREDENTIALS)

    node.database.write(write)


def _waits(node: Node, tx: Transaction, account: bytes, address: str) -> bool:
    """Whether a code for just this address is good: it stays, where no other one goes out."""
    kept = rows.code(tx, account, now_ms=node.now_ms())
    return kept is not None and sealing.open_passing(node, account, kept.address_wrapped) == address


def _may_write(node: Node, tx: Transaction, address: str, account: bytes, *, day: int) -> bool:
    """Count a code for a mailbox; False where it had as many as it may today."""
    mailbox = _mailbox(address)
    everybody = sealing.subject(node, "code-to", mailbox)
    own = sealing.subject(node, "code-to-of", mailbox, account)
    another = {everybody: MAILBOX_A_DAY, own: PERSON_MAILBOX_A_DAY}
    first = {everybody: MAILBOX_FIRST_A_DAY, own: 1}
    return rows.spend(tx, another, day=day) or rows.spend(tx, first, day=day)


def confirm(node: Node, visit: Visit, text: str) -> None:
    """Take an address into use whose code came back.

    Raises Unauthenticated for a wrong code, Conflict where no code is waited for (any more).
    """
    require_recent(node, visit)
    account, now = visit.person.account, node.now_ms()

    def write(tx: Transaction) -> SimdesError | None:
        code = rows.use_try(tx, account, now_ms=now)
        if code is None:
            return Conflict(
                "No code is waited for any more.", advice="Give the address again for a new code."
            )
        if not sealing.is_code(node.desk.keystore, code, text):
            return Unauthenticated("The code is wrong.", advice="Type the one of the newest mail.")
        address = sealing.open_passing(node, account, code.address_wrapped)
        _take(node, tx, visit, address, code.language)
        audit(node, tx, visit.person, Verb.CREDENTIALS)
        return None

    refused = node.database.write(write)  # a wrong code costs a try, so nothing is undone
    if refused is not None:
        raise refused


def _take(node: Node, tx: Transaction, visit: Visit, address: str, language: str) -> None:
    """Keep the address, with the choice of before; what has not gone out yet goes to it."""
    account = visit.person.account
    before = rows.get(tx, account)
    comes = before if before is not None and before.stopped_ms is None else None
    known = "" if comes is None else _opened(node, tx, comes)
    if comes is not None and known not in ("", address):
        rows.add(tx, _last(node, comes, known, CHANGED))
    vault, wrapped = sealing.seal(node, tx, account, address)
    kept = before.kinds if before else " ".join(sorted(chosen_first(visit.person.role)))
    rows.drop_code(tx, account)
    rows.put(
        tx,
        rows.Address(
            account=account,
            vault=vault,
            address_wrapped=wrapped,
            stop=node.random(sealing.STOP_BYTES),
            language=language,
            kinds=kept,
            most=before.most if before else FIRST_A_DAY,
            digest=before.digest if before else 0,
            confirmed_ms=comes.confirmed_ms if comes else node.now_ms(),
            due_ms=comes.due_ms if comes else None,
            alarm=comes.alarm if comes else 0,
        ),
    )


def choose(
    node: Node, visit: Visit, kinds: Collection[str], *, most: int, digest: bool, language: str
) -> None:
    """Say what mails come about, how many a day at most, and whether once a day is enough.

    Raises Invalid for what can't be chosen, NotFound without an address.
    """
    offered = {one.name for one in kinds_of(visit.person.role) if not one.always}
    if not set(kinds) <= offered or not 1 <= most <= MOST_A_DAY:
        raise Invalid("The form is not one of ours.", advice="Load the page again.")
    account, chosen = visit.person.account, " ".join(sorted(set(kinds)))

    def write(tx: Transaction) -> bool:
        return rows.choose(
            tx, account, kinds=chosen, most=most, digest=int(digest), language=_language(language)
        )

    if not node.database.write(write):
        raise NotFound("There is no address to write to.", advice="Give one first.")


def remove(node: Node, visit: Visit) -> None:
    """Forget the person's address, and one that waits for its code; it is told so, once."""
    require_recent(node, visit)
    account = visit.person.account

    def write(tx: Transaction) -> None:
        row = rows.get(tx, account)
        known = "" if row is None else _opened(node, tx, row)
        if row is not None and known and row.stopped_ms is None:
            rows.add(tx, _last(node, row, known, CHANGED))
        rows.drop_code(tx, account)
        rows.forget(tx, account)
        audit(node, tx, visit.person, Verb.CREDENTIALS)

    node.database.write(write)


def tell_of_sign_in(node: Node, tx: Transaction, account: bytes) -> None:
    """Have an account's owner told that what they sign in with was changed: a stolen session's
    thief would do so, and what they do here needs no ledger. A few a day."""
    row = rows.get(tx, account)
    known = "" if row is None else _opened(node, tx, row)
    if row is None or not known or row.stopped_ms is not None:
        return
    day = node.now_ms() // 86_400_000
    if rows.spend(tx, {sealing.subject(node, SIGN_IN, account): SIGN_IN_A_DAY}, day=day):
        rows.add(tx, _last(node, row, known, SIGN_IN))


def is_stop(node: Node, token: str) -> None:
    """Raises NotFound for a token that stops nobody's mails."""
    sealing.read_stop(node.desk.keystore, token)


def stop(node: Node, token: str) -> None:
    """Let no more mails come, by the link that stood in one; again, and late, is harmless.

    Raises NotFound for a token that we did not sign.
    """
    id_ = sealing.read_stop(node.desk.keystore, token)

    def write(tx: Transaction) -> None:
        row = rows.by_stop(tx, id_)
        if row is None or row.stopped_ms is not None:
            return
        rows.stop(tx, row.account, now_ms=node.now_ms())
        person = node.desk.keystore.person_of(row.account)
        if person is not None:
            audit(node, tx, person, Verb.CREDENTIALS)

    node.database.write(write)


def last_of(node: Node, vault: bytes) -> rows.Outgoing | None:
    """The mail that says that a vault's patient is written to no more; None where they never were.

    Made before the erasure, which takes the key of their address.
    """
    with node.database.read() as tx:
        row = rows.of_vault(tx, vault)
        known = "" if row is None else _opened(node, tx, row)
    if row is None or not known or row.stopped_ms is not None:
        return None
    return _last(node, row, known, ERASED)


def send_last(node: Node, letter: rows.Outgoing) -> None:
    """Let it go out: the erasure is under way."""
    node.database.write(lambda tx: rows.add(tx, letter))


def _last(node: Node, row: rows.Address, address: str, kind: str) -> rows.Outgoing:
    now = node.now_ms()
    return rows.Outgoing(
        id=node.random(16),
        account=row.account,
        kind=kind,
        address_wrapped=sealing.seal_passing(node, row.account, address),
        nonce=None,
        language=row.language,
        made_ms=now,
        next_ms=now,
        until_ms=now + LAST_MS,
    )


def _opened(node: Node, tx: Transaction, row: rows.Address) -> str:
    try:
        return sealing.open_(node, tx, row)
    except NotFound:
        return ""


def _language(text: str) -> str:
    return text if text in WORDS else next(iter(WORDS))


def _mailbox(address: str) -> bytes:
    """The mailbox behind an address: what follows a plus sign leads to the same one."""
    local = address.rpartition("@")[0].partition("+")[0]
    return f"{local}@{domain_of(address)}".lower().encode()
