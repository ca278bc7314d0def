"""Which values stand under a slot of what a caller may see: for ``$meta`` of types and the server.

Search rows hold numbers and digests in place of systems and long texts, so what is found is an
entry for each value, whose resource says it.
"""

# ruff: noqa: S608
# Text is made of names in this package; every value is bound.

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from simdes.fhir.search.conditions import Kind, Slot
from simdes.index.leading import On
from simdes.index.predicates import Predicates
from simdes.index.transaction import Transaction
from simdes.index.values import TABLES, slot_number
from simdes.index.visible import Visible

_VALUE: Final = {Kind.TOKEN: "system, {0}.code", Kind.URI: "text"}


def in_use(
    tx: Transaction, visible: Visible, types: Collection[str], slot: Slot, *, limit: int
) -> list[int]:
    """Return the newest entry with each value of a token or URI slot, at most ``limit`` values."""
    its = frozenset(types) & visible.scopes.keys()
    if not its or not visible.grounds:
        return []
    written = Predicates(visible, tx.unled)
    on, row = On("e", its), written.bound.alias()
    value = f"{row}." + _VALUE[slot.kind].format(row)
    rows = tx.all(
        f"SELECT max(e.id) FROM {TABLES[slot.kind]} AS {row} CROSS JOIN entry AS e"
        f" WHERE {row}.slot = {written.bound(slot_number(slot.name))} AND e.id = {row}.entry"
        f" AND {written.seen(on)} GROUP BY {value} ORDER BY 1 DESC LIMIT :limit",
        limit=limit,
        **written.bound.values,
    )
    return [int(entry) for (entry,) in rows]
