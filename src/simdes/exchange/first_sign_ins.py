"""An account for a patient whose record is here: a slip with a code, and the first sign-in with it.

An administrator has seen the person and their papers and says how (`Checked`). Two organisations
attest then, for as long as the code is good; the vault becomes the patient's when they sign in
first, not before: who has nothing but a lost slip's organisation has a record that is still the
hospital's. The code locks the new account's key and is shown once. It is no passphrase: the first
sign-in puts one of the patient's own in its place, so that it works once.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from simdes.access import accounts
from simdes.access.audit_event import Verb
from simdes.access.categories import Category, Purpose, Role, State
from simdes.access.keystore import Checked, First, Person
from simdes.crypto.keys import SigningKey
from simdes.errors import Conflict, Forbidden, Invalid, NotFound, SimdesError, Unavailable
from simdes.exchange import credentials, enrolment
from simdes.exchange.attempting import recording
from simdes.exchange.colleagues import first_passphrase
from simdes.exchange.credentials import Admitted, Client
from simdes.exchange.indexing import opened
from simdes.exchange.interactions import finding
from simdes.exchange.node import Node
from simdes.exchange.on_record import attempt_of
from simdes.exchange.signin import Session
from simdes.index import merges, resources, vaults

GOOD_SECONDS: Final = 6 * 86_400
"""How long a slip is good; organisations attest for a week at most."""
MOST_WORDS: Final = 300
_ALL: Final = tuple(Category)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slip:
    """What the patient takes along. ``code`` is kept nowhere."""

    person: Person
    code: str = field(repr=False)
    until_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Somebody who has not signed in yet; ``over``: their slip ran out."""

    person: Person
    vault: bytes
    until_seconds: int
    over: bool


def invite(
    node: Node, administrator: Session, user: str, *, vault: bytes, checked: str, display: str = ""
) -> Slip:
    """Give a patient whose identity the administrator checked an account and a slip.

    ``checked`` says how. A slip of the same record that ran out goes. Raises Forbidden unless an
    administrator of the organisation that began the record asks, or where nobody else attests;
    Conflict where the record is somebody's, a slip waits, or the user name is taken; Unavailable
    while the vault is not open yet.
    """
    enrolment.require_administrator(administrator)
    words = checked.strip()
    if not words or len(words) > MOST_WORDS:
        raise Invalid("Say how you know who this is.", advice="Name the papers that you saw.")
    require_free(node, vault)
    for one in waiting(node, administrator):
        if one.vault == vault:
            take_back(node, administrator, one.person.account)
    now, by = node.now_seconds(), administrator.actor.account
    code = first_passphrase(node.random(15))
    first = First(vault=vault, until_seconds=now + GOOD_SECONDS)
    person, _ = accounts.new_person(
        node.desk.keystore,
        user,
        role=Role.PATIENT,
        passphrase=code,
        random=node.random,
        display=display,
        first=first,
        checked=Checked(words=words, by=by, at_seconds=now),
    )
    try:
        _prepare(node, administrator, person, first)
    except SimdesError:
        _end(node, administrator, person.account, vault)
        raise
    return Slip(person=person, code=code, until_seconds=first.until_seconds)


def _prepare(node: Node, administrator: Session, person: Person, first: First) -> None:
    """The account on the ledger, and everybody's word: what the first sign-in needs."""
    keystore, contracts = node.desk.keystore, node.contracts
    accounts.resume_registration(keystore, contracts, node.agent, person)
    signed = enrolment.attested(node, person.account, first.vault, first.until_seconds)
    accounts.verify_account(contracts, node.lane(administrator.key), person.account)
    keystore.attest_first(person.account, replace(first, attestations=signed))
    attempt = attempt_of(administrator.actor, Verb.ATTEST, first.vault, purpose=None)
    node.database.write(lambda tx: node.desk.trail.append(tx, [attempt]))


def require_free(node: Node, vault: bytes) -> None:
    """Raise unless a vault may be given an account here: ours, open, nobody's, with no slip."""
    with node.database.read() as tx:
        row = vaults.get(tx, vault)
    if row is None or row.state == vaults.ERASED:
        raise NotFound("No patient here has this identifier.")
    known = node.contracts.accounts.vault(vault)
    if known is None:
        raise Unavailable("The vault is not open on the network yet.")
    if known.organisation != node.organisation:
        raise Forbidden("Another organisation began this record.", advice="It gives the account.")
    if known.control is not None:
        raise Conflict("The vault belongs to an enrolled patient already.")
    for first in node.desk.keystore.firsts().values():
        if first.vault == vault and first.until_seconds > node.now_seconds():
            raise Conflict("A slip for this record waits already.", advice="Take it back first.")


def find(node: Node, administrator: Session, system: str, number: str) -> bytes:
    """The vault of the patient with this number.

    Raises as `enrolment.find_vault`, Forbidden unless an administrator asks: what is refused is on
    record, so that nobody tries numbers unseen.
    """
    with _looking(node, administrator):
        enrolment.require_administrator(administrator)
        return enrolment.find_vault(node, [(system, number)])


def _looking(node: Node, administrator: Session) -> AbstractContextManager[None]:
    """Writes down what is refused in here; about nobody, as for all that may not be seen."""
    return recording(
        node,
        lambda reason: attempt_of(
            administrator.actor,
            Verb.READ,
            None,
            purpose=Purpose.HOPERAT,
            reason=reason,
            asked="read Patient",
        ),
    )


