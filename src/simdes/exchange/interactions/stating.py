"""Searches by what is added on serving: whose a record is, and what became of it.

``meta.source`` and the state tag stand in no stored resource (`found.served`), so a condition on
them is turned into one on what is kept beside it. What is asked for is what a client sees:
``_source`` is compared with the addresses of the organisations whose records are here, ``_tag``
with the states, and neither is missing of anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Final

from simdes.exchange.indexing import STATE_SYSTEM
from simdes.exchange.interactions import finding
from simdes.exchange.node import Node
from simdes.fhir.search.conditions import (
    ALWAYS,
    All,
    AnyOf,
    Authors,
    Chain,
    Condition,
    Exists,
    Has,
    Match,
    Not,
    States,
    Token,
    TokenTest,
    Uri,
    Value,
    Valued,
)
from simdes.fhir.search.match import matches
from simdes.index import entries
from simdes.index.resources import ANCHORED, PENDING, SEALED
from simdes.index.transaction import Transaction

SOURCE: Final = "Resource._source"
TAG: Final = "Resource._tag"


def stated(node: Node, tx: Transaction, where: Condition) -> Condition:
    """A condition on what is kept that means what is served."""
    if isinstance(where, All):
        return All(tuple(stated(node, tx, one) for one in where.of))
    if isinstance(where, AnyOf):
        return AnyOf(tuple(stated(node, tx, one) for one in where.of))
    if isinstance(where, Not):
        return Not(stated(node, tx, where.what))
    if isinstance(where, Chain):
        return Chain(where.slot, where.types, stated(node, tx, where.where))
    if isinstance(where, Has):
        return Has(where.type, where.slot, stated(node, tx, where.where))
    return leaf(node, where, tx)


def leaf(node: Node, where: Condition, tx: Transaction | None = None) -> Condition:
    """The same of a condition that has no others inside; ``tx`` None: outside of any reading."""
    if isinstance(where, Exists):
        return ALWAYS if {one.name for one in where.slots} & _LEAVES.keys() else where
    if isinstance(where, Match) and where.slot.name in _LEAVES:
        return _LEAVES[where.slot.name](node, where, tx)
    return where


def _by_source(node: Node, where: Match, tx: Transaction | None) -> Condition:
    with nullcontext(tx) if tx is not None else node.database.read() as reading:
        others = entries.authors_of_copies(reading)
    found = [
        one
        for one in (node.organisation, *others)
        if _is_meant(where, Uri(finding.source_of(node, one)))
    ]
    return Authors(tuple(found))


def _by_tag(_: Node, where: Match, __: Transaction | None) -> Condition:
    states = tuple(
        one for one in (PENDING, SEALED, ANCHORED) if _is_meant(where, Token(STATE_SYSTEM, one))
    )
    # What an author says in our system is not served, so it is not found either.
    tests = tuple(
        one for one in where.tests if isinstance(one, TokenTest) and one.system != STATE_SYSTEM
    )
    found: Sequence[Condition] = [
        *([Match(where.slot, tests)] if tests else []),
        *([States(states)] if states else []),
    ]
    return found[0] if len(found) == 1 else AnyOf(tuple(found))


_LEAVES: Final[dict[str, Callable[[Node, Match, Transaction | None], Condition]]] = {
    SOURCE: _by_source,
    TAG: _by_tag,
}


def _is_meant(where: Match, value: Value) -> bool:
    values = (Valued(where.slot, value),)
    return matches(where, type="", id="", updated_ms=0, values=values)
