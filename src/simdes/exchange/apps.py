"""What a person is asked about an app and what they answer, in parts that people can judge.

A scope (SMART App Launch, ``patient/Observation.cruds``) is taken apart into wishes: seeing and
changing, each of one type of record. The person leaves out what they do not want; what is left
becomes scopes again, never more than was asked. Which patient an app gets is chosen among those
whom the person may choose.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from simdes.access import scopes
from simdes.access.categories import CATEGORY_OF_TYPE, STAFF, Role
from simdes.access.scopes import EVERY_TYPE, ResourceScope, Scopes
from simdes.errors import Forbidden, NotFound
from simdes.exchange import authorization as requests
from simdes.exchange.fhir_users import own_records
from simdes.exchange.node import Node
from simdes.exchange.signin import Session
from simdes.index import authorization as rows
from simdes.index import vaults
from simdes.index.vaults import Identifier

SEE: Final = "see"
CHANGE: Final = "change"
_LETTERS: Final = {SEE: frozenset("rs"), CHANGE: frozenset("cud")}
_MAX_TEXT: Final = 256


@dataclass(frozen=True, slots=True)
class Wish:
    """One thing that an app wants: to see or to change records of a type.

    ``category`` is that of `Category.label`, "" for records of every type. ``own``: of one patient,
    else of everybody whose records the person may see. ``constraint`` narrows it further.
    """

    key: str
    kind: str
    type: str
    category: str
    own: bool
    constraint: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A patient whom an app may get: the vault's tag and the Patient's FHIR id."""

    vault: bytes
    patient: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedApp:
    """An app that a person allowed something, with its name and what that was.

    ``used_ms``: when it last got an access token, which is good for an hour; None: never.
    """

    grant: bytes
    name: str
    wishes: tuple[Wish, ...]
    lasting: bool
    patient: str
    created_ms: int
    expires_ms: int
    used_ms: int | None


def wishes(asked: Scopes) -> tuple[Wish, ...]:
    """What scopes over resources come to, in order, seeing before changing."""
    found = [
        _wish(at, one, kind)
        for kind, letters in _LETTERS.items()
        for at, one in enumerate(asked.resources)
        if one.interactions & letters
    ]
    return tuple(sorted(found, key=lambda one: (one.kind != SEE, one.category, one.type)))


def narrowed(asked: Scopes, kept: Collection[str], *, lasting: bool) -> Scopes:
    """The scopes that are left when only the wishes named by ``kept`` are granted.

    Without ``lasting`` no access outlives the session. Launch and identity stay as asked.
    """
    resources = []
    for at, one in enumerate(asked.resources):
        letters = frozenset[str]().union(
            *(one.interactions & part for kind, part in _LETTERS.items() if f"{at}-{kind}" in kept)
        )
        if letters == one.interactions:
            resources.append(one)
        elif letters:
            resources.append(scopes.written(one.context, one.type, letters, one.constraint))
    dropped = () if lasting else scopes.LASTING
    return scopes.without(Scopes(tuple(resources), asked.names), dropped)


def candidates(node: Node, session: Session) -> list[Candidate]:
    """The patients among whom a person chooses without searching: a patient's own records."""
    if session.actor.role != Role.PATIENT:
        return []
    return [Candidate(one.vault, one.patient) for one in own_records(node, session.actor.account)]


def find_patient(node: Node, session: Session, text: str) -> Candidate:
    """The patient of this organisation with a FHIR id, or an identifier as ``system|value``.

    Raises Forbidden unless the session is of staff who read what the organisation wrote, NotFound
    where nobody, or more than one, has it.
    """
    if session.actor.role not in STAFF:
        raise Forbidden("Only staff who treat or bill patients choose one for an app.")
    found = _tags(node, text.strip()[:_MAX_TEXT])
    with node.database.read() as tx:
        known = [Candidate(tag, id) for tag in found if (id := rows.patient_id(tx, tag))]
    if len(known) != 1:
        raise NotFound("No such patient here.", advice="Check the identifier.")
    return known[0]


def allowed(node: Node, session: Session) -> list[AllowedApp]:
    """What the person allows apps at present, newest first."""
    grants = requests.grants(node, session)
    with node.database.read() as tx:
        clients = {one.client_id: rows.client(tx, one.client_id) for one in grants}
        used = rows.last_uses(tx, [one.id for one in grants])
    return [
        AllowedApp(
            grant=one.id,
            name=client.name if (client := clients[one.client_id]) else one.client_id,
            wishes=wishes(scopes.parse(one.scope)),
            lasting=one.lasting != "none",
            patient=one.patient,
            created_ms=one.created_ms,
            expires_ms=one.expires_ms,
            used_ms=used.get(one.id),
        )
        for one in grants
    ]


def _wish(at: int, scope: ResourceScope, kind: str) -> Wish:
    every = scope.type == EVERY_TYPE
    return Wish(
        key=f"{at}-{kind}",
        kind=kind,
        type="" if every else scope.type,
        category="" if every else CATEGORY_OF_TYPE[scope.type].label,
        own=scope.context == "patient",
        constraint=", ".join(f"{name} = {value}" for name, value in scope.constraint),
    )


def _tags(node: Node, text: str) -> list[bytes]:
    system, bar, value = text.partition("|")
    with node.database.read() as tx:
        if bar:
            named = Identifier(system, value)
            tag = None if named.is_reserved else vaults.find(tx, named)
            return [tag] if tag else []
        return rows.vaults_of_patient(tx, text.removeprefix("Patient/"))
