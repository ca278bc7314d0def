"""What a person signs in with, changed by themselves: passphrase, codes, passkeys, sessions.

Every change needs a proof that is at most fifteen minutes old (`credentials.require_recent`) and is
audited. Ending a session needs none: whoever sees something strange must not be held up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from simdes.access import accounts, browser, one_time_codes, passkeys
from simdes.access.audit_event import Verb
from simdes.access.browser import IDLE_MS
from simdes.crypto.digest import sha256
from simdes.crypto.keys import unwrap, wrap
from simdes.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from simdes.exchange.credentials import Visit, audit, require_recent, use_code
from simdes.exchange.mail import addresses
from simdes.exchange.node import Node
from simdes.index import credentials as rows
from simdes.index.transaction import Transaction

MAX_LABEL: Final = 64
_LABEL: Final = b"simdes/passkey-label/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPasskey:
    """A passkey as its owner sees it. Times are unix milliseconds.

    ``unlocks``: it opens the session without the passphrase. ``doubted``: it may have been copied
    and is not accepted any more.
    """

    id: bytes
    label: str
    created_ms: int
    used_ms: int | None
    unlocks: bool
    synchronised: bool
    doubted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A browser where the person is signed in."""

    id: bytes
    client: str
    started_ms: int
    seen_ms: int
    expires_ms: int
    here: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """All that a person signs in with, and where they are signed in."""

    passkeys: tuple[HeldPasskey, ...]
    passkeys_possible: bool
    codes: bool
    recovery_left: int
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A TOTP secret that waits for its first code: to type in, and the address for a QR code."""

    readable: str = field(repr=False)
    uri: str = field(repr=False)


def held(node: Node, visit: Visit) -> Held:
    """What the person signs in with."""
    account, now = visit.person.account, node.now_ms()
    with node.database.read() as tx:
        keys = rows.passkeys(tx, account)
        code = rows.code(tx, account)
        left = rows.count_recovery(tx, account)
        sessions = rows.sessions(tx, account, now_ms=now, idle_ms=IDLE_MS)
    return Held(
        passkeys=tuple(_passkey(node, one) for one in keys),
        passkeys_possible=passkeys.possible(node.issuer),
        codes=code is not None and code.confirmed == 1,
        recovery_left=left,
        places=tuple(_place(node, visit, one) for one in sessions),
    )


# One-time codes -------------------------------------------------------------------------------


def begin_codes(node: Node, visit: Visit) -> None:
    """Make a TOTP secret that waits for its first code; Conflict where codes are on already."""
    require_recent(node, visit)
    secret, account = node.random(one_time_codes.SECRET_BYTES), visit.person.account
    row = rows.OneTimeCode(
        account=account,
        secret_wrapped=one_time_codes.wrap_secret(
            visit.session.key, account, secret, random=node.random
        ),
        last_step=0,
        confirmed=0,
        created_ms=node.now_ms(),
    )
    node.database.write(lambda tx: rows.put_code(tx, row))


def waiting_codes(node: Node, visit: Visit) -> Enrolment | None:
    """The secret that waits for its first code, None where none does."""
    require_recent(node, visit)
    with node.database.read() as tx:
        row = rows.code(tx, visit.person.account)
    if row is None or row.confirmed:
        return None
    secret = one_time_codes.unwrap_secret(visit.session.key, row.account, row.secret_wrapped)
    return Enrolment(
        one_time_codes.readable(secret),
        one_time_codes.uri(secret, issuer=node.name, user=visit.person.user),
    )


def confirm_codes(node: Node, visit: Visit, code: str) -> tuple[str, ...]:
    """Turn codes on with the first one, and make recovery codes, which are shown this once.

    Raises Unauthenticated for a wrong code.
    """
    require_recent(node, visit)
    codes = one_time_codes.new_recovery_codes(node.random)

    def write(tx: Transaction) -> bool:
        kept = rows.code(tx, visit.person.account)
        digits = "".join(code.split())
        if kept is None or kept.confirmed or len(digits) != one_time_codes.DIGITS:
            return False
        if not use_code(node, tx, visit.person, visit.session.key, digits):
            return False
        _set_recovery(tx, visit, codes)
        _changed(node, tx, visit)
        return True

    if not node.database.write(write):
        raise Unauthenticated(
            "The code is wrong.", advice="Check the clock of your device and use the next code."
        )
    return codes


def end_codes(node: Node, visit: Visit) -> None:
    """Turn codes off; recovery codes go too where no other second factor is left."""
    require_recent(node, visit)

    def write(tx: Transaction) -> None:
        if rows.remove_code(tx, visit.person.account):
            _drop_recovery_if_alone(tx, visit)
            _changed(node, tx, visit)

    node.database.write(write)


def renew_recovery(node: Node, visit: Visit) -> tuple[str, ...]:
    """Fresh recovery codes in the place of the old ones, shown this once.

    Raises Conflict without a second factor that they could stand in for.
    """
    require_recent(node, visit)
    codes = one_time_codes.new_recovery_codes(node.random)

    def write(tx: Transaction) -> None:
        if not _has_factor(tx, visit):
            raise Conflict("There is no second factor yet.", advice="Add a passkey or codes first.")
        _set_recovery(tx, visit, codes)
        _changed(node, tx, visit)

    node.database.write(write)
    return codes


# Passkeys -------------------------------------------------------------------------------------


def passkey_creation(node: Node, visit: Visit, *, binding: str) -> str:
    """The options of ``navigator.credentials.create`` as JSON; Forbidden where there can be none.

    ``binding`` is the secret of the browser that may answer.
    """
    require_recent(node, visit)
    if not passkeys.possible(node.issuer):
        raise Forbidden(
            "Browsers make no passkeys at this address.",
            advice="Serve the gateway under a host name with TLS.",
        )
    with node.database.read() as tx:
        known = rows.passkeys(tx, visit.person.account)
    return passkeys.creation_options(
        node.issuer, visit.person, name=node.name, binding=binding.encode(), known=known
    )


def add_passkey(
    node: Node, visit: Visit, answer: str, prf: str, *, binding: str, label: str
) -> bool:
    """Keep a new passkey; whether it unlocks the account by itself (it has a PRF).

    Raises Unauthenticated where the answer is not right, Conflict for one too many.
    """
    require_recent(node, visit)
    secret = passkeys.read_prf(prf)
    made, challenge = passkeys.verify_creation(node.issuer, answer, binding=binding.encode())
    id, key = passkeys.passkey_id(made.credential), visit.session.key
    row = rows.Passkey(
        id=id,
        account=visit.person.account,
        credential=made.credential,
        public=made.public,
        sign_count=made.sign_count,
        synchronised=int(made.synchronised),
        key_wrapped=passkeys.wrap_key(node.issuer, key, made.credential, secret)
        if secret
        else None,
        label_wrapped=_label(node, id, label or "Passkey"),
        created_ms=node.now_ms(),
    )

    def write(tx: Transaction) -> None:
        expires = passkeys.expiry_ms(challenge)
        if not rows.spend(tx, sha256(challenge), expires_ms=expires):
            raise Unauthenticated("The passkey's answer was used before.")
        rows.add_passkey(tx, row, most=passkeys.MOST)
        _changed(node, tx, visit)

    node.database.write(write)
    return bool(secret)


def rename_passkey(node: Node, visit: Visit, id: bytes, label: str) -> None:
    """Give a passkey another name; NotFound for one that is not the person's."""
    wrapped = _label(node, id, label)
    account = visit.person.account
    if not node.database.write(lambda tx: rows.rename_passkey(tx, account, id, wrapped)):
        raise NotFound("You have no such passkey.")


