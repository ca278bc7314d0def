"""What each person is told of a merge that waits: patients of their own records alone, the
administrator of who has yet to answer and nothing of what they read.

Who controls one of the two records learns of the other only that this organisation has it and how
its numbers end, to be compared with a card: it may be somebody else's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simdes.access.categories import category_mask, label_mask
from simdes.exchange import consents, members
from simdes.exchange.consents import Given
from simdes.exchange.following import known_consents
from simdes.exchange.keeping import row_of
from simdes.exchange.merge_questions import WAITING, answered, became, get
from simdes.exchange.node import Node
from simdes.exchange.quarantine import permit_look
from simdes.exchange.signin import Session
from simdes.index import authorization, chain, resources, vaults
from simdes.index import merge_questions as rows
from simdes.index import quarantine as documents
from simdes.index.merge_questions import Question
from simdes.index.transaction import Transaction
from simdes.ledger.terms import ZERO32

_SHOWN_DIGITS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two records: ``mine`` with its Patient's FHIR id, numbers and count of entries;
    of another one's only how its numbers end."""

    vault: bytes
    mine: bool
    numbers: tuple[str, ...]
    patient: str = ""
    entries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A question as one of its patients reads it.

    ``state`` as `merge_questions.became` says it, ``answer`` what this account said. ``moved`` goes
    on in ``kept``. ``others``: another account has to accept, too.
    """

    id: bytes
    asked_ms: int
    until_seconds: int
    state: str
    answer: str
    moved: Side
    kept: Side
    others: bool

    @property
    def open(self) -> bool:
        """Whether the account may answer it now."""
        return self.answer == WAITING and self.state == WAITING


@dataclass(frozen=True, slots=True)
class Opened:
    """A consent of the record that goes on, and how many entries of the other one it opens, None
    where the reader may not see them."""

    given: Given
    entries: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who has to accept: a user name here, or "" and the organisation that hosts them."""

    user: str
    organisation: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far a document's merge is: who was asked, until when, and what became of it."""

    state: str
    asked_ms: int
    until_seconds: int
    people: tuple[Person, ...]


def listed(node: Node, session: Session) -> list[Told]:
    """Every merge that the session's account was asked about, newest first."""
    return _listed(node, session, since_seconds=0)


def told(node: Node, session: Session, id_: bytes) -> Told:
    """One of them; NotFound for a question that the account was not asked."""
    question = get(node, session, id_)
    node.following.catch_up()
    with node.database.read() as tx:
        return _told(node, tx, session, question)


def waiting(node: Node, session: Session) -> list[Told]:
    """Those that wait for this account's answer."""
    found = _listed(node, session, since_seconds=node.now_seconds())
    return [one for one in found if one.open]


def readers(node: Node, one: Told) -> list[Opened]:
    """Whom the consents of the record that goes on name, where it is the reader's own."""
    if not one.kept.mine:
        return []
    given = {each.handle: each for each in consents.listed(node, one.kept.vault)}
    with node.database.read() as tx:
        kinds = resources.kinds(tx, one.moved.vault) if one.moved.mine else None
    found: list[Opened] = []
    for known in known_consents(node.desk, one.kept.vault):
        its = given.get(known.consent.handle)
        if its is None or its.state != "active":
            continue
        by_name = known.consent.terms.records != ZERO32
        found.append(Opened(its, None if kinds is None else 0 if by_name else _opens(its, kinds)))
    return found


def moving(node: Node, one: Told) -> set[str]:
    """The entries that would be brought over, by ``Type/id``; none where they are not one's own."""
    if not one.moved.mine:
        return set()
    names: set[str] = set()
    with node.database.read() as tx:
        after = 0
        while page := resources.of_vault(tx, one.moved.vault, categories=range(64), after=after):
            names |= {f"{each.type}/{each.logical_id}" for each in page}
            after = page[-1].id
    return names


def of_document(node: Node, session: Session | None, quarantine_id: int) -> Standing | None:
    """Who has yet to answer before a document's merge goes on; None where nobody was asked.

    Raises as `quarantine.show`.
    """
    permit_look(node, session)
    with node.database.read() as tx:
        row = row_of(tx, quarantine_id)
        copy = documents.correction(tx, quarantine_id)
        digest = row.digest if copy is None or copy.digest is None else copy.digest
        found = rows.of_message(tx, digest)
    if not found:
        return None
    node.following.catch_up()
    with node.database.read() as tx:
        said = answered(node, tx, found[0])
        hosts = {one: chain.account(tx, one) for one in said}
        state = became(node, tx, found[0])
    people = []
    for account, answer in said.items():
        here, known = node.desk.keystore.person_of(account), hosts[account]
        by = "" if known is None else members.name_of(node, known.organisation)
        people.append(Person(user=here.user if here else "", organisation=by, answer=answer))
    return Standing(
        state=state,
        asked_ms=found[0].asked_ms,
        until_seconds=found[0].until_seconds,
        people=tuple(people),
    )


def _listed(node: Node, session: Session, *, since_seconds: int) -> list[Told]:
    with node.database.read() as tx:
        found = rows.of_account(tx, session.actor.account)
    found = [one for one in found if one.until_seconds > since_seconds]
    if found:
        node.following.catch_up()
    with node.database.read() as tx:
        return [_told(node, tx, session, one) for one in found]


def _told(node: Node, tx: Transaction, session: Session, question: Question) -> Told:
    account = session.actor.account
    said = answered(node, tx, question)
    return Told(
        id=question.id,
        asked_ms=question.asked_ms,
        until_seconds=question.until_seconds,
        state=became(node, tx, question),
        answer=said[account],
        moved=_side(tx, question, question.moved, account),
        kept=_side(tx, question, question.kept, account),
        others=len(said) > 1,
    )


def _side(tx: Transaction, question: Question, vault: bytes, account: bytes) -> Side:
    numbers = [one.value for one in vaults.identifiers(tx, vault)]
    if not question.controls(account, vault):
        return Side(vault=vault, mine=False, numbers=tuple(_end(one) for one in numbers))
    row = vaults.get(tx, vault)
    if row is None or row.is_closed:  # erased since: there is nothing to look at
        return Side(vault=vault, mine=True, numbers=())
    return Side(
        vault=vault,
        mine=True,
        numbers=tuple(numbers),
        patient=authorization.patient_id(tx, vault) or "",
        entries=sum(count for _, _, count in resources.kinds(tx, vault)),
    )


def _end(number: str) -> str:
    """The last digits of a number, or nothing of one that they would give away."""
    return f"…{number[-_SHOWN_DIGITS:]}" if len(number) > 2 * _SHOWN_DIGITS else "…"


def _opens(given: Given, kinds: list[tuple[int, int, int]]) -> int:
    categories, labels = category_mask(sorted(given.categories)), label_mask(sorted(given.labels))
    return sum(n for category, its, n in kinds if categories >> category & 1 and not its & ~labels)
