"""Studies: what one is, registering it, approving it, and where it stands by the ledger.

docs/formats/studies.md. A study is a document that its sponsor publishes; the ledger keeps its id,
which commits to all that counts. Whoever approves, takes part or releases has the document and
compares it with the ledger first (`stands`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec

from simdes.access.categories import Role, category_mask
from simdes.crypto.digest import sha256
from simdes.decoding import ready
from simdes.errors import Forbidden, Invalid, NotFound, Tampered
from simdes.exchange.node import Node
from simdes.exchange.signin import Session
from simdes.ledger.contracts import Registration, Release, Study
from simdes.proofs.cohorts import ANY_AGE, Criterion
from simdes.proofs.disclosures import Coding, coded_element
from simdes.proofs.facts import MOST_VALUE, element_of_code

UNBOUNDED: Final = MOST_VALUE
"""The most that a criterion says where it has no upper bound."""
MOST_DOCUMENT_BYTES: Final = 256 * 1024
_HEX: Final = r"^0x[0-9a-f]{64}$"

Id = Annotated[str, msgspec.Meta(pattern=_HEX)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=20_000)]


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A criterion: one of these codes, and what it says as a code or in a unit, within bounds."""

    codes: Annotated[tuple[tuple[Coding, Coding], ...], msgspec.Meta(min_length=1, max_length=256)]
    least: int = 0
    most: int = MOST_VALUE
    within_days: int = ANY_AGE

    @property
    def criterion(self) -> Criterion:
        """As the circuit takes it. Raises Invalid."""
        codes = tuple((element_of_code(*code), coded_element(says)) for code, says in self.codes)
        return Criterion(codes, self.least, self.most, self.within_days)


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A study as its sponsor publishes it. Times are unix seconds, `protocol` a SHA-256."""

    v: Literal[1] = 1
    title: Text
    sponsor: Id
    protocol: Id
    purpose: Text
    terms: Text
    area: Text
    categories: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    collector: Id
    begins: int
    ends: int
    approvers: Annotated[tuple[Id, ...], msgspec.Meta(min_length=1, max_length=32)]
    threshold: Annotated[int, msgspec.Meta(ge=1, le=32)]
    criteria: Annotated[tuple[Asked, ...], msgspec.Meta(min_length=1, max_length=8)]

    @property
    def registration(self) -> Registration:
        """What the ledger's id commits to. Raises Invalid."""
        category_mask(self.categories)
        return Registration(
            # Title and categories count as part of the protocol: they decide what is opened.
            protocol=sha256(
                msgspec.json.encode([self.title, self.protocol, self.categories], order="sorted")
            ),
            purpose=sha256(self.purpose.encode()),
            terms=sha256(self.terms.encode()),
            area=area_of(self.area),
            collector=octets(self.collector),
            begins=self.begins,
            ends=self.ends,
            threshold=self.threshold,
            approvers=tuple(sorted(map(octets, self.approvers))),
            criteria=tuple(one.criterion.element for one in self.criteria),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stands:
    """A study's document with what the ledger says of it."""

    id: bytes
    document: Document
    study: Study
    running: bool

    @property
    def sponsor(self) -> bytes:
        """The organisation that answers for it."""
        return self.study.sponsor


def area_of(name: str) -> bytes:
    """What stands for an area of research on the ledger."""
    return sha256(name.strip().lower().encode())


def octets(text: str) -> bytes:
    """The 32 bytes of an id (0x…)."""
    return bytes.fromhex(text.removeprefix("0x"))


def read_document(content: bytes) -> Document:
    """Read a study's document. Raises Invalid."""
    if len(content) > MOST_DOCUMENT_BYTES:
        raise Invalid("a study's document has 256 KiB at most")
    try:
        found = msgspec.json.decode(content, type=ready(Document))
    except msgspec.DecodeError as error:
        raise Invalid(f"this is no study: {error}") from None
    found.registration  # noqa: B018 (criteria that nobody can meet are refused here)
    return found


def id_of(node: Node, document: Document) -> bytes:
    """The id that the ledger has for a document."""
    return node.contracts.studies.id_of(octets(document.sponsor), document.registration)


def stands(node: Node, document: Document) -> Stands:
    """Where a study stands. Raises NotFound where the ledger has none that is exactly this."""
    studies = node.contracts.studies
    id_ = id_of(node, document)
    found = studies.study(id_)
    if found is None:
        raise NotFound(
            "The ledger has no study that is exactly this.",
            advice="It was changed since, or is not registered: ask the sponsor.",
        )
    return Stands(id=id_, document=document, study=found, running=studies.is_running(id_))


def register(node: Node, session: Session, document: Document) -> bytes:
    """Register a study of this organisation; its id. By a researcher or an administrator.

    Raises Forbidden for others, Tampered where the document names another sponsor, Conflict where
    it is registered already, Invalid for what the contract doesn't take.
    """
    if session.actor.role not in (Role.RESEARCHER, Role.ADMINISTRATOR):
        raise Forbidden("Researchers and administrators register studies.")
    if octets(document.sponsor) != node.organisation:
        raise Tampered("The study names another organisation as its sponsor.")
    node.agent.transact(node.contracts.studies.register(document.registration))
    return id_of(node, document)


def approve(node: Node, session: Session, document: Document) -> Stands:
    """Approve a study with one's own key, as an approver whom it names; raises as `register`."""
    found = stands(node, document)
    node.lane(session.key).transact(node.contracts.studies.approve(found.id))
    return stands(node, document)


def retract(node: Node, session: Session, document: Document) -> Stands:
    """Take one's approval back: with too few left, nothing is read or released any more."""
    found = stands(node, document)
    node.lane(session.key).transact(node.contracts.studies.retract(found.id))
    return stands(node, document)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A study as the ledger alone shows it."""

    id: bytes
    study: Study
    running: bool


def listed(node: Node) -> list[Listed]:
    """Every study of the network, in the order of registration."""
    contracts = node.contracts
    ids = node.registry.ids(contracts)
    found = ((id_, contracts.studies.study(id_)) for id_ in ids)
    return [
        Listed(id=id_, study=study, running=contracts.studies.is_running(id_))
        for id_, study in found
        if study is not None
    ]


def releases(node: Node, found: Stands) -> tuple[tuple[int, Release], ...]:
    """The releases of a study with their numbers, the newest first."""
    contract = node.contracts.studies
    numbers = range(found.study.releases, 0, -1)
    read = ((number, contract.release(found.id, number)) for number in numbers)
    return tuple((number, one) for number, one in read if one is not None)
