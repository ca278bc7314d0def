"""Where the references of what is written lead: to something that its writer may see, in one vault.

A resource refers to records of its own patient, or to what is nobody's. What is nobody's and not in
the patient's vault yet comes along into it, so that the vault is whole for those who read it
elsewhere (docs/decisions/0016-whose-records.md).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from simdes.errors import Invalid
from simdes.exchange.interactions import finding
from simdes.exchange.interactions.drafts import local_names
from simdes.exchange.interactions.placing import Name, persons
from simdes.exchange.interactions.planning import Plan
from simdes.exchange.node import Node
from simdes.exchange.placing import Home
from simdes.exchange.rights import Asking
from simdes.fhir.json import loads
from simdes.index.entries import Entry
from simdes.index.seeing import SHARED
from simdes.index.transaction import Transaction


def missing(
    node: Node, tx: Transaction, asking: Asking, plans: Sequence[Plan]
) -> Iterator[tuple[Home, Entry]]:
    """The entries to copy into the vaults of placed drafts, so that these are whole.

    Raises Invalid, without naming what is there, for a reference that leads to nothing which the
    caller may see, or to another patient's record.
    """
    coming = {(plan.change.type, plan.id) for plan in plans}
    wanted: dict[tuple[bytes, Name], Home] = {}
    for plan in plans:
        assert plan.draft is not None and plan.home is not None  # noqa: S101 (placed drafts)
        for name in local_names(plan.draft):
            if name not in coming:
                wanted[plan.home.tag, name] = plan.home
    # A doctor has an entry in each patient's vault: only one that is not in this one is looked
    # for in all of them.
    names, vaults = {name for _, name in wanted}, {tag for tag, _ in wanted}
    near = finding.named(tx, asking, names, vaults=vaults)
    far = {name for tag, name in wanted if all(entry.vault != tag for entry in near.get(name, ()))}
    there = {**near, **finding.named(tx, asking, far)}
    for (_, name), home in wanted.items():
        found = there.get(name, ())
        _require(name, found)
        if home.tag == asking.facts.home or any(one.vault == home.tag for one in found):
            continue
        if name[0] in SHARED and not _is_somebodys(node, tx, found[0]):
            yield home, found[0]
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


def _require(name: Name, found: Sequence[Entry]) -> None:
    if not found:
        raise nowhere(name)


def _is_somebodys(node: Node, tx: Transaction, entry: Entry) -> bool:
    """Whether an entry of a type that is nobody's names a patient: a Device in somebody."""
    return bool(persons(loads(finding.raw(node, tx, entry))))
