"""Resources that are views of something else: `Consent`, `ResearchStudy` and `ResearchSubject` of
the chain, `AuditEvent` of the trail, the caller as `Practitioner` or `Person`.

They are made when they are asked for, searched in memory with the same conditions as everything
else, and shown to those alone whom they concern: a consent, and who takes part in a study, to the
patient who gave it and to whom it names; a study to everybody; an audit entry to the patient whose
vault it is about, and to administrators; a person to themselves. Consents that a feed brought as
resources are ordinary resources and stand beside them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from simdes.access.categories import Role
from simdes.access.consent import Consent
from simdes.access.tokens import Actor
from simdes.exchange import consents, members
from simdes.exchange.consent_resources import consent_resource
from simdes.exchange.consents import Given
from simdes.exchange.interactions import finding, people, studying
from simdes.exchange.interactions.found import Found, served
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.fhir.json import dumps
from simdes.fhir.search.conditions import Condition, Query, Sort, Span, Valued
from simdes.fhir.search.extract import extract
from simdes.fhir.search.match import matches
from simdes.index import audit, search, vaults
from simdes.index.visible import Scope, narrowed

MOST_ENTRIES: Final = 5_000
"""Audit entries that one search looks through, the newest."""
PEOPLE: Final = ("Person", "Practitioner", "PractitionerRole")
"""The types as which callers find themselves."""
_AUDIT_PREFIX: Final = "audit-"


@dataclass(frozen=True, slots=True)
class View:
    """A resource that was made for a caller, and what it is found by."""

    found: Found
    values: tuple[Valued, ...] = field(repr=False)


def of_type(node: Node, asking: Asking, type_: str, vaults: tuple[bytes, ...] | None) -> list[View]:
    """Every view of a type that the caller may see, newest first; ``vaults`` narrows."""
    make = _MAKERS.get(type_)
    if make is None:
        return []
    return [_view(one, source=finding.own_source(node)) for one in make(node, asking, vaults)]


def read(node: Node, asking: Asking, type_: str, logical_id: str) -> Found | None:
    """One view by its id; None where there is none that the caller may see."""
    scopes = asking.rights.reading.scopes.get(type_, ())
    for one in of_type(node, asking, type_, None):
        if one.found.id == logical_id and _in_scope(one, scopes):
            return one.found
    return None


def searched(
    node: Node, asking: Asking, type_: str, vaults: tuple[bytes, ...] | None
) -> list[View]:
    """The views of a type that a search of the caller's may find."""
    scopes = asking.rights.searching.scopes.get(type_, ())
    if not scopes:
        return []
    return [one for one in of_type(node, asking, type_, vaults) if _in_scope(one, scopes)]


def in_order(found: Sequence[View], sorts: Sequence[Sort]) -> list[View]:
    """Views as ``_sort`` asks for them."""
    ordered = list(found)
    for sort in reversed(sorts):
        ordered.sort(key=lambda one: _key(one, sort), reverse=sort.descending)
    return ordered


def _in_scope(one: View, scopes: Iterable[Scope]) -> bool:
    return any(
        (scope.vaults is None or one.found.vault in scope.vaults) and _meets(one, scope.where)
        for scope in scopes
    )


def _meets(one: View, where: Condition) -> bool:
    """Whether a view meets a scope's condition, which is about the resource itself alone."""
    found = one.found
    return matches(
        where, type=found.type, id=found.id, updated_ms=found.updated_ms, values=one.values
    )


def _key(one: View, sort: Sort) -> Any:
    if sort.by == "id":
        return one.found.id
    if sort.slot is None:
        return one.found.updated_ms
    its = [valued.value for valued in one.values if valued.slot == sort.slot]
    keys = sorted(str(_sortable(value)) for value in its)
    return keys[-1 if sort.descending else 0] if keys else ""


def _sortable(value: Any) -> Any:
    return f"{value.low_ms:020}" if isinstance(value, Span) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    resource: Mapping[str, Any]
    vault: bytes
    version: int
    updated_ms: int


def _view(one: _Made, *, source: str) -> View:
    resource = dict(one.resource)
    found = Found(
        type=resource["resourceType"],
        id=resource["id"],
        version=one.version,
        updated_ms=one.updated_ms,
        vault=one.vault,
        content=served(
            dumps(resource),
            version=one.version,
            updated_ms=one.updated_ms,
            source=source,
            state="anchored",
        ),
        source=source,
        method="POST" if one.version == 1 else "PUT",
    )
    return View(found, extract(resource))


# Consents -------------------------------------------------------------------------------------


def _consents(node: Node, asking: Asking, vaults: tuple[bytes, ...] | None) -> Iterator[_Made]:
    actor = asking.session.actor
    own = set(asking.facts.vaults)
    with node.database.read() as tx:
        named = [*asking.facts.vaults, *node.standing.vaults(tx, actor)]
    names: dict[bytes, str] = {}
    for vault in dict.fromkeys(named):
        if vaults is not None and vault not in vaults:
            continue
        patient = _patient_of(node, asking, vault)
        for given in reversed(consents.listed(node, vault)):
            if vault in own or _concerns(given, actor):
                if given.organisation not in names:
                    names[given.organisation] = members.name_of(node, given.organisation)
                yield made_consent(given, vault, patient, names)


