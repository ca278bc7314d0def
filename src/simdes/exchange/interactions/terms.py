"""Codes: the terminology operations, and searches by value set and hierarchy.

https://hl7.org/fhir/R4/terminology-service.html. Asked are R4's own code systems, value sets and
concept maps, those of loaded packages, and stored ones as far as the caller may see them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from simdes.access.rights import Interaction
from simdes.errors import Invalid, NotFound
from simdes.exchange.interactions import finding
from simdes.exchange.interactions.auditing import audit_found
from simdes.exchange.interactions.read import read
from simdes.exchange.node import Node
from simdes.exchange.provenance import instant
from simdes.exchange.rights import Asking
from simdes.fhir import terminology
from simdes.fhir.reference import parse_reference
from simdes.fhir.search.criteria import Expand
from simdes.fhir.search.parse import parse
from simdes.fhir.terminology import Library
from simdes.index import search

Json = dict[str, Any]
Codings = Iterable[tuple[str, str]]

MOST_STORED: Final = 200
"""Stored resources of one canonical URL that are looked at."""


def operate(
    node: Node, asking: Asking, type_: str, name: str, parameters: Json, *, logical_id: str = ""
) -> Json:
    """Answer the operation ``name`` of a type, or of the resource ``logical_id``, with Parameters.

    (``$expand``: with a ValueSet.) Raises Invalid for what is asked wrongly, NotFound for what is
    not loaded or not for this caller.
    """
    instance = None
    if logical_id:
        instance = finding.parsed(read(node, asking, type_, logical_id).content)
    return _OPERATIONS[type_, name](node, parameters, library(node, asking), instance)


_Operate = Callable[[Node, Json, Library, Json | None], Json]


def _plainly(operation: Callable[..., Json]) -> _Operate:
    def answer(node: Node, parameters: Json, known: Library, instance: Json | None) -> Json:
        return operation(parameters, known, instance=instance)

    return answer


def _expand(node: Node, parameters: Json, known: Library, instance: Json | None) -> Json:
    return terminology.expand(parameters, known, now=instant(node.now_ms()), instance=instance)


_OPERATIONS: Final[Mapping[tuple[str, str], _Operate]] = {
    ("CodeSystem", "$lookup"): _plainly(terminology.lookup),
    ("CodeSystem", "$subsumes"): _plainly(terminology.subsumes),
    ("CodeSystem", "$validate-code"): _plainly(terminology.validate_in_system),
    ("ValueSet", "$expand"): _expand,
    ("ValueSet", "$validate-code"): _plainly(terminology.validate_in_value_set),
    ("ConceptMap", "$translate"): _plainly(terminology.translate),
}

TERMINOLOGY: Final = tuple(_OPERATIONS)
"""Type and name of every terminology operation."""


# What is known --------------------------------------------------------------------------------


def library(node: Node, asking: Asking) -> Library:
    """What a caller may ask about; for one request."""

    def provide(kind: str, url: str | None) -> Iterable[Json]:
        return [*_stored(node, asking, kind, url), *node.profiles.provide(kind, url)]

    return Library(provide)


def _stored(node: Node, asking: Asking, kind: str, url: str | None) -> list[Json]:
    if not asking.rights.scopes(Interaction.SEARCH, kind):
        return []
    pairs = (("url", _escaped(url)),) if url else ()
    query = parse((kind,), pairs, now_ms=node.now_ms())
    with node.database.read() as tx:
        hits = search.search(tx, asking.rights.searching, query, limit=MOST_STORED)
        found = finding.load(node, tx, finding.fitting(tx, finding.of_hits(tx, hits)))
    of_patients = [one for one in found if one.vault != asking.facts.home]
    if of_patients:
        audit_found(node, asking, of_patients)
    return [finding.parsed(one.content) for one in found if not one.deleted]


def _escaped(text: str) -> str:
    for sign in "\\,|$":
        text = text.replace(sign, "\\" + sign)
    return text


# Searches -------------------------------------------------------------------------------------


def expander(node: Node, asking: Asking) -> Expand:
    """What finds the codes of ``:in``, ``:not-in``, ``:above`` and ``:below`` for this caller.

    It raises Invalid where what the search names is not known here: an answer without it would be
    wrong without saying so.
    """
    known = library(node, asking)

    def expand(how: str, text: str) -> Codings:
        try:
            return _HOW[how](node, asking, known, text)
        except NotFound as error:
            raise Invalid(
                "A value set or code system that the search names is not known here.",
                advice=error.advice,
            ) from error

    return expand


def _of_value_set(node: Node, asking: Asking, known: Library, text: str) -> Codings:
    reference = parse_reference(text)
    if reference.kind == "relative" and reference.type == "ValueSet":
        stored = finding.parsed(read(node, asking, "ValueSet", reference.id).content)
        return terminology.expand_codes(stored, known)
    return terminology.expand_codes(text, known)


def _along(
    step: Callable[[str, str, Library], frozenset[str] | None],
) -> Callable[[Node, Asking, Library, str], Codings]:
    def follow(node: Node, asking: Asking, known: Library, text: str) -> Codings:
        system, bar, code = text.rpartition("|")
        if not bar or not system or not code:
            raise Invalid("The modifiers above and below take system|code.")
        found = step(system, code, known)
        if found is None:
            raise NotFound("The code system is not loaded here.")
        return [(system, one) for one in sorted(found)]

    return follow


_HOW: Final[Mapping[str, Callable[[Node, Asking, Library, str], Codings]]] = {
    "in": _of_value_set,
    "not-in": _of_value_set,
    "above": _along(terminology.above),
    "below": _along(terminology.below),
}
