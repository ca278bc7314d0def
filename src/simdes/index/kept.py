"""Who wrote an entry and what became of its record, as SQL.

No value of the resource says either: the author stands in the entry, the state in the row of the
version, since it changes when its record is sealed and anchored and nothing else does. A copy of
another organisation's record is anchored: only such records are opened.
"""

# ruff: noqa: S608
# Text is made of names in this package; every value is bound.

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from simdes.fhir.search.conditions import Authors, States
from simdes.index.bound import Bound
from simdes.index.resources import ANCHORED

_COPY: Final = "record_id IS NOT NULL"
"""As a partial index has it: copies are few among what an organisation wrote."""


def ways(where: Authors | States, alias: str, bound: Bound) -> Iterator[str]:
    """The conditions under any of which an entry is meant."""
    if isinstance(where, Authors):
        by = bound.among(f"{alias}.organisation", set(where.organisations))
        yield f"{alias}.resource_id IS NOT NULL AND {by}"
        yield f"{alias}.{_COPY} AND {by}"
        return
    row = bound.alias()
    yield (
        f"EXISTS (SELECT 1 FROM resource AS {row} WHERE {row}.id = {alias}.resource_id"
        f" AND {bound.among(f'{row}.state', set(where.states))})"
    )
    if ANCHORED in where.states:
        yield f"{alias}.{_COPY}"
