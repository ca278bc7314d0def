"""Entries for the index's tests: short ways to say what is there, and who may see it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from adapters.index_rows import id32, resource, vault
from simdes.fhir.search.conditions import (
    ALWAYS,
    Condition,
    Kind,
    Match,
    Query,
    Reference,
    ReferenceTest,
    Slot,
    Span,
    Text,
    TextTest,
    Token,
    TokenTest,
    Valued,
)
from simdes.index import copies, entries, resources, vaults
from simdes.index.copies import Copy
from simdes.index.entries import NewEntry
from simdes.index.search import Hit, search
from simdes.index.transaction import Transaction
from simdes.index.visible import EVERY_LABEL, OWN, Ground, Scope, Visible

US, THEM = id32("organisation"), id32("another organisation")
CONSENT = id32("a consent")
TYPES = (
    "Patient", "Observation", "Condition", "Practitioner", "Organization", "List", "Encounter",
)  # fmt: skip
EVERYTHING = (1 << 63) - 1
HOME = 99
"""The number of the organisation's own vault."""


def add_vaults(tx: Transaction, *numbers: int) -> None:
    """Vaults of patients, and the organisation's own."""
    for number in (*numbers, HOME):
        vaults.add(tx, vault(number))
    vaults.link_organisation(tx, "0x" + US.hex(), vault(HOME).tag)


def own(
    tx: Transaction,
    name: str,
    *values: Valued,
    vault: int = 1,
    category: int = 3,
    labels: int = 0,
    updated_ms: int = 1,
    content: str = "first",
    deleted: int = 0,
) -> int:
    """Store a version of an own resource and make it findable; return its entry's id."""
    type_, _, logical_id = name.partition("/")
    row = replace(
        resource(1, type=type_, content=content, vault=vault, category=category, labels=labels),
        logical_id=logical_id,
        digest=id32(name, vault, content),
        created_ms=updated_ms,
        deleted=deleted,
    )
    [stored] = resources.add(tx, [row])
    one = NewEntry(
        type=type_,
        logical_id=logical_id,
        vault=row.vault,
        category=category,
        labels=labels,
        version=stored.version,
        deleted=deleted,
        updated_ms=updated_ms,
        handle=OWN,
        organisation=US,
        resource_id=stored.id,
    )
    entries.put(tx, [(one, values)])
    return row_id(tx, one)


def copied(
    tx: Transaction,
    name: str,
    *values: Valued,
    vault: int = 1,
    handle: bytes = CONSENT,
    record: str = "",
    category: int = 3,
    labels: int = 0,
    updated_ms: int = 1,
    deleted: int = 0,
    organisation: bytes = THEM,
    expires_ms: int = 10**15,
) -> int:
    """Keep a copy of another organisation's record and make its one item findable."""
    type_, _, logical_id = name.partition("/")
    record_id, tag = id32("record", record or name), id32("vault", vault)
    kept = Copy(
        record_id=record_id,
        vault=tag,
        handle=handle,
        content_wrapped=b"a record",
        expires_ms=expires_ms,
    )
    copies.put(tx, [kept])
    one = NewEntry(
        type=type_,
        logical_id=logical_id,
        vault=tag,
        category=category,
        labels=labels,
        version=updated_ms,
        deleted=deleted,
        updated_ms=updated_ms,
        handle=handle,
        organisation=organisation,
        record_id=record_id,
        item=0,
    )
    entries.put(tx, [(one, values)])
    return row_id(tx, one)


def row_id(tx: Transaction, one: NewEntry) -> int:
    """The id of an entry's row."""
    row = tx.one(
        "SELECT id FROM entry WHERE type = :type AND logical_id = :id AND vault = :vault"
        " AND handle = :handle AND organisation = :organisation",
        type=one.type,
        id=one.logical_id,
        vault=one.vault,
        handle=one.handle,
        organisation=one.organisation,
    )
    assert row is not None
    return int(row[0])


def sees(
    *grounds: Ground, types: Iterable[str] = TYPES, where: dict[str, Condition] | None = None
) -> Visible:
    """What these grounds let see of these types; by default everything of our own."""
    scopes = {one: (Scope(where=(where or {}).get(one, ALWAYS)),) for one in types}
    return Visible(grounds=grounds or (ground(),), scopes=scopes)


def ground(
    *numbers: int,
    handle: bytes = OWN,
    categories: int = EVERYTHING,
    labels: int = EVERY_LABEL,
    types: Iterable[str] | None = None,
) -> Ground:
    """A ground for the vaults of these numbers, with none for all."""
    return Ground(
        handle=handle,
        vaults=tuple(id32("vault", one) for one in numbers) or None,
        categories=categories,
        labels=labels,
        types=None if types is None else frozenset(types),
    )


def slot(name: str, kind: Kind = Kind.TOKEN) -> Slot:
    """A slot by name."""
    return Slot(name, kind)


def token(name: str, code: str, system: str = "s", part: int = 0) -> Valued:
    """A token under a slot."""
    return Valued(slot(name), Token(system, code), part)


def text(name: str, content: str) -> Valued:
    """A string under a slot."""
    return Valued(slot(name, Kind.STRING), Text(content, content.lower()))


def date(name: str, low: int, high: int | None = None) -> Valued:
    """A span under a slot."""
    return Valued(slot(name, Kind.DATE), Span(low, low + 1 if high is None else high))


def refers(name: str, target: str, *, subject: bool = False) -> Valued:
    """A Reference under a slot."""
    return Valued(slot(name, Kind.REFERENCE), Reference(target, is_subject=subject))


def has_token(name: str, code: str, system: str | None = None) -> Match:
    """The condition that a slot has a code."""
    return Match(slot(name), (TokenTest(system, code),))


def has_text(name: str, content: str) -> Match:
    """The condition that a slot has a string that begins so."""
    return Match(slot(name, Kind.STRING), (TextTest(content),))


def points_at(name: str, target: str, type: str = "") -> Match:
    """The condition that a slot refers to this."""
    return Match(slot(name, Kind.REFERENCE), (ReferenceTest(type, target),))


def found(
    tx: Transaction, visible: Visible, query: Query, *, limit: int = 100, after: Hit | None = None
) -> list[str]:
    """What a search finds, as Type/id."""
    hits = search(tx, visible, query, limit=limit, after=after)
    return named(tx, [one.id for one in hits])


def named(tx: Transaction, ids: Sequence[int]) -> list[str]:
    """Entries as Type/id."""
    return [f"{one.type}/{one.logical_id}" for one in entries.get_many(tx, ids)]
