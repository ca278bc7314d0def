"""Ask a patient for access, and answer (paper, "Permission management").

Whoever treats or bills a patient asks them to open some categories to their role, for a purpose and
a time, and says why. The patient's own organisation keeps it for their pages; they answer with a
consent, or decline, which the asker is not told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from simdes.access.asking import ask
from simdes.access.audit_event import Verb
from simdes.access.categories import STAFF, Category, Purpose, Role, category_mask, members
from simdes.access.custody_requests import WAIT_MS, open_words
from simdes.access.messages import RequestBody
from simdes.access.requests import hexed
from simdes.errors import Conflict, Forbidden, Invalid, NotFound
from simdes.exchange.attempting import recording
from simdes.exchange.node import Node
from simdes.exchange.on_record import attempt_of
from simdes.exchange.retrieve import purpose_of
from simdes.exchange.signin import Session
from simdes.index import access_requests as rows
from simdes.index.transaction import Transaction
from simdes.ledger.consents import Reason

MOST_TEXT: Final = 400
MOST_DAYS: Final = 366


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as its patient reads it. ``role`` is who would get access in the organisation;
    ``name`` is what the asker calls themselves, ``text`` why they ask."""

    id: bytes
    organisation: bytes
    role: str
    categories: tuple[str, ...]
    purpose: str
    days: int
    name: str
    text: str
    asked_ms: int


def request(
    node: Node,
    session: Session,
    *,
    vault: bytes,
    categories: Sequence[str],
    purpose: str,
    days: int,
    text: str,
    name: str = "",
) -> None:
    """Ask the patient who controls a vault to open categories to the asker's role.

    Raises Invalid for unknown names, no reason, or a time out of bounds, NotFound where no patient
    controls the vault, Forbidden for a role that asks for nothing, TooLarge where too many wait.
    """
    text = text.strip()
    if not text or len(text) > MOST_TEXT:
        raise Invalid("Say why you ask.", advice="The patient reads it before they decide.")
    if not 1 <= days <= MOST_DAYS:
        raise Invalid("Choose for how many days.", advice="A day at least, a year at most.")
    if not categories:
        raise Invalid("Nothing is chosen yet.", advice="Tick at least one kind of record.")
    body = RequestBody(
        vault=hexed(vault),
        categories=category_mask(sorted(categories)),
        purpose=int(purpose_of(purpose)),
        days=days,
        name=name[:100],
        text=text,
    )
    with recording(
        node,
        lambda reason: attempt_of(
            session.actor, Verb.REQUEST, vault, purpose=body.purpose, reason=reason
        ),
    ):
        if session.actor.role not in STAFF:
            raise Forbidden(
                "Only staff who treat or bill patients ask for access.",
                reason=Reason.WRONG_ROLE.name,
            )
        ask(node.caller(session.key), hosting(node, vault), "request", body)


def hosting(node: Node, vault: bytes) -> bytes:
    """The organisation that hosts the account of a vault's patient.

    Raises NotFound where no patient controls the vault yet.
    """
    known = node.contracts.accounts.vault(vault)
    account = (
        node.contracts.accounts.account(known.control)
        if known is not None and known.control is not None
        else None
    )
    if account is None:
        raise NotFound(
            "The patient has no account yet, so there is nobody to ask.",
            advice="Ask the organisation that knows them to enrol them.",
        )
    return account.organisation


def waiting(node: Node, session: Session, vault: bytes) -> list[Asked]:
    """What a patient was asked and has not answered, newest first."""
    _require_control(node, session, vault)
    since_ms = node.now_ms() - WAIT_MS
    with node.database.read() as tx:
        listed = rows.of_vault(tx, vault, since_ms=since_ms)
        return [_asked(node, tx, one) for one in listed]


def get(node: Node, session: Session, vault: bytes, id_: bytes) -> Asked:
    """One request that waits for the patient's answer; NotFound where there is none."""
    found = next((one for one in waiting(node, session, vault) if one.id == id_), None)
    if found is None:
        raise NotFound("There is no such request, or it was answered.")
    return found


def decline(node: Node, session: Session, vault: bytes, id_: bytes) -> None:
    """Decline a request: the same person is not heard for a week, and not told."""
    _answer(node, session, vault, id_, rows.DECLINED, None)


def accept(node: Node, session: Session, vault: bytes, id_: bytes, *, handle: bytes) -> None:
    """Note that a request was answered with the consent under ``handle``."""
    _answer(node, session, vault, id_, rows.ACCEPTED, handle)


def _answer(
    node: Node, session: Session, vault: bytes, id_: bytes, state: str, handle: bytes | None
) -> None:
    get(node, session, vault, id_)
    now_ms = node.now_ms()
    if not node.database.write(
        lambda tx: rows.answer(tx, id_, state, now_ms=now_ms, handle=handle)
    ):
        raise Conflict("The request was answered already.")


def _require_control(node: Node, session: Session, vault: bytes) -> None:
    known = node.contracts.accounts.vault(vault)
    if known is None or known.control != session.actor.account:
        raise Forbidden(
            "This account does not control the vault.",
            advice="Sign in as the patient, or enrol the patient first.",
        )


def _asked(node: Node, tx: Transaction, row: rows.AccessRequest) -> Asked:
    words = open_words(node.desk.keystore, tx, row.vault, row.words_wrapped)
    return Asked(
        id=row.id,
        organisation=row.organisation,
        role=Role(row.role).name.lower(),
        categories=tuple(Category(bit).label for bit in members(row.categories, Category)),
        purpose=Purpose(row.purpose).name,
        days=row.days,
        name=words["name"],
        text=words["text"],
        asked_ms=row.asked_ms,
    )
