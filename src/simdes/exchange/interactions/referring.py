"""Where the references of what is written lead: to something that its writer may see, in one vault.

A resource refers to records of its own patient, or to what is nobody's. What is nobody's and not in
the patient's vault yet comes along into it, so that the vault is whole for those who read it
elsewhere (docs/decisions/0016-whose-records.md).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simdes.access.categories import classify
from simdes.errors import Invalid
from simdes.exchange.interactions import finding, people
from simdes.exchange.interactions.drafts import local_names
from simdes.exchange.interactions.placing import Name, persons
from simdes.exchange.interactions.planning import Plan
from simdes.exchange.node import Node
from simdes.exchange.placing import Home
from simdes.exchange.rights import Asking
from simdes.fhir.json import dumps
from simdes.index.entries import Entry
from simdes.index.seeing import SHARED
from simdes.index.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Coming:
    """A resource that comes along into a vault."""

    home: Home
    resource: Mapping[str, Any]
    content: bytes
    category: int
    labels: int


def missing(node: Node, tx: Transaction, asking: Asking, plans: Sequence[Plan]) -> Iterator[Coming]:
    """What to copy into the vaults of placed drafts, so that these are whole.

    Who writes may name themselves as ``fhirUser`` does, and comes along as that Practitioner.

    Raises Invalid, without naming what is there, for a reference that leads to nothing which the
    caller may see, or to another patient's record.
    """
    coming = {(plan.change.type, plan.id) for plan in plans}
    wanted: dict[tuple[bytes, Name], Home] = {}
    for plan in plans:
        assert plan.draft is not None and plan.home is not None  # noqa: S101 (placed drafts)
        for name in _followed(asking, plan.draft):
            if name not in coming:
                wanted[plan.home.tag, name] = plan.home
    known = {one.change.within for one in plans}  # this server says where what they name is
    # A doctor has an entry in each patient's vault: only one that is not in this one is looked
    # for in all of them.
    names, vaults = {name for _, name in wanted}, {tag for tag, _ in wanted}
    near = finding.named(tx, asking, names, vaults=vaults)
    far = {name for tag, name in wanted if all(entry.vault != tag for entry in near.get(name, ()))}
    there = {**near, **finding.named(tx, asking, far)}
    for (_, name), home in wanted.items():
        found = there.get(name, ())
        if not found and (own := _own_person(node, asking, name)) is not None:
            if home.tag != asking.facts.home:  # everybody's there: who works here isn't told
                yield _whole(home, own)
            continue
        if not found and home.tag in known:
            continue
        _require(name, found)
        if home.tag == asking.facts.home or any(one.vault == home.tag for one in found):
            continue
        if name[0] in SHARED and not _is_somebodys(node, tx, found[0]):
            yield _copied(node, tx, home, found[0])
        elif name[0] != "Patient" and all(one.vault != asking.facts.home for one in found):
            raise Invalid(
                f"A reference to {name[0]} leads to another patient's record.",
                advice="Correct the reference.",
            )


def unresolved(tx: Transaction, asking: Asking, names: Collection[Name]) -> frozenset[Name]:
    """Those of the names under which the caller may see nothing."""
    return frozenset(names) - finding.named(tx, asking, names).keys()


def nowhere(name: Name) -> Invalid:
    """What is wrong with a reference that leads to nothing."""
    return Invalid(
        f"A reference to {name[0]} leads to nothing here that you may see.",
        advice="Create it first, or send both in one transaction.",
    )


def _followed(asking: Asking, draft: Mapping[str, Any]) -> Iterator[Name]:
    """What a draft refers to, and the Practitioner behind its writer's own PractitionerRole."""
    own = asking.session.actor.account.hex()
    for name in local_names(draft):
        yield name
        if name == ("PractitionerRole", own):
            yield ("Practitioner", own)


def _own_person(node: Node, asking: Asking, name: Name) -> Mapping[str, Any] | None:
    """The caller as the Practitioner that a reference names; None for anything else."""
    type_, logical_id = name
    if type_ not in SHARED:
        return None
    own = people.person_resources(node, asking, type_)
    return next((one for one in own if one["id"] == logical_id), None)


def _whole(home: Home, resource: Mapping[str, Any]) -> Coming:
    category, labels = classify(dict(resource))
    return Coming(home, resource, dumps(dict(resource)), category, labels)


def _copied(node: Node, tx: Transaction, home: Home, entry: Entry) -> Coming:
    content = finding.raw(node, tx, entry)
    return Coming(home, finding.parsed(content, waits=False), content, entry.category, entry.labels)


def _require(name: Name, found: Sequence[Entry]) -> None:
    if not found:
        raise nowhere(name)


def _is_somebodys(node: Node, tx: Transaction, entry: Entry) -> bool:
    """Whether an entry of a type that is nobody's names a patient: a Device in somebody."""
    return bool(persons(finding.parsed(finding.raw(node, tx, entry), waits=False)))
