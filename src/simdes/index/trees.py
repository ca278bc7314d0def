"""Parts of a condition: those that can lead a search, those that must all hold, all there are."""

from __future__ import annotations

from collections.abc import Iterator

from simdes.fhir.search.conditions import (
    All,
    AnyOf,
    Authors,
    Chain,
    Condition,
    Has,
    Ids,
    Match,
    Not,
    ReferenceTest,
    States,
    Together,
    Updated,
)
from simdes.index.leaves import is_id

_LEAVES = (Match, Together, Ids, Updated, Authors, States)


def leaves(where: Condition) -> list[Condition]:
    """The parts of a condition whose number of entries is worth asking for, each once."""
    return list(dict.fromkeys(one for one in walk(where) if isinstance(one, _LEAVES)))


def walk(where: Condition, *, negated: bool = False) -> Iterator[Condition]:
    """Every condition in a condition; what stands under `Not` if ``negated``."""
    yield where
    if isinstance(where, All | AnyOf):
        for one in where.of:
            yield from walk(one, negated=negated)
    elif isinstance(where, Chain | Has):
        yield from walk(where.where, negated=negated)
    elif isinstance(where, Not) and negated:
        yield from walk(where.what, negated=True)


def conjuncts(where: Condition) -> Iterator[Condition]:
    """The conditions that all must hold."""
    if isinstance(where, All):
        for one in where.of:
            yield from conjuncts(one)
    else:
        yield where


def subjects(match: Match) -> list[ReferenceTest]:
    """Those tests that name a Patient by id."""
    return [
        one
        for one in match.tests
        if isinstance(one, ReferenceTest) and one.type in ("", "Patient") and is_id(one)
    ]