def whose(node: Node, administrator: Session, vault: bytes) -> Mapping[str, Any] | None:
    """The newest Patient that we wrote of a record that may be given an account; None without one.

    Nothing else of the record. The audit entry is durable before it is given. Raises as
    `require_free`, Forbidden unless an administrator asks; what is refused is on record.
    """
    with _looking(node, administrator):
        enrolment.require_administrator(administrator)
        require_free(node, vault)
    with node.database.read() as tx:
        rows = resources.of_vault(tx, vault, categories=_ALL, types=("Patient",))
        keys = finding.keys_of(node, tx, {vault})
    read = [one.record_id for one in rows[-1:] if one.record_id is not None]
    purpose = Purpose.HOPERAT
    attempt = attempt_of(administrator.actor, Verb.READ, vault, purpose=purpose, records=read)
    node.database.write(lambda tx: node.desk.trail.append(tx, [attempt]))
    return opened(keys[vault], rows[-1]) if rows else None


def waiting(node: Node, administrator: Session) -> list[Waiting]:
    """Who has a slip and did not sign in yet. Raises Forbidden unless an administrator asks."""
    go_on(node, administrator)
    now, found = node.now_seconds(), []
    for account, first in node.desk.keystore.firsts().items():
        person = node.desk.keystore.person_of(account)
        if person is not None:
            over = first.until_seconds <= now
            until = first.until_seconds
            found.append(Waiting(person=person, vault=first.vault, until_seconds=until, over=over))
    return found


def take_back(node: Node, administrator: Session, account: bytes) -> None:
    """End a slip: its code opens nothing, the account is suspended and forgotten.

    Raises NotFound where none waits, Conflict where the record is its holder's already, Forbidden
    unless an administrator asks.
    """
    found = [one for one in waiting(node, administrator) if one.person.account == account]
    if not found:
        raise NotFound("There is nothing like that.")
    _end(node, administrator, account, found[0].vault)


def go_on(node: Node, administrator: Session) -> None:
    """Bring to an end what was begun when a process was killed: a slip that was being ended is
    ended, or its holder's account lifted again. Only an administrator's key can, so this is done
    when one looks; what fails waits for the next look."""
    enrolment.require_administrator(administrator)
    for account, vault in node.desk.keystore.endings().items():
        with suppress(SimdesError):
            _end(node, administrator, account, vault)


def _end(node: Node, administrator: Session, account: bytes, vault: bytes) -> None:
    """Suspended first: from then on the ledger refuses a claim, and only what nobody can claim any
    more is forgotten. The key of whoever has the vault already is the only one there is. Noted
    before, so that no account stays suspended behind a process that was killed."""
    keystore, contracts = node.desk.keystore, node.contracts.accounts
    lane = node.lane(administrator.key)
    theirs = _is_theirs(node, account, vault)
    if account not in keystore.endings():
        if theirs:
            raise _is_the_patients()
        keystore.begin_ending(account, vault)
    known = contracts.account(account)
    suspended = known is None or known.state == State.SUSPENDED
    if not theirs and not suspended:
        accounts.suspend_account(node.contracts, lane, account)
        theirs, suspended = _is_theirs(node, account, vault), True
    if not theirs:
        keystore.forget_first(account)
        return
    if suspended:
        accounts.verify_account(node.contracts, lane, account)
    keystore.stop_ending(account)
    raise _is_the_patients()


def _is_the_patients() -> Conflict:
    return Conflict(
        "The record is the patient's already: they began to sign in.",
        advice="Let them sign in again with the code of their slip.",
    )


def _is_theirs(node: Node, account: bytes, vault: bytes) -> bool:
    known = node.contracts.accounts.vault(vault)
    return known is not None and known.control == account


def accept(node: Node, user: str, code: str, passphrase: str, *, client: Client) -> Admitted:
    """Sign in first: the vault becomes theirs, their passphrase takes the code's place.

    Asked again after a failure it goes on where it stopped, even when the slip ran out meanwhile.
    Raises Invalid for a passphrase that is none, Forbidden where the slip ran out, Conflict where
    the record was merged away, and as `credentials.sign_in`: alike for a wrong code and a used one.
    """
    user = user.strip().lower()
    code = "".join(code.split()).lower()
    accounts.check_passphrase(passphrase)
    if passphrase.strip().lower() in (user, code):
        raise Invalid("A passphrase is not the user name.", advice="Nor is it the code.")
    key = credentials.try_first(node, user, code, client=client)
    keystore = node.desk.keystore
    person = keystore.person(user)
    first = keystore.firsts().get(person.account)
    if first is None:
        raise _run_out()
    if not _is_theirs(node, person.account, first.vault):
        _claim(node, person, key, first)
    with node.database.transaction() as tx:
        vaults.set_control(tx, first.vault, person.account)
        credentials.audit(node, tx, person, Verb.CREDENTIALS)
    keystore.relock_person(person, key, passphrase, first=True)
    return credentials.begin(node, person, key, client=client)


def _claim(node: Node, person: Person, key: SigningKey, first: First) -> None:
    until = first.until_seconds
    if not first.attestations or until <= node.now_seconds():
        raise _run_out()
    with node.database.read() as tx:
        noted = merges.of(tx, first.vault)
    if any(one.prior == first.vault and one.state == merges.MOVED for one in noted):
        raise Conflict(
            "The record was joined to another one of yours since the slip was printed.",
            advice="Ask the organisation for a new slip.",
        )
    enrolment.claim(node, person, key, first.vault, until, first.attestations)


def _run_out() -> Forbidden:
    return Forbidden("The slip is not good any more.", advice="Ask the organisation for a new one.")
