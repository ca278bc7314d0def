"""The searches of conditional interactions and references, read before anything is locked.

https://hl7.org/fhir/R4/http.html#ccreate and the sections after it. They are read as any other
search is, value sets and hierarchies included, but never leniently: a typing mistake must not
match everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from simdes.access.rights import Interaction
from simdes.errors import Invalid
from simdes.exchange.interactions import finding
from simdes.exchange.interactions.changes import Change, Pairs
from simdes.exchange.interactions.crossing import Views
from simdes.exchange.interactions.terms import expander
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.fhir.negotiation import query_pairs
from simdes.fhir.search.conditions import ALWAYS, Query
from simdes.fhir.search.parse import parse

Queries = Mapping[tuple[str, Pairs], Query]
"""The searches of one request by the type that they look for and their parameters."""


def queries(node: Node, asking: Asking, changes: Sequence[Change]) -> Queries:
    """What the changes of a request search for, be it as a condition or in a reference.

    Raises Forbidden for a type that may not be searched, Invalid for what can't be understood or
    would find everything.
    """
    asked: dict[tuple[str, Pairs], None] = {}
    for change in changes:
        if change.search is not None:
            asked[change.type, change.search] = None
        for literal in finding.conditional_references(change.resource or {}):
            asked[parts(literal)] = None
    expand, known = expander(node, asking), Views(node, asking)
    found = {}
    for type_, pairs in asked:
        asking.rights.require(Interaction.SEARCH, type_)
        query = parse(
            (type_,), pairs, now_ms=node.now_ms(), base=node.issuer.audience + "/", expand=expand
        )
        if query.where == ALWAYS:
            raise Invalid(
                "A conditional interaction needs search parameters.",
                advice="Say by what the resource is found.",
            )
        found[type_, pairs] = replace(query, where=known.widened(query.where, query.types))
    return found


def parts(literal: str) -> tuple[str, Pairs]:
    """Type and parameters of a conditional reference (``Patient?identifier=…``)."""
    type_, _, query = literal.partition("?")
    return type_, query_pairs(query)
