"""Two organisations let a new key of a patient in: for who has no guardians, or too few.

The patient asks for a new key where they can't get in, and brings its code, the number of their
account and their papers to their own organisation and to another one. An administrator of each says
how they know who this is, and signs for the key that the code means; the signatures come together
at the patient's organisation (`access.custody_attesting`), whose worker sends both. What two
organisations attest can't be vetoed: whoever has the old key may be the thief.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from simdes.access.asking import ask
from simdes.access.audit_event import Verb
from simdes.access.categories import Role, State
from simdes.access.custody_attesting import Attested, attested
from simdes.access.guardians import code_of, key_said, start_of_code
from simdes.access.keystore import Checked
from simdes.access.messages import MOST_CHECKED, AttestationBody, RecoverBody
from simdes.access.requests import hexed
from simdes.errors import Invalid, NotFound
from simdes.exchange import credentials, enrolment, members
from simdes.exchange.node import Node
from simdes.exchange.signin import Session
from simdes.index import attested_recoveries as rows
from simdes.index.guardians import Recovery
from simdes.ledger.accounts import Account

NEEDED: Final = 2
MOST_WORDS: Final = MOST_CHECKED


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What stands after an administrator attested: the code, the patient's organisation, and
    which organisations attested so far."""

    account: bytes
    code: str
    organisation: bytes
    organisations: tuple[bytes, ...]


def attest(node: Node, session: Session, account: bytes, code: str, *, checked: str) -> Word:
    """Sign, as an administrator who saw the patient and their papers, for the key of a code.

    ``checked`` says how they knew. Raises Forbidden unless an administrator asks or where no key
    waits under the code, Invalid for what is no code or without words, NotFound for an account that
    is no patient's, Tampered where the patient's organisation names another key.
    """
    enrolment.require_administrator(session)
    words = checked.strip()
    if not words or len(words) > MOST_WORDS:
        raise Invalid("Say how you know who this is.", advice="Name the papers that you saw.")
    start, accounts = start_of_code(code), node.contracts.accounts
    known = accounts.account(account)
    if known is None or known.role is not Role.PATIENT:
        raise NotFound(
            "The network knows no patient's account of this number.",
            advice="Look at the number again.",
        )
    caller = node.caller(session.key)
    body = RecoverBody(account=hexed(account), code=code_of(start))
    said = ask(caller, known.organisation, "recover", body).body
    key, deadline = key_said(said, start, now_seconds=node.now_seconds())
    digest = accounts.recover_digest(
        account=account, key=key, nonce=known.guardian_nonce, deadline=deadline, attested=True
    )
    signature = hexed(session.key.sign(digest))
    signed = RecoverBody(
        account=body.account,
        code=body.code,
        attestation=AttestationBody(signature=signature, checked=words),
    )
    said = ask(caller, known.organisation, "recover", signed).body
    if known.organisation != node.organisation:
        _note(node, session)
    found = said.get("organisations")
    return Word(
        account=account,
        code=code_of(start),
        organisation=known.organisation,
        organisations=tuple(one for one in found if isinstance(one, bytes))
        if isinstance(found, list)
        else (),
    )


def _note(node: Node, session: Session) -> None:
    """Our own trail has that our administrator attested; the other organisation's has for whom."""
    person = node.desk.keystore.person_of(session.actor.account)
    if person is not None:
        node.database.write(lambda tx: credentials.audit(node, tx, person, Verb.RECOVER))


def standing(node: Node, one: Recovery, known: Account) -> list[Attested]:
    """The words for a new key that count now: each of an administrator in office, the patient's own
    organisation's first."""
    accounts = node.contracts.accounts
    with node.database.read() as tx:
        kept = rows.of_key(tx, one.account, one.address)
    found = []
    for word in attested(node.desk.keystore, kept):
        who = accounts.standing(word.signer)
        in_office = who is not None and who.active and who.role is Role.ADMINISTRATOR
        if in_office and who is not None and who.organisation == word.organisation:
            found.append(word)
    return sorted(found, key=lambda word: word.organisation != known.organisation)


def signatures(node: Node, one: Recovery, known: Account) -> Sequence[bytes]:
    """What is sent for a new key: two organisations' signatures, the patient's own among them
    while it is verified; none while there are too few."""
    words = standing(node, one, known)
    own = node.contracts.accounts.organisation(known.organisation)
    witnessed = own is None or own.state is not State.VERIFIED
    if len(words) < NEEDED or not (witnessed or words[0].organisation == known.organisation):
        return ()
    return [word.signature for word in words[:NEEDED]]


def keep_checked(node: Node, one: Recovery) -> None:
    """Keep with the account how two organisations knew whose it is, once their key is in force."""
    with node.database.read() as tx:
        words = attested(node.desk.keystore, rows.of_key(tx, one.account, one.address))
    own = [word for word in words if word.organisation == node.organisation]
    if len(words) < NEEDED or not own:
        return
    said = [f"{members.name_of(node, word.organisation)}: {word.checked}" for word in words]
    node.desk.keystore.keep_checked(
        one.account,
        Checked(words="; ".join(said), by=own[0].account, at_seconds=own[0].at_seconds),
    )
