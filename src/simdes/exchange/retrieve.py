"""Retrieve: the whole system in one story (paper, Fig. 3; ARCHITECTURE.md, "retrieve").

Who asks is known; the chain says what they may read; own records come from the own copy, others'
from the content store with the help of m custodians; every byte is checked against what its author
anchored; every attempt, refused ones included, leaves an audit entry before an answer goes out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from simdes.access import reading
from simdes.access import vaults as vault_access
from simdes.access.asking import Because
from simdes.access.audit_event import Verb
from simdes.access.categories import OWN_PURPOSES, STAFF, Category, Purpose, category_mask, mask
from simdes.access.reading import Located
from simdes.crypto.keys import unwrap
from simdes.errors import Forbidden, Invalid, NotFound, SimdesError, Unavailable
from simdes.exchange.following import KnownConsent, known_consents
from simdes.exchange.node import Node
from simdes.exchange.on_record import attempt_of
from simdes.exchange.opening import (
    OpenedItem,
    OpenedListed,
    OpenedRecords,
    Place,
    read_under,
)
from simdes.exchange.signin import Session
from simdes.exchange.submit import resource_context
from simdes.index import chain, resources, vaults
from simdes.index.resources import Resource
from simdes.index.transaction import Transaction
from simdes.ledger.accounts import Vault
from simdes.tracing import step

_BY_DEFAULT = mask(set(Category) - {Category.SOURCES, Category.PRESCRIPTIONS, Category.DISCLOSURES})


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One resource as read: the author's bytes, who wrote them, and how they came here.

    ``organisation`` is the author's; ``origin`` is ``own``, ``custodians`` or ``copy``; ``place``
    is where it is anchored, for a proof.
    """

    type: str
    content: bytes
    organisation: bytes
    record_id: bytes | None
    category: int
    origin: str
    place: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """What was read, newest last; what was refused, by record and reason; signed receipts."""

    vault: bytes
    resources: tuple[Read, ...]
    refused: dict[bytes, str] = field(default_factory=dict)
    receipts: tuple[bytes, ...] = ()
    culprits: dict[bytes, str] = field(default_factory=dict)


@step("exchange.retrieve.locate")
def locate(
    node: Node, session: Session, identifiers: Sequence[tuple[str, str]], *, purpose: str = "TREAT"
) -> tuple[Located, ...]:
    """Ask the members of the network which vaults they hold for a person.

    Members that do not answer are passed over. Raises Forbidden where all that answered refuse.
    """
    node.following.catch_up()
    with node.database.read() as tx:
        members = [one.id for one in chain.organisations(tx) if one.state == chain.VERIFIED]
    found: dict[bytes, Located] = {}
    refusal: SimdesError | None = None
    answered = False
    for member in members:
        try:
            answer = reading.locate(
                node.caller(session.key), member, identifiers, purpose=int(purpose_of(purpose))
            )
        except (Forbidden, Unavailable) as error:
            refusal = error
            continue
        answered = True
        found |= {one.tag: one for one in answer}
    if not answered and refusal is not None:
        raise refusal
    return tuple(found.values())


@step("exchange.retrieve.retrieve")
def retrieve(
    node: Node,
    session: Session,
    *,
    vault: bytes,
    categories: Sequence[str] | None = None,
    purpose: str = "TREAT",
    emergency: bytes | None = None,
) -> Retrieved:
    """Read a patient's records, as far as the asker may, in the order of anchoring.

    ``categories`` narrows what is read (names; default all but source documents, which repeat what
    their resources say). Raises Forbidden where nothing may be
    read, Unavailable where fewer than m custodians answer (then nothing was read and nothing is
    logged as read), Tampered naming who gave false bytes.
    """
    node.following.catch_up()
    wanted = category_mask(categories) if categories else _BY_DEFAULT
    why = purpose_of(purpose)
    own = _read_own(node, session, vault, wanted, why)
    known = None
    if emergency is not None:
        grounds = [Because(int(Purpose.ETREAT), emergency=emergency)]
    else:
        known = node.contracts.accounts.vault(vault)
        grounds = _grounds(node, session, vault, why, known)
    if not grounds and not own:
        grounds = [Because(int(why))]  # refused by the custodians, and on record there
    return _read_remote(node, session, vault, wanted, grounds, own, known)


