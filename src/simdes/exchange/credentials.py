"""Sign in with a browser: passphrase and one-time code, or a passkey (paper, "Every user has to
authenticate with their personal authentication token").

A person proves one thing after the other; what is proven stands in a session whose cookie unlocks
their key (`access.browser`). Whoever has a second factor is in only with it. Unknown user and wrong
passphrase get equal answers, failures cost waiting time (`access.attempts`), and every success and
every failure of a known person is audited. NIST SP 800-63B-4 and OWASP ASVS 5.0, chapters 6 and 7.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from typing import Final

from simdes.access import accounts, attempts, browser, one_time_codes, passkeys, tokens
from simdes.access.audit_event import Attempt, Verb
from simdes.access.browser import Proof
from simdes.access.desk import RATE
from simdes.access.keystore import Person
from simdes.access.passes import Carried
from simdes.access.tokens import Actor
from simdes.crypto.digest import sha256
from simdes.crypto.keys import SigningKey
from simdes.errors import Forbidden, NotFound, SimdesError, TooLarge, Unauthenticated
from simdes.exchange.node import Node
from simdes.exchange.signin import Authentication, Session, needs_wallet
from simdes.index import credentials as rows
from simdes.index.transaction import Transaction

RECENT_SECONDS: Final = 15 * 60
"""How long a proof is good for what needs a fresh one."""
_WRONG: Final = "User name or passphrase is wrong."
_WRONG_FIRST: Final = "User name or code is wrong, or the code was used before."
_WRONG_CODE: Final = "The code is wrong, or it was used before."


@dataclass(frozen=True, slots=True)
class Client:
    """Who is at the other end: network address, what the browser calls itself, and the mark that
    it kept from an earlier sign-in ("" for none)."""

    address: str
    name: str
    device: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Admitted:
    """What the browser gets: the session's cookie and a mark to be known again by.

    ``whole`` False: something is still to be proven.
    """

    cookie: str = field(repr=False)
    whole: bool
    device: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Half:
    """A session that waits for what is in ``wanted``: ``passphrase``, ``code``, ``passkey``."""

    person: Person
    wanted: frozenset[str]


@dataclass(frozen=True, slots=True)
class Visit:
    """A signed-in person in a browser; ``session`` acts for them at every verb."""

    session: Session
    person: Person
    authentication: Authentication
    id: bytes
    wanted: frozenset[str]
    """What proves again who they are: ``code`` and ``passkey``, or ``passphrase`` or ``wallet``
    alone."""


@dataclass(frozen=True, slots=True)
class Found:
    """The person, the session's row and what its cookie unlocks: a key, or a wallet's pass."""

    person: Person
    row: rows.BrowserSession
    kept: SigningKey | Carried | None

    @property
    def key(self) -> SigningKey | None:
        """The key, None while nothing unlocked it. Raises Forbidden where a wallet has it."""
        if isinstance(self.kept, Carried):
            raise needs_wallet()
        return self.kept


def resume(node: Node, cookie: str) -> Visit | Half:
    """The session of a cookie.

    Raises Unauthenticated where there is none, Forbidden where the account may not act now.
    """
    found = find(node, cookie)
    factors = _factors(node, found.person.account)
    if isinstance(found.kept, Carried):
        return _visit(node, found, frozenset({"wallet"}))
    if found.row.state == rows.HALF or found.key is None:
        return Half(found.person, factors if found.key is not None else frozenset({"passphrase"}))
    return _visit(node, found, factors or frozenset({"passphrase"}))


def _visit(node: Node, found: Found, wanted: frozenset[str]) -> Visit:
    kept = found.kept
    authentication = Authentication(tuple(found.row.methods.split()), found.row.proved_ms // 1000)
    actor = replace(_actor(node, found.person, found.row.id), authentication=authentication)
    by = kept if isinstance(kept, Carried) else None
    return Visit(
        session=Session(actor, lambda: _unlocked(found), "", by),
        person=found.person,
        authentication=authentication,
        id=found.row.id,
        wanted=wanted,
    )


def _unlocked(found: Found) -> SigningKey:
    if found.key is None:
        raise Unauthenticated("The passphrase comes first.")
    return found.key


def sign_in(node: Node, user: str, passphrase: str, *, client: Client) -> Admitted:
    """Begin with user name and passphrase.

    Raises Unauthenticated alike for an unknown user and a wrong passphrase, TooLarge where tries
    have to wait, Forbidden where the account may not act.
    """
    user = user.strip().lower()
    person = _person(node, user)
    key = _try_passphrase(node, user, passphrase, person, client)
    return begin(node, node.desk.keystore.person(user), key, client=client)


def try_first(node: Node, user: str, code: str, *, client: Client) -> SigningKey:
    """The key that the code of somebody's first sign-in unlocks; raises as `sign_in`."""
    return _try_passphrase(node, user, code, _person(node, user), client, first=True)


