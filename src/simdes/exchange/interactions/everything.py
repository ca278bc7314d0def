"""All that is known of a patient (https://hl7.org/fhir/R4/patient-operation-everything.html)."""

from __future__ import annotations

from collections.abc import Sequence

from simdes.access.categories import CATEGORY_OF_TYPE, categories_of
from simdes.access.rights import Interaction
from simdes.errors import NotFound
from simdes.exchange.interactions import finding
from simdes.exchange.interactions.auditing import audit_found
from simdes.exchange.interactions.search import Page, find
from simdes.exchange.node import Node
from simdes.exchange.reach import reach
from simdes.exchange.rights import Asking
from simdes.fhir.search.conditions import (
    ALWAYS,
    LAST_MS,
    All,
    AnyOf,
    Condition,
    Exists,
    Match,
    Not,
    Query,
    SpanTest,
    Updated,
)
from simdes.fhir.search.parameters import parameter
from simdes.tracing import step

_BY_DEFAULT = tuple(sorted(set(CATEGORY_OF_TYPE) - {"AuditEvent", "Provenance"}))


def vaults_of(node: Node, asking: Asking, logical_id: str) -> tuple[bytes, ...]:
    """The vaults of a patient by the id of a Patient; NotFound where the caller sees none."""
    tags = _named(node, asking, logical_id)
    if not tags:
        reached = reach(node, asking, vaults=None, categories=categories_of("Patient"))
        tags = _named(node, reached.asking, logical_id)
    if not tags:
        raise NotFound("There is no such patient, or not for you.")
    return tuple(sorted(tags))


def _named(node: Node, asking: Asking, logical_id: str) -> set[bytes]:
    with node.database.read() as tx:
        found = finding.named(tx, asking, {("Patient", logical_id)})
    return {entry.vault for its in found.values() for entry in its}


@step("exchange.interactions.everything.everything")
def everything(
    node: Node,
    asking: Asking,
    logical_id: str,
    *,
    types: Sequence[str] = (),
    since_ms: int | None = None,
    span: tuple[int, int] | None = None,
    count: int | None = None,
    cursor: str = "",
) -> Page:
    """One page of a patient's records, whoever wrote them, as far as the caller may see them.

    ``types`` narrows to some, ``since_ms`` to what changed since, ``span`` (from, before) to what
    happened then, where its type has a date. Types that the app was not allowed are left out, and
    so is, unless ``types`` asks for it, what tells about records rather than about the patient.
    """
    vaults = vaults_of(node, asking, logical_id)
    chosen = tuple(
        type_ for type_ in (types or _BY_DEFAULT) if asking.rights.scopes(Interaction.SEARCH, type_)
    )
    if not chosen:  # no type would mean every type
        audit_found(node, asking, ())
        return Page((), total=0)
    conditions: list[Condition] = []
    if since_ms is not None:
        conditions.append(Updated((SpanTest("ge", since_ms, since_ms + 1),)))
    if span is not None:
        conditions.append(_during(chosen, span))
    query = Query(
        types=chosen,
        where=All(tuple(conditions)) if conditions else ALWAYS,
        count=count,
        used=(("everything", logical_id), ("since", str(since_ms)), ("span", str(span))),
    )
    return find(node, asking, query, cursor=cursor, vaults=vaults)


def _during(types: Sequence[str], span: tuple[int, int]) -> Condition:
    """What happened in a time; what has no date of its own is always in it."""
    slots = [found.slots[0] for type_ in types if (found := parameter(type_, "date")) is not None]
    low, high = span
    tests = (SpanTest("ge", low, low + 1),) if high >= LAST_MS else (SpanTest("eq", low, high),)
    dated = AnyOf(tuple(Match(slot, tests) for slot in slots))
    return AnyOf((dated, Not(Exists(tuple(slots)))))
