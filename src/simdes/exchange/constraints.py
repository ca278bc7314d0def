"""Whether a scope's search parameters are ones that this server can hold an app to.

SMART App Launch 2, "Finer-grained resource constraints using search parameters": a constraint that
is not understood must not be passed over, since that would grant more than the app asked for and
the person saw. Such a scope is not granted.
"""

from __future__ import annotations

from functools import lru_cache

from simdes.access.categories import CATEGORY_OF_TYPE
from simdes.access.scopes import EVERY_TYPE, ResourceScope, Scopes
from simdes.errors import SimdesError
from simdes.fhir.search.parse import parse


def understood(asked: Scopes) -> Scopes:
    """The same without scopes whose constraint is no search of their type."""
    return Scopes(tuple(one for one in asked.resources if _is_search(one)), asked.names)


@lru_cache(maxsize=1_024)
def _is_search(one: ResourceScope) -> bool:
    if not one.constraint:
        return True
    # Of every type: those types whose search it is are granted, the others are not.
    types = CATEGORY_OF_TYPE if one.type == EVERY_TYPE else (one.type,)
    return any(_parses(type_, one) for type_ in types)


def _parses(type_: str, one: ResourceScope) -> bool:
    if any(name.partition(":")[0] == "_source" for name, _ in one.constraint):
        return False  # who wrote a record is said on serving, after scopes were held against it
    try:
        parse((type_,), one.constraint, now_ms=0)
    except SimdesError:
        return False
    return True