def begin(node: Node, person: Person, key: SigningKey, *, client: Client) -> Admitted:
    """A session of somebody who proved their passphrase."""
    whole = not _factors(node, person.account)
    proof = Proof(person.account, key, ("pwd",), whole, client.name)
    return admit(node, person, proof, ended="")


def add_passphrase(node: Node, cookie: str, passphrase: str, *, client: Client) -> Admitted:
    """Prove the passphrase, too: after a passkey that unlocks nothing, or once more where it is
    all that the person has. Raises as `sign_in`."""
    found = find(node, cookie)
    factors = _factors(node, found.person.account)
    if found.key is not None and (found.row.state == rows.HALF or factors):
        raise Forbidden("The passphrase was given already; the second factor is what is missing.")
    key = _try_passphrase(node, found.person.user, passphrase, found.person, client)
    return _advance(node, found, key, ("pwd",), cookie=cookie)


def add_code(node: Node, cookie: str, code: str) -> Admitted:
    """Prove the second factor by a one-time code or a recovery code, each good once.

    Raises Unauthenticated for a wrong or used code, TooLarge where tries have to wait.
    """
    found = find(node, cookie)
    if found.key is None:
        raise Unauthenticated("The passphrase comes first.")
    subjects = attempts.code_subject(node.desk.keystore, found.person.account)
    node.database.write(lambda tx: attempts.count(tx, subjects, now_ms=node.now_ms()))
    if not node.database.write(lambda tx: use_code(node, tx, found.person, found.key, code)):
        refuse(node, found.person, attempts.WRONG_CODE)
        raise Unauthenticated(_WRONG_CODE, advice="Wait for the next code, and try again.")
    node.database.write(lambda tx: attempts.succeeded(tx, subjects))
    return _advance(node, found, found.key, ("otp",), cookie=cookie)


def passkey_request(node: Node, *, binding: str, cookie: str = "") -> str:
    """The options of ``navigator.credentials.get`` as JSON, "" where browsers take no passkeys.

    ``binding`` is the secret of the browser that may answer. With a cookie they are for its person.
    """
    if not passkeys.possible(node.issuer):
        return ""
    known: list[rows.Passkey] = []
    if cookie:
        account = find(node, cookie).person.account
        with node.database.read() as tx:
            known = [one for one in rows.passkeys(tx, account) if one.doubted_ms is None]
        if not known:
            return ""
    return passkeys.request_options(node.issuer, binding=binding.encode(), known=known)


def show_passkey(
    node: Node, answer: str, prf: str, *, binding: str, client: Client, cookie: str = ""
) -> Admitted:
    """Prove by passkey: to sign in, as the second factor, or once more.

    ``answer`` is what the browser gave, as JSON, ``prf`` the PRF's output in base64url, "" for
    none. Raises Unauthenticated for any passkey that is not right here and now.
    """
    secret = passkeys.read_prf(prf)
    with node.database.read() as tx:
        shown = passkeys.verify_request(node.issuer, tx, answer, binding=binding.encode())
    person = node.desk.keystore.person_of(shown.passkey.account)
    found = find(node, cookie) if cookie else None
    if person is None or (found is not None and found.person.account != person.account):
        raise Unauthenticated("The passkey is another person's.")
    if person.wallet:
        raise needs_wallet()
    _use(node, person, shown)
    key = passkeys.unlock(shown.passkey, secret)
    if found is not None:
        return _advance(node, found, found.key or key, shown.methods, cookie=cookie)
    proof = Proof(person.account, key, shown.methods, key is not None, client.name)
    return admit(node, person, proof, ended="")