def made_consent(given: Given, vault: bytes, patient: str, names: Mapping[bytes, str]) -> _Made:
    """A consent as it is served."""
    return _Made(
        resource=consent_resource(given, vault, patient, names),
        vault=vault,
        version=2 if given.state == "withdrawn" else 1,
        updated_ms=given.not_before_seconds * 1000,
    )


def _concerns(given: Given, actor: Actor) -> bool:
    """Whether a consent names this account, its role, or its organisation as a whole.

    An organisation's patients have accounts there, and are not whom it names.
    """
    if given.account is not None:
        return given.account == actor.account
    if given.organisation != actor.organisation or actor.role == Role.PATIENT:
        return False
    return given.role in ("", Role(actor.role).name.lower())


def _patient_of(node: Node, asking: Asking, vault: bytes) -> str:
    """``Patient/id`` of a vault, as far as the caller may see the Patient."""
    visible = narrowed(asking.rights.unscoped("Patient"), (vault,))
    with node.database.read() as tx:
        hits = search.search(tx, visible, Query(types=("Patient",)), limit=1)
        found = finding.load(node, tx, finding.of_hits(tx, hits))
    return found[0].name if found else ""


# Audit entries --------------------------------------------------------------------------------


def _audit_events(node: Node, asking: Asking, vaults: tuple[bytes, ...] | None) -> Iterator[_Made]:
    whole = asking.rights.role is Role.ADMINISTRATOR and vaults is None
    chosen = [one for one in asking.facts.vaults if vaults is None or one in vaults]
    trail = node.desk.trail
    with node.database.read() as tx:
        rows = (
            audit.newest(tx, limit=MOST_ENTRIES)
            if whole
            else [row for one in chosen for row in audit.newest(tx, vault=one, limit=MOST_ENTRIES)]
        )
        for row in rows:
            event = json.loads(trail.read(tx, row))
            yield _Made(
                resource={
                    "resourceType": "AuditEvent",
                    "id": f"{_AUDIT_PREFIX}{row.seq}",
                    **{key: item for key, item in event.items() if key != "resourceType"},
                },
                vault=row.vault or asking.facts.home,
                version=1,
                updated_ms=row.created_ms,
            )


# Studies --------------------------------------------------------------------------------------


def _research_studies(
    node: Node, asking: Asking, vaults: tuple[bytes, ...] | None
) -> Iterator[_Made]:
    home = asking.facts.home
    if vaults is not None and home not in vaults:
        return
    for resource, version, updated_ms in studying.studies(node):
        yield _Made(resource=resource, vault=home, version=version, updated_ms=updated_ms)


def _research_subjects(
    node: Node, asking: Asking, vaults: tuple[bytes, ...] | None
) -> Iterator[_Made]:
    actor = asking.session.actor
    own = set(asking.facts.vaults)
    node.following.catch_up()
    with node.database.read() as tx:
        named = [*asking.facts.vaults, *node.standing.vaults(tx, actor)]
    for vault in dict.fromkeys(named):
        if vaults is not None and vault not in vaults:
            continue
        its = studying.subjects(
            node,
            vault,
            patient=_patient_of(node, asking, vault),
            concerns=lambda consent, mine=vault in own: mine or _names(consent, actor),  # type: ignore[misc]
        )
        for resource, version, updated_ms in its:
            yield _Made(resource=resource, vault=vault, version=version, updated_ms=updated_ms)


def _names(consent: Consent, actor: Actor) -> bool:
    """Whether a consent to research names this researcher."""
    return consent.terms.grantee == actor.organisation and actor.role == Role.RESEARCHER


# People ---------------------------------------------------------------------------------------


def _people(type_: str) -> _Maker:
    def make(node: Node, asking: Asking, within: tuple[bytes, ...] | None) -> Iterator[_Made]:
        home = asking.facts.home
        if within is not None and home not in within:
            return
        with node.database.read() as tx:
            begun_ms = vaults.get_many(tx, [home])[home].created_ms
        for resource in people.person_resources(node, asking, type_):
            yield _Made(resource=resource, vault=home, version=1, updated_ms=begun_ms)

    return make


_Maker = Callable[[Node, Asking, tuple[bytes, ...] | None], Iterator[_Made]]
_MAKERS: Final[Mapping[str, _Maker]] = {
    "AuditEvent": _audit_events,
    "Consent": _consents,
    "ResearchStudy": _research_studies,
    "ResearchSubject": _research_subjects,
    **{one: _people(one) for one in PEOPLE},
}
TYPES: Final = frozenset(_MAKERS)
"""The types of which there are views."""
