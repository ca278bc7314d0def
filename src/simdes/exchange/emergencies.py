"""Break glass: open a patient's record without their consent, for hours, and have it reviewed.

A doctor or nurse of a hospital opens an emergency on the ledger with their own key and says why;
the contract bounds it (time, number a day, six kinds of records, no sensitive ones) and refuses
another one while a review is overdue. Every member sees the event at once, the patient's
organisation gets the reason, custodians log each opening under it, and an administrator of the
organisation that opened it judges it afterwards (docs/contracts.md, "Consents").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simdes.access.asking import ask
from simdes.access.audit_event import Verb
from simdes.access.categories import CLINICIANS, Purpose, Role
from simdes.access.custody_requests import REASONS, Why, kept, reason_digest, why_of
from simdes.access.messages import ExplainBody
from simdes.access.requests import hexed
from simdes.errors import Forbidden, Invalid, NotFound, SimdesError, TooLarge, Unavailable
from simdes.exchange.access_requests import hosting
from simdes.exchange.attempting import recording
from simdes.exchange.node import Node
from simdes.exchange.on_record import attempt_of
from simdes.exchange.signin import Session
from simdes.index import chain, chain_consents, emergencies
from simdes.index.chain_consents import Consent
from simdes.index.transaction import Transaction
from simdes.ledger.consents import Reason
from simdes.ledger.refusals import refusal_of

__all__ = [
    "OUTCOMES",
    "REASONS",
    "Bounds",
    "Emergency",
    "bounds",
    "listed",
    "of_vault",
    "open_",
    "review",
    "standing",
    "tell",
]

OUTCOMES: Final = {"justified": 1, "unjustified": 2}
MOST_TEXT: Final = 400
_SAID: Final = {number: name for name, number in OUTCOMES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Emergency:
    """An emergency. ``reason`` is a code of `REASONS`, "" where it is not known here; ``name`` is
    what who opened it calls themselves; ``outcome`` is "" until it was reviewed. Times are unix
    seconds; ``open`` and ``overdue`` are of this moment."""

    vault: bytes
    handle: bytes
    organisation: bytes
    account: bytes
    name: str
    reason: str
    text: str
    opened_seconds: int
    until_seconds: int
    review_due_seconds: int
    outcome: str
    open: bool
    overdue: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How long an emergency lasts and how long its review may take, in seconds; ``organisation``
    is who opened the vault."""

    organisation: bytes
    open_seconds: int
    review_seconds: int


def bounds(node: Node, vault: bytes) -> Bounds:
    """What opening an emergency for a vault would mean. Raises NotFound for an unknown vault."""
    known = node.contracts.accounts.vault(vault)
    if known is None:
        raise NotFound("The network knows no such vault.")
    limits = node.contracts.consents.emergency_limits()
    return Bounds(
        organisation=known.organisation,
        open_seconds=limits.open_seconds,
        review_seconds=limits.review_seconds,
    )


def open_(
    node: Node, session: Session, *, vault: bytes, reason: str, text: str = "", name: str = ""
) -> Emergency:
    """Break glass for a vault.

    Raises Invalid for an unknown reason or "other" without words, Forbidden for who is no doctor or
    nurse of a hospital and while an earlier review is overdue, TooLarge beyond the day's number.
    """
    text = text.strip()
    if reason not in REASONS:
        raise Invalid("Choose why it is an emergency.")
    if len(text) > MOST_TEXT or (reason == "other" and not text):
        raise Invalid("Say in a few words why it is an emergency.")
    handle = node.random(32)
    why = Why(salt=node.random(32), reason=reason, text=text, name=name[:100])
    with recording(
        node,
        lambda told: attempt_of(
            session.actor, Verb.EMERGENCY, vault, purpose=int(Purpose.ETREAT), reason=told
        ),
    ):
        if session.actor.role not in CLINICIANS:
            raise Forbidden(
                "Only doctors and nurses open emergencies.", reason=Reason.WRONG_ROLE.name
            )
        _open(node, session, vault, handle, why)
    tell(node, session, vault, handle)
    return standing(node, session, handle)


def _open(node: Node, session: Session, vault: bytes, handle: bytes, why: Why) -> None:
    """The reason is durable before the ledger knows its digest; so is the audit entry."""
    attempt = attempt_of(session.actor, Verb.EMERGENCY, vault, purpose=int(Purpose.ETREAT))

    def write(tx: Transaction) -> None:
        row = kept(node.desk, tx, vault, handle, why, now_ms=node.now_ms(), told_ms=None)
        emergencies.put(tx, row)

    node.database.write(write)
    digest = reason_digest(why.salt, why.reason, why.text)
    call = node.contracts.consents.open_emergency(tag=vault, handle=handle, reason_digest=digest)
    try:
        node.lane(session.key).transact(call)
    except Unavailable:
        raise  # it may still be carried out
    except SimdesError as error:
        node.database.write(lambda tx: emergencies.drop(tx, vault, handle))
        raise _in_words(error) from error
    node.database.write(lambda tx: node.desk.trail.append(tx, [attempt]))
    node.following.catch_up()