def sign_out(node: Node, cookie: str) -> None:
    """End a cookie's session, if it has one."""
    try:
        row = browser.find(node.issuer, cookie)
    except Unauthenticated:
        return
    node.database.write(lambda tx: rows.end_session(tx, row.account, row.id))


def is_recent(node: Node, visit: Visit, *, seconds: int = RECENT_SECONDS) -> bool:
    """Whether the person proved who they are within this time."""
    return node.now_seconds() - visit.authentication.time_seconds <= seconds


def require_recent(node: Node, visit: Visit) -> None:
    """Raise Unauthenticated where the last proof is older than fifteen minutes."""
    if not is_recent(node, visit):
        raise Unauthenticated("Confirm first that it is you.")


def use_code(
    node: Node, tx: Transaction, person: Person, key: SigningKey | None, code: str
) -> bool:
    """Whether a code is right; it is spent."""
    plain = "".join(code.split()).replace("-", "")
    if len(plain) != one_time_codes.DIGITS or not plain.isdecimal():
        digest = one_time_codes.recovery_digest(person.account, plain)
        return rows.use_recovery(tx, person.account, digest)
    kept = rows.code(tx, person.account)
    if kept is None or key is None:
        return False
    secret = one_time_codes.unwrap_secret(key, person.account, kept.secret_wrapped)
    step = one_time_codes.matching_step(secret, plain, now_seconds=node.now_seconds())
    return step is not None and rows.use_code(tx, person.account, step=step)


def audit(node: Node, tx: Transaction, person: Person, verb: Verb, *, reason: str = "") -> None:
    """Write down what a person of ours did, or was refused."""
    attempt = Attempt(
        verb=verb,
        account=person.account,
        address=person.address,
        role=int(person.role),
        organisation=node.organisation,
        purpose=None,
        vault=None,
        reason=reason,
    )
    node.desk.trail.append(tx, [attempt])


def refuse(node: Node, person: Person, reason: str) -> None:
    """Write a failure of a known person down."""
    node.database.write(lambda tx: audit(node, tx, person, Verb.SIGN_IN, reason=reason))


# Steps ----------------------------------------------------------------------------------------


def find(node: Node, cookie: str) -> Found:
    """The session of a cookie, whole or half; Unauthenticated where there is none.

    What was proven by a key does not hold for a wallet, nor by a wallet for another one.
    """
    row = browser.find(node.issuer, cookie)
    person = node.desk.keystore.person_of(row.account)
    if person is None:
        raise Unauthenticated("The account is not hosted here any more.")
    kept = browser.unlock(row, cookie)
    wallet = kept.wallet if isinstance(kept, Carried) else None
    if wallet != (person.address if person.wallet else None):
        raise Unauthenticated("You are not signed in, or your session ended.")
    return Found(person, row, kept)


def _person(node: Node, user: str) -> Person | None:
    try:
        return node.desk.keystore.person(user)
    except NotFound:
        return None


def _factors(node: Node, account: bytes) -> frozenset[str]:
    """What second factors an account has; a recovery code is given where codes are."""
    with node.database.read() as tx:
        code = rows.code(tx, account)
        usable = [one for one in rows.passkeys(tx, account) if one.doubted_ms is None]
        spare = rows.count_recovery(tx, account)
        doubted = bool(rows.passkeys(tx, account))
    codes = {"code"} if (code is not None and code.confirmed) or spare else set()
    factors = codes | ({"passkey"} if usable else set())
    # Whoever copied a passkey must not get rid of the second factor by spoiling its counter.
    return frozenset(factors or ({"code"} if doubted else ()))


