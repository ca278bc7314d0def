"""Search (https://hl7.org/fhir/R4/search.html): own records and those that a consent opens, alike.

The decision is in every part of the statement, so what a caller may not see has no influence on
what they find, on totals, on order or on what is included. Pages are stable: the next one begins
behind the last resource of this one, whatever is written meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from simdes.access.categories import categories_of
from simdes.access.rights import EVERY_CATEGORY, Interaction
from simdes.exchange.interactions import cursors, finding
from simdes.exchange.interactions.auditing import audit_found, is_usual
from simdes.exchange.interactions.crossing import Views
from simdes.exchange.interactions.found import Found
from simdes.exchange.interactions.views import View
from simdes.exchange.node import Node
from simdes.exchange.reach import reach
from simdes.exchange.rights import Asking
from simdes.fhir.search.conditions import (
    All,
    AnyOf,
    Chain,
    Condition,
    Has,
    Ids,
    Match,
    Not,
    Query,
    ReferenceTest,
    Together,
)
from simdes.index import search
from simdes.index.entries import Entry
from simdes.index.search import Hit
from simdes.index.transaction import Transaction
from simdes.index.visible import Visible, narrowed
from simdes.tracing import step

PAGE: Final = 50
MOST: Final = 1_000


@dataclass(frozen=True, slots=True)
class Page:
    """One page: what matches, what is included; ``total`` None: not counted; ``next``: a cursor.

    ``warnings`` are for people: what could not be looked through.
    """

    matches: tuple[Found, ...]
    included: tuple[Found, ...] = ()
    total: int | None = None
    next: str = ""
    warnings: tuple[str, ...] = ()


@step("exchange.interactions.search.find")
def find(
    node: Node,
    asking: Asking,
    query: Query,
    *,
    cursor: str = "",
    vaults: tuple[bytes, ...] | None = None,
) -> Page:
    """One page of a search; ``vaults`` narrows it to a compartment.

    Raises Forbidden where a type may not be searched, Invalid for a cursor that is not of this
    search and caller.
    """
    for type_ in query.types:
        asking.rights.require(Interaction.SEARCH, type_)
    named = vaults if vaults is not None else _patients_named(node, asking, query)
    reached = reach(node, asking, vaults=named, categories=_categories(query))
    asking = reached.asking
    visible = narrowed(asking.rights.searching, vaults)
    size = min(PAGE if query.count is None else query.count, MOST)
    counting = query.summary == "count" or size == 0
    known = Views(node, asking, vaults)
    made = known.find(query)
    query = replace(query, where=known.widened(query.where, query.types))
    shown, after = _of_views(made, _after(node, asking, query, cursor), 0 if counting else size)
    room = 0 if counting else size - len(shown)
    with node.database.read() as tx:
        hits = search.search(tx, visible, query, limit=room + 1, after=after) if room else []
        fits = finding.fitting(tx, finding.of_hits(tx, hits[:room]))
        page = _until(hits[:room], fits)
        kept = finding.load(node, tx, fits)
        matches = [*(one.found for one in shown), *kept]
        included = known.included(tx, query.includes, page, kept, shown) if query.includes else []
        last = _last(made, shown, page, more=len(hits) > len(page))
        whole = None if last or cursor or counting else len(matches)
        total = _total(tx, visible, query, known=whole, beside=len(made))
        usual = is_usual(node, tx, asking, (*matches, *included))
    audit_found(node, asking, (*matches, *included), usual=usual)
    return Page(
        matches=tuple(matches),
        included=tuple(included),
        total=total,
        next=_cursor(node, asking, query, last) if last is not None else "",
        warnings=reached.warnings,
    )


def every(
    node: Node, asking: Asking, query: Query, *, vaults: tuple[bytes, ...] | None = None
) -> Iterator[Found]:
    """What matches, page by page, to the end or as far as it is read. Raises as `find`."""
    if query.count is None:
        query = replace(query, count=MOST)
    page = find(node, asking, query, vaults=vaults)
    yield from page.matches
    while page.next:
        page = find(node, asking, query, cursor=page.next, vaults=vaults)
        yield from page.matches


def _of_views(
    made: Sequence[View], after: Hit | None, size: int
) -> tuple[Sequence[View], Hit | None]:
    """The views of this page, which stand before what is kept, and where the rest begins."""
    if after is not None and after.id >= 0:
        return (), after
    start = 0 if after is None else -after.id
    return made[start : start + size], None


def _last(
    made: Sequence[View], shown: Sequence[View], page: Sequence[Hit], *, more: bool
) -> Hit | None:
    """Behind what the next page begins; None where there is none. Views count down from -1."""
    if page:
        return page[-1] if more else None
    if shown and (made[-1] is not shown[-1] or more):
        return Hit(-(1 + next(at for at, one in enumerate(made) if one is shown[-1])))
    return None


def _until(hits: Sequence[Hit], found: Sequence[Entry]) -> Sequence[Hit]:
    """The hits up to the last that fits."""
    if not found:
        return hits
    return hits[: 1 + next(at for at, hit in enumerate(hits) if hit.id == found[-1].id)]


def _total(
    tx: Transaction, visible: Visible, query: Query, *, known: int | None, beside: int
) -> int | None:
    if query.summary == "count" or query.total == "accurate" or query.count == 0:
        return search.count(tx, visible, query) + beside
    return known if query.total == "estimate" else None


# Whose records may be meant -------------------------------------------------------------------


def _patients_named(node: Node, asking: Asking, query: Query) -> tuple[bytes, ...] | None:
    """The vaults of the patients that a search names by id; None where it names none."""
    ids = set(_patient_ids(query.where, query.types))
    if not ids:
        return None
    with node.database.read() as tx:
        found = finding.named(tx, asking, {("Patient", one) for one in ids})
    if len(found) < len(ids):
        return None  # somebody who is not known here yet: looked for at all who consented
    return tuple({entry.vault for its in found.values() for entry in its})


def _patient_ids(condition: Condition, types: Sequence[str]) -> Iterator[str]:
    if isinstance(condition, All):
        for one in condition.of:
            yield from _patient_ids(one, types)
    elif isinstance(condition, Ids) and tuple(types) == ("Patient",):
        yield from condition.ids
    elif isinstance(condition, Match):
        for test in condition.tests:
            if isinstance(test, ReferenceTest) and (
                test.type == "Patient" or (not test.type and _names_patient(condition))
            ):
                yield test.target


def _names_patient(match: Match) -> bool:
    return match.slot.name.endswith((".patient", ".subject", ".beneficiary"))


def _categories(query: Query) -> int:
    """What has to be opened elsewhere to answer: the categories of every type that is looked at."""
    if query.includes:
        return EVERY_CATEGORY
    mask = 0
    for type_ in {*query.types, *_types(query.where)}:
        mask |= categories_of(type_)
    return mask


def _types(condition: Condition) -> Iterable[str]:
    if isinstance(condition, All | AnyOf):
        for one in condition.of:
            yield from _types(one)
    elif isinstance(condition, Not):
        yield from _types(condition.what)
    elif isinstance(condition, Chain):
        yield from condition.types
        yield from _types(condition.where)
    elif isinstance(condition, Has):
        yield condition.type
        yield from _types(condition.where)
    elif isinstance(condition, Together):
        return


# Cursors --------------------------------------------------------------------------------------


def _cursor(node: Node, asking: Asking, query: Query, last: Hit) -> str:
    return cursors.seal(node, asking, _pages_of(query), (last.id, list(last.keys)))


def _after(node: Node, asking: Asking, query: Query, cursor: str) -> Hit | None:
    if not cursor:
        return None
    entry, keys = cursors.unseal(node, asking, _pages_of(query), cursor)
    return Hit(entry, tuple(keys))


def _pages_of(query: Query) -> object:
    used = [pair for pair in query.used if pair[0] not in ("_count", "_total", "_format")]
    return query.types, used