def remove_passkey(node: Node, visit: Visit, id: bytes) -> None:
    """Forget a passkey; NotFound for one that is not the person's."""
    require_recent(node, visit)

    def write(tx: Transaction) -> None:
        if not rows.remove_passkey(tx, visit.person.account, id):
            raise NotFound("You have no such passkey.")
        _drop_recovery_if_alone(tx, visit)
        _changed(node, tx, visit)

    node.database.write(write)


# Passphrase and sessions ----------------------------------------------------------------------


def change_passphrase(node: Node, visit: Visit, passphrase: str) -> None:
    """Lock the account key under another passphrase and end every other session.

    Raises Invalid for a passphrase too short or too long.
    """
    require_recent(node, visit)
    accounts.check_passphrase(passphrase)
    if passphrase.casefold() == visit.person.user:
        raise Invalid("A passphrase is not the user name.")
    node.desk.keystore.relock_person(visit.person, visit.session.key, passphrase)

    def write(tx: Transaction) -> None:
        rows.end_sessions(tx, visit.person.account, but=visit.id)
        _changed(node, tx, visit)

    node.database.write(write)


def end_session(node: Node, visit: Visit, id: bytes) -> None:
    """Sign the person out in another browser; NotFound where they are not signed in there."""
    if not node.database.write(lambda tx: rows.end_session(tx, visit.person.account, id)):
        raise NotFound("You are not signed in there any more.")