def purpose_of(name: str) -> Purpose:
    """The purpose of a PurposeOfUse code; Invalid names the known ones."""
    try:
        return Purpose[name]
    except KeyError:
        known = ", ".join(one.name for one in Purpose)
        raise Invalid(f"Unknown purpose {name!r}; one of {known}.") from None


def _grounds(
    node: Node, session: Session, vault: bytes, purpose: Purpose, known: Vault | None
) -> list[Because]:
    """On what the asker may rely: being the patient, or known consents that name them and have not
    ended. Which of them holds, the custodians' own nodes decide."""
    if known is None:
        raise NotFound("The network knows no such vault.")
    if known.control == session.actor.account:
        return [Because(int(Purpose.PATRQT))]
    named = [one for one in known_consents(node.desk, vault) if _names(one, session)]
    active = [one for one in named if one.active]
    # Without a standing one, the newest withdrawn one: the custodians then log the true reason.
    return [
        Because(int(purpose), consent=one.consent, listed=one.consent.listed)
        for one in active or named[-1:]
    ]


def _names(one: KnownConsent, session: Session) -> bool:
    return one.consent.terms.grantee in (session.actor.account, session.actor.organisation)


def _read_own(
    node: Node, session: Session, vault: bytes, wanted: int, purpose: Purpose
) -> tuple[Read, ...]:
    """What this organisation wrote itself, from its own copy, as far as it is for the asker: staff
    read for treatment, payment and operations; patients read through custodians.
    """
    if session.actor.role not in STAFF or purpose not in OWN_PURPOSES:
        return ()
    with node.database.read() as tx:
        row = vaults.get(tx, vault)
        kept = list(_kept(tx, vault, [one for one in Category if wanted >> one & 1]))
    if row is None or row.key_wrapped is None or not kept:
        return ()
    key = vault_access.vault_key(node.desk.keystore, row)
    found = tuple(
        Read(
            type=one.type,
            content=unwrap(
                key, one.content_wrapped, aad=resource_context(vault, one.type, one.logical_id)
            ),
            organisation=node.organisation,
            record_id=one.record_id,
            category=one.category,
            origin="own",
        )
        for one in kept
    )
    sealed = {one.record_id for one in kept if one.record_id is not None}
    _audit_own(node, session, vault, int(purpose), sorted(sealed))
    return found


def _audit_own(
    node: Node, session: Session, vault: bytes, purpose: int, records: Sequence[bytes]
) -> None:
    """Write down what was read of our own copy, before it is shown."""
    attempt = attempt_of(session.actor, Verb.READ, vault, purpose=purpose, records=records)
    node.database.write(lambda tx: node.desk.trail.append(tx, [attempt]))


def _kept(tx: Transaction, vault: bytes, categories: Sequence[Category]) -> Iterator[Resource]:
    """Every latest version of a vault in these categories, a page at a time."""
    after = 0
    while page := resources.of_vault(tx, vault, categories=categories, after=after):
        yield from page
        after = page[-1].id


def _read_remote(
    node: Node,
    session: Session,
    vault: bytes,
    wanted: int,
    grounds: Sequence[Because],
    own: tuple[Read, ...],
    known: Vault | None,
) -> Retrieved:
    """Everything that the grounds open and this organisation did not write.

    ``known`` is what the chain just said of the vault, where it was asked.
    """
    opened: list[OpenedRecords] = []
    refusals: list[Forbidden] = []
    for because in grounds:
        try:
            opened.append(read_under(node, session, vault, wanted, because, known=known))
        except Forbidden as error:
            refusals.append(error)
    if refusals and not opened and not own:
        raise refusals[0]
    remote = [_as_read(record, item) for one in opened for record, item in one.items()]
    return Retrieved(
        vault=vault,
        resources=(*own, *remote),
        refused={record: why for one in opened for record, why in one.refused.items()},
        receipts=tuple(receipt for one in opened for receipt in one.receipts),
        culprits={who: what for one in opened for who, what in one.culprits.items()},
    )


def _as_read(record: OpenedListed, item: OpenedItem) -> Read:
    return Read(
        type=item.type,
        content=item.content,
        organisation=record.listed.organisation,
        record_id=record.listed.record_id,
        category=record.listed.category,
        origin=record.origin,
        place=item.place,
    )
