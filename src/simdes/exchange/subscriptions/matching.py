"""From what happened to the events that a subscription is told of, under its owner's rights.

A happening becomes an event when its version may be seen by the owner now, when the app's scopes
let that version out, and when it meets what the subscription asks for. It is then numbered: what is
not seen leaves no gap, and no count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from simdes.access.rights import Interaction
from simdes.exchange.indexing import is_ended
from simdes.exchange.interactions import finding
from simdes.exchange.interactions.found import Found
from simdes.exchange.interactions.stating import stated
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.exchange.subscriptions.wanted import CREATED, DELETED, UPDATED, Wanted
from simdes.fhir.json import loads
from simdes.fhir.search.conditions import (
    ALWAYS,
    All,
    Chain,
    Condition,
    Has,
    Ids,
    Listed,
    Query,
    Valued,
)
from simdes.fhir.search.extract import extract
from simdes.fhir.search.match import matches
from simdes.index import entries, happenings, resources, search, subscriptions
from simdes.index.happenings import Happening
from simdes.index.subscriptions import Event
from simdes.index.transaction import Transaction

Said = Happening | Event
"""A version that is told of, or may be."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A version that the owner may see, and its resource as it is served."""

    said: Said
    found: Found


def seen(node: Node, tx: Transaction, asking: Asking, said: Sequence[Said]) -> list[Seen]:
    """Those of some versions of one type that a caller may see now, in their order."""
    if not said:
        return []
    type_, visible = said[0].type, asking.rights.visible(Interaction.SEARCH)
    own = [one.resource_id for one in said if one.resource_id is not None]
    copies = [one.entry for one in said if one.resource_id is None]
    allowed = happenings.visible_own(tx, visible, type_, own) if own else set()
    standing = happenings.visible_entries(tx, visible, type_, copies) if copies else {}
    versions = _own(node, tx, sorted(allowed))
    copied = _copies(node, tx, sorted(standing))
    found = []
    for one in said:
        if one.resource_id is not None:
            its = versions.get(one.resource_id)
        else:
            its = copied.get(one.entry) if standing.get(one.entry) == one.version else None
        if its is not None and _let_out(node, tx, asking, its):
            found.append(Seen(one, its))
    return found


def matching(
    node: Node, tx: Transaction, asking: Asking, wanted: Wanted, id: str, said: Sequence[Happening]
) -> list[Seen]:
    """Those of some happenings that a subscription is told of."""
    shown = seen(node, tx, asking, said)
    known = subscriptions.known_copies(
        tx, id, sorted({one.found.id for one in shown if one.said.resource_id is None})
    )
    kept = []
    for one in shown:
        name = (one.said.type, one.said.logical_id)
        if one.said.resource_id is None:
            if known.get(name, -1) >= one.said.version:
                continue  # opened once more, and told of before
            known_before = name in known
            known[name] = one.said.version
        else:
            known_before = one.said.version > 1
        if _kind(one.said, known_before=known_before) in wanted.events and _meets(
            node, tx, asking, one, wanted.where
        ):
            kept.append(one)
    return kept


def _kind(said: Said, *, known_before: bool) -> str:
    return DELETED if said.deleted else UPDATED if known_before else CREATED


def _meets(node: Node, tx: Transaction, asking: Asking, one: Seen, where: Condition) -> bool:
    if where == ALWAYS:
        return True
    told = one.found if not one.said.deleted else _before(node, tx, asking, one)
    return told is not None and _decided(node, tx, asking, told, where)


def _before(node: Node, tx: Transaction, asking: Asking, one: Seen) -> Found | None:
    """What a deleted resource was: its last version that was something, if that may be seen."""
    rows = resources.history(
        tx, vault=one.found.vault, type=one.said.type, logical_id=one.said.logical_id
    )
    earlier = [row for row in rows if row.version < one.said.version and not row.deleted]
    if not earlier:
        return None
    last = max(earlier, key=lambda row: row.version)
    visible = asking.rights.visible(Interaction.SEARCH)
    if last.id not in happenings.visible_own(tx, visible, one.said.type, [last.id]):
        return None
    return _own(node, tx, [last.id]).get(last.id)


def _let_out(node: Node, tx: Transaction, asking: Asking, found: Found) -> bool:
    """Whether a scope lets this very version out, not only what stands in its place now."""
    scopes = asking.rights.visible(Interaction.SEARCH).scopes.get(found.type, ())
    return any(
        (one.vaults is None or found.vault in one.vaults)
        and (one.where == ALWAYS or _decided(node, tx, asking, found, one.where))
        for one in scopes
    )


def _decided(node: Node, tx: Transaction, asking: Asking, found: Found, where: Condition) -> bool:
    def elsewhere(condition: Chain | Has | Listed) -> bool:
        """What other resources decide is asked as a search, of what the owner may see."""
        query = Query(
            types=(found.type,), where=All((Ids((found.id,)), stated(node, tx, condition)))
        )
        visible = asking.rights.visible(Interaction.SEARCH)
        return bool(search.search(tx, visible, query, limit=1))

    return matches(
        where,
        type=found.type,
        id=found.id,
        updated_ms=found.updated_ms,
        values=_values(node, found),
        resolver=elsewhere,
    )


def _values(node: Node, found: Found) -> Iterable[Valued]:
    if found.deleted:
        return ()
    resource = loads(found.content)
    return () if is_ended(resource) else extract(resource, base=f"{node.issuer.audience}/")


def _own(node: Node, tx: Transaction, ids: Sequence[int]) -> Mapping[int, Found]:
    rows = resources.get_many(tx, ids) if ids else []
    keys = finding.keys_of(node, tx, {row.vault for row in rows})
    return {
        row.id: finding.version_of(node, row, keys[row.vault]) for row in rows if row.vault in keys
    }


def _copies(node: Node, tx: Transaction, ids: Sequence[int]) -> Mapping[int, Found]:
    made: dict[int, Found] = {}
    for entry in entries.get_many(tx, ids) if ids else ():
        for found in finding.load(node, tx, [entry]):
            made[entry.id] = replace(found, method="PUT" if not found.deleted else "DELETE")
    return made