def _in_words(error: SimdesError) -> SimdesError:
    """What the contract refused with, as people read it."""
    name = refusal_of(error)
    if name == "Consents_ReviewOverdue":
        return Forbidden(
            "An earlier emergency of this organisation waits for its review.",
            advice="Ask an administrator to review it first.",
        )
    if name == "Consents_QuotaSpent":
        return TooLarge(
            "The organisation opened as many emergencies today as it may.",
            advice="Ask the patient for access.",
        )
    if name == "Consents_NotClinician":
        return Forbidden("Only doctors and nurses of a hospital open emergencies.")
    return error


def tell(node: Node, session: Session, vault: bytes, handle: bytes) -> bool:
    """Give the reason to the patient's organisation; False where it does not take it now.

    That there is an emergency it knows from the chain. Who opened it tells again when they look.
    """
    with node.database.read() as tx:
        row = emergencies.get(tx, vault, handle)
        why = why_of(node.desk, tx, row) if row is not None else None
    if row is None or why is None or row.told_ms is not None:
        return row is not None
    body = ExplainBody(
        vault=hexed(vault),
        handle=hexed(handle),
        salt=hexed(why.salt),
        reason=why.reason,
        name=why.name,
        text=why.text,
    )
    try:
        ask(node.caller(session.key), hosting(node, vault), "explain", body)
    except SimdesError:
        return False
    node.database.write(lambda tx: emergencies.told(tx, vault, handle, now_ms=node.now_ms()))
    return True


def standing(node: Node, session: Session, handle: bytes) -> Emergency:
    """An emergency of this organisation that the session may know of; NotFound for others'."""
    found = next((one for one in listed(node, session) if one.handle == handle), None)
    if found is None:
        raise NotFound("There is no such emergency, or not for you.")
    return found


def listed(node: Node, session: Session) -> list[Emergency]:
    """This organisation's emergencies, newest first: all to its administrators, to a doctor or
    nurse those that they opened. Raises Forbidden for anybody else."""
    role = session.actor.role
    if role not in CLINICIANS and role != Role.ADMINISTRATOR:
        raise Forbidden("Only who opens and who reviews emergencies sees them.")
    node.following.catch_up()
    with node.database.read() as tx:
        found = chain_consents.emergencies(tx, node.organisation)
        mine = [
            one
            for one in found
            if role == Role.ADMINISTRATOR or one.account == session.actor.account
        ]
        return _shown(node, tx, mine)


def of_vault(node: Node, session: Session, vault: bytes) -> list[Emergency]:
    """Every emergency that was ever opened for a patient's vault, newest first, for the patient.

    Raises Forbidden for who does not control the vault.
    """
    known = node.contracts.accounts.vault(vault)
    if known is None or known.control != session.actor.account:
        raise Forbidden(
            "This account does not control the vault.",
            advice="Sign in as the patient, or enrol the patient first.",
        )
    node.following.catch_up()
    with node.database.read() as tx:
        found = [one for one in chain_consents.of_vault(tx, vault) if one.emergency]
        return _shown(node, tx, found)


def review(node: Node, session: Session, handle: bytes, *, outcome: str) -> Emergency:
    """Judge an emergency of this organisation; an unjustified one ends at once, for good.

    Raises Invalid for an unknown outcome, Forbidden for who is no administrator, NotFound for
    another organisation's, Conflict for one that was reviewed.
    """
    if outcome not in OUTCOMES:
        raise Invalid("Say whether it was justified.")
    with recording(
        node,
        lambda told: attempt_of(session.actor, Verb.EMERGENCY, None, purpose=None, reason=told),
    ):
        if session.actor.role != Role.ADMINISTRATOR:
            raise Forbidden(
                "This needs an administrator of the organisation.", reason=Reason.WRONG_ROLE.name
            )
        found = standing(node, session, handle)
        node.lane(session.key).transact(
            node.contracts.consents.review_emergency(
                tag=found.vault, handle=handle, outcome=OUTCOMES[outcome]
            )
        )
    attempt = attempt_of(session.actor, Verb.EMERGENCY, found.vault, purpose=None)
    node.database.write(lambda tx: node.desk.trail.append(tx, [attempt]))
    return standing(node, session, handle)


def _shown(node: Node, tx: Transaction, found: list[Consent]) -> list[Emergency]:
    reasons = emergencies.of_handles(tx, [one.handle for one in found])
    return [
        _emergency(node, tx, one, _why(node, tx, reasons.get(one.handle)))
        for one in reversed(found)
    ]


def _why(node: Node, tx: Transaction, row: emergencies.Kept | None) -> Why | None:
    try:
        return None if row is None else why_of(node.desk, tx, row)
    except NotFound:
        return None  # the vault is erased here


def _emergency(node: Node, tx: Transaction, one: Consent, why: Why | None) -> Emergency:
    now = node.now_seconds()
    until, due = one.until_seconds or 0, one.review_due_seconds or 0
    vault = chain.vault(tx, one.vault)
    ended = one.outcome == OUTCOMES["unjustified"] or one.state != chain_consents.EMERGENCY
    ended = ended or vault is None or vault.generation != one.generation  # revoked by the patient
    return Emergency(
        vault=one.vault,
        handle=one.handle,
        organisation=one.organisation or bytes(32),
        account=one.account or bytes(32),
        name=why.name if why else "",
        reason=why.reason if why else "",
        text=why.text if why else "",
        opened_seconds=one.opened_seconds or 0,
        until_seconds=until,
        review_due_seconds=due,
        outcome=_SAID.get(one.outcome, ""),
        open=now < until and not ended,
        overdue=one.outcome == 0 and now > due,
    )