def end_other_sessions(node: Node, visit: Visit) -> int:
    """Sign the person out everywhere but here; in how many places."""
    account = visit.person.account
    return node.database.write(lambda tx: rows.end_sessions(tx, account, but=visit.id))


# ----------------------------------------------------------------------------------------------


def _changed(node: Node, tx: Transaction, visit: Visit) -> None:
    """Tell whose account it is by mail, and write it down."""
    addresses.tell_of_sign_in(node, tx, visit.person.account)
    audit(node, tx, visit.person, Verb.CREDENTIALS)


def _passkey(node: Node, row: rows.Passkey) -> HeldPasskey:
    label = unwrap(node.desk.keystore.database_key, row.label_wrapped, aad=_LABEL + row.id)
    return HeldPasskey(
        id=row.id,
        label=label.decode(),
        created_ms=row.created_ms,
        used_ms=row.used_ms,
        unlocks=row.key_wrapped is not None,
        synchronised=row.synchronised == 1,
        doubted=row.doubted_ms is not None,
    )


def _place(node: Node, visit: Visit, row: rows.BrowserSession) -> Place:
    return Place(
        id=row.id,
        client=browser.client_of(node.issuer, row),
        started_ms=row.started_ms,
        seen_ms=row.seen_ms,
        expires_ms=min(row.expires_ms, row.seen_ms + IDLE_MS),
        here=row.id == visit.id,
    )


def _label(node: Node, id: bytes, label: str) -> bytes:
    plain = " ".join("".join(one if one.isprintable() else " " for one in label).split())
    if not 0 < len(plain) <= MAX_LABEL:
        raise Invalid(f"A passkey's name has 1 to {MAX_LABEL} characters.")
    key = node.desk.keystore.database_key
    return wrap(key, plain.encode(), aad=_LABEL + id, random=node.random)


def _has_factor(tx: Transaction, visit: Visit) -> bool:
    code = rows.code(tx, visit.person.account)
    confirmed = code is not None and code.confirmed == 1
    return confirmed or bool(rows.passkeys(tx, visit.person.account))


def _set_recovery(tx: Transaction, visit: Visit, codes: tuple[str, ...]) -> None:
    account = visit.person.account
    digests = [one_time_codes.recovery_digest(account, one) for one in codes]
    rows.set_recovery(tx, account, digests)


def _drop_recovery_if_alone(tx: Transaction, visit: Visit) -> None:
    if not _has_factor(tx, visit):
        rows.set_recovery(tx, visit.person.account, [])