def _try_passphrase(
    node: Node,
    user: str,
    passphrase: str,
    person: Person | None,
    client: Client,
    *,
    first: bool = False,
) -> SigningKey:
    keystore = node.desk.keystore
    device = None
    if person is not None:
        device = attempts.known_device(keystore, person.account, _mark(client.device))
    subjects = attempts.subjects_of(keystore, user, address=client.address, device=device)
    try:
        node.database.write(lambda tx: attempts.count(tx, subjects, now_ms=node.now_ms()))
        key = keystore.unlock_person(user, passphrase[: accounts.MAX_PASSPHRASE], first=first)
    except (Unauthenticated, TooLarge) as error:
        if person is not None:
            wrong = isinstance(error, Unauthenticated)
            refuse(node, person, attempts.WRONG_PASSPHRASE if wrong else RATE)
        if isinstance(error, TooLarge):
            raise
        said = _WRONG_FIRST if first else _WRONG
        raise Unauthenticated(said, advice="Check both and try again.") from error
    node.database.write(lambda tx: attempts.succeeded(tx, subjects))
    return key


def _use(node: Node, person: Person, shown: passkeys.Shown) -> None:
    """Spend the challenge and note the use; a counter that went back casts doubt for good."""
    now = node.now_ms()

    def write(tx: Transaction) -> bool:
        spent = rows.spend(
            tx, sha256(shown.challenge), expires_ms=passkeys.expiry_ms(shown.challenge)
        )
        if not spent:
            raise Unauthenticated("The passkey's answer was used before.")
        if rows.use_passkey(tx, shown.passkey.id, sign_count=shown.sign_count, now_ms=now):
            return True
        rows.doubt_passkey(tx, shown.passkey.id, now_ms=now)
        return False

    if not node.database.write(write):
        refuse(node, person, attempts.COPIED_PASSKEY)
        raise Unauthenticated(
            "This passkey is not accepted any more: its counter went back, as a copy's would.",
            advice="Sign in another way, remove it, and make a new one.",
        )


def _advance(
    node: Node, found: Found, key: SigningKey | None, methods: tuple[str, ...], *, cookie: str
) -> Admitted:
    row, have = found.row, tuple(found.row.methods.split())
    proven = tuple(dict.fromkeys((*have, *methods)))
    whole = key is not None
    kept = row if row.state == rows.WHOLE else None
    proof = Proof(
        row.account,
        key,
        proven,
        whole,
        browser.client_of(node.issuer, row),
        started_ms=kept.started_ms if kept else None,
        expires_ms=kept.expires_ms if kept else None,
    )
    return admit(node, found.person, proof, ended=cookie)


def admit(node: Node, person: Person, proof: Proof, *, ended: str) -> Admitted:
    """Open a session under a fresh secret in the place of another; audited when it is whole.

    Raises Forbidden where the account may not act.
    """
    try:
        accounts.require_active(node.contracts, person.address)
    except Forbidden:
        refuse(node, person, "INACTIVE_ACTOR")
        raise
    cookie, now = browser.new_secret(node.issuer), node.now_ms()

    def write(tx: Transaction) -> None:
        rows.purge(tx, now_ms=now, idle_ms=browser.IDLE_MS, forget_ms=attempts.FORGET_MS)
        if ended:
            rows.end_session(tx, person.account, browser.session_id(ended))
        browser.open_session(node.issuer, tx, proof, cookie)
        if proof.whole:
            audit(node, tx, person, Verb.SIGN_IN)

    node.database.write(write)
    if not proof.whole:
        return Admitted(cookie, whole=False)
    mark = attempts.device_mark(node.desk.keystore, person.account, node.random(16))
    return Admitted(cookie, whole=True, device=base64.urlsafe_b64encode(mark).decode())


def _actor(node: Node, person: Person, session: bytes) -> Actor:
    standing = accounts.require_active(node.contracts, person.address)
    if standing.account != person.account or standing.organisation != node.organisation:
        raise Unauthenticated("The account is not hosted here any more.")
    return tokens.Actor(
        account=person.account,
        address=person.address,
        role=standing.role,
        organisation=standing.organisation,
        user=person.user,
        session=session,
    )


def _mark(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text[:128])
    except (ValueError, SimdesError):
        return b""
